"""When somebody answers: a person's own hours, drawn to everybody's as far as they are few.

The day is cut into 24 hours, weekdays apart from weekends. Answers are counted, each shared with
the hours around it (the clock is round), and a person's share of an hour is that of a
Dirichlet-multinomial law (Minka 2000, 'Estimating a Dirichlet distribution'): own counts and
everybody's curve, the latter counting as `weight` answers. How wide answers are shared and how much
everybody weighs is chosen by the likelihood of later answers within what is learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms import metrics
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.errors import Unfit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOURS, BINS = 24, 48
WIDTHS = (0.6, 1.2, 2.5)
WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0)
LEAST_OWN = 3
LEAST_PEOPLE = 50
LATER_SHARE = 0.25
TOP = 3
# How much of somebody's answers the told stretch of hours holds.
HELD = 0.5


@dataclass(frozen=True)
class Answered:
    """An answer a row: who, in which bin (24 hours of weekdays, then of weekends), and when."""

    person: Ints
    bin: Ints
    at: Ints

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: NDArray[np.bool_]) -> Answered:
        return Answered(self.person[rows], self.bin[rows], self.at[rows])


def bin_of(hour: Ints, weekday: Ints) -> Ints:
    """The bin of an hour (0 to 23) on a day of the week (1 Monday to 7 Sunday)."""
    return np.asarray(hour + HOURS * (weekday >= 6), dtype=np.int64)


def shared(counts: Floats, width: float) -> Floats:
    """Counts (…, 48) shared with the hours around, round the clock, by part of the week."""
    hours = np.arange(HOURS)
    apart = np.minimum(hours, HOURS - hours)
    kernel = np.exp(-0.5 * (apart / width) ** 2)
    kernel /= kernel.sum()
    round_clock = kernel[(hours[:, None] - hours[None, :]) % HOURS]
    parts = counts.reshape(*counts.shape[:-1], 2, HOURS)
    out: Floats = (parts @ round_clock).reshape(counts.shape)
    return out


def counted(answered: Answered, people: Ints) -> Floats:
    """Counts by person (sorted) and bin."""
    place = np.searchsorted(people, answered.person)
    out = np.zeros((len(people), BINS))
    np.add.at(out, (place, answered.bin), 1.0)
    return out


@dataclass(frozen=True)
class Hours:
    """Everybody's curve (48,), summing to one, and how a person's own is drawn to it."""

    everyone: Floats
    width: float
    weight: float

    @classmethod
    def fit(cls, answered: Answered, width: float, weight: float) -> Hours:
        total = np.bincount(answered.bin, minlength=BINS).astype(np.float64)
        curve = shared(total, width) + 0.5 / BINS
        return cls(curve / curve.sum(), width, weight)

    def curves(self, counts: Floats) -> Floats:
        """Each person's curve (n, 48), each summing to one."""
        own = shared(counts, self.width)
        n = counts.sum(axis=1, keepdims=True)
        out: Floats = (own + self.weight * self.everyone) / (n + self.weight)
        return out


def by_hour(curves: Floats) -> Floats:
    """Over a whole week, weekdays and weekend together: (…, 24)."""
    parts = curves.reshape(*curves.shape[:-1], 2, HOURS)
    out: Floats = parts.sum(axis=-2)
    return out


def best(curves: Floats) -> tuple[Ints, Ints, Ints]:
    """The best hour of each curve, and the shortest stretch (from, until) around the clock that
    holds half of it.
    """
    hours = by_hour(curves)
    hours = hours / hours.sum(axis=-1, keepdims=True)
    n = len(hours)
    first, until = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    open_rows = np.ones(n, dtype=bool)
    twice = np.concatenate([np.zeros((n, 1)), np.cumsum(np.tile(hours, 2), axis=1)], axis=1)
    for length in range(1, HOURS + 1):
        held = twice[:, length : length + HOURS] - twice[:, :HOURS]
        place = np.argmax(held, axis=1)
        enough = open_rows & (held[np.arange(n), place] >= HELD - 1e-9)
        first[enough] = place[enough]
        until[enough] = (place[enough] + length) % HOURS
        open_rows &= ~enough
    return np.argmax(hours, axis=1), first, until


@dataclass(frozen=True)
class Outcome:
    """`hours` is learned from all answers; figures are of the later ones, of `people`."""

    hours: Hours
    people: int
    later: int
    gain: Interval
    figures: dict[str, float]
    baseline: dict[str, float]
    cut: int

    @property
    def ok(self) -> bool:
        return self.gain.low > 0


def run(answered: Answered, *, seed: int) -> Outcome:
    """Learn from earlier answers, judge on the latest quarter, learn again from all. Unfit."""
    if not len(answered):
        raise Unfit("too_few_people", {"people": 0, "needed": LEAST_PEOPLE})
    cut = int(np.quantile(answered.at, 1 - LATER_SHARE))
    early, late = answered.take(answered.at < cut), answered.take(answered.at >= cut)
    people = judged(early, late)
    if len(people) < LEAST_PEOPLE:
        raise Unfit("too_few_people", {"people": len(people), "needed": LEAST_PEOPLE})
    width, weight = chosen(early)
    hours = Hours.fit(early, width, weight)
    counts, came = counted(early, people), counted(late, people)
    own = hours.curves(counts)
    everyone = np.broadcast_to(hours.everyone, own.shape)
    ours, theirs = likelihood(own, came), likelihood(everyone, came)
    better = metrics.paired_difference(ours, theirs, seed=seed)
    return Outcome(
        hours=Hours.fit(answered, width, weight),
        people=len(people),
        later=int(came.sum()),
        gain=Interval(better.mean, better.low, better.high),
        figures={"log_likelihood": float(ours.mean()), "hits_top_3": hits(own, came)},
        baseline={"log_likelihood": float(theirs.mean()), "hits_top_3": hits(everyone, came)},
        cut=cut,
    )


def judged(early: Answered, late: Answered) -> Ints:
    """Whoever answered often enough by then, and later."""
    known, times = np.unique(early.person, return_counts=True)
    return np.intersect1d(known[times >= LEAST_OWN], np.unique(late.person))


def chosen(early: Answered) -> tuple[float, float]:
    """Width and weight under which later answers within these were likeliest."""
    cut = int(np.quantile(early.at, 1 - LATER_SHARE))
    before, after = early.take(early.at < cut), early.take(early.at >= cut)
    people = judged(before, after)
    if not len(people):
        return WIDTHS[1], WEIGHTS[2]
    counts, came = counted(before, people), counted(after, people)
    scores = {
        (width, weight): likelihood(Hours.fit(before, width, weight).curves(counts), came).mean()
        for width, weight in product(WIDTHS, WEIGHTS)
    }
    return max(scores, key=lambda pair: float(scores[pair]))


def likelihood(curves: Floats, came: Floats) -> Floats:
    """The mean log-likelihood of each person's later answers."""
    out: Floats = (came * np.log(curves)).sum(axis=1) / np.maximum(came.sum(axis=1), 1)
    return out


def hits(curves: Floats, came: Floats, top: int = TOP) -> float:
    """The share of later answers within each person's best hours, people counting alike."""
    hours = np.broadcast_to(by_hour(curves), (len(came), HOURS))
    picked = np.argsort(-hours, axis=1, kind="stable")[:, :top]
    later = by_hour(came)
    found = np.take_along_axis(later, picked, axis=1).sum(axis=1)
    return float((found / np.maximum(later.sum(axis=1), 1)).mean())


def people_of(answered: Answered, only: Sequence[int] | None = None) -> Ints:
    """Whoever answered often enough for hours of their own."""
    known, times = np.unique(answered.person, return_counts=True)
    known = known[times >= LEAST_OWN]
    return known if only is None else np.intersect1d(known, np.asarray(only, dtype=np.int64))
