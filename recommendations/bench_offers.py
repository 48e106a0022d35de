"""How fast a plan of offers is made for everybody: read, judged, reckoned, given out and written.

Beside it: the bare COPY of the same columns out, and of the same choices in once the former ones
are deleted, with nothing between.
"""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

from models_ml.benchmarks import memory, shops
from models_ml.benchmarks.data import line, pace
from models_ml.columns import copied
from recommendations.models import OfferPlan
from recommendations.offers import keeping, planning, storing

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PEOPLE = {"small": 100_000, "middle": 400_000, "full": 1_000_000}
RUNS, HOLD = 3, 1000 << 20
KEYS = ("bench-fund", "bench-card")
_GROWN = {"field": "age", "op": "at_least", "value": 18}
_RISKS = {"field": "risk_class", "op": "at_least", "value": 3}
OFFERS: list[dict[str, Any]] = [
    {"name": "Fund", "prediction": KEYS[0], "value": 100.0,
     "rules": [_RISKS, _GROWN, {"op": "holds_not", "value": ["FUND"]}]},
    {"name": "Fund, no entry fee", "prediction": KEYS[0], "value": 100.0, "discount": 20.0,
     "rules": [_RISKS, _GROWN, {"field": "income", "op": "at_least", "value": 30_000}]},
    {"name": "Card", "prediction": KEYS[1], "value": 40.0,
     "rules": [{**_RISKS, "value": 1}, _GROWN,
               {"field": "country", "op": "one_of", "value": ["GB", "FR"]}]},
]  # fmt: skip
_PEOPLE = """
SELECT id, attributes->>'risk_class', attributes->>'income', country,
    attributes->>'date_of_birth' FROM ingestion_customer
"""
_SCORES = "SELECT customer_id::int8, value FROM models_ml_score WHERE prediction_id = %(row)s"


def offers_plan(size: str = "small") -> list[dict[str, Any]]:
    """Three offers under a budget that lasts for about half of everybody."""
    people = PEOPLE[size]
    with _shop(people) as (row, keys):
        before = memory.held()
        run = partial(planning.plan, row=row, now=NOW)
        peak = memory.peak(run) - before
        ours, limit = [], []
        for _round in range(RUNS):
            began = time.perf_counter()
            told = run()
            ours.append(people / (time.perf_counter() - began))
            began = time.perf_counter()
            _bare(row, keys)
            limit.append(people / (time.perf_counter() - began))
    what = "bare COPY of the same out and in"
    return [
        {**pace("offers.plan", "people/s", people, ours, limit, what, keep=0.5),
         "chosen": told["chosen"]},
        line("offers.plan.memory", "MB", people, [peak / 1e6], most=("1 GB", HOLD / 1e6),
             origin="the project's own goal"),
    ]  # fmt: skip


def _bare(row: OfferPlan, keys: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY ({_PEOPLE}) TO STDOUT (FORMAT csv)", io.BytesIO())
        for key in keys:
            copied(cursor, _SCORES, {"row": key}, width=2)
        held = io.BytesIO()
        own = f"SELECT * FROM {storing.TABLE} WHERE plan_id = {row.pk}"
        cursor.copy_expert(f"COPY ({own}) TO STDOUT (FORMAT binary)", held)
        cursor.execute(f"DELETE FROM {storing.TABLE} WHERE plan_id = {row.pk}")
        held.seek(0)
        cursor.copy_expert(f"COPY {storing.TABLE} FROM STDIN (FORMAT binary)", held, 1 << 20)


@contextmanager
def _shop(people: int) -> Iterator[tuple[OfferPlan, list[int]]]:
    """So many people of whom things are known, two predictions, and a plan; all is taken back."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(
                "INSERT INTO ingestion_customer (external_id, first_name, last_name, phone,"
                " country, language, timezone, attributes, is_demo, created_at, updated_at)"
                " SELECT 'bench-' || n, '', '', '', (ARRAY['GB', 'FR', 'DE', 'ES'])[1 + n %% 4],"
                " '', '', jsonb_build_object('risk_class', 1 + n * 7919::bigint %% 5, 'income',"
                " 12000 + n * 104729::bigint %% 60000, 'date_of_birth',"
                " '1940-01-01'::date + (n * 31::bigint %% 27000)::int) || CASE WHEN n %% 10 = 0"
                " THEN '{\"holdings\": [\"FUND\"]}' ELSE '{}' END::jsonb, false, now(), now()"
                " FROM generate_series(1, %s) AS n",
                [people],
            )
            cursor.execute(
                "INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, source,"
                " proof, current) SELECT id, '', 'profiling', id %% 50 > 0, %s, 'bench', '{}', true"
                " FROM ingestion_customer WHERE id %% 5 = 0",
                [NOW],
            )
            keys = [_prediction(cursor, key, people) for key in KEYS]
            cursor.execute("ANALYZE ingestion_customer, ingestion_consent, models_ml_score")
        row, _made = keeping.save(
            slug="bench",
            values={
                "name": "bench", "kind": "financial", "budget": people // 2, "currency": "GBP",
                "contact_cost": 1, "offers": [{**one, "source": "score"} for one in OFFERS],
            },
            actor=None,
            now=NOW,
        )  # fmt: skip
        yield row, keys
        transaction.set_rollback(True)


def _prediction(cursor: Any, key: str, people: int) -> int:
    made, version = shops.prediction(key, people=people)
    cursor.execute(
        "INSERT INTO models_ml_score (prediction_id, customer_id, value, percentile, version_id)"
        " SELECT %s, id, mod(id * %s, 100) / 100.0, 1 + mod(id, 100), %s FROM ingestion_customer",
        [made.pk, 31 + made.pk % 7, version.pk],
    )
    return made.pk


WORKLOADS: dict[str, Callable[[str], list[dict[str, Any]]]] = {"offers.plan": offers_plan}
