"""What comes next after what was bought last: a Markov chain over baskets.

Item b follows item a with probability (n_ab + smooth * popularity_b) / (n_a + smooth), where n_ab
counts b in the baskets after one with a. Baskets further on count `fade` each step less, and so do
the person's own earlier baskets when they are answered: 0 is the plain chain of first order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms.data import Array, Interactions
from models_ml.algorithms.recommenders.linear import Linear
from models_ml.algorithms.recommenders.tables import (
    SECONDS_PER_DAY,
    share_of_people,
    strong_pairs,
    values_at,
)


@dataclass(frozen=True)
class Params:
    """`steps`: how many baskets on are counted; `learn_fade`: how much less each of them.

    `fade`: the same for the person's own earlier baskets; `gap_half_life_days` and
    `popular_half_life_days`: when a transition across a gap, and popularity, count half (0: never).
    """

    steps: int = 3
    learn_fade: float = 0.7
    fade: float = 0.7
    smooth: float = 5.0
    gap_half_life_days: float = 0.0
    popular_half_life_days: float = 30.0
    keep: int = 400


class Markov(Linear):
    """Transitions between baskets; `people` counts the times one item came after the other."""

    params: Params
    defaults = Params

    def learn(self, data: Interactions) -> None:
        params = self.params
        self.prior = share_of_people(data, self.items, half_life_days=params.popular_half_life_days)
        held, owner, at = baskets(data, self)
        later = self._later(held, owner, at)
        before = held.T.tocsr()
        # A basket that nothing follows says nothing about what comes next.
        went_on = (np.diff(later.indptr) > 0).astype(np.float32)
        times = before @ went_on
        floor = np.ones(len(times))
        np.divide(params.smooth, times + params.smooth, out=floor, where=times > 0)
        self.floor = floor.astype(np.float32)
        self.table, counts = strong_pairs(
            before,
            later,
            lambda row, _column, value: value / (times[row] + params.smooth),
            params.keep,
        )
        if (later.data != 1).any():
            later.data[:] = 1.0
            counts = values_at(before, later, self.table)
        self.people = counts

    def _later(self, held: csr_matrix, owner: Array, at: Array) -> csr_matrix:
        """Baskets by items: what came in the next `steps` baskets of the same person."""
        params = self.params
        total = held.shape[0]
        found = csr_matrix(held.shape, dtype=np.float32)
        for step in range(1, min(params.steps, total - 1) + 1):
            here = np.flatnonzero(owner[step:] == owner[:-step])
            weight = np.full(len(here), params.learn_fade ** (step - 1), dtype=np.float32)
            if params.gap_half_life_days:
                gap = (at[here + step] - at[here]).astype(np.int64) / SECONDS_PER_DAY
                weight *= np.exp2(-gap / params.gap_half_life_days).astype(np.float32)
            jump = csr_matrix((weight, (here, here + step)), shape=(total, total))
            found = found + jump @ held
        return found.tocsr()


def baskets(data: Interactions, model: Linear) -> tuple[csr_matrix, Array, Array]:
    """Baskets by items (0 or 1), and each basket's person and moment, in their order."""
    order = np.lexsort((data.at, data.user))
    user, at = model.users.encode(data.user[order]), data.at[order]
    item = model.items.encode(data.item[order])
    new = np.ones(len(user), dtype=bool)
    new[1:] = (user[1:] != user[:-1]) | (at[1:] != at[:-1])
    number = np.cumsum(new) - 1
    ones = np.ones(len(item), dtype=np.float32)
    held = csr_matrix((ones, (number, item)), shape=(int(new.sum()), len(model.items)))
    held.sum_duplicates()
    held.data[:] = 1.0
    return held, user[new], at[new]
