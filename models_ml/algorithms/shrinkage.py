"""Rates and means of small groups, drawn to those of everybody as far as their smallness asks.

Empirical Bayes (Efron & Morris 1975): how much groups really differ is estimated from all of them;
each is then a mean of its own figure and everybody's, with an interval that says how little is
known. Nobody is left with a blank page because a group is small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaln
from scipy.stats import beta, norm

Floats = NDArray[np.float64]

# How many people everybody's figure may weigh in each group.
LEAST_WEIGHT, MOST_WEIGHT = 1.0, 1e5


@dataclass(frozen=True)
class Shrunk:
    """Aligned with the groups: the figure, its interval, and how far (0 to 1) it is everybody's.

    `everybody` is the figure of all together, `weight` how many people it counts as in each group.
    """

    value: Floats
    low: Floats
    high: Floats
    drawn: Floats
    everybody: float
    weight: float


def rates(yes: Floats, people: Floats, *, level: float = 0.95) -> Shrunk:
    """Shares of `yes` among `people` of each group: a beta-binomial law by maximum likelihood."""
    k, n = np.asarray(yes, dtype=np.float64), np.asarray(people, dtype=np.float64)
    if k.shape != n.shape or (k < 0).any() or (k > n).any():
        raise ValueError("each group has between none and all of its people saying yes")
    # Half a yes and half a no, so that a shop without any has a rate too.
    mean = float((k.sum() + 0.5) / (n.sum() + 1))

    def loss(log_weight: float) -> float:
        a, b = mean * np.exp(log_weight), (1 - mean) * np.exp(log_weight)
        return -float(np.sum(betaln(a + k, b + n - k) - betaln(a, b)))

    weight = _best_weight(loss, groups=int((n > 0).sum()))
    a, b = mean * weight + k, (1 - mean) * weight + n - k
    value, tail = a / (a + b), (1 - level) / 2
    # Where nobody said yes (or no) the law is held apart from 0 (or 1), after Jeffreys.
    wide_a, wide_b = np.maximum(a, 0.5), np.maximum(b, 0.5)
    return Shrunk(
        value,
        np.minimum(beta.ppf(tail, wide_a, wide_b), value),
        np.maximum(beta.ppf(1 - tail, wide_a, wide_b), value),
        weight / (weight + n),
        mean,
        weight,
    )


def means(mean: Floats, spread: Floats, people: Floats, *, level: float = 0.95) -> Shrunk:
    """Means of groups with the spread (standard deviation) inside each: a normal law.

    A group of fewer than two people is taken to be spread as all are.
    """
    m, n = np.asarray(mean, dtype=np.float64), np.asarray(people, dtype=np.float64)
    s = np.asarray(spread, dtype=np.float64)
    known = n > 0
    if not known.any():
        raise ValueError("nobody is in any group")
    m = np.where(known, m, 0.0)
    inside = (n >= 2) & np.isfinite(s)
    pooled = float(np.average(s[inside] ** 2, weights=n[inside] - 1)) if inside.any() else 0.0
    variance = max(pooled, 1e-12)
    everybody = float(np.average(m[known], weights=n[known]))

    def loss(log_weight: float) -> float:
        # The mean of a group varies by the law of groups and by who happens to be in it.
        total = variance / np.exp(log_weight) + variance / n[known]
        return float(np.sum(np.log(total) + (m[known] - everybody) ** 2 / total) / 2)

    weight = _best_weight(loss, groups=int(known.sum()))
    drawn = weight / (weight + n)
    value = drawn * everybody + (1 - drawn) * m
    half = norm.ppf((1 + level) / 2) * np.sqrt(variance / (weight + n))
    return Shrunk(value, value - half, value + half, drawn, everybody, weight)


def _best_weight(loss: Callable[[float], float], *, groups: int) -> float:
    """The likeliest weight; one group alone says nothing of how groups differ."""
    if groups < 2:
        return LEAST_WEIGHT
    found = minimize_scalar(
        loss, bounds=(np.log(LEAST_WEIGHT), np.log(MOST_WEIGHT)), method="bounded"
    )
    return float(np.exp(found.x))
