"""A webhook is signed as the standard says, and no answer of its receiver can hurt the sender."""

import base64
import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from campaigns.messaging import providers
from campaigns.messaging.providers import calls
from campaigns.messaging.providers.base import Outgoing, Policy, Verdict
from marketing.core import outbound
from tests.campaigns.peer import hang_up

MADE = providers.load("webhook_standard")
KEY = "0123456789abcdef0123456789abcdef"


def call(peer, url="", body=None, **more):
    given = {"url": f"{peer.url}/in", "secret": MADE.make()["secret"], **more}
    said = json.dumps({"url": url, "body": body or {"name": "Zoë", "orders": 3}}).encode()
    return given, MADE.connect(given).send(Outgoing(KEY, "", "7", said))


def test_the_receiver_can_check_who_called_with_any_library_of_the_standard(peer):
    given, answer = call(peer)
    assert answer.verdict is Verdict.SENT
    asked = peer.asked[0]
    checked = Webhook(given["secret"]).verify(asked.body.decode(), asked.headers)
    assert checked == {"name": "Zoë", "orders": 3}
    assert asked.headers["webhook-id"] == f"msg_{KEY}"
    with pytest.raises(WebhookVerificationError):
        Webhook(given["secret"]).verify(asked.body.decode().replace("3", "4"), asked.headers)


def test_a_call_that_is_repeated_has_the_same_number_and_the_present_moment(peer):
    line = MADE.connect(given := {"url": f"{peer.url}/in", "secret": MADE.make()["secret"]})
    outgoing = Outgoing(KEY, "", "7", b'{"url": "", "body": {"n": 1}}')
    line.send(outgoing)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=3)):
        line.send(outgoing)
        first, again = peer.asked
        assert Webhook(given["secret"]).verify(again.body.decode(), again.headers) == {"n": 1}
        with pytest.raises(WebhookVerificationError, match="too old"):
            Webhook(given["secret"]).verify(first.body.decode(), first.headers)
    assert again.headers["webhook-id"] == first.headers["webhook-id"]


def test_every_secret_is_new_and_strong():
    made = {MADE.make()["secret"] for _ in range(5)}
    assert len(made) == 5
    assert all(len(base64.b64decode(s.removeprefix("whsec_"))) == 32 for s in made)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (204, Verdict.SENT),
        (400, Verdict.FAILED),
        (401, Verdict.FAILED),
        (408, Verdict.RETRY),
        (410, Verdict.FAILED),
        (429, Verdict.RETRY),
        (500, Verdict.RETRY),
        (502, Verdict.RETRY),
    ],
)
def test_each_status_has_one_meaning(peer, status, verdict):
    peer.answers.append((status, b""))
    assert call(peer)[1].verdict is verdict


def test_a_receiver_is_given_the_time_it_asks_for_and_no_more_than_an_hour(peer):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    for told, least, most in (("30", 30, 30), (soon, 85, 90), ("999999", 3600, 3600), ("x", 0, 0)):
        peer.answers.append((429, b"", {"Retry-After": told}))
        assert least <= call(peer)[1].wait_seconds <= most


def test_a_redirect_is_not_followed(peer):
    peer.answers.append((301, b"", {"Location": f"{peer.url}/elsewhere"}))
    assert call(peer)[1].verdict is Verdict.FAILED
    assert [asked.path for asked in peer.asked] == ["/in"]


def test_an_endless_or_exploding_answer_counts_by_its_status_and_is_not_read_whole(peer):
    bomb = gzip.compress(b"0" * 50_000_000)
    peer.answers.append((200, bomb, {"Content-Encoding": "gzip"}))
    _given, answer = call(peer)
    assert answer.verdict is Verdict.SENT
    assert len(answer.text) <= 200


def test_a_receiver_that_never_answers_is_left_and_asked_again_with_the_same_id(peer, monkeypatch):
    limits = outbound.Limits(connect=1, read=0.3, total=0.4, body=1000, redirects=0)
    monkeypatch.setattr(
        calls.call, "__kwdefaults__", {**calls.call.__kwdefaults__, "limits": limits}
    )
    peer.answers.append(lambda handler: time.sleep(1))
    assert call(peer)[1].verdict is Verdict.RETRY
    peer.answers.append(lambda handler: time.sleep(1))
    assert call(peer, repeats="never")[1].verdict is Verdict.UNKNOWN
    assert MADE.policy({"repeats": "never"}) is Policy.AT_MOST_ONCE
    assert calls.LIMITS.total == 10.0


def test_a_line_that_breaks_is_tried_again_unless_calls_cost_money(peer):
    peer.answers.extend([hang_up, hang_up])
    assert call(peer)[1].verdict is Verdict.RETRY
    assert call(peer, repeats="never")[1].verdict is Verdict.UNKNOWN


def test_a_message_may_name_another_address_but_none_inside_this_network(peer, settings):
    call(peer, url=f"{peer.url}/other")
    assert peer.asked[0].path == "/other"
    answer = call(peer, url="http://169.254.169.254/latest/meta-data")[1]
    assert answer.verdict is Verdict.FAILED
    assert len(peer.asked) == 1
