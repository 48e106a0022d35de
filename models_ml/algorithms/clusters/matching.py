"""Which group of a new finding is which of the one before, by where their middles lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models_ml.algorithms.clusters.fitted import Groups
from models_ml.algorithms.clusters.scaling import Scaler, straighten

# As a share of the way to the nearest other group of before: who moved further is somebody else.
NEAR = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Match:
    """For each new group the place of the one before that it goes on from, or None; `moved` how
    far its middle went, as a share of the way to the nearest other group.
    """

    before: tuple[int | None, ...]
    moved: tuple[float | None, ...]


def match(old: tuple[Scaler, Groups], new: tuple[Scaler, Groups]) -> Match:
    """Pairs that are the least far apart in all (Hungarian method), those that are near kept.

    Middles are compared on the scale of the new finding, over the facts that both know.
    """
    scaler, groups = new
    shared = [name for name in scaler.names if name in old[0].names]
    nobody = (None,) * groups.count
    if not shared:
        return Match(nobody, nobody)
    theirs = _on(scaler, shared, *old)
    ours = groups.centers[:, [scaler.names.index(name) for name in shared]]
    away = np.linalg.norm(ours[:, None, :] - theirs[None, :, :], axis=2)
    between = np.linalg.norm(theirs[:, None, :] - theirs[None, :, :], axis=2)
    np.fill_diagonal(between, np.inf)
    nearest = between.min(axis=1)
    before: list[int | None] = [None] * groups.count
    moved: list[float | None] = [None] * groups.count
    for one, other in zip(*linear_sum_assignment(away), strict=True):
        share = float(away[one, other] / nearest[other])
        if share <= NEAR:
            before[one], moved[one] = int(other), share
    return Match(tuple(before), tuple(moved))


def _on(scaler: Scaler, shared: list[str], old: Scaler, groups: Groups) -> Floats:
    """The middles of before on another scale."""
    places = [old.names.index(name) for name in shared]
    raw = old.undo(groups.centers)[:, places]
    here = [scaler.names.index(name) for name in shared]
    logs = [scaler.logs[place] for place in here]
    return np.asarray((straighten(raw, logs) - scaler.center[here]) / scaler.spread[here])
