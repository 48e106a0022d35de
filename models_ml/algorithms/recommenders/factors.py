"""People and products as short vectors: what engines that learn such vectors have in common."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from implicit.cpu.topk import topk
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, chunks
from models_ml.algorithms.recommenders.popular import rebuild_seen

BATCH = 4096


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
        closed = None
        if allowed is not None:
            closed = np.flatnonzero(~np.isin(self.items.ids, allowed)).astype(np.int32)
        with threadpool_limits(limits=1, user_api="blas"):
            for part in chunks(len(met), BATCH):
                rows = row[met[part]]
                found, values = topk(
                    self.item_factors,
                    self.user_factors[rows],
                    min(k, len(self.items)),
                    filter_query_items=self.seen[rows] if skip_seen else None,
                    filter_items=closed if closed is not None and len(closed) else None,
                    num_threads=self.params.threads,
                )
                # The solver marks places it could not fill with the lowest float there is.
                good = values > np.finfo(np.float32).min
                width = found.shape[1]
                ids[met[part], :width] = np.where(good, self.items.ids[found], NO_ITEM)
                scores[met[part], :width] = np.where(good, values, -np.inf)
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


def unit(vectors: Array) -> Array:
    """Rows scaled to length one; a row of zeros stays zero."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
