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

from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular.events import Events

Floats = NDArray[np.float64]
Task = Literal["chance", "amount"]

LEAST_PEOPLE, LEAST_EACH = 100, 20
# Codes of a category column; known levels follow.
OTHER, MISSING, FIRST_LEVEL = 0, 1, 2
MOST_LEVELS, LEAST_ROWS_A_LEVEL = 1000, 5
# Larger than any amount or count a shop has, and small enough to square.
LARGEST = 1e15


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


@dataclass(frozen=True)
class Table:
    """A frame read by a schema: numbers (n, p) with nan, codes (n, q), and the events beside.

    `person` (n,) says whose row each is, where something is learned from them.
    """

    numbers: Floats
    codes: NDArray[np.int32]
    events: Events | None = None
    person: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[Any]) -> Table:
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        events = None if self.events is None else self.events.take(rows)
        return Table(self.numbers[rows], self.codes[rows], events, self.whose[rows])

    @property
    def whose(self) -> NDArray[np.int64]:
        """The person of each row; everybody somebody else where that was not said."""
        return np.arange(len(self)) if self.person is None else self.person


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
        """What there is to learn from; of columns of one name, the first."""
        numbers, categories, levels, dropped = [], [], [], []
        for name, column in _columns(x).items():
            if is_number(column):
                values = as_numbers(column)
                known = values[np.isfinite(values)]
                if known.size == 0:
                    dropped.append((name, "missing"))
                elif known.min() == known.max() and known.size == values.size:
                    dropped.append((name, "constant"))
                else:
                    numbers.append(name)
                continue
            texts = as_texts(column)
            found = texts.value_counts()
            if found.empty:
                dropped.append((name, "missing"))
            elif len(found) == 1 and found.iloc[0] == len(texts):
                dropped.append((name, "constant"))
            else:
                kept = found[found >= min(LEAST_ROWS_A_LEVEL, max(1, len(texts) // 100))]
                categories.append(name)
                levels.append(tuple(sorted(str(level) for level in kept.index[:MOST_LEVELS])))
        return cls(tuple(numbers), tuple(categories), tuple(levels), tuple(dropped))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column a model uses: the numbers, then the categories."""
        return self.numbers + self.categories

    def table(self, frame: Frame) -> Table:
        """A frame as it is learned from."""
        return self.read(frame.x, frame.events, frame.person)

    def read(
        self,
        x: pd.DataFrame,
        events: Events | None = None,
        person: NDArray[np.int64] | None = None,
    ) -> Table:
        columns = _columns(x)
        numbers = np.full((len(x), len(self.numbers)), np.nan)
        for j, name in enumerate(self.numbers):
            if name in columns:
                numbers[:, j] = as_numbers(columns[name])
        codes = np.full((len(x), len(self.categories)), MISSING, dtype=np.int32)
        for j, name in enumerate(self.categories):
            if name in columns:
                codes[:, j] = _codes(columns[name], self.levels[j])
        return Table(numbers, codes, events, person)

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


def _columns(x: pd.DataFrame) -> dict[str, pd.Series]:
    found: dict[str, pd.Series] = {}
    for place, name in enumerate(x.columns):
        found.setdefault(str(name), x.iloc[:, place])
    return found


def is_number(column: pd.Series) -> bool:
    kinds = pd.api.types
    return bool(kinds.is_numeric_dtype(column) or kinds.is_bool_dtype(column)) and not bool(
        kinds.is_complex_dtype(column)
    )


def as_numbers(column: pd.Series) -> Floats:
    """Float64 with nan for whatever is no finite number of a sensible size."""
    if is_number(column):
        values = np.array(column.to_numpy(dtype=np.float64, na_value=np.nan), copy=True)
    else:
        values = np.array([_number(value) for value in column.to_numpy(dtype="object")])
        values = values.astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    return np.clip(values, -LARGEST, LARGEST)


def _number(value: Any) -> float:
    if not isinstance(value, (bool, int, float, str, np.number, np.bool_)):
        return np.nan
    try:
        return float(value)
    except (ValueError, OverflowError, TypeError):
        return np.nan


def as_texts(column: pd.Series) -> pd.Series:
    """The column as texts; empty texts and nan are missing."""
    if is_number(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return pd.Series([None if v != v else f"{v:.15g}" for v in values], dtype="object")
    return pd.Series([_text(value) for value in column.to_numpy(dtype="object")], dtype="object")


def _text(value: Any) -> str | None:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return None if value != value else f"{value:.15g}"
    return str(value) or None


def _codes(column: pd.Series, levels: tuple[str, ...]) -> NDArray[np.int32]:
    """Place among the levels; the texts of a category column are looked up once each."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        texts = as_texts(pd.Series(column.cat.categories))
        of = column.cat.codes.to_numpy()
        found = np.r_[_looked_up(texts, levels), np.int32(MISSING)].astype(np.int32)
        return np.asarray(found[np.where(of < 0, len(texts), of)])
    return _looked_up(as_texts(column), levels)


def _looked_up(texts: pd.Series, levels: tuple[str, ...]) -> NDArray[np.int32]:
    place = pd.Index(levels, dtype="object").get_indexer(pd.Index(texts, dtype="object"))
    codes = np.where(place < 0, OTHER, place + FIRST_LEVEL).astype(np.int32)
    codes[texts.isna().to_numpy(dtype=bool)] = MISSING
    return codes


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
    if not np.isfinite(np.asarray(later.y, dtype=np.float64)).all():
        raise Unfit("too_few_later", {"people": 0, "reason": "unknown amounts"})
    if len(later) < LEAST_EACH:
        raise Unfit("too_few_later", {"people": len(later), "needed": LEAST_EACH})
