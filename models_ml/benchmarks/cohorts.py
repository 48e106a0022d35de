"""How fast cohorts are counted and people sorted, on a simulated shop that is rolled back."""

import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from models_ml.benchmarks.data import pace
from models_ml.benchmarks.features import RUNS
from models_ml.benchmarks.shops import NOW, plant
from models_ml.clusters import definitions, membership, training
from models_ml.insights import cohorts
from models_ml.models import Clustering, ClusterMember

# people, order lines
SHOPS = {"small": (50_000, 500_000), "full": (200_000, 2_000_000)}
# What no table of cohorts can do without: each person's months, and who began when.
LEAST = """
SELECT f.month, o.month, count(*), sum(o.money) FROM (
    SELECT customer_id, date_trunc('month', placed_at) AS month, sum(total) AS money
    FROM ingestion_orderline WHERE customer_id IS NOT NULL AND kind IN ('product', 'return')
    AND placed_at >= %(now)s - interval '13 months' AND placed_at < %(now)s GROUP BY 1, 2
) AS o JOIN (
    SELECT customer_id, date_trunc('month', first_order_at) AS month
    FROM ingestion_customerrollup WHERE first_order_at >= %(now)s - interval '13 months'
) AS f USING (customer_id) GROUP BY 1, 2
"""


def cohorts_table(size: str = "small") -> list[dict[str, Any]]:
    """The table of cohorts by month of first order, beside the plainest SQL for its cells."""
    people, lines = SHOPS[size]
    ours, limit = [], []
    with transaction.atomic():
        _plant(people, lines)
        for _round in range(RUNS):
            with connection.cursor() as cursor:
                began = time.perf_counter()
                cursor.execute(LEAST, {"now": NOW})
                cursor.fetchall()
            limit.append(lines / (time.perf_counter() - began))
            began = time.perf_counter()
            cohorts.table(asked=cohorts.Asked(), as_of=NOW)
            ours.append(lines / (time.perf_counter() - began))
        transaction.set_rollback(True)
    what = "hand-written SQL for the cells alone"
    return [pace("cohorts.table", "lines/s", lines, ours, limit, what)]


def _plant(people: int, lines: int) -> None:
    plant(people, lines, now=NOW)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_customerrollup (customer_id, orders, units, revenue, returns,"
            " products, first_order_at, last_order_at, recent_orders)"
            " SELECT customer_id, count(DISTINCT order_id), sum(quantity), sum(total), 0, 1,"
            " min(placed_at), max(placed_at), '{}' FROM ingestion_orderline"
            " WHERE sku = 'x' GROUP BY customer_id ON CONFLICT DO NOTHING"
        )
        cursor.execute("ANALYZE ingestion_customerrollup")


def clusters_sort(size: str = "small") -> list[dict[str, Any]]:
    """Facts of everyone to stored groups, beside reading the facts alone."""
    people, lines = SHOPS[size]
    ours, limit = [], []
    with transaction.atomic():
        plant(people, lines, now=NOW)
        row = definitions.create(title="Bench", now=NOW)
        _person, names, x = membership.read_facts(clustering=row, as_of=NOW)
        sorting = training.sorting_of(clustering=row, names=names, x=x, count=4)
        for _round in range(RUNS):
            ClusterMember.objects.filter(clustering=row).delete()
            began = time.perf_counter()
            membership.read_facts(clustering=row, as_of=NOW)
            limit.append(people / (time.perf_counter() - began))
            began = time.perf_counter()
            _sort(row, sorting)
            ours.append(people / (time.perf_counter() - began))
        transaction.set_rollback(True)
    return [pace("clusters.sort", "people/s", people, ours, limit, "reading the facts alone")]


def _sort(row: Clustering, sorting: membership.Sorting) -> None:
    person, names, x = membership.read_facts(clustering=row, as_of=NOW)
    number, chance = sorting.sort(names, x)
    membership.write(
        clustering=row, version=None, person=person, number=number, chance=chance, as_of=NOW
    )


WORKLOADS: dict[str, Callable[[str], Any]] = {
    "cohorts.table": cohorts_table,
    "clusters.sort": clusters_sort,
}
