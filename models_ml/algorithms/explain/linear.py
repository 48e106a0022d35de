"""Linear models: each column's share is its coefficient times its distance from the usual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def contributions(
    *, x: Floats, weight: Floats, shift: float, usual: Floats, owner: Sequence[int] | None = None
) -> tuple[float, Floats]:
    """The score of the usual person, and the share of each column (n, columns); exact.

    x (n, m) are encoded numbers, `usual` (m,) their means in training, and `owner` says whose
    number each is (several numbers of one column are summed).
    """
    share = (np.asarray(x, dtype=np.float64) - usual) * weight
    base = float(shift + usual @ weight)
    if owner is None:
        return base, share
    mine = np.asarray(owner, dtype=np.int64)
    out = np.zeros((len(share), int(mine.max()) + 1 if len(mine) else 0))
    for place, column in enumerate(mine):
        out[:, column] += share[:, place]
    return base, out
