"""Providers report over HTTP what became of messages; what they did not sign changes nothing."""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.messaging.providers import registry
from campaigns.models import Channel, Message, Returned
from ingestion.models import Suppression
from marketing.core import vault

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = "a-token-of-the-account"


@pytest.fixture
def twilio() -> Channel:
    channel = Channel.objects.create(
        name="Texts", kind="sms", provider="sms_twilio", settings={"account": "AC1"}
    )
    channel.secrets = {"token": vault.seal(text=TOKEN, row=registry.row_of(channel, "token"))}
    channel.save()
    return channel


def report(channel: Channel, *, token: str = TOKEN, **form: str):
    path = reverse("campaigns:channel-reports", args=[channel.public_id])
    signed = registry.hook_url(channel) + "".join(k + v for k, v in sorted(form.items()))
    mac = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    return Client(enforce_csrf_checks=True).post(
        path,
        urlencode(form),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": base64.b64encode(mac).decode()},
    )


@pytest.fixture
def text(sent) -> Message:
    """A text that Twilio took."""
    message = sent[0]
    message.channel, message.address, message.provider_ref = "sms", "+447700900123", "SM1"
    message.save()
    return message


def test_a_number_that_does_not_exist_gets_no_text_again(twilio, text) -> None:
    form = {
        "MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005",
        "To": text.address,
    }  # fmt: skip
    assert report(twilio, **form).json() == {"new": 1, "known": 0, "strange": 0}
    assert report(twilio, **form).json() == {"new": 0, "known": 1, "strange": 0}
    text.refresh_from_db()
    assert text.bounce == "mailbox"
    assert (Suppression.objects.get().channel, Suppression.objects.get().address) == (
        "sms", "+447700900123",
    )  # fmt: skip


def test_a_delivery_settles_a_text_that_nobody_knew_about(twilio, text) -> None:
    Message.objects.filter(pk=text.pk).update(state="unknown")
    report(twilio, MessageSid="SM1", MessageStatus="delivered", To=text.address)
    assert Message.objects.get(pk=text.pk).state == "sent"


def test_an_unsigned_report_changes_nothing(twilio, text) -> None:
    answer = report(
        twilio, token="guessed", MessageSid="SM1", MessageStatus="failed", To=text.address
    )
    assert answer.status_code == 403
    assert not Returned.objects.exists()


def test_a_channel_there_is_not_and_one_that_reports_nothing_are_refused_alike(twilio) -> None:
    own = Channel.objects.create(name="Inbox", kind="inbox", provider="inbox_own")
    strange = Channel(name="none", kind="sms", provider="sms_twilio")
    assert [report(one, MessageSid="SM1").status_code for one in (own, strange)] == [404, 404]
    path = reverse("campaigns:channel-reports", args=[twilio.public_id])
    assert Client().head(path).status_code == 200
    assert Client().post(path, b"x" * 1_000_001, content_type="text/plain").status_code == 413
