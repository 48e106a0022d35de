"""How good a yes/no prediction is: ranking, calibration, rates and lifts with intervals."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95% interval."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        return {
            "value": round(self.value, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
        }


def ranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse].astype(np.float64)


def auc(label: Bools, score: Floats) -> float:
    """Chance that a random yes is ranked above a random no, ties half; nan without both kinds."""
    yes = int(label.sum())
    no = label.size - yes
    if not yes or not no:
        return math.nan
    return float((ranks(score)[label].sum() - yes * (yes + 1) / 2) / (yes * no))


def auc_gain(
    label: Bools, score: Floats, rival: Floats, *, seed: int, draws: int = 400
) -> Interval:
    """AUC of `score` minus AUC of `rival`, with the 95% interval of a paired bootstrap."""
    rng = np.random.default_rng(seed)
    n = label.size
    gains = np.empty(draws)
    for i in range(draws):
        pick = rng.integers(0, n, n)
        gains[i] = auc(label[pick], score[pick]) - auc(label[pick], rival[pick])
    low, high = (
        np.nanpercentile(gains, [2.5, 97.5]) if np.isfinite(gains).any() else (math.nan, math.nan)
    )
    return Interval(auc(label, score) - auc(label, rival), float(low), float(high))


def log_loss(label: Bools, chance: Floats) -> float:
    p = np.clip(chance, 1e-9, 1 - 1e-9)
    return float(-np.mean(np.where(label, np.log(p), np.log1p(-p))))


def brier(label: Bools, chance: Floats) -> float:
    return float(np.mean((chance - label) ** 2))


def wilson(yes: int, n: int) -> Interval:
    """A rate with Wilson's score interval (1927): honest for small n and rates near 0 or 1."""
    if n == 0:
        return Interval(math.nan, 0.0, 1.0)
    p = yes / n
    shrink = 1 + Z95**2 / n
    middle = (p + Z95**2 / (2 * n)) / shrink
    half = Z95 * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n * n)) / shrink
    return Interval(p, max(0.0, middle - half), min(1.0, middle + half))


def lift(yes: int, n: int, all_yes: int, all_n: int) -> Interval:
    """Rate of a group over the rate of everyone, the group included, with a log interval.

    Katz et al. (1978) give the variance of the log of a ratio of two separate rates. Here the
    group is a part of everyone, so the two rates are correlated: cov(p, P) = p(1-p)/N, which takes
    2(1-p)/(NP) off the sum. With no yes or no no in the group, half a person of each is added, as
    usual for log intervals.
    """
    if n == 0 or all_n == 0 or all_yes == 0:
        return Interval(math.nan, 0.0, math.inf)
    value = (yes / n) / (all_yes / all_n)
    a, m = (yes + 0.5, n + 1.0) if yes in (0, n) else (float(yes), float(n))
    p, P = a / m, all_yes / all_n
    variance = (1 - p) / a + (1 - P) / all_yes - 2 * (1 - p) / all_yes
    if n == all_n:
        return Interval(1.0, 1.0, 1.0)
    half = Z95 * math.sqrt(max(variance, 0.0))
    middle = p / P
    return Interval(value, middle * math.exp(-half) if yes else 0.0, middle * math.exp(half))


def gains(label: Bools, score: Floats, points: int = 20) -> list[dict[str, float]]:
    """The lift chart: share of all yeses in the best-scored share of people, ties shared out."""
    order = np.argsort(-score, kind="stable")
    sorted_score, hits = score[order], label[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, sorted_score[1:] != sorted_score[:-1]])
    found = np.r_[0.0, np.cumsum(np.add.reduceat(hits, starts))]
    people = np.r_[starts, label.size].astype(np.float64)
    share = np.linspace(0, 1, points + 1)
    total = max(found[-1], 1.0)
    got = np.interp(share * label.size, people, found) / total
    return [
        {"people": round(float(s), 4), "found": round(float(g), 4)}
        for s, g in zip(share, got, strict=True)
    ]


def calibration(label: Bools, chance: Floats, bins: int = 10) -> list[dict[str, float]]:
    """Said and seen rates by equal-count bins of the said chance; equal chances stay together."""
    _, inverse, counts = np.unique(chance, return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / label.size
    group = np.minimum((middle * bins).astype(int), bins - 1)[inverse]
    out = []
    for g in np.unique(group):
        here = group == g
        seen = wilson(int(label[here].sum()), int(here.sum()))
        out.append(
            {
                "said": round(float(chance[here].mean()), 4),
                "seen": round(seen.value, 4),
                "low": round(seen.low, 4),
                "high": round(seen.high, 4),
                "people": int(here.sum()),
            }
        )
    return out
