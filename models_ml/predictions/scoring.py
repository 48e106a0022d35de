"""Everybody's score by the version in use, written whole and switched in one transaction.

A set is copied into a part of its own beside the table and exchanged for the part that serves, so
nobody ever reads half of two sets, and writing costs little more than a bare COPY. If readers keep
the table busy, the rows are exchanged inside the part that serves instead, which takes no lock that
anybody waits for.
"""

import io
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from ingestion import changes
from marketing.core import bus
from marketing.core.db import advisory_lock
from marketing.core.errors import Conflict
from models_ml import queries, registry
from models_ml.algorithms import artifacts
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import engines
from models_ml.predictions.engines import Answers

TABLE = "models_ml_score"
COLUMNS = "prediction_id, customer_id, value, low, high, percentile, version_id"
KEY = "PRIMARY KEY (prediction_id, customer_id) INCLUDE (value, percentile)"
_HEAD = b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8
_TAIL = b"\xff\xff"
# How long an exchange of parts may wait for readers, and how often it is tried.
PATIENCE, TRIES = "400ms", 5
LOCK_CODES = ("55P03", "40P01")


def score(
    *,
    prediction: Prediction,
    now: datetime | None = None,
    as_of: datetime | None = None,
    version: ModelVersion | None = None,
) -> int:
    """Score everyone in the population by the version in use; how many people.

    Without one the scores are taken away: an old word about new people would be wrong.
    """
    now = now or timezone.now()
    as_of = as_of or queries.data_now(now=now)
    version = version or registry.live(prediction.key)
    if version is None or prediction.state != Prediction.State.ACTIVE:
        clear(prediction=prediction)
        return 0
    engine = engines.of(version.details.get("engine", "contest"))
    try:
        answers = engine.answer(prediction=prediction, version=version, as_of=as_of)
    except artifacts.Damaged as fault:
        raise Conflict(
            _("The files of %(version)s are damaged, so nobody was scored again.")
            % {"version": version},
            code="model_damaged",
            remedy=_(
                "The scores of the last good run go on being used. Go back to an earlier version,"
                " or train again."
            ),
        ) from fault
    write(prediction=prediction, version=version, answers=answers, as_of=as_of, now=now)
    return len(answers)


def write(
    *,
    prediction: Prediction,
    version: ModelVersion,
    answers: Answers,
    as_of: datetime,
    now: datetime,
) -> None:
    """Replace all scores of a prediction by these, at once."""
    body = encode(prediction_id=prediction.pk, version_id=version.pk, answers=answers)
    with advisory_lock(f"scores:{prediction.pk}"):
        _exchange(prediction.pk, body)
        Prediction.objects.filter(pk=prediction.pk).update(
            scored_at=now, scored_as_of=as_of, scored_people=len(answers)
        )
        changes.note(kind=changes.SCORE, what=prediction.key, people=None)
        bus.announce("scores.written", prediction_id=prediction.pk, key=prediction.key)
    _let_go(prediction.pk)
    prediction.refresh_from_db(fields=["scored_at", "scored_as_of", "scored_people"])


def clear(*, prediction: Prediction) -> None:
    """Take all scores of a prediction away."""
    with advisory_lock(f"scores:{prediction.pk}"):
        prediction.scores.all().delete()
        Prediction.objects.filter(pk=prediction.pk).update(
            scored_at=None, scored_as_of=None, scored_people=0
        )
        changes.note(kind=changes.SCORE, what=prediction.key, people=None)
        bus.announce("scores.written", prediction_id=prediction.pk, key=prediction.key)


def percentiles(*, person: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.int16]:
    """1 to 100 by value, as many people in each; equal values by the person's number."""
    n = len(value)
    order = np.lexsort((person, value))
    found = np.empty(n, dtype=np.int16)
    found[order] = np.arange(n) * 100 // max(n, 1) + 1
    return found


def encode(*, prediction_id: int, version_id: int, answers: Answers) -> memoryview:
    """The rows as COPY's binary form, by person."""
    bounded = answers.low is not None and answers.high is not None
    columns: list[tuple[str, str, Any]] = [
        ("prediction", ">i8", prediction_id),
        ("customer", ">i8", answers.person),
        ("value", ">f8", answers.value),
        ("low", ">f8" if bounded else "", answers.low),
        ("high", ">f8" if bounded else "", answers.high),
        ("percentile", ">i2", percentiles(person=answers.person, value=answers.value)),
        ("version", ">i8", version_id),
    ]
    fields: list[tuple[str, str]] = [("width", ">i2")]
    for name, kind, _values in columns:
        fields.append((f"{name}_size", ">i4"))
        if kind:
            fields.append((name, kind))
    rows = np.empty(len(answers), dtype=np.dtype(fields))
    rows["width"] = len(columns)
    for name, kind, values in columns:
        rows[f"{name}_size"] = np.dtype(kind).itemsize if kind else -1
        if kind:
            rows[name] = values
    if len(rows) > 1 and not bool((np.diff(answers.person) > 0).all()):
        rows = rows[np.argsort(answers.person, kind="stable")]
    return memoryview(_HEAD + rows.tobytes() + _TAIL)


def _exchange(prediction_id: int, body: memoryview) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        part = f"{TABLE}_p{prediction_id}_{uuid.uuid4().hex[:8]}"
        cursor.execute(
            f"CREATE TABLE {part} (LIKE {TABLE} INCLUDING DEFAULTS,"
            f" CHECK (prediction_id = {int(prediction_id)}))"
        )
        cursor.copy_expert(
            f"COPY {part} ({COLUMNS}) FROM STDIN (FORMAT binary, FREEZE)", io.BytesIO(body), 1 << 20
        )
        cursor.execute(f"ALTER TABLE {part} ADD {KEY}")
        cursor.execute(f"ANALYZE {part}")
        for attempt in range(TRIES):
            if _attach(cursor, prediction_id, part):
                return
            time.sleep(0.05 * 2**attempt)
        cursor.execute(f"DELETE FROM {TABLE} WHERE prediction_id = %s", [prediction_id])
        cursor.execute(f"INSERT INTO {TABLE} ({COLUMNS}) SELECT {COLUMNS} FROM {part}")
        cursor.execute(f"DROP TABLE {part}")


def _attach(cursor: Any, prediction_id: int, part: str) -> bool:
    """Let a part serve in place of the one before it; False when readers are in the way."""
    try:
        with transaction.atomic():
            cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            former = _part(cursor, prediction_id)
            if former:
                cursor.execute(f"ALTER TABLE {TABLE} DETACH PARTITION {former}")
                cursor.execute(f"DROP TABLE {former}")
            else:
                cursor.execute(
                    f"DELETE FROM {TABLE}_rest WHERE prediction_id = %s", [prediction_id]
                )
            cursor.execute(
                f"ALTER TABLE {TABLE} ATTACH PARTITION {part} FOR VALUES IN ({int(prediction_id)})"
            )
            cursor.execute("SET LOCAL lock_timeout = 0")
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) not in LOCK_CODES:
            raise
        return False
    return True


def _part(cursor: Any, prediction_id: int) -> str | None:
    """The part that serves a prediction, if it has one of its own."""
    cursor.execute(
        "SELECT c.oid::regclass::text FROM pg_inherits AS i"
        " JOIN pg_class AS c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = %s::regclass"
        " AND pg_get_expr(c.relpartbound, c.oid) = %s",
        [TABLE, f"FOR VALUES IN ('{int(prediction_id)}')"],
    )
    row = cursor.fetchone()
    return row[0] if row else None


def _let_go(prediction_id: int) -> None:
    """Take out who was erased, merged, or said no to profiling while everybody was scored."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            f"DELETE FROM {TABLE} AS s WHERE s.prediction_id = %s AND NOT EXISTS ("
            " SELECT FROM ingestion_customer AS c"
            " WHERE c.id = s.customer_id AND c.merged_into_id IS NULL)",
            [prediction_id],
        )
        cursor.execute(
            f"DELETE FROM {TABLE} AS s USING ingestion_consent AS x"
            " WHERE s.prediction_id = %s AND x.customer_id = s.customer_id"
            " AND x.purpose = 'profiling' AND x.current AND NOT x.granted",
            [prediction_id],
        )


def people(*, prediction: Prediction, ids: Sequence[int]) -> dict[int, float]:
    """The scores of some people, by person."""
    return dict(
        prediction.scores.filter(customer_id__in=list(ids)).values_list("customer_id", "value")
    )
