"""The Qini curve (Radcliffe 2007): what is gained by treating the most moved first.

At each place of the ranking, the outcomes of those treated so far less what as many untreated had.
The area above the straight line of a blind choice, per person, is the Qini number; the area under
the curve itself is the AUUC. Intervals draw people again and keep the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DRAWS = 500
AT_ONCE = 4_000_000
POINTS = 50


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float


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

    code: Literal["ranked", "same_for_all", "no_effect"]
    mean: Estimate
    qini: Estimate
    auuc: Estimate


def curve(effect: Floats, treated: Bools, y: Floats) -> Curve:
    """At every tenth of a hundred or so of people, by falling effect."""
    share, gained = _curves(_Ranked.of(effect, treated, y), None)
    at = np.linspace(0, 1, POINTS + 1)
    return Curve(at, np.interp(at, share[0], gained[0]))


def qini(effect: Floats, treated: Bools, y: Floats) -> float:
    """The area between curve and straight line, in outcomes per person."""
    return float(_areas(_Ranked.of(effect, treated, y), None)[0][0])


def judge(
    effect: Floats, treated: Bools, y: Floats, *, seed: int = 0, draws: int = DRAWS
) -> Verdict:
    """Figures with intervals on people the learner has not seen, and what they allow to say."""
    ranked = _Ranked.of(effect, treated, y)
    rng = np.random.default_rng(seed)
    n = len(y)
    step = max(1, AT_ONCE // max(n, 1))
    found: list[tuple[Floats, Floats, Floats]] = []
    for start in range(0, draws, step):
        weight = rng.poisson(1.0, size=(min(step, draws - start), n)).astype(np.float64)
        found.append(_areas(ranked, weight))
    whole = _areas(ranked, None)
    estimates = []
    for place in range(3):
        drawn = np.concatenate([one[place] for one in found])
        low, high = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
        estimates.append(Estimate(float(whole[place][0]), float(low), float(high)))
    area, under, mean = estimates
    code: Literal["ranked", "same_for_all", "no_effect"] = "no_effect"
    if area.low > 0:
        code = "ranked"
    elif mean.low > 0 or mean.high < 0:
        code = "same_for_all"
    return Verdict(code, mean, area, under)


@dataclass(frozen=True)
class _Ranked:
    """Best first; `ends` are the last places of equal effects: no order is made up within them."""

    treated: Floats
    y: Floats
    ends: NDArray[np.intp]

    @classmethod
    def of(cls, effect: Floats, treated: Bools, y: Floats) -> _Ranked:
        order = np.argsort(-effect, kind="stable")
        e = effect[order]
        ends = np.append(np.flatnonzero(e[1:] != e[:-1]), len(e) - 1)
        return cls(treated[order].astype(np.float64), np.asarray(y, dtype=np.float64)[order], ends)


def _curves(ranked: _Ranked, weight: Floats | None) -> tuple[Floats, Floats]:
    """Shares of people and gains per person of all, both (draws, places + 1)."""
    w = np.ones((1, len(ranked.y))) if weight is None else weight
    with_it = w * ranked.treated
    people = np.cumsum(w, axis=1)[:, ranked.ends]
    nt = np.cumsum(with_it, axis=1)[:, ranked.ends]
    yt = np.cumsum(with_it * ranked.y, axis=1)[:, ranked.ends]
    yc = np.cumsum(w * ranked.y, axis=1)[:, ranked.ends] - yt
    nc = people - nt
    # Per treated person, so that it reads as gained if everyone so far were treated.
    gain = np.where((nt > 0) & (nc > 0), yt / np.maximum(nt, 1) - yc / np.maximum(nc, 1), 0.0)
    total = np.maximum(people[:, -1:], 1)
    share, gained = people / total, gain * people / total
    zero = np.zeros((len(w), 1))
    return np.hstack([zero, share]), np.hstack([zero, gained])


def _areas(ranked: _Ranked, weight: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Qini, AUUC and the mean effect of each draw."""
    share, gained = _curves(ranked, weight)
    under = np.sum(np.diff(share, axis=1) * (gained[:, 1:] + gained[:, :-1]) / 2, axis=1)
    mean = gained[:, -1]
    return under - mean / 2, under, mean
