"""What a contest takes: a frame of columns, and the schema every later frame is read by.

Reading never fails on values: what is no number is missing, what is infinite is missing, a category
never met before is "other", a column that is gone is missing for everyone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms.tabular.events import Events

Floats = NDArray[np.float64]
Task = Literal["chance", "amount"]

LEAST_PEOPLE, LEAST_EACH = 100, 20
# Codes of a category column; known levels follow.
OTHER, MISSING, FIRST_LEVEL = 0, 1, 2
MOST_LEVELS, LEAST_ROWS_A_LEVEL = 1000, 5
# Larger than any amount or count a shop has, and small enough to square.
LARGEST = 1e15


class Unfit(ValueError):
    """Nothing can be learned from this, for the reason named by `code`; `facts` are the numbers.

    Codes: no_rows, too_few_people, one_class, too_few_each, no_columns, leak, constant_target,
    too_few_later, unknown_candidate, no_candidate.
    """

    def __init__(self, code: str, facts: dict[str, Any]) -> None:
        super().__init__(f"{code}: {facts}")
        self.code, self.facts = code, facts


@dataclass(frozen=True)
class Frame:
    """Rows of people at moments: columns known then, and what came after.

    `x` holds numbers (float64, nan for unknown) and categories (dtype category, object or string);
    `y` (n,) bool for a chance or float64 for an amount; `person` (n,) int64; `moment` (n,)
    datetime64[s]; `events` what each row's person did before its moment, for the transformer.
    """

    x: pd.DataFrame
    y: NDArray[Any]
    person: NDArray[np.int64]
    moment: NDArray[np.datetime64]
    events: Events | None = None

    def __post_init__(self) -> None:
        sizes = {len(self.x), len(self.y), len(self.person), len(self.moment)}
        if self.events is not None:
            sizes.add(len(self.events))
        if len(sizes) != 1:
            raise ValueError(f"the parts of a frame differ in length: {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[Any]) -> Frame:
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        events = None if self.events is None else self.events.take(rows)
        return Frame(self.x.iloc[rows], self.y[rows], self.person[rows], self.moment[rows], events)


def join(first: Frame, second: Frame) -> Frame:
    """Both, one below the other; a category column becomes one of texts."""
    parts = [
        frame.x.astype(
            {
                name: "object"
                for name in frame.x.columns
                if isinstance(frame.x[name].dtype, pd.CategoricalDtype)
            }
        )
        for frame in (first, second)
    ]
    events = None
    if first.events is not None and second.events is not None:
        events = first.events.join(second.events)
    return Frame(
        pd.concat(parts, ignore_index=True),
        np.concatenate([first.y, second.y]),
        np.concatenate([first.person, second.person]),
        np.concatenate([first.moment, second.moment]),
        events,
    )


@dataclass(frozen=True)
class Table:
    """A frame read by a schema: numbers (n, p) with nan, codes (n, q), and the events beside."""

    numbers: Floats
    codes: NDArray[np.int32]
    events: Events | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[Any]) -> Table:
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        events = None if self.events is None else self.events.take(rows)
        return Table(self.numbers[rows], self.codes[rows], events)


@dataclass(frozen=True)
class Schema:
    """The columns a model reads, in order, and the known levels of each category.

    `dropped` names the columns left out, with why: constant, missing, or moment
    (says when, not who).
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    dropped: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, x: pd.DataFrame) -> Schema:
        numbers, categories, levels, dropped = [], [], [], []
        for name in x.columns:
            if is_number(x[name]):
                values = as_numbers(x[name])
                known = values[np.isfinite(values)]
                if known.size == 0:
                    dropped.append((str(name), "missing"))
                elif known.min() == known.max() and known.size == values.size:
                    dropped.append((str(name), "constant"))
                else:
                    numbers.append(str(name))
                continue
            texts = as_texts(x[name])
            found = texts.value_counts()
            if found.empty:
                dropped.append((str(name), "missing"))
            elif len(found) == 1 and found.iloc[0] == len(texts):
                dropped.append((str(name), "constant"))
            else:
                kept = found[found >= min(LEAST_ROWS_A_LEVEL, max(1, len(texts) // 100))]
                categories.append(str(name))
                levels.append(tuple(sorted(str(level) for level in kept.index[:MOST_LEVELS])))
        return cls(tuple(numbers), tuple(categories), tuple(levels), tuple(dropped))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column a model uses: the numbers, then the categories."""
        return self.numbers + self.categories

    def read(self, x: pd.DataFrame, events: Events | None = None) -> Table:
        named = {str(name): place for place, name in enumerate(x.columns)}
        numbers = np.full((len(x), len(self.numbers)), np.nan)
        for j, name in enumerate(self.numbers):
            if name in named:
                numbers[:, j] = as_numbers(x.iloc[:, named[name]])
        codes = np.full((len(x), len(self.categories)), MISSING, dtype=np.int32)
        for j, name in enumerate(self.categories):
            if name in named:
                texts = as_texts(x.iloc[:, named[name]])
                place = pd.Index(self.levels[j]).get_indexer(pd.Index(texts))
                codes[:, j] = np.where(place < 0, OTHER, place + FIRST_LEVEL)
                codes[texts.isna().to_numpy(), j] = MISSING
        return Table(numbers, codes, events)

    def without(self, names: Collection[str], why: str) -> Schema:
        """The same without these columns."""
        kept = [j for j, name in enumerate(self.categories) if name not in names]
        return Schema(
            tuple(name for name in self.numbers if name not in names),
            tuple(self.categories[j] for j in kept),
            tuple(self.levels[j] for j in kept),
            self.dropped + tuple((name, why) for name in self.columns if name in names),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "numbers": list(self.numbers),
            "categories": list(self.categories),
            "levels": [list(known) for known in self.levels],
            "dropped": [list(pair) for pair in self.dropped],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Schema:
        return cls(
            tuple(stored["numbers"]),
            tuple(stored["categories"]),
            tuple(tuple(known) for known in stored["levels"]),
            tuple((name, why) for name, why in stored["dropped"]),
        )


def is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))


def as_numbers(column: pd.Series) -> Floats:
    """Float64 with nan for whatever is no finite number of a sensible size."""
    if not is_number(column):
        column = pd.to_numeric(column.astype("object").map(_plain), errors="coerce")
    values = np.array(column.to_numpy(dtype=np.float64, na_value=np.nan), copy=True)
    values[~np.isfinite(values)] = np.nan
    return np.clip(values, -LARGEST, LARGEST)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float, str, np.number, np.bool_)) else None


def as_texts(column: pd.Series) -> pd.Series:
    """The column as texts; empty texts and nan are missing."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("object")
    if is_number(column):
        texts = pd.Series(
            [f"{v:g}" for v in column.to_numpy(dtype=np.float64, na_value=np.nan)], dtype="object"
        )
        texts[np.isnan(column.to_numpy(dtype=np.float64, na_value=np.nan))] = None
        return texts
    return pd.Series(
        [None if _unknown(value) else str(value) for value in column.to_numpy(dtype="object")],
        dtype="object",
    )


def _unknown(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value == "" or value != value


def check(train: Frame, later: Frame, task: Task) -> None:
    """Unfit when there is too little to learn from or to judge by."""
    if len(train) == 0:
        raise Unfit("no_rows", {"rows": 0})
    people = int(np.unique(train.person).size)
    if task == "chance":
        yes = int(np.unique(train.person[train.y.astype(bool)]).size)
        no = int(np.unique(train.person[~train.y.astype(bool)]).size)
        facts = {"people": people, "yes": yes, "no": no}
        if min(yes, no) == 0:
            raise Unfit("one_class", facts)
        if people < LEAST_PEOPLE:
            raise Unfit("too_few_people", {**facts, "needed": LEAST_PEOPLE})
        if min(yes, no) < LEAST_EACH:
            raise Unfit("too_few_each", {**facts, "needed": LEAST_EACH})
        known = later.y.astype(bool)
        if min(int(known.sum()), int((~known).sum())) < LEAST_EACH // 2:
            facts = {"people": len(later), "yes": int(known.sum()), "needed": LEAST_EACH // 2}
            raise Unfit("too_few_later", facts)
        return
    if not np.isfinite(np.asarray(train.y, dtype=np.float64)).all():
        raise Unfit("no_rows", {"rows": len(train), "reason": "unknown amounts"})
    if people < LEAST_PEOPLE:
        raise Unfit("too_few_people", {"people": people, "needed": LEAST_PEOPLE})
    if np.ptp(np.asarray(train.y, dtype=np.float64)) == 0:
        raise Unfit("constant_target", {"people": people, "value": float(train.y[0])})
    if len(later) < LEAST_EACH:
        raise Unfit("too_few_later", {"people": len(later), "needed": LEAST_EACH})
