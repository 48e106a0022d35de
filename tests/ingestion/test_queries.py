"""What others may ask about facts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from ingestion import events, health, queries
from ingestion.models import Customer, ImportJob, Product
from tests import factories
from tests.ingestion.conftest import NOW

HEAD = b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
ROWS = HEAD + (
    b"1,A1,TEA,2,2011-01-05 10:00,3.00,7,UK\n"
    b"1,POST,POSTAGE,1,2011-01-05 10:00,5.00,7,UK\n"
    b"2,A1,TEA,1,2011-01-05 12:00,3.00,,UK\n"
    b"3,B1,CUP,4,2011-02-06 10:00,1.50,8,UK\n"
    b"C4,A1,TEA,-1,2011-02-07 10:00,3.00,7,UK\n"
    b"5,B1,CUP,-9,2011-02-07 10:00,0,,UK\n"
)


@pytest.fixture
def shop(bring):
    return bring(ROWS)


def test_purchases_are_goods_sold_to_somebody_before_a_moment(shop) -> None:
    ids = dict(Customer.objects.values_list("external_id", "id"))
    skus = dict(Product.objects.values_list("sku", "id"))
    first = (ids["7"], skus["A1"], datetime(2011, 1, 5, 10, tzinfo=UTC), 2, 6.0)
    second = (ids["8"], skus["B1"], datetime(2011, 2, 6, 10, tzinfo=UTC), 4, 6.0)
    assert queries.purchases(until=NOW) == [first, second]
    assert queries.purchases(until=datetime(2011, 2, 6, 10, tzinfo=UTC)) == [first]
    assert queries.purchases(until=NOW, since=datetime(2011, 2, 1, tzinfo=UTC)) == [second]


def test_a_timeline_runs_backwards_and_can_go_on(shop) -> None:
    ada = Customer.objects.get(external_id="7")
    sent = {"type": "view", "at": NOW - timedelta(days=1), "customer_id": ada.pk}
    events.record(batch=[sent], source="web", now=NOW)
    moments = queries.timeline(customer_id=ada.pk)
    assert [(m.kind, m.title) for m in moments] == [
        ("event", "view"),
        ("return", "C4"),
        ("order", "1"),
    ]
    older = queries.timeline(customer_id=ada.pk, before=moments[1].at)
    assert [m.title for m in older] == ["1"]
    assert queries.timeline(customer_id=ada.pk, limit=1) == moments[:1]


def test_an_overview_counts_everything(shop) -> None:
    seen = queries.overview()
    assert (seen.customers, seen.orders, seen.lines, seen.products, seen.rejects) == (2, 5, 6, 2, 0)
    assert seen.last_order_at == datetime(2011, 2, 7, 10, tzinfo=UTC)
    assert seen.exact
    assert not seen.is_empty


def test_lines_too_many_to_count_are_told_as_the_database_knows_them(shop, monkeypatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_orderline")
    monkeypatch.setattr(queries, "COUNTED", 5)
    seen = queries.overview()
    assert (seen.lines, seen.events, seen.exact) == (6, 0, False)


@pytest.mark.django_db
def test_an_empty_shop_is_said_to_be_empty() -> None:
    assert queries.overview().is_empty
    assert queries.purchases(until=NOW) == []
    assert health.ledgers() == []


def test_rows_that_a_recipe_leaves_out_are_accounted_for(shop) -> None:
    source = factories.source("till")
    ImportJob.objects.create(
        source=source, kind="orders", path="", state="done", received=9, stored=6, left_out=3
    )
    (ledger,) = [one for one in health.ledgers() if one.name == "till"]
    assert (ledger.left_out, ledger.adds_up) == (3, True)


def test_health_tells_what_became_of_each_row(shop) -> None:
    (ledger,) = health.ledgers()
    assert (ledger.name, ledger.received, ledger.stored, ledger.adds_up) == ("shop", 6, 6, True)
