"""What the rules change, and what that costs in the engine's own order."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def kept(engine: Array, shown: Array) -> float:
    """How much of the engine's own gain is left, from 0 to 1: NDCG of `shown` (n, size) where the
    engine's first `size` of `engine` (n, k) are worth most, each place less than the one before.

    The engine's judgement is taken as the truth, so this is what the rules cost and not whether
    the engine is right. Rows in which the engine has nothing are left out; 1 when all are.
    """
    size = shown.shape[1]
    gain = np.arange(engine.shape[1], 0, -1, dtype=float) / engine.shape[1]
    gains = np.where(engine >= 0, gain[None, :], 0.0)
    discount = 1 / np.log2(np.arange(2, size + 2))
    best = (gains[:, :size] * discount[: gains[:, :size].shape[1]]).sum(axis=1)
    same = (shown[:, :, None] == engine[:, None, :]) & (shown[:, :, None] >= 0)
    got = (same * gains[:, None, :]).sum(axis=2) @ discount
    there = best > 0
    if not there.any():
        return 1.0
    return float((got[there] / best[there]).mean())


def changed(before: Array, after: Array) -> int:
    """Products in `after` (n, size) that were not in the same row of `before`."""
    new = (after >= 0) & ~(after[:, :, None] == before[:, None, :]).any(axis=2)
    return int(new.sum())
