"""How fast everybody's scores are written, beside the model's own predict and a bare COPY.

Both sides run in turn on the same people and the same model. The features of the people are read
before: `features.customers` is about those.
"""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection, transaction

from models_ml import registry
from models_ml.algorithms.tabular import contest
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.frame import Frame
from models_ml.benchmarks import shops
from models_ml.benchmarks.data import line, pace
from models_ml.benchmarks.features import RUNS
from models_ml.models import ModelVersion
from models_ml.predictions import parts, scoring
from models_ml.predictions.engines import Answers

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PEOPLE = {"small": 100_000, "middle": 400_000, "full": 1_000_000}
KEY = "bench scores"
LEARNED_FROM, COLUMNS = 20_000, 18
# Half of the rate of predict and bare COPY.
KEEP = 0.5


def score_customers(size: str = "small") -> dict[str, Any]:
    """People scored by gradient boosting and written back, against predict and bare COPY."""
    people = PEOPLE[size]
    rng = np.random.default_rng(20111209)
    x = pd.DataFrame({f"f{n}": rng.gamma(1.0, 20.0, people) for n in range(COLUMNS)})
    fitted = _boosting(x.iloc[:LEARNED_FROM], rng)
    ours, limit = [], []
    with _people(people) as person:
        prediction, version = shops.prediction(KEY)
        for _round in range(RUNS):
            began = time.perf_counter()
            answers = Answers(person, fitted.predict(x))
            scoring.write(
                prediction=prediction, version=version, answers=answers, as_of=NOW, now=NOW
            )
            ours.append(people / (time.perf_counter() - began))
            ready = scoring.encode(
                prediction_id=prediction.pk, version_id=version.pk, answers=answers
            )
            began = time.perf_counter()
            fitted.predict(x)
            _bare(ready)
            limit.append(people / (time.perf_counter() - began))
    what = "the same model's predict and COPY of ready rows into an empty table with the same key"
    return pace("score.customers", "people/s", people, ours, limit, what, keep=KEEP)


def score_rollback(size: str = "small") -> list[dict[str, Any]]:
    """Seconds until what the version before said serves again, and until an archive is done."""
    people = PEOPLE[size]
    rng = np.random.default_rng(20111209)
    back, put_away = [], []
    with _people(people) as person:
        prediction, second = shops.prediction(KEY)
        first = ModelVersion.objects.create(
            name=KEY, version=2, state=registry.State.RETIRED, algorithm="boosting"
        )
        for _round in range(RUNS):
            for version in (first, second):
                answers = Answers(person, rng.random(people))
                scoring.write(
                    prediction=prediction, version=version, answers=answers, as_of=NOW, now=NOW
                )
            began = time.perf_counter()
            if not scoring.take_back(prediction=prediction, version=first, now=NOW):
                raise AssertionError("the former scores were not kept")
            back.append(time.perf_counter() - began)
            began = time.perf_counter()
            scoring.clear(prediction=prediction)
            put_away.append(time.perf_counter() - began)
    goal = ("10 s, whoever asks", 10.0)
    origin = "the project's goal"
    return [
        line("score.rollback", "s", people, back, most=goal, origin=origin),
        line("score.archive", "s", people, put_away, most=goal, origin=origin),
    ]


def _boosting(x: pd.DataFrame, rng: np.random.Generator) -> Any:
    n = len(x)
    y = rng.random(n) < 1 / (1 + np.exp(2 - x["f0"].to_numpy() / 20 + x["f1"].to_numpy() / 30))
    frame = Frame(x, y, np.arange(n), np.full(n, np.datetime64("2026-01-01", "s")))
    half = np.arange(n) < n // 2
    baseline = Baseline("f2", lambda rows: rows["f2"].to_numpy())
    return contest.run(
        frame.take(half), frame.take(~half), "chance", baseline, seed=1, folds=3,
        candidates=["boosting"],
    ).fitted  # fmt: skip


@contextmanager
def _people(count: int) -> Iterator[Any]:
    """The ids of so many people, of the kept shop where there is one; all is taken back."""
    if shops.kept() and count == shops.SHOPS["full"][0]:
        with shops.shop(*shops.SHOPS["full"]):
            yield _ids()
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(
                "INSERT INTO ingestion_customer (external_id, email, first_name, last_name, phone,"
                " country, language, timezone, attributes, is_demo, created_at, updated_at)"
                " SELECT 'bench-' || n, NULL, '', '', '', 'GB', '', '', '{}', false, now(), now()"
                " FROM generate_series(1, %s) AS n",
                [count],
            )
            cursor.execute("ANALYZE ingestion_customer")
        yield _ids()
        transaction.set_rollback(True)


def _ids() -> Any:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(id ORDER BY id) FROM ingestion_customer"
            " WHERE external_id LIKE 'bench-%'"
        )
        return np.array(cursor.fetchone()[0], dtype=np.int64)


def _bare(body: memoryview) -> None:
    """COPY of rows that lie ready into an empty table with the key of the scores."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_scores")
        cursor.execute(f"CREATE TABLE bench_scores (LIKE {parts.TABLE}, {parts.KEY})")
        names = f"bench_scores ({parts.COLUMNS})"
        cursor.copy_expert(f"COPY {names} FROM STDIN (FORMAT binary)", io.BytesIO(body), 1 << 20)


WORKLOADS: dict[str, Callable[[str], Any]] = {
    "score.customers": score_customers,
    "score.rollback": score_rollback,
}
