"""A marketer makes a campaign step by step, watches it go out, and reads each mail."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from campaigns import content
from campaigns.messaging import bodies, keeping
from campaigns.models import Campaign, Message, Template
from campaigns.sending import runs
from campaigns.views import wizard
from tests import factories
from tests.campaigns.conftest import MJML, campaign, look_at_everybody, people, started

pytestmark = pytest.mark.django_db


TIMING = {"timing": "once", "local_time": "09:00", "if_passed": "wait"}


@pytest.fixture
def marketer(client):
    client.force_login(factories.user("marketer"))
    return client


def test_the_steps_lead_from_a_segment_to_a_running_campaign(marketer):
    people(12)
    people(3, consent=False, prefix="silent")
    segment = campaign().segment
    answer = marketer.post(
        reverse("campaigns:campaign-new"),
        {"name": "Spring", "segment_id": segment.pk, "holdout_percent": "0"},
    )
    made = Campaign.objects.get(name="Spring")
    assert answer["Location"] == reverse("campaigns:campaign-message", args=[made.pk])
    page = marketer.get(answer["Location"]).content.decode()
    assert '"kind": "products"' in page
    answer = marketer.post(answer["Location"], {**content.starter(), "from_name": "The shop"})
    assert answer["Location"] == reverse("campaigns:campaign-timing", args=[made.pk])
    answer = marketer.post(answer["Location"], {**TIMING, "when": "now"})
    assert answer["Location"] == reverse("campaigns:campaign-variants", args=[made.pk])
    answer = marketer.post(answer["Location"], {"mode": "fixed", "metric": "clicked"})
    assert answer["Location"] == reverse("campaigns:campaign-check", args=[made.pk])
    page = marketer.get(answer["Location"]).content.decode()
    assert "Send to 12 people" in page
    assert "Has not agreed to marketing mail" in page
    answer = marketer.post(reverse("campaigns:campaign-start", args=[made.pk]), follow=True)
    assert "Sending has begun." in answer.content.decode()
    made.refresh_from_db()
    assert (made.state, made.from_name) == ("running", "The shop")


def test_the_check_names_whoever_the_mail_does_not_work_for(marketer):
    everyone = people(3)
    type(everyone[1]).objects.filter(pk=everyone[1].pk).update(first_name="", last_name="Okri")
    of = campaign(subject="Dear {{ first_name }}")
    tried = reverse("campaigns:campaign-tried", args=[of.pk])
    check = marketer.get(reverse("campaigns:campaign-check", args=[of.pk])).content.decode()
    assert f'hx-get="{tried}"' in check
    page = marketer.get(tried).content.decode()
    words = re.sub(r"<[^>]+>|\s+", " ", page)
    assert "For 1 of 3 people tried, a value is missing" in words
    assert "(first_name is missing)" in words
    assert reverse("customer", args=[everyone[1].pk]) in page


def test_without_a_mail_nothing_is_tried(marketer):
    of = campaign()
    of.template = None
    of.save()
    assert marketer.get(reverse("campaigns:campaign-tried", args=[of.pk])).status_code == 404


def test_the_count_beside_the_segment_follows_the_choice(marketer):
    people(12)
    people(3, consent=False, prefix="silent")
    segment = campaign().segment
    address = reverse("campaigns:campaign-reach")
    page = marketer.get(address, {"segment_id": segment.pk, "holdout_percent": "0"})
    words = re.sub(r"<[^>]+>|\s+", " ", page.content.decode())
    assert re.search(r" 12 +get it, out of 15 in the segment", words)
    for odd in ({}, {"segment_id": "x"}, {"segment_id": "404"}, {"segment_id": "²"}):
        assert marketer.get(address, odd).status_code == 200


def test_of_very_many_people_is_counted_beside_the_page_which_says_when_it_takes_too_long(
    marketer, monkeypatch
):
    people(12)
    of = campaign()
    monkeypatch.setattr(wizard, "LARGE", 11)
    look_at_everybody()
    check = reverse("campaigns:campaign-check", args=[of.pk])
    page = marketer.get(check).content.decode()
    beside = re.search(r'hx-get="([^"]*reach[^"]*)"', page)
    assert beside is not None
    words = re.sub(r"<[^>]+>|\s+", " ", marketer.get(unescape(beside[1])).content.decode())
    assert re.search(r" 12 +get it, out of 12 in the segment", words)
    monkeypatch.setattr(wizard, "BESIDE_MS", 1)
    assert "so there is no number here" in marketer.get(unescape(beside[1])).content.decode()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "", "segment_id": "1"}, "Give the campaign a name."),
        ({"name": "x", "segment_id": ""}, "Choose a segment."),
        ({"name": "x", "segment_id": "404"}, "no longer exists"),
    ],
)
def test_a_wrong_audience_is_said_beside_its_field_and_nothing_is_made(marketer, values, words):
    answer = marketer.post(reverse("campaigns:campaign-new"), {"holdout_percent": "10", **values})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Campaign.objects.count() == 0


def test_a_template_with_a_fault_comes_back_with_what_was_written(marketer):
    values = {"name": "News", "subject": "{{ nonsense }}", "preheader": "", "mjml": MJML}
    answer = marketer.post(reverse("campaigns:template-new"), values)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "There is no value called nonsense." in page
    assert "{{ nonsense }}" in page
    assert Template.objects.count() == 0


def test_a_template_is_saved_and_windows_line_ends_become_plain_ones(marketer):
    values = {"name": "News", "subject": "Hi", "preheader": "", "mjml": MJML.replace("\n", "\r\n")}
    answer = marketer.post(reverse("campaigns:template-new"), values)
    template = Template.objects.get()
    assert answer["Location"] == reverse("campaigns:template-edit", args=[template.pk])
    assert template.mjml == MJML


def test_the_preview_shows_what_is_written_in_a_page_that_can_do_nothing(marketer):
    ada = factories.customer("ada")
    values = {"name": "", "subject": "Hi", "preheader": "", "mjml": MJML, "person": str(ada.pk)}
    answer = marketer.post(reverse("campaigns:template-preview"), values)
    assert b"Hello Ada, see" in answer.content
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-same-origin" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    wrong = marketer.post(reverse("campaigns:template-preview"), {**values, "mjml": "<b>"})
    assert b"the MJML cannot be read" in wrong.content
    nameless = factories.customer("ben", first_name="")
    values |= {"subject": "{{ first_name }}", "person": str(nameless.pk)}
    missing = marketer.post(reverse("campaigns:template-preview"), values)
    assert b"first_name is missing" in missing.content


def test_buttons_pause_resume_cancel_and_refuse_what_is_not_legal(marketer):
    people(2)
    of = started().campaign
    for verb, state in (
        ("resume", "running"),
        ("pause", "paused"),
        ("resume", "running"),
        ("cancel", "cancelled"),
        ("pause", "cancelled"),
    ):
        answer = marketer.post(reverse(f"campaigns:campaign-{verb}", args=[of.pk]), follow=True)
        assert answer.status_code == 200
        of.refresh_from_db()
        assert of.state == state


def test_the_live_part_asks_again_while_it_runs_and_ends_by_renewing_the_page(marketer):
    people(2)
    of = started().campaign
    address = reverse("campaigns:campaign-live", args=[of.pk])
    running = marketer.get(address)
    assert b"load delay:1s" in running.content
    assert "HX-Refresh" not in running
    runs.cancel(campaign_id=of.pk, user=None, now=factories.now())
    ended = marketer.get(address)
    assert b"load delay:1s" not in ended.content
    assert ended["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    "name",
    ["start", "pause", "resume", "cancel", "copy", "delete", "audience", "message"],
)
def test_an_analyst_looks_and_changes_nothing(name):
    of = campaign()
    client = Client()
    client.force_login(factories.user("analyst"))
    assert client.get(reverse("campaigns:campaign-detail", args=[of.pk])).status_code == 200
    answer = client.post(reverse(f"campaigns:campaign-{name}", args=[of.pk]), {"name": "x"})
    assert answer.status_code == 403
    of.refresh_from_db()
    assert (of.state, of.name) == ("draft", "News")


def test_a_stranger_is_asked_to_sign_in_for_everything_but_the_public_pages(client):
    of = campaign()
    message = started(of=of)
    assert message.pk
    for address in (
        reverse("campaigns:campaign-list"),
        reverse("campaigns:campaign-detail", args=[of.pk]),
        reverse("campaigns:message-list", args=[of.pk]),
        reverse("campaigns:template-list"),
    ):
        answer = client.get(address)
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]


def test_each_mail_can_be_read_as_it_was_sent_and_looking_is_not_opening(marketer):
    person = people(1)[0]
    run = started()
    message = Message.objects.get(run=run)
    raw = (
        b"From: a@shop.example\r\nTo: p0@example.com\r\nSubject: <b>Hi</b>\r\n"
        b"List-Unsubscribe: <https://m.example/u/T>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/alternative; boundary="=_x"\r\n\r\n--=_x\r\n'
        b"Content-Type: text/plain; charset=utf-8\r\n\r\nplain words\r\n--=_x\r\n"
        b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>rich words</p>"
        b'<img src="http://127.0.0.1:8000/o/abc-_9.gif">\r\n--=_x--\r\n'
    )
    common = bodies.shared(run.snapshot["contents"]["a"]["template"])
    keeping.share(run_id=run.pk, commons=[common])
    keeping.store([keeping.Written(message.pk, raw, common)])
    page = marketer.get(reverse("campaigns:message-detail", args=[message.pk])).content.decode()
    assert "&lt;b&gt;Hi&lt;/b&gt;" in page
    assert "plain words" in page
    assert "https://m.example/u/T" in page
    assert person.first_name in page
    shown = marketer.get(reverse("campaigns:message-mail", args=[message.pk]))
    assert b"<p>rich words</p>" in shown.content
    assert b"/o/abc" not in shown.content
    assert "img-src data:" in shown["Content-Security-Policy"]
    source = marketer.get(reverse("campaigns:message-source", args=[message.pk]))
    assert source.content == raw
    assert source["Content-Type"] == "message/rfc822"
    assert "attachment" in source["Content-Disposition"]


def test_a_person_without_a_mail_has_a_page_that_says_why(marketer):
    people(1, consent=False)
    run = started()
    message = Message.objects.get(run=run)
    page = marketer.get(reverse("campaigns:message-detail", args=[message.pk])).content.decode()
    assert "Has not agreed to marketing mail." in page
    assert marketer.get(reverse("campaigns:message-mail", args=[message.pk])).content == b""


def test_people_are_listed_by_outcome_and_reason(marketer):
    people(2)
    people(1, consent=False, prefix="silent")
    of = started().campaign
    address = reverse("campaigns:message-list", args=[of.pk])
    assert "silent0@example.com" in marketer.get(address).content.decode()
    page = marketer.get(address, {"state": "queued"}).content.decode()
    assert "p0@example.com" in page
    assert "silent0@example.com" not in page
    page = marketer.get(address, {"state": "skipped", "reason": "no_consent"}).content.decode()
    assert "silent0@example.com" in page
    for odd in ({"state": "x"}, {"reason": "x"}, {"page": "-1"}, {"page": "999999999"}):
        assert marketer.get(address, odd).status_code == 200


@pytest.mark.parametrize("odd", ["²", "٣", "9" * 30, "9" * 5000, "-1", "x", ""])
def test_a_number_that_is_no_id_is_answered_without_a_fault(marketer, odd):
    draft = campaign()
    reach = reverse("campaigns:campaign-reach")
    asked = {"campaign": odd, "segment_id": odd, "holdout_percent": odd}
    assert marketer.get(reach, asked).status_code == 200
    asked["segment_id"] = draft.segment_id
    assert marketer.get(reach, asked).status_code == 200
    step = reverse("campaigns:campaign-message", args=[draft.pk])
    assert marketer.get(step, {"template": odd}).status_code == 200
    said = {**content.starter(), "from_name": "The shop", "template_id": odd}
    assert marketer.post(step, said).status_code == 302
    new = marketer.post(
        reverse("campaigns:campaign-new"), {"name": "A", "segment_id": odd, "holdout_percent": odd}
    )
    assert new.status_code == 422
