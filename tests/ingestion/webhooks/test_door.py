"""Who may deliver, how often and how much; what is kept, and what leaves no trace."""

import pytest
from django.test import Client

from ingestion.models import WebhookEndpoint, WebhookReceipt
from ingestion.webhooks import door, endpoints, processing, trying
from marketing.core import passing
from marketing.core.errors import Conflict
from tests.ingestion.conftest import NOW

EVENT = {"type": "Paid", "email": "ann@shop.org"}
SCHEMES = ["standard", "shopify", "woocommerce"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signed_delivery_is_kept_raw_before_it_is_answered(shop, scheme):
    answer = shop(scheme).post(EVENT, topic="orders/create")
    assert answer.status_code == 200
    assert answer.json() == {"status": "waiting", "duplicate": False}
    receipt = WebhookReceipt.objects.get()
    assert bytes(receipt.body) == b'{"type": "Paid", "email": "ann@shop.org"}'
    assert receipt.state == "waiting"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_wrong_signature_leaves_no_trace_of_what_came(shop, scheme, caplog):
    sender = shop(scheme)
    right = sender.headers(b"{}")
    for headers in (
        {},
        sender.headers(b"other"),
        dict.fromkeys(right, ""),
        {
            name: "é" if "sig" in name.lower() or "hmac" in name.lower() else v
            for name, v in right.items()
        },
    ):
        answer = sender.post(b'{"secret": "payload"}', headers=headers)
        assert answer.status_code == 401
        assert b"payload" not in answer.content
    assert not WebhookReceipt.objects.exists()
    assert "payload" not in caplog.text


def test_a_delivery_older_or_newer_than_five_minutes_is_refused(shop):
    sender = shop()
    moment = int(NOW.timestamp())
    assert [
        sender.post(EVENT, stamp=moment + shift).status_code for shift in (-301, -299, 299, 301)
    ] == [401, 200, 200, 401]
    assert sender.post(EVENT, stamp="12e9").status_code == 401


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_same_delivery_again_is_answered_and_kept_once(shop, scheme):
    sender = shop(scheme)
    answers = [sender.post(EVENT, number="d1").json()["duplicate"] for _ in range(3)]
    assert answers == [False, True, True]
    receipt = WebhookReceipt.objects.get()
    assert receipt.repeats == 2


def test_without_a_delivery_id_the_content_is_its_name(shop):
    sender = shop("shopify")
    headers = sender.headers(b"{}")
    headers.pop("X-Shopify-Webhook-Id")
    assert [sender.post(b"{}", headers=headers).json()["duplicate"] for _ in range(2)] == [
        False,
        True,
    ]


def test_the_same_id_with_another_content_is_quarantined_where_somebody_sees_it(shop):
    sender = shop()
    sender.post(EVENT, number="d1")
    answer = sender.post(EVENT | {"type": "Other"}, number="d1")
    assert answer.json() == {"status": "quarantined", "duplicate": False}
    receipt = WebhookReceipt.objects.get(state="quarantined")
    assert receipt.code == "conflict"
    assert sender.post(EVENT | {"type": "Other"}, number="d1").json()["duplicate"]
    assert WebhookReceipt.objects.count() == 2


def test_two_bodies_under_one_second_of_woocommerce_are_two_deliveries(shop):
    sender = shop("woocommerce")
    assert not sender.post(EVENT, number="d1").json()["duplicate"]
    assert not sender.post(EVENT | {"type": "Other"}, number="d1").json()["duplicate"]
    assert set(WebhookReceipt.objects.values_list("state", flat=True)) == {"waiting"}


def test_the_greeting_of_woocommerce_is_answered_and_not_kept(shop):
    sender = shop("woocommerce")
    answer = sender.client.post(
        sender.address, b"webhook_id=12", content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 200
    assert not WebhookReceipt.objects.exists()
    assert sender.post(b"webhook_id=12&x=1", headers={}).status_code == 401


def test_an_address_that_is_unknown_or_switched_off_is_not_found(shop):
    sender = shop()
    endpoints.switch(endpoint=sender.endpoint, enabled=False, user=None)
    assert sender.post(EVENT).status_code == 404
    assert (
        Client().post("/hooks/in/nobody/", b"{}", content_type="application/json").status_code
        == 404
    )
    endpoints.switch(endpoint=sender.endpoint, enabled=True, user=None)
    assert sender.post(EVENT).status_code == 200


def test_only_posting_is_answered(shop):
    answer = Client().get(shop().address)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_what_is_too_large_or_packed_is_refused(shop, monkeypatch):
    sender = shop()
    monkeypatch.setattr(door, "BODY_LIMIT", 100)
    assert sender.post(b"x" * 101).status_code == 413
    headers = sender.headers(b"x") | {"Content-Encoding": "gzip"}
    assert sender.post(b"x", headers=headers).status_code == 422
    assert not WebhookReceipt.objects.exists()


def test_more_than_so_many_a_minute_are_told_to_wait(shop):
    sender = shop()
    WebhookEndpoint.objects.update(per_minute=2)
    answers = [sender.post(EVENT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2]["Retry-After"] == "60"


def test_forgeries_are_limited_and_take_no_delivery_s_place(shop, monkeypatch):
    size = int(passing.FORGED[0])
    monkeypatch.setattr(passing, "FORGED", (size, 1e-9))
    sender = shop()
    WebhookEndpoint.objects.update(per_minute=30)
    forged = sender.headers(b"other")
    told = [
        sender.post(b"{}", headers=forged)
        if n % 2
        else Client().post(f"/hooks/in/guess{n}/", b"{}", content_type="application/json")
        for n in range(size + 20)
    ]
    assert {answer.status_code for answer in told[:size]} == {401, 404}
    assert {answer.status_code for answer in told[size:]} == {429}
    assert int(told[-1]["Retry-After"]) >= 1
    assert {sender.post(EVENT).status_code for _time in range(30)} == {200}
    assert WebhookReceipt.objects.count() == 30


def test_nobody_is_turned_away_because_the_counter_is_away(shop, settings):
    sender = shop()
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    settings.CACHES = {"default": away | {"LOCATION": "redis://127.0.0.1:1/0"}}
    assert sender.post(EVENT).status_code == 200
    assert WebhookReceipt.objects.get().state == "waiting"


def test_the_earlier_secret_counts_for_a_day(shop, monkeypatch):
    sender = shop()
    old = sender.secret
    sender.secret = endpoints.rotate(endpoint=sender.endpoint, user=None, now=NOW)
    assert sender.post(EVENT).status_code == 200
    new, sender.secret = sender.secret, old
    assert sender.post(EVENT).status_code == 200
    endpoint = WebhookEndpoint.objects.get()
    assert endpoints.secrets_of(endpoint, now=NOW + endpoints.OVERLAP) == [new]
    assert new not in endpoint.secret


def test_a_lost_nudge_and_a_worker_that_dies_are_caught_up(shop, monkeypatch):
    sender = shop(kind="events")
    endpoints.choose(
        endpoint=sender.endpoint,
        kind="events",
        mapping={"list": "", "fields": {"type": "type", "email": "email"}},
        user=None,
    )
    sender.post(EVENT)
    calls = []

    def die(**facts):
        calls.append(facts)
        raise SystemExit  # what a killed worker leaves behind: the try was counted, nothing stored

    with monkeypatch.context() as patch:
        patch.setattr("ingestion.webhooks.generic.store", die)
        with pytest.raises(SystemExit):
            processing.sweep(now=NOW + processing.AGAIN_AFTER)
    receipt = WebhookReceipt.objects.get()
    assert (receipt.state, receipt.attempts) == ("waiting", 1)
    assert processing.sweep(now=NOW + processing.AGAIN_AFTER * 3) == 1
    receipt.refresh_from_db()
    assert receipt.state == "done"
    assert processing.sweep(now=NOW + processing.AGAIN_AFTER * 9) == 0


def test_what_kills_the_worker_again_and_again_is_set_aside(shop):
    sender = shop()
    sender.post(EVENT)
    WebhookReceipt.objects.update(attempts=3)
    processing.sweep(now=NOW + processing.AGAIN_AFTER)
    receipt = WebhookReceipt.objects.get()
    assert (receipt.state, receipt.code) == ("quarantined", "gave_up")


def test_a_quarantined_delivery_is_tried_again_after_mending(shop):
    sender = shop()
    receipt = sender.deliver(EVENT)
    assert (receipt.state, receipt.code) == ("quarantined", "no_mapping")
    endpoints.choose(
        endpoint=sender.endpoint,
        kind="events",
        mapping={"list": "", "fields": {"type": "type", "email": "email"}},
        user=None,
    )
    trying.again(receipt=receipt, user=None)
    processing.sweep(now=NOW + processing.AGAIN_AFTER)
    receipt.refresh_from_db()
    assert (receipt.state, receipt.code, receipt.result["stored"]) == ("done", "", 1)
    with pytest.raises(Conflict):
        trying.again(receipt=receipt, user=None)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_test_delivery_goes_the_whole_way_and_becomes_no_data(shop, scheme):
    sender = shop(scheme)
    trying.send_test(endpoint=sender.endpoint, now=NOW)
    processing.sweep(now=NOW + processing.AGAIN_AFTER)
    receipt = WebhookReceipt.objects.get()
    assert receipt.state == "done"
    assert "worker" in receipt.message


def test_receipts_stay_longer_than_thirty_five_days(shop):
    sender = shop()
    trying.send_test(endpoint=sender.endpoint, now=NOW)
    processing.sweep(now=NOW + processing.AGAIN_AFTER)
    assert processing.prune(now=NOW + processing.timedelta(days=35)) == 0
    assert processing.prune(now=NOW + processing.timedelta(days=41)) == 1


def test_a_quarantined_delivery_is_found_by_the_address_in_it(shop):
    receipt = shop("shopify").deliver(b'{"who": "Ann@Shop.org", "broken', "orders/create")
    assert (receipt.state, receipt.names) == ("quarantined", ["ann@shop.org"])
