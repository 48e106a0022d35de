"""Every number of a send leads to the very messages that it counts."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Message
from campaigns.reporting import behind, readings, responses
from campaigns.variants import trials
from ingestion import events
from tests import factories
from tests.campaigns import numbers
from tests.campaigns.conftest import campaign
from tests.campaigns.recipients.test_routes import NOW, begun, people, planned, sent
from tests.campaigns.views.test_campaign_pages import AT, click
from tests.campaigns.views.test_campaign_pages import sent as all_sent

pytestmark = pytest.mark.django_db


def test_numbers_of_two_channels_lead_to_whom_each_was_given_and_why_not():
    client = factories.signed_in()
    people(*["email sms"] * 60, *["email"] * 10, *["sms"] * 6, *[""] * 3)
    of = planned(1, 1, mode="fixed", holdout=20)
    run = begun(of)
    sent(run, NOW - timedelta(days=3), a=0.3, b=0.5)
    texts = list(run.messages.filter(state="sent", channel="sms")[:2])
    Message.objects.filter(pk=texts[0].pk).update(state="failed", reason="refused", sent_at=None)
    Message.objects.filter(pk=texts[1].pk).update(state="unknown", reason="line_broke")
    html = client.get(reverse("campaigns:campaign-channels", args=[of.pk])).content.decode()
    found = numbers.opened(client, html)
    assert {address: pair for address, pair in found.items() if pair[0] != pair[1]} == {}
    words = {address.partition("?")[2] for address in found}
    assert words == {
        *(f"channel={key}&part={part}" for key in ("email", "sms") for part in ("given", "only")),
        *(f"channel={key}&state={state}" for key in ("email", "sms") for state in ("sent", "lost")),
        *("lacks=email:no_address", "lacks=sms:no_address", "reach=none"),
        "channel=email&outcome=clicked",
        *(
            f"reach=email%20sms&variant={key}&part=first{more}"
            for key in "ab" for more in ("", "&outcome=answered")
        ),
    }  # fmt: skip
    lost, only = (numbers.shown(client.get(f"{people_of(of)}?{asked}")) for asked in (
        "channel=sms&state=lost", "channel=sms&part=only",
    ))  # fmt: skip
    given = run.messages.exclude(state="skipped")
    assert (lost, only) == (2, given.filter(channel="sms", reach="sms").count())
    asked = "reach=email%20sms&variant=b&part=first&outcome=answered"
    page = client.get(f"{people_of(of)}?{asked}").content.decode()
    assert "Text · Reached by E-mail, SMS · Drawn by the first shares · Answered within a day" in (
        " ".join(page.split())
    )


def people_of(of) -> str:
    return reverse("campaigns:message-list", args=[of.pk])


def test_numbers_of_variants_lead_to_the_first_shares_and_to_those_who_came_later():
    client = factories.signed_in()
    people(*["email"] * 80)
    of = campaign(holdout=20)
    trials.save(
        campaign_id=of.pk, variants=[{"name": "A"}, {"name": "B"}], user=None, now=NOW,
        values={"mode": "winner", "metric": "ordered", "first_percent": 50},
    )  # fmt: skip
    run = begun(of)
    sent(run, NOW, a=0.3, b=0.6)
    rows = run.messages.filter(state="sent")
    for row in rows[:5]:
        Message.objects.filter(pk=row.pk).update(opened_at=NOW, opened_human=0.9)
    Message.objects.filter(pk=rows[0].pk).update(clicked_at=NOW, clicked_human=0.9)
    readings.take(run=run, now=timezone.now())
    for name in ("campaign-detail", "campaign-list", "experiment-list"):
        args = [of.pk] if name == "campaign-detail" else []
        html = client.get(reverse(f"campaigns:{name}", args=args)).content.decode()
        found = numbers.opened(client, html)
        assert len(found) >= 2
        assert {address: pair for address, pair in found.items() if pair[0] != pair[1]} == {}
        if args:
            assert {f"{people_of(of)}?variant=a&part=first&outcome=ordered",
                    f"{people_of(of)}?variant=b&part=first&state=sent",
                    f"{people_of(of)}?reason=holdout"} <= set(found)  # fmt: skip
    later = behind.of_run(run=run, asked=behind.read({"variant": "a", "part": "later"}), now=NOW)
    assert set(later.values_list("state", flat=True)) == {"queued"}


def test_who_followed_a_link_is_listed_without_machines():
    run = all_sent()
    rows = list(Message.objects.filter(run=run).select_related("run").order_by("id"))
    Message.objects.filter(run=run).update(clicked_at=AT)
    sale = "https://shop.example/sale?size=M&colour=red"
    taken = [
        click(rows[0], f"{sale}&utm_source=club&utm_medium=email", machine=False, name="c1"),
        click(rows[1], sale, machine=False, name="c2"),
        click(rows[2], "https://shop.example/", machine=False, name="c3"),
        click(rows[3], sale, machine=True, name="c4"),
    ]
    run.snapshot["contents"] = {"a": {"utm": {"source": "club", "medium": "email"}}}
    run.save()
    events.record(batch=taken, source="campaigns", now=AT + timedelta(hours=1))
    assert next((one.url, one.people) for one in responses.links(run=run) or ()) == (sale, 2)
    found = behind.of_run(run=run, asked=behind.read({"link": sale}), now=AT)
    assert set(found) == set(rows[:2])
    client = factories.signed_in()
    page = client.get(reverse("campaigns:campaign-detail", args=[run.campaign_id]))
    linked = numbers.opened(client, page.content.decode())
    (address,) = (one for one in linked if "link=" in one and "colour" in one)
    assert linked[address] == (2, 2)


@pytest.mark.parametrize("odd", ["state", "reason", "outcome", "channel", "part", "lacks", "reach"])
def test_a_word_that_nobody_knows_narrows_nothing(odd):
    run = all_sent()
    assert behind.read({odd: "x' OR 1=1", "variant": "'; --"}) == behind.Asked()
    client = factories.signed_in()
    there = client.get(people_of(run.campaign), {odd: "x\0' OR 1=1"})
    assert numbers.shown(there) == 10
