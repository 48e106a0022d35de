"""A provider's API gets the very mail that was written, and its answers and reports are read."""

import base64
import hashlib
import hmac
import json
import time
from datetime import datetime

import pytest

from campaigns.messaging import mime, providers
from campaigns.messaging.providers.base import Outgoing, Unreachable, Verdict
from campaigns.messaging.providers.email_anymail import hooks
from campaigns.messaging.rendering import Rendered
from marketing.core.errors import Forbidden
from tests import factories
from tests.campaigns.peer import hang_up

KEY = "0123456789abcdef0123456789abcdef"


def mail() -> Outgoing:
    writer = mime.Writer(
        from_name="Alder", from_email="hello@shop.example", reply_to="re@shop.example"
    )
    body = writer.write(
        key=KEY,
        to="ada@example.com",
        to_name="Ada Löve",
        mail=Rendered("Köm över", "<p>Grüße</p>", "Grüße"),
        unsubscribe_url="https://m.example/u/t",
        at=factories.NOW,
    )
    return Outgoing(KEY, "hello@shop.example", "ada@example.com", body, "Köm över")


def line(peer, variant, **given):
    made = providers.load("email_anymail")
    return made.connect({"variant": variant, "api_key": "k-1", "api_url": f"{peer.url}/", **given})


def test_postmark_gets_subject_both_bodies_and_the_headers_that_let_people_leave(peer):
    said = {"ErrorCode": 0, "MessageID": "pm-1", "To": "ada@example.com", "Message": "OK"}
    peer.answers.append((200, json.dumps(said)))
    answer = line(peer, "postmark", message_stream="broadcast").send(mail())
    assert (answer.verdict, answer.ref) == (Verdict.SENT, "pm-1")
    asked = peer.asked[0]
    assert (asked.path, asked.headers["x-postmark-server-token"]) == ("/email", "k-1")
    sent = json.loads(asked.body)
    assert sent["Subject"] == "Köm över"
    assert sent["TextBody"].strip() == "Grüße"
    assert sent["HtmlBody"].strip() == "<p>Grüße</p>"
    assert sent["To"] == "Ada Löve <ada@example.com>"
    assert sent["ReplyTo"] == "re@shop.example"
    assert sent["MessageStream"] == "broadcast"
    assert sent["Metadata"] == {"key": KEY}
    headers = {each["Name"]: each["Value"] for each in sent["Headers"]}
    assert headers["List-Unsubscribe"] == "<https://m.example/u/t>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["Message-ID"] == f"<{KEY}@shop.example>"


@pytest.mark.parametrize(
    ("variant", "given", "path", "said", "ref"),
    [
        ("mailgun", {}, "/shop.example/messages", {"id": "<mg@x>", "message": "Queued"}, "<mg@x>"),
        ("brevo", {}, "/smtp/email", {"messageId": "<b@x>"}, "<b@x>"),
        ("resend", {}, "/emails", {"id": "re-1"}, "re-1"),
        (
            "mailjet",
            {"secret_key": "s"},
            "/send",
            {
                "Messages": [
                    {
                        "Status": "success",
                        "To": [{"Email": "ada@example.com", "MessageID": 5, "MessageUUID": "u"}],
                    }
                ]
            },
            "5",
        ),
        (
            "sparkpost",
            {},
            "/transmissions/",
            {
                "results": {
                    "id": "sp-1",
                    "total_accepted_recipients": 1,
                    "total_rejected_recipients": 0,
                }
            },
            "sp-1",
        ),
    ],
)
def test_each_service_is_spoken_to_in_its_own_way(peer, variant, given, path, said, ref):
    peer.answers.append((200, json.dumps(said)))
    answer = line(peer, variant, **given).send(mail())
    assert (answer.verdict, answer.ref) == (Verdict.SENT, ref)
    assert peer.asked[0].path == path


def test_sendgrid_and_mailersend_take_a_mail_without_saying_much(peer):
    peer.answers.append((202, b""))
    assert line(peer, "sendgrid").send(mail()).verdict is Verdict.SENT
    peer.answers.append((202, b"", {"X-Message-Id": "ms-1", "Content-Type": "text/html"}))
    answer = line(peer, "mailersend").send(mail())
    assert (answer.verdict, answer.ref) == (Verdict.SENT, "ms-1")
    assert [asked.path for asked in peer.asked] == ["/mail/send", "/email"]


def test_amazon_gets_the_mail_as_it_was_written_in_a_signed_request(peer):
    peer.answers.append((200, json.dumps({"MessageId": "ses-1"})))
    made = line(
        peer, "amazon_ses", access_key="AKIA1", access_secret="s", region="eu-west-1",
        api_url=peer.url,
    )  # fmt: skip
    answer = made.send(mail())
    assert (answer.verdict, answer.ref) == (Verdict.SENT, "ses-1")
    asked = peer.asked[0]
    assert asked.path == "/v2/email/outbound-emails"
    assert "Credential=AKIA1/" in asked.headers["authorization"]
    sent = base64.b64decode(json.loads(asked.body)["Content"]["Raw"]["Data"]).decode()
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in sent
    peer.answers.append((429, json.dumps({"message": "slow down"})))
    assert made.send(mail()).verdict is Verdict.RETRY
    assert len(peer.asked) == 2  # tries are counted in the message's row, not hidden in a library


@pytest.mark.parametrize(
    ("status", "said", "verdict", "bounced"),
    [
        (422, {"ErrorCode": 406, "Message": "Inactive recipient"}, Verdict.FAILED, False),
        (
            422,
            {"ErrorCode": 300, "Message": "Error parsing 'To': Illegal email address 'ada'."},
            Verdict.FAILED,
            False,
        ),
        (429, {}, Verdict.RETRY, False),
        (500, {}, Verdict.RETRY, False),
        (413, {}, Verdict.FAILED, False),
    ],
)
def test_each_refusal_has_its_own_meaning(peer, status, said, verdict, bounced):
    peer.answers.append((status, json.dumps(said)))
    answer = line(peer, "postmark").send(mail())
    assert (answer.verdict, answer.bounced) == (verdict, bounced)


def test_an_answer_that_nobody_expected_is_not_taken_for_a_refusal(peer):
    peer.answers.append((202, b""))
    assert line(peer, "mailersend").send(mail()).verdict is Verdict.UNKNOWN


def test_a_wrong_key_stops_the_sending_and_blames_no_mail(peer):
    peer.answers.append((401, json.dumps({"ErrorCode": 10, "Message": "Bad token"})))
    with pytest.raises(Unreachable, match="401"):
        line(peer, "postmark").send(mail())


def test_a_line_that_breaks_is_told_from_one_that_was_never_made(peer):
    peer.answers.append(hang_up)
    assert line(peer, "postmark").send(mail()).verdict is Verdict.UNKNOWN
    peer.close()
    with pytest.raises(Unreachable):
        line(peer, "postmark").send(mail())


def test_an_address_inside_this_network_is_never_called(peer, settings):
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(Unreachable, match="not called"):
        line(peer, "postmark").send(mail())
    with pytest.raises(Unreachable, match="not called"):
        line(
            peer, "amazon_ses", access_key="A", access_secret="s", region="eu-west-1",
            api_url=peer.url,
        ).send(mail())  # fmt: skip
    assert peer.asked == []


def report(body: dict, **given) -> list:
    return hooks.read(
        method="POST",
        headers={"Content-Type": "application/json", **given.pop("headers", {})},
        query={},
        body=json.dumps(body).encode(),
        url="https://m.example/hooks/x/",
        given=given,
    )


def test_a_bounce_that_mailgun_signed_is_read_and_a_forged_one_is_not():
    now = str(int(time.time()))
    mac = hmac.new(b"sign-1", f"{now}tok".encode(), hashlib.sha256).hexdigest()
    body = {
        "signature": {"timestamp": now, "token": "tok", "signature": mac},
        "event-data": {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "id": "e-1",
            "timestamp": 1_790_000_000.5,
            "recipient": "ada@example.com",
            "message": {"headers": {"message-id": f"{KEY}@shop.example"}},
            "user-variables": {"key": KEY},
            "delivery-status": {"code": 550, "message": "no such user"},
        },
    }
    (found,) = report(body, variant="mailgun", hook_secret="sign-1")
    assert (found.what, found.lasting, found.key) == ("bounced", True, KEY)
    assert (found.ref, found.address) == (f"<{KEY}@shop.example>", "ada@example.com")
    assert isinstance(found.at, datetime)
    with pytest.raises(Forbidden):
        report(body, variant="mailgun", hook_secret="sign-2")


def test_a_complaint_told_by_postmark_needs_the_sign_in_that_was_agreed():
    body = {
        "RecordType": "SpamComplaint",
        "MessageID": "pm-1",
        "Email": "ada@example.com",
        "BouncedAt": "2026-11-22T09:00:00Z",
        "ID": 42,
        "Type": "SpamComplaint",
        "TypeCode": 512,
        "Metadata": {"key": KEY},
    }
    signed_in = "Basic " + base64.b64encode(b"us:pw").decode()
    headers = {"Authorization": signed_in}
    (found,) = report(body, variant="postmark", hook_secret="us:pw", headers=headers)
    assert (found.what, found.ref, found.key) == ("complained", "pm-1", KEY)
    for wrong in ({}, {"Authorization": "Basic eDp5"}):
        with pytest.raises(Forbidden):
            report(body, variant="postmark", hook_secret="us:pw", headers=wrong)
    with pytest.raises(Forbidden, match="secret for reports"):
        report(body, variant="postmark", headers=headers)
