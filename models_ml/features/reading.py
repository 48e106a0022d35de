"""Features of many people as a frame, by one COPY out of the database; pandas lives here."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection, transaction
from numpy.typing import NDArray

from models_ml.features import compiler, sweeps
from models_ml.features.compiler import PAIRS, Population
from models_ml.features.registry import CATEGORY, Feature

MOST_LEVELS = 1_000
# COPY's binary form: a header of 19 bytes, rows of fixed width (no column is null), a trailer of 2.
_HEADER, _TRAILER = 19, 2
# Hashes over millions of lines; a few at a time, and only in a worker.
MEMORY = "128MB"

Moments = NDArray[np.datetime64]


@dataclass(frozen=True)
class Asked:
    """Who is asked about, and when: each row a person (int64) at a moment (datetime64[s])."""

    person: NDArray[np.int64]
    moment: Moments

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: NDArray[Any]) -> "Asked":
        return Asked(self.person[rows], self.moment[rows])


@dataclass(frozen=True)
class Values:
    """What was known of each asked person: `x` a column a feature, by name."""

    asked: Asked
    x: pd.DataFrame
    features: tuple[Feature, ...]

    def __len__(self) -> int:
        return len(self.asked)


def read(
    *,
    features: Sequence[Feature],
    population: Population,
    cuts: Sequence[datetime] = (),
    pairs: Asked | None = None,
    only: Sequence[int] | None = None,
    levels: dict[str, Sequence[str]] | None = None,
) -> Values:
    """The features at `cuts` (everyone of the population at each) or of `pairs`, by person.

    `levels` fixes the categories told apart; without it the most frequent of today's are.
    """
    known = levels if levels is not None else levels_of(features=features)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        if only is None and pairs is None:
            sweeps.prepare(cursor)
        elif only is None:
            cursor.execute("SET LOCAL work_mem = %s", [MEMORY])
        if pairs is not None:
            if not len(pairs):
                return _frame(np.empty((0, 2 + len(features))), features, known)
            ask(asked=pairs)
        made = compiler.compile(
            features=features,
            population=population,
            cuts=cuts,
            only=only,
            levels=known,
            first=as_datetime(pairs.moment.min()) if pairs is not None else None,
            last=as_datetime(pairs.moment.max()) if pairs is not None else None,
        )
        rows = copy_out(sql=made.sql, params=made.params, numbers=len(features))
    return _frame(rows, features, known)


def beside(*, asked: Asked, known: Asked, values: NDArray[Any]) -> NDArray[np.float64]:
    """For each asked row the value of the same person at the same moment; nan where unknown."""
    out = np.full(len(asked), np.nan)
    if not len(known):
        return out
    moments = np.unique(known.moment)

    def keys(of: Asked) -> NDArray[np.int64]:
        return of.person * len(moments) + np.searchsorted(moments, of.moment)

    order = np.argsort(keys(known), kind="stable")
    ready, wanted = keys(known)[order], keys(asked)
    place = np.minimum(np.searchsorted(ready, wanted), len(ready) - 1)
    hit = (ready[place] == wanted) & np.isin(asked.moment, moments)
    out[hit] = np.asarray(values, dtype=np.float64)[order[place[hit]]]
    return out


def ask(*, asked: Asked) -> None:
    """Lay people and their moments where statements of pairs look for them, until the commit."""
    lines = pd.DataFrame({"c": asked.person, "m": asked.moment}).to_csv(index=False, header=False)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {PAIRS}")
        cursor.execute(
            f"CREATE TEMP TABLE {PAIRS} (customer_id bigint, cut timestamptz) ON COMMIT DROP"
        )
        cursor.execute("SET LOCAL TimeZone = 'UTC'")
        cursor.copy_expert(f"COPY {PAIRS} FROM STDIN (FORMAT csv)", io.StringIO(lines))
        cursor.execute(f"ANALYZE {PAIRS}")


def copy_out(*, sql: str, params: dict[str, Any], numbers: int) -> NDArray[Any]:
    """Rows of (customer_id int8, moment int8, numbers float8) as one float array (n, 2 + numbers).

    Rows come in no order that means anything; they are sorted by moment, then person.
    """
    kinds = [(">i8", "person"), (">i8", "moment"), *((">f8", f"n{i}") for i in range(numbers))]
    fields: list[tuple[str, str]] = [("width", ">i2")]
    for kind, name in kinds:
        fields += [(f"{name}_size", ">i4"), (name, kind)]
    buffer = io.BytesIO()
    with connection.cursor() as cursor:
        text = cursor.mogrify(f"COPY ({sql}) TO STDOUT (FORMAT binary)", params)
        cursor.copy_expert(text.decode(), buffer)
    body = np.frombuffer(buffer.getbuffer()[_HEADER:-_TRAILER], dtype=np.dtype(fields))
    out = np.empty((len(body), 2 + numbers), order="F")
    for place, (_kind, name) in enumerate(kinds):
        out[:, place] = body[name]
    order = np.lexsort((out[:, 0], out[:, 1]))
    return np.asfortranarray(out[order]) if len(out) else out


def levels_of(*, features: Sequence[Feature]) -> dict[str, Sequence[str]]:
    """The most frequent levels of each category, as the people's rows stand now."""
    found: dict[str, Sequence[str]] = {}
    for feature in features:
        if feature.kind != CATEGORY:
            continue
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {feature.sql} AS level FROM ingestion_customer AS c"
                f" WHERE c.merged_into_id IS NULL AND {feature.sql} IS NOT NULL"
                " GROUP BY level ORDER BY count(*) DESC, level LIMIT %(most)s",
                {**feature.params, "most": MOST_LEVELS},
            )
            found[feature.name] = [row[0] for row in cursor.fetchall()]
    return found


def _frame(
    rows: NDArray[Any], features: Sequence[Feature], levels: dict[str, Sequence[str]]
) -> Values:
    columns: dict[str, Any] = {}
    for place, feature in enumerate(features):
        values = rows[:, 2 + place]
        if feature.kind == CATEGORY:
            known = list(levels.get(feature.name, ()))
            columns[feature.name] = pd.Categorical.from_codes(
                values.astype(np.int64), categories=pd.Index(known, dtype="object")
            )
        else:
            columns[feature.name] = values
    asked = Asked(rows[:, 0].astype(np.int64), rows[:, 1].astype("int64").astype("datetime64[s]"))
    # With an index of its own, so that nobody is lost where nothing is known.
    x = pd.DataFrame(columns, index=pd.RangeIndex(len(rows)), copy=False)
    return Values(asked, x, tuple(features))


def as_datetime(moment: Any) -> datetime:
    """A datetime64 as an aware datetime."""
    return datetime.fromtimestamp(int(moment.astype("datetime64[s]").astype(np.int64)), tz=UTC)


def as_moment(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "s")
