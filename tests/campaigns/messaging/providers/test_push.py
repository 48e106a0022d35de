"""A notification reaches the browsers of a person, and only they can read it."""

import base64
import json
import os

import http_ece
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from py_vapid import Vapid02

from campaigns.messaging import providers, subscriptions
from campaigns.messaging.providers.base import Outgoing, Verdict
from campaigns.messaging.providers.push_vapid import sealing
from campaigns.models import PushSubscription
from ingestion.identity import identify
from ingestion.models import Customer
from marketing.core.errors import Invalid, Refused
from tests import factories

OFF_CURVE = sealing.plain(b"\x04" + b"\1" * 64)
KEY = "0123456789abcdef0123456789abcdef"


class Browser:
    """What a browser makes when it allows notifications."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)

    def subscription(self, endpoint: str) -> dict:
        keys = {
            "p256dh": sealing.plain(sealing.point(self.key)),
            "auth": base64.urlsafe_b64encode(self.auth).decode(),
        }
        return {"endpoint": endpoint, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> bytes:
        return http_ece.decrypt(
            body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"
        )


def keep(peer, customer, browser=None, path="/push/1", anonymous_id=""):
    browser = browser or Browser()
    subscriptions.keep(
        given=browser.subscription(f"{peer.url}{path}"),
        customer_id=customer.pk if customer else None,
        anonymous_id=anonymous_id,
        now=factories.NOW,
    )
    return browser


def notify(customer, **more):
    made = providers.load("push_vapid")
    made_keys = made.make()
    line = made.connect({"contact": "mailto:me@shop.example", "hours": "4", **made_keys, **more})
    body = json.dumps({"title": "Hello Ada", "url": "https://shop.example"}).encode()
    return made_keys, line.send(Outgoing(KEY, "", str(customer.pk), body))


@pytest.fixture
def ada(db):
    (pk,) = identify.resolve(
        people=[identify.Person(external_id="ada")], source="test", now=factories.NOW
    )
    return Customer.objects.get(pk=pk)


def test_a_browser_gets_what_only_it_can_read_and_knows_who_sent_it(peer, ada):
    browser = keep(peer, ada)
    peer.answers.append((201, b"", {"Location": "https://push.example/m/1"}))
    keys, answer = notify(ada)
    assert (answer.verdict, answer.ref) == (Verdict.SENT, "https://push.example/m/1")
    asked = peer.asked[0]
    assert json.loads(browser.read(asked.body)) == {
        "title": "Hello Ada",
        "url": "https://shop.example",
    }
    assert (asked.headers["ttl"], asked.headers["topic"]) == ("14400", KEY)
    scheme, _space, rest = asked.headers["authorization"].partition(" ")
    word, public = (part.partition("=")[2] for part in rest.split(","))
    assert (scheme, public) == ("vapid", keys["public_key"])
    assert Vapid02.verify(asked.headers["authorization"])
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sealing.raw(public))
    said = jwt.decode(word, point, algorithms=["ES256"], audience=peer.url)
    assert said["sub"] == "mailto:me@shop.example"


def test_every_browser_of_a_person_is_notified_and_one_that_is_gone_never_again(peer, ada):
    keep(peer, ada, path="/a")
    keep(peer, ada, path="/b")
    peer.answers.extend([(410, b""), (201, b"")])
    assert notify(ada)[1].verdict is Verdict.SENT
    gone = PushSubscription.objects.get(endpoint__endswith="/a")
    assert gone.ended_reason == "gone"
    peer.answers.append((201, b""))
    notify(ada)
    assert [asked.path for asked in peer.asked] == ["/a", "/b", "/b"]


def test_a_person_whose_browsers_are_all_gone_is_told_apart_from_an_error(peer, ada):
    keep(peer, ada)
    peer.answers.append((404, b""))
    first, second = notify(ada)[1], notify(ada)[1]
    assert (first.verdict, first.bounced) == (Verdict.FAILED, False)
    assert "No browser" in second.text


@pytest.mark.parametrize(("status", "verdict"), [(429, "retry"), (503, "retry"), (413, "failed")])
def test_a_push_service_may_ask_to_wait(peer, ada, status, verdict):
    keep(peer, ada)
    peer.answers.append((status, b"", {"Retry-After": "60"}))
    answer = notify(ada)[1]
    assert (answer.verdict, answer.wait_seconds) == (verdict, 60 if verdict == "retry" else 0)


def test_a_visitors_browser_is_that_of_whoever_the_visitor_turns_out_to_be(peer, ada):
    keep(peer, None, anonymous_id="v-1")
    assert subscriptions.of_person(ada.pk) == []
    identify.resolve(
        people=[identify.Person(external_id="ada", anonymous_id="v-1")],
        source="test",
        now=factories.NOW,
    )
    peer.answers.append((201, b""))
    assert notify(ada)[1].verdict is Verdict.SENT


def test_a_browser_follows_its_person_into_another_one_and_back(peer, ada):
    keep(peer, ada)
    bob = Customer.objects.create(external_id="bob")
    Customer.every.filter(pk=ada.pk).update(merged_into=bob)
    assert len(subscriptions.of_person(bob.pk)) == 1
    Customer.every.filter(pk=ada.pk).update(merged_into=None)
    assert (len(subscriptions.of_person(bob.pk)), len(subscriptions.of_person(ada.pk))) == (0, 1)


def test_a_browser_that_subscribes_again_listens_again(peer, ada):
    browser = keep(peer, ada)
    subscriptions.end(
        subscription_ids=list(PushSubscription.objects.values_list("pk", flat=True)),
        reason="gone",
        now=factories.NOW,
    )
    keep(peer, ada, browser)
    row = PushSubscription.objects.get()
    assert (row.ended_at, row.ended_reason) == (None, "")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"endpoint": "http://push.example/x"}, "endpoint"),
        ({"endpoint": "javascript:alert(1)"}, "url"),
        ({"endpoint": 5}, "endpoint"),
        ({"keys": {"p256dh": "AAAA", "auth": "AAAA"}}, "keys.p256dh"),
        (
            {"keys": {"p256dh": sealing.plain(b"\x04" + b"\1" * 64), "auth": "A" * 22}},
            "keys.p256dh",
        ),
        ({"keys": None}, "keys.p256dh"),
    ],
)
def test_what_is_no_subscription_is_refused(peer, ada, change, field):
    given = Browser().subscription("https://push.example/x") | change
    with pytest.raises(Refused) as refused:
        subscriptions.keep(given=given, customer_id=ada.pk, anonymous_id="", now=factories.NOW)
    assert refused.value.field == field
    assert not PushSubscription.objects.exists()


def test_a_subscription_of_nobody_is_refused(peer, db):
    with pytest.raises(Invalid, match="whose browser"):
        keep(peer, None)


def test_an_address_inside_this_network_is_never_called(peer, ada, settings):
    keep(peer, ada)
    settings.OUTBOUND_ALLOW = []
    assert notify(ada)[1].verdict is Verdict.FAILED
    assert peer.asked == []


@given(st.binary(max_size=sealing.TEXT_LIMIT))
def test_every_text_up_to_the_limit_arrives(text):
    browser = Browser()
    keys = browser.subscription("x")["keys"]
    sealed = sealing.seal(text=text, p256dh=keys["p256dh"], auth=keys["auth"].rstrip("="))
    assert len(sealed) <= 4096
    assert browser.read(sealed) == text


def test_a_text_over_the_limit_is_refused():
    keys = Browser().subscription("x")["keys"]
    with pytest.raises(ValueError, match="larger"):
        sealing.seal(text=b"x" * (sealing.TEXT_LIMIT + 1), p256dh=keys["p256dh"], auth="A" * 22)
