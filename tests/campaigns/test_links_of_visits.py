"""Links of mails say where a visit came from, as the campaign or the journey's step has it."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import drafts
from campaigns.journeys import frozen
from campaigns.journeys.definitions import load
from campaigns.messaging import contents, delivery
from campaigns.models import Variant
from campaigns.review import approval
from campaigns.sending import runs
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.conftest import campaign, people, started

pytestmark = pytest.mark.django_db
SAID = "utm_source=kestrel&utm_medium=email&utm_campaign=news"


@pytest.fixture(autouse=True)
def _shop(settings):
    settings.BUSINESS_NAME = "Kestrel"


@pytest.fixture
def marketer(client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def told(of) -> dict[str, dict[str, str] | None]:
    return {key: one.get("utm") for key, one in started(of=of).snapshot["contents"].items()}


@pytest.mark.django_db(transaction=True)
def test_whoever_follows_a_link_arrives_with_them_and_leaving_carries_none(postbox):
    people(1)
    delivery.deliver(run_id=started().pk)
    mail = postbox.read()
    html = mail.get_body(("html",)).get_content()
    followed = re.search(r'href="([^"]+/c/[^"]+)"', html)
    assert followed is not None
    target = parse_qs(urlsplit(followed[1].replace("&amp;", "&")).query)["u"]
    assert target == [f"https://shop.example/new?{SAID}"]
    assert f"(https://shop.example/new?{SAID})" in mail.get_body(("plain",)).get_content()
    leave = mail["List-Unsubscribe"].strip("<>")
    assert f'href="{leave}"' in html


def test_usual_words_come_from_the_shop_the_channel_and_the_campaign():
    people(1)
    assert told(campaign()) == {
        "a": {"source": "kestrel", "medium": "email", "campaign": "news"},
    }


def test_variants_are_told_apart_in_the_content():
    people(1)
    of = campaign()
    Variant.objects.create(campaign=of, key="a", name="Long subject")
    Variant.objects.create(campaign=of, key="b")
    of.utm = {"content": "top"}
    of.save()
    assert {key: said and said["content"] for key, said in told(of).items()} == {
        "a": "top-long-subject",
        "b": "top-b",
    }


def test_turned_off_nothing_is_kept_with_the_run():
    people(1)
    of = campaign()
    of.utm = {"off": True, "source": "x"}
    of.save()
    assert told(of) == {"a": None}


def test_what_cannot_stand_in_a_link_is_refused_and_empty_words_are_the_usual_ones():
    of = campaign()
    for bad in ({"name": "x"}, "x", {"source": "a\nb"}, {"source": "x" * 101}, {"term": 4}):
        with pytest.raises(Invalid) as refused:
            drafts.save(campaign_id=of.pk, values={"utm": bad}, user=None, now=factories.NOW)
        assert refused.value.field == "utm"
    saved = drafts.save(
        campaign_id=of.pk,
        values={"utm": {"off": False, "source": " ", "term": " shoes "}},
        user=None,
        now=factories.NOW,
    )
    assert saved.utm == {"term": "shoes"}


def test_other_words_ask_for_another_approval():
    of = campaign()
    before = approval.digest(of)
    of.utm = {"source": "x"}
    assert approval.digest(of) != before


def test_an_sms_and_a_call_to_another_system_carry_none():
    for channel in ("sms", "webhook"):
        assert contents.utm_of(own={"source": "x"}, channel=channel, name="News") is None
    assert contents.utm_of(own={}, channel="push", name="News") == {
        "source": "kestrel",
        "medium": "push",
        "campaign": "news",
    }


def test_each_step_of_a_journey_says_its_name_and_may_be_left_out():
    template = campaign().template
    send = {"kind": "send", "channel": "email", "template": template.pk}
    graph = load(
        {
            "start": "in",
            "nodes": {
                "in": {"kind": "api", "next": "one"},
                "one": {**send, "label": "Day 1", "utm_term": "hello", "next": "two"},
                "two": {**send, "utm_source": "club", "next": "three"},
                "three": {**send, "plain_links": True},
            },
        }
    )
    kept = frozen.contents(graph, "Welcome to us")
    assert {key: one.get("utm") for key, one in kept.items()} == {
        "one:a": {
            "source": "kestrel",
            "medium": "email",
            "campaign": "welcome-to-us",
            "content": "day-1",
            "term": "hello",
        },
        "two:a": {
            "source": "club",
            "medium": "email",
            "campaign": "welcome-to-us",
            "content": "news",
        },
        "three:a": None,
    }


def test_the_wizard_asks_for_them_and_shows_them_before_anything_is_sent(marketer):
    of = campaign()
    url = reverse("campaigns:campaign-message", args=[of.pk])
    page = marketer.get(url).content.decode()
    assert 'placeholder="kestrel"' in page
    assert 'placeholder="news"' in page
    check = reverse("campaigns:campaign-check", args=[of.pk])
    assert SAID.replace("&", "&amp;") in marketer.get(check).content.decode()
    drafts.save(campaign_id=of.pk, values={"utm": {"off": True}}, user=None, now=factories.NOW)
    assert "Links go out as written" in marketer.get(check).content.decode()
    of.refresh_from_db()
    assert runs.utm(of, of.template) == {"a": None}
