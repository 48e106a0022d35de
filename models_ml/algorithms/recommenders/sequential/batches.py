"""Which histories are learned from together: neighbours in length, so that little is filling.

An epoch is drawn from the seed and its number alone, so that a training that was cut off finds the
same batches in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Protocol

import numpy as np
import torch

from models_ml.algorithms.data import Array, chunks
from models_ml.algorithms.recommenders.sequential.histories import Histories, window

# Lengths this far apart may share a batch, so that the neighbours of an epoch are not always the
# same ones.
JITTER = 4.0


@dataclass(frozen=True)
class Batch:
    """Rows filled up on the right. `tokens`, `place`, `gap` (b, w); answers (n,): the flat place
    asked about, the product that belongs there, and how much it counts (adding up to one)."""

    tokens: torch.Tensor
    place: torch.Tensor
    gap: torch.Tensor | None
    asked: torch.Tensor
    answer: torch.Tensor
    weight: torch.Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        moved = {
            one.name: getattr(self, one.name).to(device, non_blocking=True)
            for one in fields(self)
            if getattr(self, one.name) is not None
        }
        return replace(self, **moved)

    def parts(self, count: int) -> Iterator[Batch]:
        """The same in `count` slices of rows whose losses add up to the loss of the whole."""
        if count == 1:
            yield self
            return
        width = self.tokens.shape[1]
        row = self.asked // width
        for part in chunks(len(self), -(-len(self) // count)):
            inside = (row >= part.start) & (row < part.stop)
            if inside.any():
                yield Batch(
                    self.tokens[part],
                    self.place[part],
                    None if self.gap is None else self.gap[part],
                    self.asked[inside] - part.start * width,
                    self.answer[inside],
                    self.weight[inside],
                )

    def share(self, count: int, place: int) -> Batch | None:
        """The slice at `place` of `count`; None where fewer have anything to learn from."""
        return next(islice(self.parts(count), place, None), None)


@dataclass(frozen=True)
class Reading:
    """How histories are read: `length` places; `roam`: share of long histories of which a random
    stretch is read instead of the last one; `half_life_days`: preference for recent answers."""

    items: int
    length: int
    batch: int
    seed: int
    gaps: bool = False
    roam: float = 0.0
    half_life_days: float = 0.0
    # Of masked reading alone: the share hidden, and how often only the last is.
    hidden: float = 0.2
    last_only: float = 0.1
    # Where there are baskets: so many places are asked in a batch (0: all).
    most: int = 0

    @property
    def filling(self) -> int:
        return self.items

    @property
    def mask(self) -> int:
        return self.items + 1


class Maker(Protocol):
    def __call__(
        self,
        reading: Reading,
        histories: Histories,
        item: Array,
        begin: Array,
        end: Array,
        rng: np.random.Generator,
    ) -> Batch: ...


def steps(reading: Reading, histories: Histories) -> int:
    return -(-int(histories.teaches.sum()) // reading.batch)


def epoch(
    reading: Reading, histories: Histories, make: Maker, *, number: int, skip: int = 0
) -> Iterator[Batch]:
    """The batches of one epoch from the one numbered `skip` on; every person is read once."""
    rng = np.random.default_rng([reading.seed, number])
    rows = np.flatnonzero(histories.teaches)
    item = histories.shuffled(rng)
    begin, end = histories.start[rows], histories.start[rows + 1]
    most = reading.length + 1
    long = end - begin > most
    if reading.roam:
        roams = long & (rng.random(len(rows)) < reading.roam)
        end = np.where(roams, rng.integers(begin + np.minimum(most, end - begin), end + 1), end)
    begin = np.maximum(begin, end - most)
    order = np.argsort(end - begin + rng.random(len(rows)) * JITTER, kind="stable")
    parts = list(chunks(len(rows), reading.batch))
    for turn, at in enumerate(rng.permutation(len(parts))):
        if turn < skip:
            continue
        chosen = order[parts[at]]
        # A generator of the batch's own: a training that goes on needs none of those before it.
        own = np.random.default_rng([reading.seed, number, turn])
        yield make(reading, histories, item, begin[chosen], end[chosen], own)


def forward(
    reading: Reading,
    histories: Histories,
    item: Array,
    begin: Array,
    end: Array,
    rng: np.random.Generator,
) -> Batch:
    """Each place is asked what comes after it."""
    tokens = window(item, begin, end - 1, reading.filling)
    real = tokens != reading.filling
    width = tokens.shape[1]
    place = np.maximum((end - 1 - begin)[:, None] - 1 - np.arange(width), 0)
    at = (begin[:, None] + 1 + np.arange(width))[real]
    return _built(reading, histories, tokens, place, begin, end - 1, real, item[at], at)


def masked(
    reading: Reading,
    histories: Histories,
    item: Array,
    begin: Array,
    end: Array,
    rng: np.random.Generator,
) -> Batch:
    """Hidden places are asked what stood there; some rows hide their last one only."""
    begin = np.maximum(begin, end - reading.length)
    tokens = window(item, begin, end, reading.filling)
    n, width = tokens.shape
    real = tokens != reading.filling
    hide = (rng.random(tokens.shape) < reading.hidden) & real
    rows, last = np.arange(n), end - begin - 1
    alone = rng.random(n) < reading.last_only
    hide[alone] = False
    # A row with nothing hidden would teach nothing.
    hide[rows, last] |= ~hide.any(axis=1)
    place = np.maximum((end - begin)[:, None] - 1 - np.arange(width), 0)
    at = (begin[:, None] + np.arange(width))[hide]
    hidden = np.where(hide, reading.mask, tokens)
    return _built(reading, histories, hidden, place, begin, end, hide, item[at], at)


def _built(
    reading: Reading,
    histories: Histories,
    tokens: Array,
    place: Array,
    begin: Array,
    end: Array,
    asked: Array,
    answer: Array,
    at: Array,
) -> Batch:
    weight = np.ones(len(answer))
    if reading.half_life_days:
        weight = np.exp2(-histories.age[at] / reading.half_life_days) + 1e-3
    gap = window(histories.gap, begin, end, 0) if reading.gaps else None
    return Batch(
        torch.from_numpy(tokens),
        torch.from_numpy(place),
        None if gap is None else torch.from_numpy(gap),
        torch.from_numpy(np.flatnonzero(asked)),
        torch.from_numpy(answer),
        torch.from_numpy((weight / max(weight.sum(), 1e-12)).astype(np.float32)),
    )
