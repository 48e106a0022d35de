"""A stored file is run again with another version: rows are exchanged, none is doubled."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from ingestion import events
from ingestion.models import (
    Customer,
    CustomerRollup,
    Event,
    EventKey,
    Identity,
    Order,
    OrderLine,
    Product,
    RecipeRun,
    Reject,
    Source,
)
from ingestion.recipes import asking, versions
from ingestion.registry import plans
from marketing.core import jobs
from marketing.core.errors import Conflict
from marketing.core.models import Job
from tests.ingestion.conftest import NOW


@pytest.fixture
def shop(db):
    return Source.objects.create(name="shop")


def save(source, rules, kind="orders"):
    rules = [{"id": f"r{i}"} | rule for i, rule in enumerate(rules)]
    return versions.save(source=source, kind=kind, body={"rules": rules}, user=None, now=NOW)


def again(record, version):
    run = asking.repeat(record=record, version=version, user=None)
    jobs.run(job_id=run.job_id)
    job = Job.objects.get(pk=run.job_id)
    assert job.state == "done", job.error + str(job.log)
    run.refresh_from_db()
    record.refresh_from_db()
    return run


def counts(run):
    return [run.report.get(name, 0) for name in ("added", "removed", "changed", "same")]


ORDERS = (
    b"order_id,placed_at,sku,quantity,unit_price,email,country\n"
    b"1,2024-01-01 10:00,A,2,10.00,ann@shop.org,UK\n"
    b"1,2024-01-01 10:00,BB,1,4.00,ann@shop.org,UK\n"
    b"2,2024-01-02 10:00,A,1,10.00,bob@shop.org,DE\n"
    b"3,2024-01-03 10:00,ZZ9,1,1.00,cat@shop.org,DE\n"
    b"4,2024-01-04 10:00,A,many,10.00,ann@shop.org,UK\n"
    b"C5,2024-01-05 10:00,A,-2,10.00,ann@shop.org,UK\n"
)


def lines():
    return sorted(
        OrderLine.objects.values_list(
            "order__external_id",
            "sku",
            "quantity",
            "unit_price",
            "total",
            "customer__email",
            "cancels__order__external_id",
            "order__total",
            "order__status",
            "kind",
        ),
        key=str,
    )


def rollups():
    return sorted(CustomerRollup.objects.values_list("customer__email", "orders", "revenue"))


VERSION = [
    {"rule": "drop_rows", "where": 'starts(sku, "ZZ")'},
    {"rule": "derive", "column": "unit_price", "expression": 'if(sku = "BB", 5, unit_price)'},
    {"rule": "map", "column": "quantity", "table": [["many", "7"]]},
    {"rule": "map", "column": "country", "table": [["DE", "FR"]]},
]


def test_orders_end_as_if_the_later_version_had_been_used_at_once(shop, bring):
    record = bring(ORDERS)
    assert (record.stored, record.quarantined, record.left_out) == (5, 1, 0)
    run = again(record, save(shop, VERSION))
    # the order with a test line is gone, B costs 5, "many" is 7, bob lives in France
    assert counts(run) == [1, 1, 2, 2]
    assert (record.stored, record.quarantined, record.left_out) == (5, 0, 1)
    assert not Reject.objects.filter(import_job=record).exists()
    assert record.recipe_version.number == 1
    repeated, totals = lines(), rollups()
    assert Order.objects.get(external_id="2").country == "FR"
    assert Order.objects.get(external_id="1").total == Decimal("25.00")
    assert not CustomerRollup.objects.filter(customer__email="cat@shop.org").exists()
    OrderLine.objects.all().delete()
    Order.objects.all().delete()
    CustomerRollup.objects.all().delete()
    bring(ORDERS)
    assert lines() == repeated
    assert rollups() == totals


def test_running_again_twice_and_going_back_changes_what_it_says_and_no_more(shop, bring):
    record = bring(ORDERS)
    first, first_totals = lines(), rollups()
    version = save(shop, VERSION)
    again(record, version)
    after = lines()
    run = again(record, version)
    assert counts(run) == [0, 0, 0, 5]
    assert lines() == after
    run = again(record, save(shop, []))
    assert counts(run) == [1, 1, 2, 2]
    assert (lines(), rollups()) == (first, first_totals)
    assert (record.stored, record.quarantined, record.left_out) == (5, 1, 0)
    assert Reject.objects.get(import_job=record).line == 6


def test_a_run_that_is_killed_goes_on_where_it_stood(shop, bring, monkeypatch):
    rows = b"".join(
        b"%d,2024-01-01 10:00,S%d,1,5.00,p%d@shop.org,UK\n" % (n, n % 9, n) for n in range(120)
    )
    monkeypatch.setattr("ingestion.preprocess.reading.BLOCK", 700)
    record = bring(b"order_id,placed_at,sku,quantity,unit_price,email,country\n" + rows)
    version = save(
        shop, [{"rule": "derive", "column": "unit_price", "expression": "unit_price + 1"}]
    )
    run = asking.repeat(record=record, version=version, user=None)
    assert asking.repeat(record=record, version=version, user=None) == run
    with pytest.raises(Conflict):
        asking.repeat(record=record, version=None, user=None)
    seen = []

    def stop(self):
        seen.append(1)
        if len(seen) in (4, 9):
            raise jobs.Cancelled

    monkeypatch.setattr(jobs.Running, "check", stop)
    jobs.run(job_id=run.job_id)
    run.refresh_from_db()
    assert 0 < run.offset < 120
    assert run.finished_at is None
    for _ in range(2):
        jobs.retry(job_id=run.job_id)
        jobs.run(job_id=run.job_id)
    run.refresh_from_db()
    assert run.finished_at is not None
    assert counts(run) == [0, 0, 120, 0]
    assert set(OrderLine.objects.values_list("unit_price", flat=True)) == {Decimal("6")}
    assert OrderLine.objects.count() == 120
    assert RecipeRun.objects.count() == 1


def test_an_order_that_gets_another_person_knows_the_name_that_says_so(shop, bring):
    record = bring(ORDERS)
    before = Order.objects.get(external_id="2")
    assert before.identity_id == Identity.objects.get(value="bob@shop.org").pk
    rule = {"rule": "map", "column": "email", "table": [["bob@shop.org", "eve@shop.org"]]}
    again(record, save(shop, [rule]))
    order = Order.objects.get(external_id="2")
    eve = Identity.objects.get(value="eve@shop.org")
    assert (order.customer_id, order.identity_id) == (eve.customer_id, eve.pk)
    again(record, save(shop, []))
    back = Order.objects.get(external_id="2")
    assert (back.customer_id, back.identity_id) == (before.customer_id, before.identity_id)


def test_people_keep_their_place_when_a_name_is_spelled_anew(shop, bring):
    record = bring(
        b"customer_id,email,first_name,country\nK-1,ann@old.org,ANN,UK\nK-2,bob@shop.org,??,UK\n",
        kind="customers",
    )
    ids = dict(Customer.objects.values_list("external_id", "id"))
    run = again(
        record,
        save(
            shop,
            [
                {
                    "rule": "derive",
                    "column": "customer_id",
                    "expression": 'replace(customer_id, "K-", "")',
                },
                {"rule": "map", "column": "email", "table": [["ann@old.org", "ann@new.org"]]},
                {"rule": "case", "columns": ["first_name"], "to": "title"},
                {"rule": "map", "column": "first_name", "table": [["??", ""]]},
            ],
            kind="customers",
        ),
    )
    assert counts(run) == [0, 0, 2, 0]
    assert Customer.objects.count() == 2
    ann = Customer.objects.get(external_id="1")
    assert (ann.pk, ann.email, ann.first_name) == (ids["K-1"], "ann@new.org", "Ann")
    bob = Customer.objects.get(external_id="2")
    assert (bob.pk, bob.first_name) == (ids["K-2"], "")


def test_products_are_changed_renamed_and_taken_off_sale(shop, bring):
    record = bring(
        b"sku,name,price,category\nA,Lamp,5,x\nB-,Chair,6,Odd\nT,Test,1,x\n", kind="products"
    )
    run = again(
        record,
        save(
            shop,
            [
                {"rule": "drop_rows", "where": 'sku = "T"'},
                {"rule": "derive", "column": "price", "expression": "price * 2"},
                {"rule": "map", "column": "category", "table": [["Odd", ""]]},
            ],
            kind="products",
        ),
    )
    assert counts(run) == [0, 1, 2, 0]
    assert sorted(Product.objects.values_list("sku", "price", "category", "active")) == [
        ("A", Decimal("10"), "x", True),
        ("B-", Decimal("12"), "", True),
        ("T", Decimal("1"), "x", False),
    ]


@pytest.mark.django_db(transaction=True)
def test_events_are_exchanged_by_their_number_or_by_what_they_said(bring):
    events.ensure_months([NOW])
    shop = Source.objects.create(name="shop")
    record = bring(
        b"type,at,message_id,email\n"
        b"View,2026-11-01 10:00,m1,ann@shop.org\n"
        b"View,2026-11-01 10:00,,bob@shop.org\n"
        b"Ping,2026-11-02 10:00,m3,bob@shop.org\n",
        kind="events",
    )
    assert record.stored == 3
    run = again(
        record,
        save(
            shop,
            [
                {"rule": "map", "column": "type", "table": [["View", "Product viewed"]]},
                {"rule": "drop_rows", "where": 'type = "Ping"'},
            ],
            kind="events",
        ),
    )
    assert counts(run) == [0, 1, 2, 0]
    assert sorted(Event.objects.values_list("type", "customer__email")) == [
        ("Product viewed", "ann@shop.org"),
        ("Product viewed", "bob@shop.org"),
    ]
    run = again(record, save(shop, [], kind="events"))
    assert counts(run) == [1, 0, 2, 0]
    assert sorted(Event.objects.values_list("type", "message_id"))[0] == ("Ping", "m3")
    assert Event.objects.count() == 3
    Event.objects.all().delete()


EVENTS = b"type,at,message_id,email\n"


@pytest.mark.django_db(transaction=True)
def test_an_event_whose_moment_was_set_to_its_receipt_is_exchanged_not_doubled(bring):
    ahead = (timezone.now() + timedelta(hours=3)).strftime("%Y-%m-%d %H:%M")
    events.ensure_months([NOW, timezone.now()])
    shop = Source.objects.create(name="shop")
    record = bring(EVENTS + f"View,{ahead},m1,ann@shop.org\n".encode(), kind="events")
    assert list(Event.objects.values_list("flags", flat=True)) == ["clamped"]
    rules = [{"rule": "map", "column": "type", "table": [["View", "Seen"]]}]
    run = again(record, save(shop, rules, kind="events"))
    assert counts(run) == [0, 0, 1, 0]
    assert list(Event.objects.values_list("type", "message_id", "flags")) == [
        ("Seen", "m1", "clamped")
    ]
    Event.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_a_line_in_conflict_leaves_the_event_it_clashed_with_alone(bring):
    events.ensure_months([NOW])
    shop = Source.objects.create(name="shop")
    record = bring(
        EVENTS + b"View,2026-11-01 10:00,m1,ann@shop.org\nPing,2026-11-01 10:00,m1,bob@shop.org\n",
        kind="events",
    )
    assert (record.stored, record.quarantined) == (1, 1)
    drop = [{"rule": "drop_rows", "where": 'type = "Ping"'}]
    run = again(record, save(shop, drop, kind="events"))
    assert counts(run) == [0, 0, 0, 1]
    assert list(Event.objects.values_list("type", "message_id")) == [("View", "m1")]
    assert EventKey.objects.count() == 1
    assert (record.stored, record.quarantined, record.left_out) == (1, 0, 1)
    assert not Reject.objects.filter(import_job=record).exists()
    run = again(record, save(shop, [], kind="events"))
    assert (record.stored, record.quarantined, record.left_out) == (1, 1, 0)
    refused = Reject.objects.get(import_job=record)
    assert (refused.line, refused.code) == (3, "conflict")
    assert refused.raw == "Ping,2026-11-01 10:00,m1,bob@shop.org"
    again(record, save(shop, [{"rule": "trim", "columns": ["type"]}], kind="events"))
    assert (record.stored, record.quarantined, record.left_out) == (1, 1, 0)
    assert Reject.objects.get(import_job=record).code == "conflict"
    assert list(Event.objects.values_list("type", "message_id")) == [("View", "m1")]
    Event.objects.all().delete()


def test_lines_that_the_plan_kept_out_come_in_when_the_file_runs_again(shop, bring):
    plans.save(
        name="view", policy="refuse", user=None, now=NOW,
        properties={"sku": {"type": "string", "required": True}},
    )  # fmt: skip
    record = bring(
        b"type,at,message_id,email,properties\n"
        b'view,2024-01-01 10:00,m1,ann@shop.org,"{""sku"":""A""}"\n'
        b"view,2024-01-01 10:00,m2,ann@shop.org,{}\n"
        b"view,2024-01-01 10:00,m3,bob@shop.org,{}\n",
        kind="events",
    )
    assert (record.stored, record.quarantined) == (1, 2)
    run = again(record, save(shop, [{"rule": "trim", "columns": ["type"]}], "events"))
    assert counts(run) == [0, 0, 0, 1]
    assert (record.stored, record.quarantined, record.rejects.count()) == (1, 2, 2)
    plans.remove(name="view", user=None, now=NOW)
    run = again(
        record, save(shop, [{"rule": "case", "columns": ["email"], "to": "lower"}], "events")
    )
    assert counts(run) == [2, 0, 0, 1]
    assert (record.stored, record.quarantined, record.rejects.count()) == (3, 0, 0)
    assert set(Event.objects.values_list("message_id", flat=True)) == {"m1", "m2", "m3"}
