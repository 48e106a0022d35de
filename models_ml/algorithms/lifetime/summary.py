"""What the models read of a person: how often, how recently, since when, and how much.

Time is counted in `unit_days` (a week by default) and orders of one day are one purchase, as in
Fader, Hardie & Lee (2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEEK = 7.0


@dataclass(frozen=True)
class Summary:
    """Aligned arrays (n,), one row a person.

    `repeats` purchases after the first, `recency` the time from the first to the last (0 for a
    single one), `age` from the first until now, `spend` the mean of the repeat purchases (nan
    without any). `first` is what the first purchase was worth (nan where unknown).
    """

    person: Ints
    repeats: Floats
    recency: Floats
    age: Floats
    spend: Floats
    first: Floats

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: NDArray[Any]) -> Summary:
        return Summary(
            self.person[rows],
            self.repeats[rows],
            self.recency[rows],
            self.age[rows],
            self.spend[rows],
            self.first[rows],
        )

    @classmethod
    def of_counts(cls, repeats: Any, recency: Any, age: Any, spend: Any = None) -> Summary:
        """From numbers already counted; people are numbered by their place."""
        x = np.asarray(repeats, dtype=np.float64)
        empty = np.full(len(x), np.nan)
        return cls(
            np.arange(len(x), dtype=np.int64),
            x,
            np.asarray(recency, dtype=np.float64),
            np.asarray(age, dtype=np.float64),
            empty if spend is None else np.asarray(spend, dtype=np.float64),
            empty,
        )


@dataclass(frozen=True)
class Purchases:
    """A row a person and day of buying, by person and day. `day` counts from 1970-01-01."""

    person: Ints
    day: Ints
    amount: Floats


def by_day(person: NDArray[Any], at: NDArray[np.datetime64], amount: NDArray[Any]) -> Purchases:
    """Orders joined to one purchase a person and day."""
    day = at.astype("datetime64[D]").astype(np.int64)
    order = np.lexsort((day, person))
    who, when = np.asarray(person, dtype=np.int64)[order], day[order]
    new = np.ones(len(who), dtype=bool)
    new[1:] = (who[1:] != who[:-1]) | (when[1:] != when[:-1])
    start = np.flatnonzero(new)
    worth = np.asarray(amount, dtype=np.float64)[order]
    total = np.add.reduceat(worth, start) if len(start) else np.empty(0)
    return Purchases(who[start], when[start], total)


def summarise(purchases: Purchases, *, until: np.datetime64, unit_days: float = WEEK) -> Summary:
    """Everybody who had bought by the end of the day `until`; nothing later is looked at."""
    last = int(until.astype("datetime64[D]").astype(np.int64))
    known = purchases.day <= last
    who, day, amount = purchases.person[known], purchases.day[known], purchases.amount[known]
    new = np.ones(len(who), dtype=bool)
    new[1:] = who[1:] != who[:-1]
    start = np.flatnonzero(new)
    if not len(start):
        return Summary(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(5)))
    end = np.append(start[1:], len(who)) - 1
    times = (end - start).astype(np.float64)
    later = np.add.reduceat(amount, start) - amount[start]
    spend = np.divide(later, times, out=np.full(len(start), np.nan), where=times > 0)
    return Summary(
        who[start],
        times,
        (day[end] - day[start]) / unit_days,
        (last - day[start]) / unit_days,
        spend,
        amount[start],
    )


def bought_within(
    purchases: Purchases, person: Ints, *, after: np.datetime64, until: np.datetime64
) -> tuple[Floats, Floats]:
    """How often each person bought after one day until the end of another, and for how much."""
    first = int(after.astype("datetime64[D]").astype(np.int64))
    last = int(until.astype("datetime64[D]").astype(np.int64))
    inside = (purchases.day > first) & (purchases.day <= last)
    place = np.searchsorted(person, purchases.person[inside])
    place = np.minimum(place, max(len(person) - 1, 0))
    mine = person[place] == purchases.person[inside] if len(person) else np.empty(0, dtype=bool)
    count = np.bincount(place[mine], minlength=len(person)).astype(np.float64)
    money = np.bincount(place[mine], weights=purchases.amount[inside][mine], minlength=len(person))
    return count, money.astype(np.float64)
