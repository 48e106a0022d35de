"""An import uses its source's recipe, records the version, and accounts for every row."""

from datetime import date
from decimal import Decimal

import pytest

from ingestion.imports import choosing, starting, uploads
from ingestion.models import Customer, ImportJob, Order, OrderLine, RecipeVersion, Reject, Source
from ingestion.recipes import rates, versions
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import Job
from tests.ingestion.conftest import NOW

ORDERS = (
    b"order_id,placed_at,sku,quantity,unit_price,email,currency,weight\n"
    b"1,2024-01-01 10:00,A,2,10.00, ANN@Shop.org ,EUR,1 kg\n"
    b"1,2024-01-01 10:00,B,1,4.00,ann@shop.org,EUR,500 g\n"
    b"2,2024-01-02 10:00,A,1,10.00,bob@shop.org,GBP,\n"
    b"3,2024-01-03 10:00,A,1,10.00,cat@shop.org,USD,\n"
    b"4,2024-01-03 10:00,TEST,1,10.00,cat@shop.org,GBP,\n"
)
RULES = [
    {"id": "drop", "rule": "drop_rows", "where": 'sku = "TEST"'},
    {
        "id": "money",
        "rule": "currency",
        "amount": "unit_price",
        "currency": "currency",
        "date": "placed_at",
        "to": "GBP",
    },
]


@pytest.fixture
def shop(db):
    return Source.objects.create(name="shop")


def save(source, rules, kind="orders", **extra):
    return versions.save(
        source=source, kind=kind, body={"rules": rules}, user=None, now=NOW, **extra
    )


def test_rows_are_changed_left_out_or_set_aside_and_the_ledger_adds_up(shop, bring):
    rates.replace(source=shop, rows=[("EUR", "GBP", date(2024, 1, 1), Decimal("0.85"))], user=None)
    version = save(shop, RULES)
    record = bring(ORDERS)
    assert record.recipe_version == version
    assert (record.received, record.stored, record.duplicate) == (5, 3, 0)
    assert (record.quarantined, record.left_out) == (1, 1)
    order = Order.objects.get(external_id="1")
    assert (order.total, order.currency) == (Decimal("20.40"), "GBP")
    assert order.attributes == {"original_currency": "EUR", "exchange_rate": "0.85"}
    assert list(order.lines.order_by("line_no").values_list("unit_price", flat=True)) == [
        Decimal("8.5"),
        Decimal("3.4"),
    ]
    assert not Order.objects.filter(external_id__in=["3", "4"]).exists()
    reject = Reject.objects.get(import_job=record)
    assert (reject.line, reject.code) == (5, "no_rate")
    assert "rate" in reject.message
    told = record.report["rules"]
    assert told["recipe:drop"]["left_out"] == 1
    assert told["recipe:money"]["rows"] == 2
    assert told["recipe:money"]["examples"][:2] == [
        {"line": 5, "before": {"currency": "USD"}, "after": {}},
        {
            "line": 2,
            "before": {"unit_price": "10.00", "currency": "EUR"},
            "after": {"unit_price": "8.5", "currency": "GBP"},
        },
    ]


def test_a_rule_reads_columns_that_are_not_mapped(shop, bring):
    save(shop, [{"id": "a", "rule": "drop_rows", "where": 'weight = "500 g"'}])
    record = bring(ORDERS)
    assert record.left_out == 1
    assert OrderLine.objects.count() == 4


def test_the_same_file_again_changes_nothing(shop, bring):
    save(
        shop,
        [{"id": "a", "rule": "derive", "column": "unit_price", "expression": "unit_price * 2"}],
    )
    bring(ORDERS)
    again = bring(ORDERS)
    assert (again.stored, again.duplicate) == (0, 5)
    assert OrderLine.objects.count() == 5


def test_saving_makes_a_version_and_saying_the_same_makes_none(shop):
    one = save(shop, [])
    two = save(shop, RULES[:1])
    same = save(shop, RULES[:1], based_on=2)
    assert (one.number, two.number, same.number) == (1, 2, 2)
    with pytest.raises(Conflict) as caught:
        save(shop, [], based_on=1)
    assert caught.value.code == "recipe_changed"


def test_a_recipe_that_cannot_be_used_is_refused_with_its_path(shop):
    with pytest.raises(Invalid) as caught:
        save(shop, [{"id": "a", "rule": "derive", "column": "x", "expression": "1 +"}])
    assert caught.value.field == "rules[0].expression"
    assert "Nothing was saved" in caught.value.message
    assert not RecipeVersion.objects.exists()


def test_differences_are_told_in_words(shop):
    before = versions.parse({"rules": RULES})
    after = versions.parse(
        {
            "rules": [
                RULES[1] | {"to": "EUR"},
                RULES[0] | {"on": False},
                {"id": "n", "rule": "trim", "columns": ["email"]},
            ]
        }
    )
    assert versions.differences(before, after) == [
        "Changed “Convert currencies” (into): Price of one, Currency → EUR",
        "Switched off “Leave rows out”",
        "Added “Cut spaces at the ends”: E-mail",
        "Changed the order of the rules",
    ]


def test_a_resumed_import_gives_the_same_rows(shop, bring, monkeypatch):
    """The file is cut off in the middle and goes on with the figures of the whole file."""
    rows = b"".join(
        b"%d,2024-01-01 10:00,S%d,1,%d.00,p%d@shop.org\n"
        % (n, n, 1000 if n == 150 else 10 + n % 7, n % 40)
        for n in range(200)
    )
    content = b"order_id,placed_at,sku,quantity,unit_price,email\n" + rows
    rules = [
        {"id": "far", "rule": "outliers", "column": "unit_price", "action": "quarantine"},
        {"id": "one", "rule": "deduplicate", "columns": ["email"], "keep": "last"},
    ]
    save(shop, rules)
    whole = bring(content)
    lines = sorted(OrderLine.objects.values_list("order__external_id", "unit_price"))
    OrderLine.objects.all().delete()
    Order.objects.all().delete()
    monkeypatch.setattr("ingestion.preprocess.reading.BLOCK", 1000)
    record = uploads.receive(
        chunks=[content], name="f.csv", kind="orders", source_name="shop", user=None, now=NOW
    )
    job = starting.start(record=record, now=NOW)
    seen = []

    def stop(self):
        seen.append(1)
        if len(seen) == 15:
            raise jobs.Cancelled

    monkeypatch.setattr(jobs.Running, "check", stop)
    jobs.run(job_id=job.pk)
    record.refresh_from_db()
    assert 0 < record.offset < 200
    save(shop, [])  # a later version does not touch an import under way
    rates.replace(source=shop, rows=[], user=None)
    jobs.retry(job_id=job.pk)
    jobs.run(job_id=job.pk)
    record.refresh_from_db()
    assert record.state == "done", Job.objects.get(pk=job.pk).error
    assert sorted(OrderLine.objects.values_list("order__external_id", "unit_price")) == lines
    counts = ("received", "stored", "duplicate", "quarantined", "left_out")
    assert [getattr(record, c) for c in counts] == [getattr(whole, c) for c in counts]
    assert (whole.quarantined, whole.stored) == (1, 40)


def test_people_are_cleaned_by_their_own_recipe(shop, bring):
    save(
        shop,
        [
            {"id": "t", "rule": "phone", "columns": ["phone"], "country": "GB"},
            {"id": "c", "rule": "case", "columns": ["first_name"], "to": "title"},
        ],
        kind="customers",
    )
    bring(b"email,phone,first_name\nann@shop.org,020 7946 0958,ANN-MARIE\n", kind="customers")
    ann = Customer.objects.get(email="ann@shop.org")
    assert (ann.phone, ann.first_name) == ("+442079460958", "Ann-Marie")
    assert ImportJob.objects.get().report["rules"]["recipe:t"]["rows"] == 1


SHORT = (
    b"order_id,placed_at,sku,unit_price,email\n"
    b"1,2024-01-01 10:00,A,10.00,ann@shop.org\n"
    b"2,2024-01-02 10:00,B,4.00,bob@shop.org\n"
)
SUPPLIED = [
    {"id": "n", "rule": "derive", "column": "quantity", "expression": "2"},
    {"id": "c", "rule": "derive", "column": "currency", "expression": '"CHF"'},
]


def test_a_needed_column_that_the_file_lacks_may_come_from_the_recipe(shop, bring):
    with pytest.raises(Invalid) as caught:
        bring(SHORT)
    assert (caught.value.code, caught.value.field) == ("field_required", "quantity")
    assert caught.value.remedy == (
        "If the file has none, a rule of the source's recipe can fill it."
    )
    save(shop, SUPPLIED)
    record = bring(SHORT)
    assert (record.received, record.stored, record.quarantined) == (2, 2, 0)
    assert list(Order.objects.order_by("external_id").values_list("total", "currency")) == [
        (Decimal("20.00"), "CHF"),
        (Decimal("8.00"), "CHF"),
    ]
    assert record.report["rules"]["recipe:n"]["rows"] == 2


def test_the_recipe_that_counts_is_that_of_the_source_the_file_goes_to(shop):
    save(shop, SUPPLIED)
    record = uploads.receive(
        chunks=[SHORT], name="f.csv", kind="orders", source_name="till", user=None, now=NOW
    )
    chosen = {"record": record, "kind": "orders", "mapping": record.mapping}
    with pytest.raises(Invalid):
        choosing.choose(**chosen, options=record.options, now=NOW)
    with pytest.raises(Invalid):
        choosing.choose(**chosen, options=record.options, source_name="a new one", now=NOW)
    choosing.choose(**chosen, options=record.options, source_name=" shop ", now=NOW)
    record.refresh_from_db()
    assert (record.state, record.source) == ("mapped", shop)


def test_a_rule_taken_out_before_the_start_sets_the_rows_aside(shop):
    save(shop, SUPPLIED)
    record = uploads.receive(
        chunks=[SHORT], name="f.csv", kind="orders", source_name="shop", user=None, now=NOW
    )
    job = starting.start(record=record, now=NOW)
    save(shop, SUPPLIED[1:])
    jobs.run(job_id=job.pk)
    record.refresh_from_db()
    assert (record.stored, record.quarantined) == (0, 2)
    assert set(record.rejects.values_list("code", "field")) == {("missing", "quantity")}
