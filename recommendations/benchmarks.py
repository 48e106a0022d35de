"""How fast everybody's picks are made: ranked, ruled, explained and written to the database.

Needs a database of its own: people, products and picks are made, committed, and removed again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from django.db import connection, transaction
from implicit.cpu.topk import topk
from threadpoolctl import threadpool_limits

from models_ml import catalog
from models_ml.algorithms.data import Interactions, chunks
from models_ml.algorithms.recommenders import als
from models_ml.benchmarks import memory
from models_ml.benchmarks.data import line, pace
from models_ml.benchmarks.recommenders import RUNS, SHOPS, purchases
from models_ml.models import ModelVersion
from recommendations import build, candidates, rules
from recommendations.candidates import Engine, Question
from recommendations.models import Placement

SLUG = "benchmark"


def als_recommend(size: str = "small") -> list[dict[str, Any]]:
    """Ten new products for everybody, with rules and reasons, written; against ranking alone.

    Memory is what either takes beyond what the process held before there were purchases.
    """
    people, products, _rows = SHOPS[size]
    with _shop(people, products) as (place, customers, goods):
        before = memory.held()
        data = purchases(size)
        data = Interactions(customers[data.user], goods[data.item], data.at, data.weight)
        model = als.ALS(als.Params(iterations=3)).fit(data)
        theirs = memory.peak(partial(_rank, model)) - before
        engine = Engine(
            catalog.BY_ENGINE["als"], ModelVersion(name="next_product_als", version=0), model
        )
        wanted = rules.Rules(size=10)
        question = _question(data, customers, goods)
        work = partial(
            build.make, placement=place, engines=[engine], question=question, wanted=wanted,
            popular=_popular(question, data, wanted), now=datetime.now(UTC),
        )  # fmt: skip
        mine = memory.peak(work) - before
        ours, limit = [], []
        for _round in range(RUNS):
            began = time.perf_counter()
            work()
            ours.append(people / (time.perf_counter() - began))
            began = time.perf_counter()
            _rank(model)
            limit.append(people / (time.perf_counter() - began))
    what = "implicit ranking, nothing written"
    return [
        pace("als.recommend", "people/s", people, ours, limit, what, keep=0.5),
        line(
            "als.recommend.memory",
            "MB",
            people,
            [mine / 1e6],
            most=("2 x implicit ranking", 2 * theirs / 1e6),
            origin="the project's own goal",
            peer=("implicit ranking", theirs / 1e6),
        ),
    ]


def _rank(model: als.ALS) -> None:
    with threadpool_limits(limits=1, user_api="blas"):
        for start in range(0, len(model.users), 1000):
            part = slice(start, start + 1000)
            topk(
                model.item_factors,
                model.user_factors[part],
                10,
                filter_query_items=model.seen[part],
                num_threads=model.params.threads,
            )


def _question(data: Interactions, customers: np.ndarray, goods: np.ndarray) -> Question:
    return Question(
        people=customers,
        owned=candidates.pairs(customers, data.user, data.item),
        unprofiled=np.zeros(len(customers), dtype=bool),
        shelf=rules.Shelf(ids=goods, category=np.full(len(goods), -1)),
    )


def _popular(question: Question, data: Interactions, wanted: rules.Rules) -> build.Lists:
    entry = catalog.BY_ENGINE["popular"]
    model = entry.build({"days": 30}).fit(data)
    engine = Engine(entry, ModelVersion(name=entry.name, version=0), model)
    parts = [
        build.pick(engine, question.part(rows), wanted, None)
        for rows in chunks(len(question.people), build.AT_ONCE)
    ]
    return tuple(np.concatenate([getattr(p, name) for p in parts]) for name in ("picks", "scores"))


@contextmanager
def _shop(people: int, products: int) -> Iterator[tuple[Placement, np.ndarray, np.ndarray]]:
    """So many customers and products, and a placement of their own, for as long as this runs."""
    place, _made = Placement.objects.get_or_create(slug=SLUG, defaults={"name": SLUG})
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_customer (external_id, first_name, last_name, phone, country,"
            " language, timezone, attributes, is_demo, created_at, updated_at)"
            " SELECT 'bench-' || n, '', '', '', '', '', '', '{}', false, now(), now()"
            " FROM generate_series(1, %s) AS n RETURNING id",
            [people],
        )
        customers = np.sort(np.array([key for (key,) in cursor.fetchall()]))
        cursor.execute(
            "INSERT INTO ingestion_product (sku, name, category, currency, url, image_url, active,"
            " is_goods, attributes, created_at)"
            " SELECT 'bench-' || n, 'Thing ' || n, '', 'GBP', '', '', true, true, '{}', now()"
            " FROM generate_series(1, %s) AS n RETURNING id",
            [products],
        )
        goods = np.sort(np.array([key for (key,) in cursor.fetchall()]))
    try:
        yield place, customers, goods
    finally:
        build.clear(placement=place)
        place.delete()
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ingestion_customer WHERE id = ANY(%s)", [customers.tolist()]
            )
            cursor.execute("DELETE FROM ingestion_product WHERE id = ANY(%s)", [goods.tolist()])


WORKLOADS: dict[str, Callable[[str], list[dict[str, Any]]]] = {"als.recommend": als_recommend}
