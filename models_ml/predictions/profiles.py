"""How the people a model was judged on were spread over each column: what drift is measured by."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from models_ml.algorithms.tabular.frame import is_number

BINS = 10
MOST_LEVELS = 20
# A share of nobody would make the index infinite.
LEAST_SHARE = 1e-4
LEAST_PEOPLE = 100
# The usual rule of thumb for the population stability index.
PSI_WATCH, PSI_ALARM = 0.10, 0.25
MISSING_WATCH, MISSING_ALARM = 0.05, 0.20
# How sure a shift must be before its size is looked at: once in a thousand looks by chance.
SURE = 0.001
TELLING = 5
# Levels of `models.Watch`.
FINE, WATCH, ALARM = "fine", "watch", "alarm"


def of(
    *,
    x: pd.DataFrame,
    said: NDArray[Any],
    columns: Sequence[str],
    earlier: Sequence[tuple[pd.DataFrame, NDArray[Any]]] = (),
) -> dict[str, Any]:
    """Bins and shares of each column and of the answers, as JSON.

    `earlier` are people and answers at moments before, in their order: how far these lie from each
    other is how far people move while nothing happens ("usual").
    """
    usual: dict[str, float] = {}
    for (before, answered), (after, answers) in pairwise(earlier):
        first = of(x=before, said=answered, columns=columns)
        for name, one in compare(profile=first, x=after, said=answers).items():
            usual[name] = max(usual.get(name, 0.0), one["psi"])
    return {
        "people": len(said),
        "usual": usual,
        "columns": {name: _column(x[name]) for name in columns if name in x.columns},
        "said": _numbers(np.asarray(said, dtype=np.float64)),
    }


def _column(values: pd.Series) -> dict[str, Any]:
    if not is_number(values):
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


def judge(
    *,
    profile: dict[str, Any],
    x: pd.DataFrame,
    said: NDArray[Any],
    importances: dict[str, float] | None = None,
) -> tuple[str, dict[str, Any]]:
    """Whether people moved since the profile was drawn: fine, watch or alarm, and the readings.

    It alarms when the answers moved further than by chance and than they usually do, and when a
    column that much hangs on did and the answers followed, or when that column went missing. What
    else moved is only watched: the model has no ear for it.
    """
    found = compare(profile=profile, x=x, said=said)
    limit, usual = sure(profile, len(said), len(found)), profile.get("usual", {})
    levels = {name: level_of(one, limit, usual.get(name, 0.0)) for name, one in found.items()}
    worst = [name for name, one in levels.items() if one != FINE]
    telling = [name for name, weight in (importances or {}).items() if weight and weight > 0]
    level = FINE
    if len(said) >= LEAST_PEOPLE and worst:
        heard = [name for name in telling[:TELLING] if levels.get(name) == ALARM]
        gone = any(_gone(found[name]) > MISSING_ALARM for name in heard)
        followed = bool(heard) and levels["said"] != FINE
        level = ALARM if levels["said"] == ALARM or gone or followed else WATCH
    return level, {
        "columns": {name: one for name, one in found.items() if name != "said"},
        "said": found["said"],
        "worst": sorted(worst, key=lambda name: -found[name]["psi"]),
        "sure_above": round(limit, 4),
        "usual": {name: usual[name] for name in worst if name in usual},
    }


def sure(profile: dict[str, Any], people: int, columns: int) -> float:
    """The index that samples of these sizes exceed by chance once in a thousand looks."""
    sizes = 1 / max(people, 1) + 1 / max(int(profile["people"]), 1)
    return float(sizes * stats.chi2.isf(SURE / max(columns, 1), BINS - 1))


def level_of(one: dict[str, float], limit: float, usual: float = 0.0) -> str:
    """How far one column moved, where chance moves it up to `limit` and time up to `usual`."""
    moved, gone = one["psi"], _gone(one)
    told = moved > max(limit, usual)
    if (moved > PSI_ALARM and told) or gone > MISSING_ALARM:
        return ALARM
    if (moved > PSI_WATCH and told) or gone > MISSING_WATCH:
        return WATCH
    return FINE


def _gone(one: dict[str, float]) -> float:
    return abs(one["missing"] - one["missing_before"])


def index(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """The population stability index of two lists of shares."""
    p, q = np.maximum(before, LEAST_SHARE), np.maximum(after, LEAST_SHARE)
    return float(np.sum((q - p) * np.log(q / p)))
