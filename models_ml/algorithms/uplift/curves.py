"""The Qini curve (Radcliffe 2007): what is gained by treating the most moved first.

At each place of the ranking, the outcomes of those treated so far less what as many untreated had.
The area above the straight line of a blind choice, per person, is the Qini number; the area under
the curve itself is the AUUC. Intervals draw people again, with all their rows, and keep the
ranking. `weight` makes up for people who had another chance of being treated (`learners.balance`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms.classify import Interval

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Code = Literal["ranked", "same_for_all", "no_effect"]

DRAWS = 500
AT_ONCE = 4_000_000
POINTS = 50


@dataclass(frozen=True)
class Curve:
    """`share` of people treated, best first, and what is gained per person of all."""

    share: Floats
    gained: Floats


@dataclass(frozen=True)
class Verdict:
    """`mean` is the effect on everybody; `qini` says whether the ranking finds who is moved more.

    code: "ranked" when treating by rank beats treating blindly, "same_for_all" when there is an
    effect but the ranking is not surely better than none, "no_effect" when neither is sure.
    """

    code: Code
    mean: Interval
    qini: Interval
    auuc: Interval


def curve(effect: Floats, treated: Bools, y: Floats, weight: Floats | None = None) -> Curve:
    """At fifty places, by falling effect."""
    share, gained = _curves(_Ranked.of(effect, treated, y, weight), None)
    at = np.linspace(0, 1, POINTS + 1)
    return Curve(at, np.interp(at, share[0], gained[0]))


def qini(effect: Floats, treated: Bools, y: Floats, weight: Floats | None = None) -> float:
    """The area between curve and straight line, in outcomes per person."""
    return float(_areas(_Ranked.of(effect, treated, y, weight), None)[0][0])


def judge(
    effect: Floats,
    treated: Bools,
    y: Floats,
    *,
    weight: Floats | None = None,
    person: Ints | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Verdict:
    """Figures with intervals on people the learner has not seen, and what they allow to say."""
    ranked = _Ranked.of(effect, treated, y, weight)
    found = [_areas(ranked, times) for times in _drawn(len(y), person, seed, draws)]
    area, under, mean = (
        _interval(float(whole[0]), np.concatenate([one[place] for one in found]))
        for place, whole in enumerate(_areas(ranked, None))
    )
    code: Code = "no_effect"
    if area.low > 0:
        code = "ranked"
    elif mean.low > 0 or mean.high < 0:
        code = "same_for_all"
    return Verdict(code, mean, area, under)


def lead(
    effect: Floats,
    rival: Floats,
    treated: Bools,
    y: Floats,
    *,
    weight: Floats | None = None,
    person: Ints | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Interval:
    """How much larger the Qini of one ranking is than that of another, on the same draws."""
    ours, theirs = (_Ranked.of(one, treated, y, weight) for one in (effect, rival))
    found = np.concatenate(
        [
            _areas(ours, times)[0] - _areas(theirs, times)[0]
            for times in _drawn(len(y), person, seed, draws)
        ]
    )
    whole = _areas(ours, None)[0] - _areas(theirs, None)[0]
    return _interval(float(whole[0]), found)


def _interval(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
    return Interval(value, float(low), float(high))


def _drawn(n: int, person: Ints | None, seed: int, draws: int) -> Iterator[Floats]:
    """How often each row is drawn (some draws, n), a few draws at a time."""
    rng = np.random.default_rng(seed)
    whose = np.unique(person, return_inverse=True)[1] if person is not None else np.arange(n)
    people = int(whose.max()) + 1 if n else 0
    step = max(1, AT_ONCE // max(n, 1))
    for start in range(0, draws, step):
        times = rng.poisson(1.0, size=(min(step, draws - start), people)).astype(np.float64)
        yield times[:, whose]


@dataclass(frozen=True)
class _Ranked:
    """Best first; `ends` are the last places of equal effects: no order is made up within them."""

    order: NDArray[np.intp]
    treated: Floats
    y: Floats
    weight: Floats
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, effect: Floats, treated: Bools, y: Floats, weight: Floats | None) -> _Ranked:
        order = np.argsort(-effect, kind="stable")
        e = effect[order]
        ends = np.append(np.flatnonzero(e[1:] != e[:-1]), len(e) - 1)
        return cls(
            order,
            treated[order].astype(np.float64),
            np.asarray(y, dtype=np.float64)[order],
            np.ones(len(e)) if weight is None else weight[order],
            ends,
        )


def _curves(ranked: _Ranked, times: Floats | None) -> tuple[Floats, Floats]:
    """Shares of people and gains per person of all, both (draws, places + 1)."""
    w = ranked.weight[None, :] * (1.0 if times is None else times[:, ranked.order])
    with_it = w * ranked.treated
    people = np.cumsum(w, axis=1)[:, ranked.ends]
    nt = np.cumsum(with_it, axis=1)[:, ranked.ends]
    yt = np.cumsum(with_it * ranked.y, axis=1)[:, ranked.ends]
    yc = np.cumsum(w * ranked.y, axis=1)[:, ranked.ends] - yt
    nc = people - nt
    # Per treated person, so that it reads as gained if everyone so far were treated.
    some = (nt > 1e-9) & (nc > 1e-9)
    gain = np.where(some, yt / np.maximum(nt, 1e-9) - yc / np.maximum(nc, 1e-9), 0.0)
    total = np.maximum(people[:, -1:], 1e-9)
    share, gained = people / total, gain * people / total
    zero = np.zeros((len(w), 1))
    return np.hstack([zero, share]), np.hstack([zero, gained])


def _areas(ranked: _Ranked, times: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Qini, AUUC and the mean effect of each draw."""
    share, gained = _curves(ranked, times)
    under = np.sum(np.diff(share, axis=1) * (gained[:, 1:] + gained[:, :-1]) / 2, axis=1)
    mean = gained[:, -1]
    return under - mean / 2, under, mean
