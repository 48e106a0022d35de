"""A database is read from where the last fetch ended: nothing is lost, nothing comes twice."""

import gzip
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ingestion.connectors import pulling, schedule, spool, sql
from ingestion.models import Connector, Customer, Order, OrderLine, Product, Pull
from ingestion.recipes import versions
from marketing.core import jobs
from marketing.core.errors import Invalid, Refused, Unavailable
from tests.ingestion.connectors.conftest import NOW, Shop, fetch, run_import, settle_columns

ORDERS = {
    "order_id": "order_no",
    "customer_id": "person",
    "placed_at": "ordered_at",
    "sku": "sku",
    "quantity": "qty",
    "unit_price": "price",
}


def test_a_table_is_looked_at_before_anything_is_fetched(shop: Shop) -> None:
    shop.add(1, 7, NOW)
    seen = sql.Database(shop.given(), now=NOW).test()
    assert seen.columns[:3] == ["id", "order_no", "person"]
    assert [row[1] for row in seen.rows] == ["o1", "o2", "o3", "o4", "o5"]
    assert seen.message.startswith("Connected.")


def test_orders_come_in_once_and_new_ones_follow(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    shop.add(1, 12_000, NOW)
    connector = connect("sql", **shop.given())
    first = fetch(connector)
    assert (first.state, first.rows) == (Pull.State.DONE, 12_000)
    assert Order.objects.count() == 0  # nobody has said yet which column is which
    record = settle_columns(first, "orders", ORDERS)
    assert (record.received, record.stored, record.quarantined) == (12_000, 12_000, 0)
    assert Order.objects.count() == 12_000

    shop.add(12_001, 12_003, NOW)
    second = fetch(connector)
    record = run_import(second.imports.get())
    assert (second.rows, record.received, record.stored) == (3, 3, 3)
    assert fetch(connector).imports.count() == 0  # nothing new: no import of nothing
    assert Order.objects.count() == 12_003
    connector.refresh_from_db()
    assert connector.state == Connector.State.ACTIVE


def test_rows_written_later_with_the_very_last_value_are_found_and_none_comes_twice(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    moment = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    shop.add(1, 30, moment)
    connector = connect("sql", **shop.given(cursor_column="changed_at"))
    assert fetch(connector).rows == 30
    shop.add(31, 34, moment)
    shop.add(35, 35, moment + timedelta(seconds=1))
    assert fetch(connector).rows == 5
    assert fetch(connector).rows == 0


def test_rows_without_a_value_in_the_cursor_column_wait(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    shop.add(1, 5, NOW)
    shop.run("UPDATE lines SET changed_at = NULL WHERE id > 3")
    assert fetch(connect("sql", **shop.given(cursor_column="changed_at"))).rows == 3


def test_without_a_cursor_column_the_same_rows_are_not_imported_again(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    shop.add(1, 5, NOW)
    connector = connect("sql", **shop.given(cursor_column="", query="SELECT * FROM lines"))
    assert fetch(connector).imports.count() == 1
    assert fetch(connector).imports.count() == 0
    shop.add(6, 6, NOW)
    assert fetch(connector).imports.count() == 1


def test_a_result_too_large_for_one_fetch_is_refused_rather_than_cut(
    shop: Shop, connect: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add(1, 50, NOW)
    monkeypatch.setattr(sql, "BATCH", 10)
    monkeypatch.setattr(pulling, "_BYTES_LIMIT", 300)
    pull = fetch(connect("sql", "whole", **shop.given(cursor_column="")))
    assert (pull.state, pull.imports.count()) == (Pull.State.FAILED, 0)
    assert "too much for one fetch" in pull.error
    connector = connect("sql", "grows", **shop.given())
    rows = [fetch(connector).rows for _turn in range(5)]
    assert sum(rows) == 50
    assert rows[0] < 50


def test_a_fetch_without_a_cursor_that_is_taken_up_again_begins_anew(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    shop.add(1, 5, NOW)
    connector = connect("sql", **shop.given(cursor_column=""))
    pull = schedule.begin(connector=connector, by_hand=True, now=NOW)
    path = spool.new_path()
    file = spool.Spool(path, length=0)
    length = file.add([{"id": 1}, {"id": 2}])
    file.close()
    pulling._move(pull, path=path, cursor={}, rows=2, bytes=length)  # and then it was killed
    assert pull.job is not None
    jobs.run(job_id=pull.job.pk)
    pull.refresh_from_db()
    assert (pull.state, pull.rows) == (Pull.State.DONE, 5)
    with gzip.open(spool.place(path)) as lines:
        assert len(lines.readlines()) == 5


def test_a_query_of_ones_own_may_hold_colons_percents_and_comments(shop: Shop) -> None:
    shop.add(1, 5, datetime(2026, 11, 1, 12, 30, tzinfo=UTC))
    query = """
        SELECT id, order_no::text AS code, '50% :off; now' AS label,
            to_char(changed_at AT TIME ZONE 'UTC', 'HH24:MI') AS at
        FROM lines WHERE order_no LIKE 'o%' AND ordered_at > '2026-01-01 00:00:00' -- all;
    """
    seen = sql.Database(shop.given(query=query), now=NOW).test()
    assert seen.rows[0] == ["1", "o1", "50% :off; now", "12:30"]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM lines",
        "SELECT 1; DROP TABLE lines",
        "SELECT 1) x; COMMIT; DROP TABLE lines; SELECT * FROM (SELECT 1",
        "lines; DROP TABLE lines",
        "WITH x AS (SELECT 1) SELECT 1; --",
        "EXPLAIN ANALYZE DELETE FROM lines",
        "",
    ],
)
def test_only_one_reading_statement_is_taken(shop: Shop, query: str) -> None:
    with pytest.raises(Invalid):
        sql.Database(shop.given(query=query), now=NOW).test()


@pytest.mark.parametrize(
    "query",
    [
        "WITH gone AS (DELETE FROM lines RETURNING *) SELECT * FROM gone",
        "SELECT setval('lines_id_seq', 999)",
        "SELECT lo_create(0)",
    ],
)
def test_a_statement_that_writes_all_the_same_is_refused_by_the_database(
    shop: Shop, query: str
) -> None:
    shop.add(1, 3, NOW)
    with pytest.raises(Refused, match="The database answered"):
        list(sql.Database(shop.given(query=query, cursor_column=""), now=NOW).pull({}))
    assert sql.Database(shop.given(), now=NOW).test().rows[2][0] == "3"


def test_a_wrong_password_is_said_without_the_password(shop: Shop) -> None:
    with pytest.raises(Unavailable) as refused:
        sql.Database(shop.given(password="canary-31337-secret"), now=NOW).test()
    assert "canary-31337-secret" not in str(refused.value)
    assert "password" in str(refused.value).lower()


def test_a_database_inside_the_network_is_not_called_unless_the_server_allows_it(
    shop: Shop,
    settings,  # type: ignore[no-untyped-def]
) -> None:
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(Refused, match="OUTBOUND_ALLOW"):
        sql.Database(shop.given(), now=NOW).test()
    with pytest.raises(Refused, match="OUTBOUND_ALLOW"):
        sql.Database(shop.given(variant="mysql", user="x", query="t"), now=NOW).test()


def test_encryption_that_the_server_has_not_is_never_left_out_silently(shop: Shop) -> None:
    for tls in ("require", "verify"):
        with pytest.raises(Unavailable):
            sql.Database(shop.given(tls=tls), now=NOW).test()


@pytest.mark.parametrize(("variant", "package"), [("mssql", "pymssql"), ("oracle", "oracledb")])
def test_a_driver_that_is_not_installed_is_named(
    settings,  # type: ignore[no-untyped-def]
    variant: str,
    package: str,
) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    given = {"variant": variant, "host": "127.0.0.1", "database": "x", "user": "x", "query": "t"}
    with pytest.raises(Invalid, match=package):
        sql.Database(given, now=NOW).test()


def test_mysql_that_does_not_answer_is_said_to_be_out_of_reach(settings) -> None:  # type: ignore[no-untyped-def]
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    given = {"variant": "mysql", "host": "127.0.0.1", "port": "1", "database": "x", "user": "x"}
    with pytest.raises(Unavailable, match="could not be reached"):
        sql.Database({**given, "query": "t", "tls": "off"}, now=NOW).test()


def test_a_column_that_is_not_there_is_named(shop: Shop) -> None:
    shop.add(1, 1, NOW)
    with pytest.raises(Refused, match="changed"):
        sql.Database(shop.given(cursor_column="changed"), now=NOW).test()


# --- SQLite ------------------------------------------------------------------------------------


@pytest.fixture
def file(settings, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    settings.CONNECTOR_FOLDERS = [str(tmp_path / "inbox")]
    (tmp_path / "inbox").mkdir()
    path = tmp_path / "inbox" / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE people (id INTEGER, email TEXT, joined TEXT)")
        connection.executemany(
            "INSERT INTO people VALUES (?, ?, ?)",
            [(n, f"p{n}@example.com", "2026-10-01") for n in range(1, 8)],
        )
    connection.close()
    return path


def test_a_file_of_sqlite_is_read_and_only_read(
    file: Path, connect: Callable[..., Connector]
) -> None:
    connector = connect("sql", variant="sqlite", file="shop.db", query="people", cursor_column="id")
    before = file.read_bytes()
    pull = fetch(connector)
    record = settle_columns(pull, "customers", {"customer_id": "id", "email": "email"})
    assert (record.stored, Customer.objects.count()) == (7, 7)
    assert file.read_bytes() == before
    with pytest.raises(Refused):
        list(
            sql.Database(
                {"variant": "sqlite", "file": "shop.db", "query": "SELECT load_extension('x')"},
                now=NOW,
            ).pull({})
        )


@pytest.mark.parametrize("path", ["../secret.db", "/etc/passwd", "link.db", ""])
def test_files_outside_the_allowed_folders_are_not_opened(file: Path, path: str) -> None:
    (file.parent.parent / "secret.db").write_bytes(file.read_bytes())
    (file.parent / "link.db").symlink_to(file.parent.parent / "secret.db")
    with pytest.raises(Invalid):
        sql.Database({"variant": "sqlite", "file": path, "query": "people"}, now=NOW).test()


@pytest.mark.parametrize(
    "value",
    [
        7, 2**70, 1.5, "2026-11-01", Decimal("10.20"),
        datetime(2026, 11, 1, 12, 0, 0, 1, tzinfo=UTC), date(2026, 11, 1),
    ],
)  # fmt: skip
def test_a_cursor_survives_being_written_down(value: object) -> None:
    assert sql.unpack(sql.pack(value)) == value
    assert type(sql.unpack(sql.pack(value))) is type(value)


def test_products_of_another_shop_come_with_their_prices_to_the_penny(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    shop.run("CREATE TABLE goods (code text, title text, price numeric(12,2))")
    shop.run("INSERT INTO goods VALUES ('A1', 'Mug', 4.10), ('A2', 'Lamp', 1234567.89)")
    connector = connect("sql", **shop.given(query="goods", cursor_column=""))
    settle_columns(fetch(connector), "products", {"sku": "code", "name": "title", "price": "price"})
    assert dict(Product.objects.values_list("sku", "price")) == {
        "A1": Decimal("4.10"),
        "A2": Decimal("1234567.89"),
    }


def test_rows_without_a_needed_column_go_in_by_the_recipe_fetch_after_fetch(
    shop: Shop, connect: Callable[..., Connector]
) -> None:
    shop.add(1, 3, NOW)
    connector = connect("sql", **shop.given())
    rule = {"id": "n", "rule": "derive", "column": "quantity", "expression": "2"}
    versions.save(
        source=connector.source, kind="orders", body={"rules": [rule]}, user=None, now=NOW
    )
    columns = {
        "order_id": "order_no",
        "placed_at": "ordered_at",
        "sku": "sku",
        "unit_price": "price",
        "customer_id": "person",
    }
    first = settle_columns(fetch(connector), "orders", columns)
    assert (first.stored, first.quarantined) == (3, 0)
    shop.add(4, 5, NOW)
    second = run_import(fetch(connector).imports.get())
    assert (second.stored, second.quarantined) == (2, 0)
    assert set(OrderLine.objects.values_list("quantity", flat=True)) == {2}
