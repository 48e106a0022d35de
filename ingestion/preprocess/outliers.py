"""Robust limits: what is far outside of everything else, however skewed it is.

On the logarithms the median and the median absolute deviation describe the bulk, and a few huge
values cannot move them (Iglewicz and Hoaglin 1993). Values above median + K deviations are flagged.
"""

from collections.abc import Mapping

import numpy as np

K = 5.0
TO_SIGMA = 1.4826  # a deviation of a normal distribution in units of its median absolute deviation
LEAST = 100  # with fewer values nothing is called unusual


def upper_limit(counts: Mapping[float, int]) -> float | None:
    """The largest usual value. `counts` is value → how often, above zero; None if too few."""
    kept = {value: n for value, n in counts.items() if value > 0}
    if sum(kept.values()) < LEAST:
        return None
    logs = np.log(np.array(list(kept), float))
    weights = np.array(list(kept.values()), float)
    middle = _median(logs, weights)
    spread = max(_median(np.abs(logs - middle), weights) * TO_SIGMA, 0.5)
    return float(np.exp(middle + K * spread))


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
