"""People and products as short vectors: what engines that learn such vectors have in common."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, chunks
from models_ml.algorithms.recommenders.highest import highest
from models_ml.algorithms.recommenders.popular import rebuild_seen

# Scores that a thread holds at once: of so many people for so many items.
ROWS, WIDTH = 256, 1 << 13
# How many of the longest items are looked at first, and how many more each time.
FIRST, MORE = 1 << 10, 3
# What rounding may make of a product.
SLACK = 1 + 1e-5


class Factors:
    """The product of a person's vector and an item's says how likely a purchase is."""

    defaults: ClassVar[type]

    def __init__(self, params: Any = None) -> None:
        self.params = params or self.defaults()
        self.users = IdMap(np.empty(0, dtype=np.int64))
        self.items = IdMap(np.empty(0, dtype=np.int64))
        self.seen = csr_matrix((0, 0), dtype=np.float32)
        self.user_factors = np.empty((0, self.params.factors), dtype=np.float32)
        self.item_factors = np.empty((0, self.params.factors), dtype=np.float32)

    def recommend(
        self,
        users: Array,
        k: int,
        allowed: Array | None = None,
        skip_seen: bool = True,
    ) -> tuple[Array, Array]:
        """See `base.Recommender`."""
        users = np.asarray(users, dtype=np.int64)
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        row = self.users.encode(users)
        met = np.flatnonzero(row >= 0)
        shown = np.arange(len(self.items))
        if allowed is not None:
            shown = np.flatnonzero(np.isin(self.items.ids, allowed))
        if not len(shown) or not len(met):
            return ids, scores
        length = np.linalg.norm(self.item_factors[shown], axis=1)
        longest = np.argsort(-length, kind="stable")
        shown, length = shown[longest], length[longest]
        table = self.item_factors[shown]
        column = np.full(len(self.items), -1, dtype=np.int64)
        column[shown] = np.arange(len(shown))

        def rank(part: slice) -> None:
            rows = row[met[part]]
            mine = self.user_factors[rows]
            who, what = held(self.seen, rows if skip_seen else rows[:0])
            closed = who, column[self.seen.indices[what]]
            places, best = _walk(mine, table, length, closed, k)
            good = np.isfinite(best)
            ids[met[part]] = np.where(good, self.items.ids[shown[places]], NO_ITEM)
            scores[met[part]] = best

        with (
            threadpool_limits(limits=1, user_api="blas"),
            ThreadPoolExecutor(self.params.threads) as pool,
        ):
            list(pool.map(rank, chunks(len(met), ROWS)))
        return ids, scores

    def vectors(self) -> tuple[Array, Array]:
        return self.items.ids, unit(self.item_factors)

    def save(self, folder: Path) -> None:
        artifacts.write_json(folder / "params.json", asdict(self.params))
        save_file(
            {"user_factors": self.user_factors, "item_factors": self.item_factors},
            folder / "factors.safetensors",
        )
        artifacts.write_arrays(
            folder / "maps.npz",
            users=self.users.ids,
            items=self.items.ids,
            seen_indptr=self.seen.indptr,
            seen_indices=self.seen.indices,
            seen_values=self.seen.data,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        model = cls(cls.defaults(**artifacts.read_json(folder / "params.json")))
        factors = load_file(folder / "factors.safetensors")
        model.user_factors, model.item_factors = factors["user_factors"], factors["item_factors"]
        stored = artifacts.read_arrays(folder / "maps.npz")
        model.users, model.items = IdMap(stored["users"]), IdMap(stored["items"])
        model.seen = rebuild_seen(stored, len(model.users), len(model.items))
        # Models stored before purchases were kept with what they count hold the pattern alone.
        model.seen.data[:] = stored.get("seen_values", model.seen.data)
        return model


def _walk(
    mine: Array, table: Array, length: Array, closed: tuple[Array, Array], k: int
) -> tuple[Array, Array]:
    """Places and values (n, k) of the highest products of `mine` (n, d) with the rows of `table`
    (m, d), best first; -inf where there is none. `closed` are rows and places that do not count.

    The longest vectors come first. No product is greater than that of the two lengths (Cauchy and
    Schwarz), so whoever has k products greater than that with the next item needs to see no more.
    """
    n, m = len(mine), len(table)
    places, best = np.zeros((n, k), dtype=np.int64), np.full((n, k), -np.inf, dtype=np.float32)
    reach = np.linalg.norm(mine, axis=1) * SLACK
    left = np.arange(n)
    spot = np.arange(n)
    begin = 0
    while begin < m and len(left):
        end = min(m, begin + min(WIDTH, max(FIRST, MORE * begin)))
        found = mine[left] @ table[begin:end].T
        who, at = spot[closed[0]], closed[1] - begin
        here = (who >= 0) & (at >= 0) & (at < end - begin)
        found[who[here], at[here]] = -np.inf
        near, values = highest(found, k)
        both = np.concatenate([places[left], begin + near], axis=1)
        worth = np.concatenate([best[left], values], axis=1)
        chosen, best[left] = highest(worth, k)
        places[left] = np.take_along_axis(both, chosen, axis=1)
        begin = end
        if begin < m:
            left = left[best[left, -1] <= reach[left] * length[begin]]
            spot[:] = -1
            spot[left] = np.arange(len(left))
    return places, best


def held(seen: csr_matrix, rows: Array) -> tuple[Array, Array]:
    """The entries of these rows: which of `rows` each belongs to, and where it lies in `seen`."""
    count = np.diff(seen.indptr)[rows]
    who = np.repeat(np.arange(len(rows)), count)
    first = seen.indptr[rows] - np.cumsum(count) + count
    return who, np.arange(len(who)) + first[who]


def unit(vectors: Array) -> Array:
    """Rows scaled to length one; a row of zeros stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
