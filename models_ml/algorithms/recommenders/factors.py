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

# Scores that a thread holds at once.
BLOCK = 1 << 22
# People that a thread ranks at once at most.
MOST = 2048


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
        table = self.item_factors if len(shown) == len(self.items) else self.item_factors[shown]
        column = np.full(len(self.items), -1, dtype=np.int64)
        column[shown] = np.arange(len(shown))

        def rank(part: slice) -> None:
            rows = row[met[part]]
            found = self.user_factors[rows] @ table.T
            if skip_seen:
                who, what = held(self.seen, rows)
                at = column[self.seen.indices[what]]
                found[who[at >= 0], at[at >= 0]] = -np.inf
            places, best = highest(found, k)
            width = places.shape[1]
            good = np.isfinite(best)
            ids[met[part], :width] = np.where(good, self.items.ids[shown[places]], NO_ITEM)
            scores[met[part], :width] = best

        with (
            threadpool_limits(limits=1, user_api="blas"),
            ThreadPoolExecutor(self.params.threads) as pool,
        ):
            list(pool.map(rank, chunks(len(met), min(MOST, max(1, BLOCK // len(shown))))))
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
