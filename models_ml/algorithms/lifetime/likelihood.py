"""Maximum likelihood of positive parameters: searched in their logarithms, from several starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models_ml.algorithms.errors import Unfit

Floats = NDArray[np.float64]

# e^-9 to e^12: beyond that the likelihood is flat and the parameter means "none" or "all".
LOWEST, HIGHEST = -9.0, 12.0
LEAST_PEOPLE = 50
LEAST_REPEATERS = 20


def maximise(
    log_likelihood: Callable[[Floats], float], starts: Sequence[Sequence[float]]
) -> tuple[Floats, float]:
    """The parameters of the highest total log likelihood, and its value.

    Every start is searched by quasi-Newton steps; from the best they go on with finer differences,
    as the ridges of these likelihoods are long and flat.
    """

    def loss(logs: Floats) -> float:
        value = log_likelihood(np.exp(logs))
        return -value if np.isfinite(value) else 1e300

    def climb(start: Floats, differences: str) -> Any:
        scale = max(abs(loss(start)), 1.0)
        return minimize(
            lambda logs: loss(logs) / scale,
            start,
            method="L-BFGS-B",
            jac=differences,
            bounds=[(LOWEST, HIGHEST)] * len(start),
            options={"maxiter": 300, "ftol": 1e-13, "gtol": 1e-8},
        )

    found = [climb(np.log(np.asarray(start, dtype=np.float64)), "2-point") for start in starts]
    found = [one for one in found if np.isfinite(one.x).all() and loss(one.x) < 1e300]
    if not found:
        raise Unfit("not_converged", {"starts": len(starts)})
    best = min(found, key=lambda one: loss(one.x))
    fine = climb(best.x, "3-point")
    x = fine.x if loss(fine.x) <= loss(best.x) else best.x
    return np.exp(x), -loss(x)


def check(repeats: Floats) -> None:
    """Unfit when too few people ever came back."""
    facts = {"people": len(repeats), "repeaters": int((repeats > 0).sum())}
    if len(repeats) < LEAST_PEOPLE:
        raise Unfit("too_few_people", {**facts, "needed": LEAST_PEOPLE})
    if facts["repeaters"] < LEAST_REPEATERS:
        raise Unfit("too_few_repeaters", {**facts, "needed": LEAST_REPEATERS})
