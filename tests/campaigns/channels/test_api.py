"""A person's own browser reads their inbox and subscribes to notifications, and nobody else's."""

import os
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client

from campaigns.channels import saving
from campaigns.messaging import providers
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import Outgoing
from campaigns.messaging.providers.push_vapid import sealing
from campaigns.models import InboxItem, PushSubscription
from ingestion import consent
from ingestion.identity import identify
from ingestion.models import Consent, Customer, Source
from tests import factories

pytestmark = pytest.mark.django_db
INBOX, PUSH = "/api/v1/inbox/", "/api/v1/push/subscriptions/"


@pytest.fixture
def secret():
    channel, fresh = saving.save(
        provider="inbox_own", name="Inbox", given={}, user=None, now=factories.NOW
    )
    assert registry.given_to(channel)["secret"] == fresh["secret"]
    return fresh["secret"]


@pytest.fixture
def ada(db):
    identify.resolve(
        people=[identify.Person(external_id="ada", anonymous_id="v-1")],
        source="test",
        now=factories.NOW,
    )
    return Customer.objects.get(external_id="ada")


def token(secret, sub="ada", algorithm="HS256", **claims):
    claims = {"sub": sub, "exp": factories.now() + timedelta(hours=1), **claims}
    return jwt.encode({k: v for k, v in claims.items() if v}, secret, algorithm=algorithm)


def asking(word):
    return Client(headers={"Authorization": f"Bearer {word}"})


def put(person, key, title="News"):
    line = providers.load("inbox_own").connect({})
    body = f'{{"title": "{title}", "url": "https://shop.example/n"}}'.encode()
    return line.send(Outgoing(key, "", str(person.pk), body))


def test_a_person_reads_their_own_inbox_and_marks_it_read(secret, ada):
    eve = Customer.objects.create(external_id="eve")
    for number in range(3):
        put(ada, f"a{number}", f"News {number}")
    put(eve, "e1")
    mine = asking(token(secret))
    found = mine.get(INBOX).json()["data"]
    assert [item["title"] for item in found] == ["News 2", "News 1", "News 0"]
    assert found[0]["url"] == "https://shop.example/n"
    assert mine.get(f"{INBOX}unread/").json() == {"unread": 3}
    others = InboxItem.objects.get(customer=eve)
    read = {"ids": [found[0]["id"], others.pk]}
    assert mine.post(f"{INBOX}read/", read, "application/json").json() == {"unread": 2}
    others.refresh_from_db()
    assert others.read_at is None
    assert mine.post(f"{INBOX}read/", {"all": True}, "application/json").json() == {"unread": 0}
    page = mine.get(f"{INBOX}?limit=2").json()
    assert len(page["data"]) == 2
    assert len(mine.get(page["next"]).json()["data"]) == 1


def test_a_message_tried_twice_is_there_once(secret, ada):
    assert put(ada, "k1").ref == put(ada, "k1").ref == "k1"
    assert asking(token(secret)).get(f"{INBOX}unread/").json() == {"unread": 1}


def test_somebody_found_to_be_another_keeps_both_inboxes(secret, ada):
    bob = Customer.objects.create(external_id="bob")
    put(ada, "a")
    put(bob, "b")
    Customer.every.filter(pk=ada.pk).update(merged_into=bob, external_id=None)
    assert asking(token(secret, "bob")).get(f"{INBOX}unread/").json() == {"unread": 2}


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x.y.z",
        "é",
        "a" * 5000,
        pytest.param(lambda s: token("another secret that is long enough"), id="other-secret"),
        pytest.param(lambda s: token(s, sub="nobody"), id="nobody"),
        pytest.param(lambda s: token(s, sub=None), id="no-sub"),
        pytest.param(lambda s: token(s, exp=None), id="no-end"),
        pytest.param(lambda s: token(s, exp=factories.now() - timedelta(1)), id="over"),
        pytest.param(lambda s: token(s, exp=factories.now() + timedelta(40)), id="too-long"),
        pytest.param(lambda s: token(s, nbf=factories.now() + timedelta(1)), id="not-yet"),
        pytest.param(lambda s: token(s, algorithm="HS512"), id="other-algorithm"),
        pytest.param(lambda s: token(None, algorithm="none"), id="no-algorithm"),
    ],
)
def test_a_token_that_the_shop_did_not_sign_for_now_opens_nothing(secret, ada, word):
    put(ada, "a")
    client = asking(word(secret) if callable(word) else word)
    answer = client.get(INBOX)
    assert answer.status_code == 401
    assert "News" not in answer.content.decode()
    assert client.post(f"{INBOX}read/", {"all": True}, "application/json").status_code == 401


def test_a_new_secret_ends_every_token_of_before(secret, ada):
    word = token(secret)
    channel = providers.find(kind="inbox")
    fresh = saving.renew(channel_id=channel.pk, user=None, now=factories.NOW)["secret"]
    assert asking(word).get(INBOX).status_code == 401
    assert asking(token(fresh)).get(INBOX).status_code == 200


@pytest.mark.parametrize("ids", [None, "1", [0], ["1"], [2**63], [1] * 1001, [True, 1.5]])
def test_what_is_no_list_of_messages_is_refused(secret, ada, ids):
    answer = asking(token(secret)).post(f"{INBOX}read/", {"ids": ids}, "application/json")
    assert answer.status_code == 422


def test_a_site_on_another_origin_may_ask(secret, ada):
    answer = Client().options(INBOX)
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, "*")
    assert asking(token(secret)).get(INBOX)["Access-Control-Allow-Origin"] == "*"
    assert asking("x").get(INBOX)["Access-Control-Allow-Origin"] == "*"


@pytest.fixture
def web(db):
    source = Source.objects.create(name="Shop", kind="tracking", write_key="wk_123456789")
    return f"?writeKey={source.write_key}"


def browser(number=1):
    key = ec.generate_private_key(ec.SECP256R1())
    return {
        "endpoint": f"https://push.example/{number}",
        "keys": {
            "p256dh": sealing.plain(sealing.point(key)),
            "auth": sealing.plain(os.urandom(16)),
        },
    }


def test_a_browser_asks_for_the_key_and_subscribes_for_a_visitor(web):
    assert Client().get(f"{PUSH}{web}").status_code == 404
    saving.save(
        provider="push_vapid",
        name="Push",
        given={"contact": "mailto:me@shop.example"},
        user=None,
        now=factories.NOW,
    )
    public = Client().get(f"{PUSH}{web}").json()["public_key"]
    assert len(sealing.raw(public)) == 65
    body = {"subscription": browser(), "anonymous_id": "v-9"}
    first = Client().post(f"{PUSH}{web}", body, "application/json")
    again = Client().post(f"{PUSH}{web}", body, "application/json")
    assert (first.status_code, again.status_code) == (201, 200)
    row = PushSubscription.objects.get()
    assert (row.customer_id, row.anonymous_id) == (None, "v-9")
    assert not Consent.objects.exists()


def test_subscribing_is_a_yes_to_notifications_with_its_proof(web, ada):
    body = {"subscription": browser(), "anonymous_id": "v-1"}
    Client().post(f"{PUSH}{web}", body, "application/json")
    answer = Consent.objects.get(customer=ada, channel="push", current=True)
    assert (answer.granted, answer.method) == (True, "form")
    assert answer.proof["service"] == "push.example"
    consent.revoke(customer_ids=[ada.pk], channel="push", source="test", now=factories.now())
    Client().post(f"{PUSH}{web}", body, "application/json")
    assert not Consent.objects.get(customer=ada, channel="push", current=True).granted


def test_a_person_signed_in_subscribes_by_their_token(secret, ada):
    made = asking(token(secret)).post(PUSH, {"subscription": browser()}, "application/json")
    assert made.status_code == 201
    assert PushSubscription.objects.get().customer_id == ada.pk


def test_nobody_subscribes_for_a_person_without_their_token(web, ada):
    body = {"subscription": browser(), "anonymous_id": "", "customer_id": ada.pk, "user_id": "ada"}
    answer = Client().post(f"{PUSH}{web}", body, "application/json")
    assert answer.status_code == 422
    assert not PushSubscription.objects.exists()
    wrong = Client().post(f"{PUSH}?writeKey=wk_000000000", body, "application/json")
    assert wrong.status_code == 401


def test_a_browser_that_unsubscribes_is_left_alone(web):
    one = browser()
    body = {"subscription": one, "anonymous_id": "v-9"}
    Client().post(f"{PUSH}{web}", body, "application/json")
    ended = Client().delete(f"{PUSH}{web}", {"endpoint": one["endpoint"]}, "application/json")
    assert ended.json() == {"ended": 1}
    assert PushSubscription.objects.get().ended_reason == "unsubscribed"


@pytest.mark.parametrize(
    "body", [[], {}, {"subscription": 5}, {"subscription": {}, "anonymous_id": "x"}, {
        "subscription": {"endpoint": "https://x.example"}, "anonymous_id": ["a"]}],
)  # fmt: skip
def test_what_no_browser_gave_is_refused(web, body):
    answer = Client().post(f"{PUSH}{web}", body, "application/json")
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]
