"""How the people a model was judged on were spread over each column: what drift is measured by."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BINS = 10
MOST_LEVELS = 20
# A share of nobody would make the index infinite.
LEAST_SHARE = 1e-4


def of(*, x: pd.DataFrame, said: NDArray[Any], columns: Sequence[str]) -> dict[str, Any]:
    """Bins and shares of each column and of the answers, as JSON."""
    return {
        "people": len(said),
        "columns": {name: _column(x[name]) for name in columns if name in x.columns},
        "said": _numbers(np.asarray(said, dtype=np.float64)),
    }


def _column(values: pd.Series) -> dict[str, Any]:
    if isinstance(values.dtype, pd.CategoricalDtype):
        counts = values.value_counts(normalize=True).head(MOST_LEVELS)
        return {
            "levels": {str(level): float(share) for level, share in counts.items()},
            "missing": float(values.isna().mean()) if len(values) else 0.0,
        }
    return _numbers(values.to_numpy(dtype=np.float64, na_value=np.nan))


def _numbers(values: NDArray[np.float64]) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    if not known.size:
        return {"edges": [], "shares": [], "missing": 1.0}
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    return {
        "edges": edges.tolist(),
        "shares": _shares(known, edges).tolist(),
        "missing": 1 - known.size / values.size,
    }


def _shares(known: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    place = np.searchsorted(edges, known, side="right")
    return np.bincount(place, minlength=len(edges) + 1) / known.size


def compare(
    *, profile: dict[str, Any], x: pd.DataFrame, said: NDArray[Any]
) -> dict[str, dict[str, float]]:
    """For each column and for `said`: the population stability index, and the share missing.

    PSI below 0.1 is no change to speak of, above 0.25 a large one.
    """
    found = {
        name: _moved(stored, x[name]) for name, stored in profile["columns"].items() if name in x
    }
    found["said"] = _moved(profile["said"], pd.Series(said))
    return found


def _moved(stored: dict[str, Any], values: pd.Series) -> dict[str, float]:
    if "levels" in stored:
        now = values.astype("object").value_counts(normalize=True)
        levels = stored["levels"]
        before = np.array([*levels.values(), max(1 - sum(levels.values()), 0.0)])
        shares = np.array([float(now.get(level, 0.0)) for level in levels])
        after = np.append(shares, max(1 - shares.sum(), 0.0))
        missing = float(values.isna().mean()) if len(values) else 0.0
    else:
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        known = numbers[np.isfinite(numbers)]
        missing = 1 - known.size / max(numbers.size, 1)
        if not known.size or not stored["shares"]:
            return _reading(0.0, stored["missing"], missing)
        before = np.array(stored["shares"])
        after = _shares(known, np.array(stored["edges"]))
    return _reading(index(before, after), stored["missing"], missing)


def _reading(psi: float, before: float, after: float) -> dict[str, float]:
    return {
        "psi": round(psi, 4), "missing": round(after, 4), "missing_before": round(before, 4)
    }  # fmt: skip


def index(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """The population stability index of two lists of shares."""
    p, q = np.maximum(before, LEAST_SHARE), np.maximum(after, LEAST_SHARE)
    return float(np.sum((q - p) * np.log(q / p)))
