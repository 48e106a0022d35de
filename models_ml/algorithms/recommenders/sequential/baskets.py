"""What is asked where people buy several things at once: for the baskets that come after.

What else lies in a basket is no guide to what is bought another day, and in a shop of large baskets
nearly every "next product" would be one of the same basket. Histories without baskets are asked as
in `batches`.
"""

from __future__ import annotations

import numpy as np
import torch

from models_ml.algorithms.data import Array
from models_ml.algorithms.recommenders.sequential import batches
from models_ml.algorithms.recommenders.sequential.batches import Batch, Reading
from models_ml.algorithms.recommenders.sequential.histories import Histories, window

# How much baskets to come weigh beside what was hidden inside the history.
AHEAD = 0.5
# What even the oldest answer weighs.
LEAST = 1e-3


def forward(
    reading: Reading,
    histories: Histories,
    item: Array,
    begin: Array,
    end: Array,
    rng: np.random.Generator,
) -> Batch:
    """Each place is asked for something, drawn at random, of the basket after its own."""
    if not histories.tied:
        return batches.forward(reading, histories, item, begin, end, rng)
    # Up to the last purchase, which is asked for: where people are answered must be asked too.
    origin = histories.start[histories.owner[begin]]
    end = np.maximum(histories.bounds[_last(histories, end)], origin + 1)
    begin = np.maximum(origin, end - reading.length)
    tokens = window(item, begin, end, reading.filling)
    at = begin[:, None] + np.arange(tokens.shape[1])
    real = tokens != reading.filling
    ahead = np.where(real, histories.follows[np.where(real, at, 0)], -1)
    asked = ahead >= 0
    low, high = histories.bounds[ahead[asked]], histories.bounds[ahead[asked] + 1]
    drawn = rng.integers(low, high)
    return _built(
        reading,
        tokens,
        end - begin,
        window(histories.gap, begin, end, 0) if reading.gaps else None,
        np.flatnonzero(asked),
        item[drawn],
        _recent(reading, histories, drawn),
        rng,
    )


def masked(
    reading: Reading,
    histories: Histories,
    item: Array,
    begin: Array,
    end: Array,
    rng: np.random.Generator,
) -> Batch:
    """Hidden places are asked what stood there. Some rows are cut before a basket, and a mask
    behind the cut asks for all that is in it, just as people are answered later."""
    if not histories.tied:
        return batches.masked(reading, histories, item, begin, end, rng)
    owner = histories.owner[begin]
    first, paid = histories.basket[histories.start[owner]], histories.paid
    last = np.minimum(np.searchsorted(paid, _last(histories, end)), len(paid) - 1)
    # The last purchase half of the time, the one before it a quarter, and so on.
    target = last - np.floor(-np.log2(1.0 - rng.random(len(begin)))).astype(np.int64)
    target = np.where(target >= 0, paid[np.maximum(target, 0)], -1)
    cut_off = (rng.random(len(begin)) < reading.last_only) & (target > first)
    cut_off &= histories.owner[histories.bounds[np.maximum(target, 0)]] == owner
    target = np.where(cut_off, target, paid[last])
    end = np.where(cut_off, histories.bounds[target], end)
    begin = np.maximum(histories.start[owner], end - reading.length)
    sizes = end - begin
    tokens = np.pad(
        window(item, begin, end, reading.filling), ((0, 0), (0, 1)), constant_values=reading.filling
    )
    hide = (rng.random(tokens.shape) < reading.hidden) & (tokens != reading.filling)
    end_at = sizes - 1
    if histories.kind is not None:
        own = window(histories.bought.astype(np.int64), begin, end, 0) > 0
        own = np.pad(own, ((0, 0), (0, 1)))
        hide &= own
        end_at = np.where(own.any(axis=1), own.shape[1] - 1 - own[:, ::-1].argmax(axis=1), end_at)
    # A row with nothing asked would teach nothing.
    hide[np.arange(len(tokens)), end_at] |= ~hide.any(axis=1) & ~cut_off
    row, column = np.nonzero(hide)
    inside = begin[row] + column
    width = tokens.shape[1]
    tokens[row, column] = reading.mask
    cut = np.flatnonzero(cut_off)
    tokens[cut, sizes[cut]] = reading.mask
    low, high = histories.bounds[target[cut]], histories.bounds[target[cut] + 1]
    place = np.repeat(cut * width + sizes[cut], high - low)
    within = np.arange(len(place)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
    after = np.repeat(low, high - low) + within
    weight = _recent(reading, histories, inside)
    weight_after = _recent(reading, histories, after) / np.repeat(high - low, high - low)
    if len(after) and weight.sum() > 0:
        weight_after *= AHEAD * weight.sum() / weight_after.sum()
    gap = None
    if reading.gaps:
        gap = np.pad(window(histories.gap, begin, end, 0), ((0, 0), (0, 1)))
    return _built(
        reading,
        tokens,
        sizes + cut_off,
        gap,
        np.concatenate([row * width + column, place]),
        item[np.concatenate([inside, after])],
        np.concatenate([weight, weight_after]),
        rng,
    )


def _last(histories: Histories, end: Array) -> Array:
    """The number of the last purchase before each end; of the last basket where there is none."""
    own = histories.basket[end - 1]
    if histories.kind is None:
        return own
    place = np.searchsorted(histories.paid, own, side="right") - 1
    found = histories.paid[np.maximum(place, 0)]
    theirs = histories.owner[histories.bounds[found]] == histories.owner[end - 1]
    return np.where((place >= 0) & theirs, found, own)


def _recent(reading: Reading, histories: Histories, at: Array) -> Array:
    if not reading.half_life_days:
        return np.ones(len(at))
    return np.exp2(-histories.age[at] / reading.half_life_days) + LEAST


def _built(
    reading: Reading,
    tokens: Array,
    sizes: Array,
    gap: Array | None,
    asked: Array,
    answer: Array,
    weight: Array,
    rng: np.random.Generator,
) -> Batch:
    place = np.maximum(sizes[:, None] - 1 - np.arange(tokens.shape[1]), 0)
    if reading.most and len(asked) > reading.most:
        # Drawn by weight rather than weighed: what counts little is not worth a softmax.
        with np.errstate(divide="ignore"):
            kept = np.argpartition(-(np.log(weight) + rng.gumbel(size=len(weight))), reading.most)
        kept = np.sort(kept[: reading.most])
        asked, answer, weight = asked[kept], answer[kept], np.ones(len(kept))
    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(place),
        None if gap is None else torch.from_numpy(gap),
        torch.from_numpy(asked),
        torch.from_numpy(answer),
        torch.from_numpy((weight / max(weight.sum(), 1e-12)).astype(np.float32)),
    )
