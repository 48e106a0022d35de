"""An SMS leaves once; what its gateway says of it is told as it was."""

import base64
import hashlib
import hmac
import json
from urllib.parse import urlencode

import pytest

from campaigns.messaging import providers
from campaigns.messaging.providers.base import Outgoing, Policy, Unreachable, Verdict
from campaigns.messaging.providers.sms_twilio import hooks
from marketing.core.errors import Forbidden, Invalid
from tests.campaigns.peer import hang_up

KEY = "0123456789abcdef0123456789abcdef"
SMS = Outgoing(KEY, "+15005550006", "+4915112345678", b'{"text": "Hello & welcome"}', "Hello")


def twilio(peer, **more):
    given = {"account": "ACdead", "token": "s3cret", "api_url": peer.url, **more}
    return providers.load("sms_twilio").connect(given)


def gateway(peer, **more):
    made = providers.load("sms_gateway")
    given = {f.name: f.default for f in made.fields} | {"url": f"{peer.url}/send", **more}
    made.refuse_nonsense(given)
    return made.connect(given)


def test_twilio_gets_the_text_and_names_the_message(peer):
    peer.answers.append((201, json.dumps({"sid": "SM1", "status": "queued"})))
    answer = twilio(peer).send(SMS)
    assert (answer.verdict, answer.ref) == (Verdict.SENT, "SM1")
    asked = peer.asked[0]
    assert asked.path == "/2010-04-01/Accounts/ACdead/Messages.json"
    assert asked.form == {"To": "+4915112345678", "From": "+15005550006", "Body": "Hello & welcome"}
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"ACdead:s3cret").decode()


def test_a_messaging_service_chooses_the_number_itself(peer):
    peer.answers.append((201, json.dumps({"sid": "SM1"})))
    twilio(peer, service="MG1").send(SMS)
    assert peer.asked[0].form["MessagingServiceSid"] == "MG1"
    assert "From" not in peer.asked[0].form


@pytest.mark.parametrize(
    ("status", "said", "verdict", "bounced", "wait"),
    [
        (400, {"code": 21211, "message": "not a number"}, Verdict.FAILED, True, 0),
        (400, {"code": 21614, "message": "no mobile"}, Verdict.FAILED, True, 0),
        (400, {"code": 21610, "message": "stopped"}, Verdict.FAILED, False, 0),
        (429, {"code": 20429}, Verdict.RETRY, False, 7),
        (503, {}, Verdict.RETRY, False, 7),
        (500, {}, Verdict.UNKNOWN, False, 0),
        (200, {}, Verdict.UNKNOWN, False, 0),
    ],
)
def test_each_refusal_of_twilio_has_its_own_meaning(peer, status, said, verdict, bounced, wait):
    peer.answers.append((status, json.dumps(said), {"Retry-After": "7"}))
    answer = twilio(peer).send(SMS)
    assert (answer.verdict, answer.bounced, answer.wait_seconds) == (verdict, bounced, wait)


def test_a_wrong_token_stops_the_sending_and_blames_no_message(peer):
    peer.answers.append((401, json.dumps({"code": 20003, "message": "Authenticate"})))
    with pytest.raises(Unreachable, match="Authenticate"):
        twilio(peer).send(SMS)


def test_a_line_that_breaks_after_the_request_leaves_an_sms_unknown_and_never_sends_it_again(peer):
    peer.answers.append(hang_up)
    assert twilio(peer).send(SMS).verdict is Verdict.UNKNOWN
    peer.answers.append(hang_up)
    assert gateway(peer).send(SMS).verdict is Verdict.UNKNOWN
    assert len(peer.asked) == 2


def test_a_gateway_that_nobody_answers_at_has_taken_nothing(peer, settings):
    peer.close()
    with pytest.raises(Unreachable):
        gateway(peer).send(SMS)
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(Unreachable, match="not called"):
        gateway(peer).send(SMS)


def test_a_gateway_gets_json_in_which_a_value_stays_a_value(peer):
    body = '{"messages": [{"destination": "{{ to }}", "text": "{{ text }}"}], "id": "{{id}}"}'
    line = gateway(peer, body=body, header="X-Key", secret="k1")
    said = json.dumps({"text": 'She said "hi"\n{{ secret }}'}).encode()
    assert line.send(SMS._replace(body=said)).verdict is Verdict.SENT
    asked = peer.asked[0]
    assert json.loads(asked.body) == {
        "messages": [{"destination": "+4915112345678", "text": 'She said "hi"\n{{ secret }}'}],
        "id": KEY,
    }
    assert asked.headers["x-key"] == "k1"
    assert asked.headers["content-type"] == "application/json"


def test_a_gateway_gets_form_fields_or_an_address_as_it_wants_them(peer):
    lines = "to={{ to }}\ntext={{ text }}\napi=7&8"
    gateway(peer, format="form", body=lines).send(SMS)
    gateway(peer, method="GET", url=f"{peer.url}/send?user=me", body=lines).send(SMS)
    wanted = {"to": "+4915112345678", "text": "Hello & welcome", "api": "7&8"}
    assert peer.asked[0].form == wanted
    assert (peer.asked[1].method, peer.asked[1].query) == ("GET", {"user": "me", **wanted})


@pytest.mark.parametrize(
    ("status", "said", "verdict", "ref"),
    [
        (200, {"r": [{"state": "OK", "id": 5}]}, Verdict.SENT, "5"),
        (200, {"r": [{"state": "no credit"}]}, Verdict.FAILED, ""),
        (200, {}, Verdict.FAILED, ""),
        (400, {}, Verdict.FAILED, ""),
        (500, {}, Verdict.UNKNOWN, ""),
    ],
)
def test_a_gateway_says_in_its_own_words_whether_it_worked(peer, status, said, verdict, ref):
    peer.answers.append((status, json.dumps(said)))
    line = gateway(peer, success_path="r.0.state", success_value="ok", ref_path="r.0.id")
    answer = line.send(SMS)
    assert (answer.verdict, answer.ref) == (verdict, ref)


def test_a_gateway_that_drops_repeats_is_asked_again_with_the_same_id(peer):
    line = gateway(peer, repeats="dropped")
    peer.answers.append(hang_up)
    assert line.send(SMS).verdict is Verdict.RETRY
    made = providers.load("sms_gateway")
    assert made.policy({"repeats": "dropped"}) is Policy.EXACTLY_ONCE
    assert made.policy({}) is Policy.AT_MOST_ONCE


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"body": '{"to": "{{ to }}"}'}, "text"),
        ({"body": '{"text": {{ text }}}'}, "not JSON"),
        ({"body": '{"text": "{{ text }}", "x": "{{ phone }}"}'}, "phone"),
        ({"format": "form", "body": "{{ text }}"}, "name=value"),
    ],
)
def test_a_body_that_cannot_work_is_refused_when_it_is_saved(peer, more, why):
    with pytest.raises(Invalid, match=why):
        gateway(peer, **more)


def test_only_twilio_itself_can_report_what_became_of_an_sms():
    url, form = "https://m.example/hooks/1/", {
        "MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005", "To": "+49151"
    }  # fmt: skip
    signed = url + "".join(k + v for k, v in sorted(form.items()))
    mac = base64.b64encode(hmac.new(b"s3cret", signed.encode(), hashlib.sha1).digest()).decode()
    told = {
        "method": "POST",
        "query": {},
        "body": urlencode(form).encode(),
        "url": url,
        "given": {"token": "s3cret"},
    }
    (report,) = hooks.read(headers={"X-Twilio-Signature": mac}, **told)
    assert (report.what, report.ref, report.address, report.lasting) == (
        "bounced",
        "SM1",
        "+49151",
        True,
    )
    with pytest.raises(Forbidden):
        hooks.read(headers={"X-Twilio-Signature": mac[:-2] + "x="}, **told)
