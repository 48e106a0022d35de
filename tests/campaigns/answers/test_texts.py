"""STOP by SMS ends the texts to a number with proof, START lets them come again, each once."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.answers import texts
from campaigns.messaging import claims
from campaigns.messaging.providers import registry
from campaigns.models import Channel, Returned
from ingestion import consent
from ingestion.models import Consent, Customer, Suppression
from marketing.core import vault
from tests import factories
from tests.campaigns import gateway as gateways
from tests.campaigns.answers.test_reports import report, text, twilio

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "a-secret-for-replies"
__all__ = ["text", "twilio"]


@pytest.fixture
def ada(text) -> Customer:
    """Whose number it is; she agreed to texts."""
    person = text.customer
    person.phone = text.address
    person.save()
    consent.grant(
        customer_ids=[person.pk],
        channel="sms",
        source="form",
        proof={"form": "till"},
        now=factories.NOW - timedelta(days=9),
    )
    return person


@pytest.fixture
def box(settings):
    with gateways.listening() as found:
        yield found


@pytest.fixture
def own(box) -> Channel:
    """A gateway of the shop's own, which brings replies too."""
    channel = Channel.objects.create(
        name="Own", kind="sms", provider="sms_gateway", is_default=True, from_address="+4930123456",
        settings={
            "url": f"http://127.0.0.1:{box.port}/", "method": "POST", "format": "json",
            "body": '{"to": "{{ to }}", "text": "{{ text }}"}', "repeats": "never",
            "reply_from": "msg.sender", "reply_text": "msg.body", "reply_id": "msg.id",
        },
    )  # fmt: skip
    sealed = vault.seal(text=SECRET, row=registry.row_of(channel, "reply_secret"))
    channel.secrets = {"reply_secret": sealed}
    channel.save()
    return channel


def brought(
    channel: Channel,
    *,
    sender: str = "",
    words: str = "",
    name: str = "",
    secret: str = SECRET,
    body: bytes | None = None,
):
    """What the gateway brings, signed."""
    said = {"sender": sender, "body": words, "id": name}
    body = body or json.dumps({"msg": said}).encode()
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Client(enforce_csrf_checks=True).post(
        reverse("campaigns:channel-reports", args=[channel.public_id]),
        body,
        content_type="application/json",
        headers={"X-Signature": f"sha256={mac}"},
    )


def may_get_texts(person: Customer) -> bool:
    return consent.may_mail(person.pk, channel="sms")


def test_stop_to_twilio_ends_texts_with_proof_and_start_brings_them_back(twilio, ada) -> None:
    assert may_get_texts(ada)
    wrote = {"From": ada.phone, "To": "+441", "Body": "Stop please", "SmsStatus": "received"}
    answer = report(twilio, MessageSid="IN1", **wrote)
    assert (answer.status_code, answer.content) == (200, b"<Response/>")
    assert not may_get_texts(ada)
    said = Consent.objects.get(customer=ada, channel="sms", current=True)
    assert (said.granted, said.source) == (False, "sms_stop")
    assert said.proof == {"sms": "IN1", "word": "Stop please", "channel": twilio.pk}
    assert Suppression.objects.get(address=ada.phone, channel="sms").reason == "unsubscribed"
    report(twilio, MessageSid="IN2", **wrote | {"Body": "START"})
    assert may_get_texts(ada)
    # The first word, brought once more after the second one, undoes nothing.
    report(twilio, MessageSid="IN1", **wrote)
    assert may_get_texts(ada)
    assert list(Returned.objects.order_by("pk").values_list("kind", flat=True)) == ["stop", "start"]


def test_a_word_that_is_not_signed_changes_nothing(twilio, own, ada) -> None:
    assert (
        report(twilio, token="x", MessageSid="IN1", From=ada.phone, Body="STOP").status_code == 403
    )
    assert brought(own, secret="x", sender=ada.phone, body=b"{}").status_code == 403
    path = reverse("campaigns:channel-reports", args=[own.public_id])
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic !"}):
        assert Client().post(path, b"{}", "application/json", headers=headers).status_code == 403
    assert may_get_texts(ada)


def test_an_own_gateway_brings_words_and_carries_the_answer_once(own, ada, box, settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    settings.BUSINESS_NAME = "Shop"
    for _ in range(2):
        answer = brought(own, sender="00447700900123", words="STOP", name="7")
        assert answer.status_code == 200
    assert answer.json() == {"new": 0, "known": 1, "strange": 0}
    assert not may_get_texts(ada)
    now = factories.now()
    assert [texts.answer_due(now=now), texts.answer_due(now=now)] == [1, 0]
    assert box.taken == [
        {
            "to": ada.phone,
            "text": "Shop: you get no more texts from us. Answer START to get them again.",
        }
    ]
    # Whoever says it again is told nothing again.
    brought(own, sender=ada.phone, words="STOP", name="8")
    assert texts.answer_due(now=now) == 0


def test_an_answer_waits_for_a_gateway_that_is_away_and_not_for_ever(own, ada, settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    own.settings["url"] = "http://127.0.0.1:1/"
    own.save()
    brought(own, sender=ada.phone, words="stop", name="1")
    assert texts.answer_due(now=factories.now()) == 0
    assert Returned.objects.exclude(answer_until=None).count() == 1
    texts.answer_due(now=factories.now() + timedelta(hours=2))
    assert Returned.objects.exclude(answer_until=None).count() == 0


def test_twilio_that_answered_by_itself_is_not_answered_a_second_time(twilio, ada) -> None:
    report(twilio, MessageSid="IN1", From=ada.phone, Body="STOP", OptOutType="STOP")
    assert not may_get_texts(ada)
    assert Returned.objects.get().answer_until is None


def test_a_number_of_nobody_is_stopped_and_other_words_are_left_alone(own, ada) -> None:
    for number, words in (("+4915112345678", "STOP"), (ada.phone, "Thank you!"), ("what", "STOP")):
        brought(own, sender=number, words=words)
    assert consent.is_suppressed(address="+4915112345678", channel="sms")
    assert may_get_texts(ada)
    assert Returned.objects.count() == 1


def test_a_reply_without_sender_or_text_is_refused_by_name(own) -> None:
    assert (
        brought(own, body=b'{"msg": {"sender": "+4915112345678"}}').json()["error"]["field"]
        == "text"
    )
    assert brought(own, body=b"[]").json()["error"]["field"] == "from"
    assert brought(own, body=b"{").status_code == 422
    assert not Returned.objects.exists()


def test_start_ends_no_complaint_and_no_dead_number(own, ada) -> None:
    consent.suppress(addresses=[ada.phone], channel="sms", reason="bounced", now=factories.NOW)
    brought(own, sender=ada.phone, words="START", name="3")
    assert not may_get_texts(ada)


def test_texts_that_wait_are_not_sent_after_a_stop(own, ada) -> None:
    brought(own, sender=ada.phone, words="STOP", name="4")
    due = claims.Due(1, ada.pk, "sms", ada.phone)
    assert claims.unwanted([due]) == {1: "suppressed"}
