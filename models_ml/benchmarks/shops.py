"""A simulated shop to measure on: made and taken back, or made once and kept.

Making a million people with ten million order lines takes many minutes. Where the bench was given
KEEP=<folder>, its servers live there and each shop has a database that is made when it is first
asked for. Whatever is measured on it is taken back too, so it is the same shop every time.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

from ingestion import rollups
from ingestion.events import partitions
from models_ml import features, registry
from models_ml.models import ModelVersion, Prediction

NOW = datetime(2026, 11, 22, tzinfo=UTC)
# people, order lines
SHOPS = {
    "small": (50_000, 500_000),
    "middle": (300_000, 3_000_000),
    "full": (1_000_000, 10_000_000),
}
LINES_PER_ORDER = 4
KEPT = "BENCH_KEPT"
_EVENT_DAYS = 120
# Written faster without, and made anew at the end.
_BULKY = ("ingestion_order", "ingestion_orderline")


def kept() -> bool:
    """Whether shops are kept, furnished, from one run to the next."""
    return bool(os.environ.get(KEPT))


@contextmanager
def shop(people: int, lines: int, *, furnished: bool = False) -> Iterator[None]:
    """A shop of so many people and order lines; whatever is done in it is taken back at the end.

    Furnished, its people have also consents, suppressions and running totals.
    """
    if kept():
        with _database(_kept(people, lines)):
            with transaction.atomic():
                yield
                transaction.set_rollback(True)
            with connection.cursor() as cursor:  # of what was taken back nothing stays
                cursor.execute("VACUUM")
        return
    with transaction.atomic():
        plant(people, lines, now=NOW)
        if furnished:
            furnish(now=NOW)
        yield
        transaction.set_rollback(True)


def plant(people: int, lines: int, *, now: datetime) -> None:
    """A shop of so many people and order lines over two years, made inside the database.

    The caller holds the transaction and rolls it back.
    """
    orders = lines // LINES_PER_ORDER
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "INSERT INTO ingestion_source (name, kind, mapping, options, enabled, is_demo,"
            " created_at) VALUES ('bench', 'upload', '{}', '{}', true, false, now()) RETURNING id"
        )
        source = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO ingestion_customer (external_id, email, first_name, last_name, phone,"
            " country, language, timezone, attributes, is_demo, first_seen_at, created_at,"
            " updated_at) SELECT 'bench-' || n, 'bench-' || n || '@example.com', '', '', '',"
            " (ARRAY['GB', 'FR', 'DE', 'ES'])[1 + n %% 4], '', '', jsonb_build_object("
            "   'gender', (ARRAY['female', 'male'])[1 + n * 7919::bigint %% 13 %% 2]),"
            " false, %s::timestamptz - interval '730 days', now(), now()"
            " FROM generate_series(1, %s) AS n",
            [now, people],
        )
        cursor.execute(
            "SELECT min(id), max(id) FROM ingestion_customer WHERE external_id LIKE 'bench-%'"
        )
        first, last = cursor.fetchone()
        cursor.execute(
            "INSERT INTO ingestion_product (sku, name, category, currency, url, image_url, active,"
            " is_goods, attributes, created_at) SELECT 'bench-' || n, 'Thing ' || n, '', 'GBP', '',"
            " '', true, true, '{}', now() FROM generate_series(0, 1999) AS n RETURNING id"
        )
        product = min(key for (key,) in cursor.fetchall())
        # Half of the orders are recent people's, so that the last 90 days are as busy as a shop's.
        cursor.execute(
            "INSERT INTO ingestion_order (source_id, external_id, customer_id, placed_at, currency,"
            " total, status, country, attributes)"
            " SELECT %s, 'bench-' || n, %s + (n * 7919::bigint) %% %s,"
            " %s::timestamptz - (power(mod(n * 104729::bigint, 1000003) / 1000003.0, 2) * 730)"
            "   * interval '1 day', 'GBP', 40, 'placed', 'GB', '{}'"
            " FROM generate_series(1, %s) AS n",
            [source, first, last - first + 1, now, orders],
        )
        cursor.execute(
            "INSERT INTO ingestion_orderline (order_id, line_no, customer_id, product_id,"
            " placed_at, sku, description, quantity, unit_price, total, kind, outlier)"
            " SELECT o.id, k, o.customer_id, %s + (o.id * 31 + k * 997) %% 2000, o.placed_at,"
            " 'x', '', 1 + (o.id + k) %% 6, 10, 10 * (1 + (o.id + k) %% 6), 'product', false"
            " FROM ingestion_order AS o, generate_series(1, %s) AS k WHERE o.source_id = %s",
            [product, LINES_PER_ORDER, source],
        )
        cursor.execute(
            "ANALYZE ingestion_customer, ingestion_order, ingestion_orderline, ingestion_product"
        )


def furnish(*, now: datetime) -> None:
    """Consents, suppressions and running totals of the people planted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, source,"
            " proof, current) SELECT id, 'email', 'marketing', id %% 10 < 8, %s, 'bench', '{}',"
            " true FROM ingestion_customer WHERE external_id LIKE 'bench-%%'",
            [now],
        )
        cursor.execute(
            "INSERT INTO ingestion_suppression (channel, address, reason, at) SELECT 'email',"
            " email, 'bounced', %s FROM ingestion_customer"
            " WHERE id %% 50 = 0 AND external_id LIKE 'bench-%%'",
            [now],
        )
        cursor.execute("SELECT array_agg(id) FROM ingestion_customer")
        rollups.refresh(customer_ids=cursor.fetchone()[0])
        cursor.execute("ANALYZE ingestion_consent, ingestion_suppression, ingestion_customerrollup")


def events(*, now: datetime) -> None:
    """Five events of everybody in the last months."""
    partitions.ensure_months(now - timedelta(days=back) for back in range(0, _EVENT_DAYS + 10, 10))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_event (at, received_at, customer_id, anonymous_id, type,"
            " properties, source, message_id, flags)"
            f" SELECT %(now)s - interval '1 day' * mod(id * 7 + n * 31, {_EVENT_DAYS}), %(now)s,"
            " id, '', (ARRAY['page', 'page', 'page', 'cart', 'purchase'])[n],"
            " jsonb_build_object('price', mod(id * n, 90)), 'bench', id || '-' || n, ''"
            " FROM ingestion_customer, generate_series(1, 5) AS n",
            {"now": now},
        )
        cursor.execute("ANALYZE ingestion_event")


def prediction(key: str = "bench", *, people: int = 0) -> tuple[Prediction, ModelVersion]:
    """A prediction with a version that serves, and no scores yet; `people` will have some."""
    made = Prediction.objects.create(
        key=key,
        title=key,
        kind="chance",
        target={"type": "order"},
        horizon_days=90,
        scored_people=people,
    )
    version = ModelVersion.objects.create(
        name=key, version=1, state=registry.State.LIVE, algorithm="boosting"
    )
    return made, version


def scored(key: str = "bench") -> str:
    """A prediction that says something of everybody, and its key; the kept shop's own."""
    if kept() and Prediction.objects.filter(key=key).exists():
        return key
    made, version = prediction(key)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO models_ml_score (prediction_id, customer_id, value, percentile,"
            " version_id) SELECT %s, id, mod(id, 100) / 100.0, 1 + mod(id, 100), %s"
            " FROM ingestion_customer",
            [made.pk, version.pk],
        )
        cursor.execute("ANALYZE models_ml_score")
    return made.key


def _kept(people: int, lines: int) -> str:
    """The name of the database of a kept shop, which is made where it is missing."""
    name, empty = f"kept_{people}_{lines}", connection.settings_dict["NAME"]
    with _database("postgres"), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if made := cursor.fetchone() is None:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}_new")
            cursor.execute(f"CREATE DATABASE {name}_new TEMPLATE {empty}")
    if not made:
        with _database(name):
            call_command("migrate", verbosity=0)
        return name
    with _database(f"{name}_new"):
        _make(people, lines)
    with _database("postgres"), connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
    return name


def _make(people: int, lines: int) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            # Nobody keeps anything of this shop yet that would follow from what changes in it.
            cursor.execute("SET LOCAL session_replication_role = replica")
            later = _without_indexes(cursor)
        plant(people, lines, now=NOW)
        with connection.cursor() as cursor:
            for statement in later:
                cursor.execute(statement)
        furnish(now=NOW)
        events(now=NOW)
        features.build(as_of=NOW)
        scored()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM ingestion_change")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _without_indexes(cursor: Any) -> list[str]:
    """Drop what no constraint needs of the largest tables; the statements that make it again."""
    cursor.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index AS i"
        " WHERE i.indrelid = ANY(%s::regclass[]) AND NOT EXISTS ("
        "  SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)",
        [list(_BULKY)],
    )
    found = cursor.fetchall()
    for name, _statement in found:
        cursor.execute(f"DROP INDEX {name}")
    return [statement for _name, statement in found]


@contextmanager
def _database(name: str) -> Iterator[None]:
    """Be connected to another database of the same server."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
