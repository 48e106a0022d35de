"""What goes with what: items that the same people, or the same baskets, have in common.

A pair is kept when more have both than chance would bring together: the log-likelihood ratio of
its two by two table (Dunning, "Accurate methods for the statistics of surprise and coincidence",
1993) must be above a bound, and the pair must be attracted, not avoided. So a product that
everybody buys does not become the neighbour of everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import xlogy

from models_ml.algorithms.data import Array, Interactions, matrix
from models_ml.algorithms.recommenders.linear import Linear
from models_ml.algorithms.recommenders.markov import baskets
from models_ml.algorithms.recommenders.tables import share_of_people, strong_pairs

# What popularity counts beside the neighbours: enough to order what no neighbour speaks for.
LITTLE = np.float32(1e-6)


@dataclass(frozen=True)
class Params:
    """`like`: how near two items are; `together`: whether people or baskets have them in common.

    `significance`: the least log-likelihood ratio (10.83 is one chance in a thousand, 0 keeps all);
    `least`: the fewest who have both; `shrink`: as many doubters are added to every pair.
    """

    like: Literal["cosine", "bm25", "lift", "surprise"] = "cosine"
    together: Literal["person", "basket"] = "person"
    significance: float = 10.83
    least: int = 2
    shrink: float = 5.0
    fade: float = 0.9
    popular_half_life_days: float = 30.0
    keep: int = 200


class ItemItem(Linear):
    """Neighbours of items; `people` counts who, or how many baskets, have both."""

    params: Params
    defaults = Params

    def learn(self, data: Interactions) -> None:
        params = self.params
        self.prior = share_of_people(data, self.items, half_life_days=params.popular_half_life_days)
        self.floor = np.full(len(self.items), LITTLE)
        has = self._who_has(data)
        with_it = np.bincount(has.indices, minlength=len(self.items)).astype(np.float64)
        total = float(has.shape[0])

        def weigh(row: Array, column: Array, both: Array) -> Array:
            both = both.astype(np.float64)
            one, other = with_it[row], with_it[column]
            expected = one * other / total
            good = np.flatnonzero((row != column) & (both >= params.least) & (both > expected))
            pairs = both[good], one[good], other[good], total
            weight = np.zeros(len(both))
            sure = surprise(*pairs) >= params.significance if params.significance else True
            weight[good] = np.where(sure, self._nearness(*pairs), 0.0)
            return weight

        items = has.T.tocsr()
        self.table, self.people = strong_pairs(items, has, weigh, params.keep)

    def _who_has(self, data: Interactions) -> csr_matrix:
        if self.params.together == "basket":
            return baskets(data, self)[0]
        has = matrix(data, self.users, self.items)
        has.data[:] = 1.0
        return has

    def _nearness(self, both: Array, one: Array, other: Array, total: float) -> Array:
        shrink, like = self.params.shrink, self.params.like
        doubt = both / (both + shrink)
        if like == "lift":
            return doubt * both * total / (one * other)
        if like == "surprise":
            # 1 - 1 / (1 + ratio) spreads ratios over 0 to 1, as Mahout's item similarity does.
            return 1.0 - 1.0 / (1.0 + surprise(both, one, other, total))
        if like == "bm25":
            # A common neighbour says less: its weight falls with the logarithm of its reach.
            rare = np.log1p(total / other)
            return doubt * both / np.sqrt(one * other) * rare
        return doubt * both / np.sqrt(one * other)


def surprise(both: Array, one: Array, other: Array, total: float) -> Array:
    """The log-likelihood ratio G2 of pairs: who has both, the one, the other, and all there are."""
    cells = np.stack([both, one - both, other - both, total - one - other + both])
    cells = np.maximum(cells, 0.0)
    sides = np.stack([one * other, one * (total - other), (total - one) * other,
                      (total - one) * (total - other)])  # fmt: skip
    expected = sides / total
    ratio = np.divide(cells, expected, out=np.ones_like(cells), where=expected > 0)
    return 2.0 * xlogy(cells, np.where(cells > 0, ratio, 1.0)).sum(axis=0)
