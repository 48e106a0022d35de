"""What sets a group apart from everyone, as figures that pages put into words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml.clusters import facts

# In usual spreads of everyone: a smaller difference sets nobody apart.
APART = 0.25

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def describe(
    *, names: Sequence[str], x: Floats, place: Ints, chance: Floats
) -> list[dict[str, Any]]:
    """Each group's people, money, certainty and facts, what differs the most first.

    `x` (n, names) are raw facts, `place` (n) each row's group. Amounts are told by their mean, for
    that is what adds up; all else by its middle, which a few odd people do not move.
    """
    x = np.where(np.isfinite(x), x, np.nan)
    everyone = [_told(name, x[:, d]) for d, name in enumerate(names)]
    spread = [_spread(x[:, d]) for d in range(len(names))]
    money = np.nan_to_num(x[:, list(names).index("revenue")])
    found = []
    for number in range(int(place.max()) + 1 if len(place) else 0):
        rows = place == number
        people = int(rows.sum())
        traits: list[dict[str, Any]] = []
        for d, name in enumerate(names):
            value, all_ = _told(name, x[rows, d]), everyone[d]
            if value is None or all_ is None:
                continue
            traits.append(
                {
                    "fact": name,
                    "value": _short(value),
                    "everyone": _short(all_),
                    "apart": round(_apart(x[rows, d], x[:, d], spread[d]), 3),
                }
            )
        traits.sort(key=lambda one: -abs(one["apart"]))
        found.append(
            {
                "people": people,
                "share": round(people / len(place), 5),
                "revenue": round(float(money[rows].sum()), 2),
                "revenue_share": _share(float(money[rows].sum()), float(money.sum())),
                "certainty": round(float(chance[rows].mean()), 4) if people else None,
                "traits": traits,
            }
        )
    return found


def _told(name: str, values: Floats) -> float | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    amount = facts.OFFERED[name].unit in (*facts.AMOUNTS, "share")
    return float(known.mean() if amount else np.median(known))


def _spread(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(_ranked(known).std()) if len(known) else 0.0


def _ranked(values: Floats) -> Floats:
    return np.sign(values) * np.log1p(np.abs(values))


def _apart(ours: Floats, all_: Floats, spread: float) -> float:
    """How far the group's mean logarithm lies from everyone's, in usual spreads."""
    if spread < 1e-9:
        return 0.0
    ours, all_ = ours[np.isfinite(ours)], all_[np.isfinite(all_)]
    return float((_ranked(ours).mean() - _ranked(all_).mean()) / spread)


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 5) if whole > 0 and part >= 0 else None


def _short(value: float) -> float:
    return float(f"{value:.6g}")
