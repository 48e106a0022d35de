"""Integrators write one or many; each item is answered, and doing it again changes nothing."""

from decimal import Decimal

import pytest

from ingestion import events
from ingestion.models import (
    Consent,
    Customer,
    CustomerRollup,
    Event,
    EventKey,
    Order,
    OrderLine,
    Product,
)
from marketing.core import auth

ADA = {
    "external_id": "7",
    "email": "Ada@Example.com",
    "first_name": "Ada",
    "country": "United Kingdom",
}
ORDER = {
    "external_id": "A-1",
    "placed_at": "2026-11-01T10:00:00Z",
    "customer": {"external_id": "7"},
    "lines": [
        {"sku": "t1", "quantity": 2, "unit_price": "12.50", "description": "TEAPOT"},
        {"sku": "POST", "quantity": 1, "unit_price": 3.95},
    ],
}


def statuses(answer) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [result["status"] for result in answer.json()["results"]]


def test_a_customer_is_created_then_unchanged_then_updated(api) -> None:
    answer = api.post("/api/v1/customers/", ADA)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["external_id"], body["email"], body["country"], body["may_mail"]) == (
        "7",
        "ada@example.com",
        "GB",
        False,
    )
    assert api.post("/api/v1/customers/", ADA).status_code == 200
    batch = [
        ADA,
        {**ADA, "first_name": "Augusta"},
        {"email": "new@example.com"},
        {"first_name": "nobody"},
    ]
    answer = api.post("/api/v1/customers/", batch)
    assert statuses(answer) == ["unchanged", "updated", "created", "invalid"]
    assert answer.json()["counts"] == {"unchanged": 1, "updated": 1, "created": 1, "invalid": 1}
    assert answer.json()["results"][3]["error"]["code"] == "no_person"
    assert Customer.objects.count() == 2


def test_consent_comes_with_proof_or_not_at_all(api) -> None:
    refused = api.post("/api/v1/customers/", {**ADA, "consent": {"email": {"granted": True}}})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "consent.email")
    assert Customer.objects.count() == 0
    proof = {"form": "newsletter"}
    answer = api.post(
        "/api/v1/customers/", {**ADA, "consent": {"email": {"granted": True, "proof": proof}}}
    )
    assert answer.json()["may_mail"] is True
    assert Consent.objects.get().proof == proof


def test_put_makes_and_changes_and_patch_only_changes(api) -> None:
    assert api.patch("/api/v1/customers/9/", {"first_name": "X"}).status_code == 404
    assert (
        api.put(
            "/api/v1/customers/9/", {"first_name": "Cleo", "attributes": {"vip": True}}
        ).status_code
        == 201
    )
    answer = api.patch("/api/v1/customers/9/", {"email": "cleo@example.com"})
    assert (answer.status_code, answer.json()["email"], answer.json()["attributes"]) == (
        200,
        "cleo@example.com",
        {"vip": True},
    )
    answer = api.patch("/api/v1/customers/9/", {"email": "c@example.com"})
    assert answer.json()["email"] == "c@example.com"
    assert (
        api.put("/api/v1/customers/9/", {"external_id": "8"}).json()["error"]["code"]
        == "id_mismatch"
    )
    assert api.get("/api/v1/customers/9/").json()["first_name"] == "Cleo"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no"}, "email"),
        ({"phone": "call"}, "phone"),
        ({"country": "Atlantis"}, "country"),
        ({"timezone": "Mars"}, "timezone"),
        ({"first_name": 5}, "first_name"),
        ({"shoe": 1}, "shoe"),
        ({"first_name": "a\0b"}, "first_name"),
        ({"attributes": []}, "attributes"),
        ({"attributes": {"x": "y" * 40_000}}, "attributes"),
        ({"external_id": "x" * 101}, "external_id"),
        ({"email": "a@b.de\r\nBcc: c@d.de"}, "email"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(api, change, field) -> None:
    answer = api.post("/api/v1/customers/", {**ADA, **change})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert Customer.objects.count() == 0


def test_a_code_that_grows_in_upper_case_is_measured_as_it_is_kept(api) -> None:
    answer = api.post("/api/v1/products/", {"sku": "ß" * 31, "name": "Teapot"}, format="json")
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "sku"
    assert "longer than 60" in answer.json()["error"]["message"]
    line = {**ORDER["lines"][0], "sku": "ß" * 31}
    answer = api.post("/api/v1/orders/", {**ORDER, "lines": [line]}, format="json")
    assert answer.status_code == 422
    assert not Product.objects.exists()
    api.post("/api/v1/products/", {"sku": "ß" * 30, "name": "Teapot"}, format="json")
    assert Product.objects.get().sku == "S" * 60


def test_products_are_known_by_their_code(api) -> None:
    assert (
        api.post("/api/v1/products/", {"sku": "t1", "name": "Teapot", "price": "12.50"}).status_code
        == 201
    )
    batch = [
        {"sku": "T1", "name": "Teapot"},
        {"sku": "T1", "price": 11},
        {"sku": "T2", "name": "Cup"},
        {"name": "x"},
    ]
    assert statuses(api.post("/api/v1/products/", batch[:1])) == ["unchanged"]
    assert statuses(api.post("/api/v1/products/", batch[1:])) == ["updated", "created", "invalid"]
    row = Product.objects.get(sku="T1")
    assert (row.name, row.price) == ("Teapot", Decimal("11.00"))
    assert api.get("/api/v1/products/t1/").json()["name"] == "Teapot"
    assert api.patch("/api/v1/products/T9/", {"name": "x"}).status_code == 404
    assert api.put("/api/v1/products/T9/", {"name": "Jar", "stock": 3}).status_code == 201
    assert (
        api.post("/api/v1/products/", {"sku": "T3", "price": -1}).json()["error"]["field"]
        == "price"
    )


def test_an_order_is_stored_whole_and_once(api) -> None:
    answer = api.post("/api/v1/orders/", ORDER)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["total"], body["customer"], body["status"]) == ("28.95", "7", "placed")
    assert [(line["sku"], line["kind"], line["total"]) for line in body["lines"]] == [
        ("T1", "product", "25.00"),
        ("POST", "fee", "3.95"),
    ]
    assert Product.objects.get().name == "Teapot"
    rollup = CustomerRollup.objects.get()
    assert (rollup.orders, rollup.units, rollup.revenue) == (1, 2, Decimal("25.00"))
    assert api.post("/api/v1/orders/", ORDER).status_code == 200
    other = {**ORDER, "lines": ORDER["lines"][:1]}
    assert api.post("/api/v1/orders/", other).json()["error"]["code"] == "conflict"
    batch = [
        ORDER,
        other,
        {**ORDER, "external_id": "A-2"},
        {**ORDER, "external_id": "A-2"},
        {**ORDER, "source": "till"},
        {},
    ]
    answer = api.post("/api/v1/orders/", batch)
    assert statuses(answer) == ["duplicate", "conflict", "stored", "duplicate", "stored", "invalid"]
    assert (Order.objects.count(), OrderLine.objects.count()) == (3, 6)
    assert api.get("/api/v1/orders/A-1/?source=till").json()["source"] == "till"
    assert len(api.get("/api/v1/orders/?customer=7").json()["data"]) == 3
    assert api.get("/api/v1/orders/none/").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": []}, "lines"),
        ({"placed_at": "yesterday"}, "placed_at"),
        ({"placed_at": "2026-11-01T10:00"}, "placed_at"),
        ({"placed_at": "2999-01-01T00:00:00Z"}, "placed_at"),
        ({"currency": "pounds"}, "currency"),
        ({"lines": [{"sku": "A", "quantity": 1.5, "unit_price": 1}]}, "lines[0].quantity"),
        ({"lines": [{"sku": "A", "quantity": 1, "unit_price": "1e999"}]}, "lines[0].unit_price"),
        ({"lines": [{"sku": "A", "quantity": 1, "unit_price": True}]}, "lines[0].unit_price"),
        ({"customer": {"email": "x"}}, "customer.email"),
        ({"source": ""}, "source"),
    ],
)
def test_a_wrong_order_names_its_field(api, change, field) -> None:
    answer = api.post("/api/v1/orders/", {**ORDER, **change})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert Order.objects.count() == 0


def test_events_are_answered_one_by_one(api) -> None:
    event = {
        "type": "view",
        "message_id": "m1",
        "external_id": "7",
        "properties": {"sku": "T1"},
        "at": "2026-11-01T10:00:00Z",
    }
    assert api.post("/api/v1/events/", event).status_code == 201
    assert api.post("/api/v1/events/", event).status_code == 200
    conflict = api.post("/api/v1/events/", {**event, "properties": {}})
    assert (conflict.status_code, conflict.json()["error"]["field"]) == (409, "message_id")
    batch = [
        event,
        {**event, "properties": {}},
        {**event, "message_id": "m2"},
        {"type": "view"},
        "x",
    ]
    answer = api.post("/api/v1/events/", batch)
    assert statuses(answer) == ["duplicate", "conflict", "stored", "invalid", "invalid"]
    events.drain()
    assert Event.objects.count() == 2
    found = api.get("/api/v1/events/?customer=7&type=view&limit=1").json()
    assert (found["data"][0]["message_id"], found["next"] is None) == ("m2", False)


def test_more_than_a_thousand_items_are_too_many(api) -> None:
    answer = api.post("/api/v1/events/", [{"type": "a", "external_id": "7"}] * 1001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_items")
    assert EventKey.objects.count() == 0


def test_a_thousand_events_take_a_handful_of_questions(api, django_assert_max_num_queries) -> None:
    batch = [
        {"type": "view", "external_id": f"c{n % 50}", "message_id": f"m{n}"} for n in range(1000)
    ]
    with django_assert_max_num_queries(30):
        answer = api.post("/api/v1/events/", batch)
    assert answer.json()["counts"] == {"stored": 1000}
    with django_assert_max_num_queries(40):
        assert events.drain() == 1000
    assert Customer.objects.count() == 50


@pytest.mark.parametrize("body", ["[]", "3", '"x"', '{"items": 3}'])
def test_a_body_that_is_no_object_or_list_is_refused(api, body) -> None:
    answer = api.generic("POST", "/api/v1/customers/", body, content_type="application/json")
    assert answer.status_code == 422


def test_a_key_may_do_only_what_its_scopes_say(api) -> None:
    _key, secret = auth.create_key(name="reader", scopes=["customers:read"], user=None)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert api.get("/api/v1/customers/").status_code == 200
    assert api.post("/api/v1/customers/", ADA).status_code == 403
    assert api.get("/api/v1/orders/").status_code == 403
    assert Customer.objects.count() == 0


def test_lists_follow_each_other(api) -> None:
    api.post("/api/v1/customers/", [{"external_id": str(n)} for n in range(1, 6)])
    seen, url = [], "/api/v1/customers/?limit=2"
    while url:
        page = api.get(url).json()
        seen += [row["external_id"] for row in page["data"]]
        url = page["next"]
    assert seen == ["5", "4", "3", "2", "1"]


def test_a_number_told_later_takes_the_person_known_by_their_address(api) -> None:
    api.post("/api/v1/customers/", {"email": "ada@example.com", "first_name": "Ada"})
    known = api.put("/api/v1/customers/7/", {"country": "GB"})
    answer = api.put("/api/v1/customers/7/", {"email": "ada@example.com"})
    assert (known.status_code, answer.status_code) == (201, 200)
    person = Customer.objects.get()
    assert (person.external_id, person.email, person.first_name) == ("7", "ada@example.com", "Ada")


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_no_calendar_holds_is_told(api, at) -> None:
    order = api.post("/api/v1/orders/", {**ORDER, "placed_at": at})
    event = api.post("/api/v1/events/", {"type": "view", "external_id": "7", "at": at})
    assert (order.status_code, event.status_code) == (422, 422)
    assert order.json()["error"]["field"] == "placed_at"


def test_a_product_put_at_an_address_that_is_not_its_own_is_refused(api) -> None:
    answer = api.put("/api/v1/products/T1/", {"sku": "T2", "name": "Teapot"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "id_mismatch")
    assert not Product.objects.exists()
    assert api.put("/api/v1/products/T1/", {"sku": "t1", "name": "Teapot"}).status_code == 201
