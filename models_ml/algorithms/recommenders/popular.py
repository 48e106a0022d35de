"""Popularity: what most people bought lately. The baseline every other engine has to beat."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import DAY, Array, IdMap, Interactions, chunks, matrix


@dataclass(frozen=True)
class Params:
    """`days`: how far back purchases count; 0 counts all of them."""

    days: int = 30


class Popular:
    """Ranks products by the number of different people who bought them in the last `days`."""

    def __init__(self, params: Params | None = None) -> None:
        self.params = params or Params()
        self.users = IdMap(np.empty(0, dtype=np.int64))
        self.items = IdMap(np.empty(0, dtype=np.int64))
        self.people = np.empty(0, dtype=np.float32)
        self.seen = csr_matrix((0, 0), dtype=np.float32)

    def fit(self, data: Interactions) -> Popular:
        if not len(data):
            raise ValueError("no interactions to learn from")
        self.users, self.items = data.users, data.items
        self.seen = matrix(data, self.users, self.items)
        recent = data
        if self.params.days:
            recent = data.between(start=data.span[1] - self.params.days * DAY)
        pairs = np.unique(np.stack([recent.user, recent.item], axis=1), axis=0)
        counts = np.bincount(self.items.encode(pairs[:, 1]), minlength=len(self.items))
        # All-time reach breaks ties and ranks what nobody bought lately below everything else.
        reach = np.bincount(self.seen.indices, minlength=len(self.items))
        self.people = (counts + reach / (reach.max() + 1.0)).astype(np.float32)
        return self

    def recommend(
        self,
        users: Array,
        k: int,
        allowed: Array | None = None,
        skip_seen: bool = True,
    ) -> tuple[Array, Array]:
        """See `base.Recommender`; people never met get the same list with nothing left out."""
        users = np.asarray(users, dtype=np.int64)
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        order = np.lexsort((self.items.ids, -self.people))
        if allowed is not None:
            order = order[np.isin(self.items.ids[order], allowed)]
        row = self.users.encode(users)
        for part in chunks(len(users), 4096):
            fill(ids[part], scores[part], row[part], order, self, skip_seen)
        return ids, scores

    def vectors(self) -> None:
        return None

    def save(self, folder: Path) -> None:
        artifacts.write_json(folder / "params.json", asdict(self.params))
        artifacts.write_arrays(
            folder / "popular.npz",
            users=self.users.ids,
            items=self.items.ids,
            people=self.people,
            seen_indptr=self.seen.indptr,
            seen_indices=self.seen.indices,
        )

    @classmethod
    def load(cls, folder: Path) -> Popular:
        model = cls(Params(**artifacts.read_json(folder / "params.json")))
        stored = artifacts.read_arrays(folder / "popular.npz")
        model.users, model.items = IdMap(stored["users"]), IdMap(stored["items"])
        model.people = stored["people"]
        model.seen = rebuild_seen(stored, len(model.users), len(model.items))
        return model


def rebuild_seen(stored: dict[str, Array], users: int, items: int) -> csr_matrix:
    """The users by items pattern from its two index arrays; every stored value is 1."""
    indices = stored["seen_indices"]
    return csr_matrix(
        (np.ones(len(indices), dtype=np.float32), indices, stored["seen_indptr"]),
        shape=(users, items),
    )


def fill(
    ids: Array, scores: Array, row: Array, order: Array, model: Popular, skip_seen: bool
) -> None:
    """Write the first k of `order` each person has not bought into their rows, in place."""
    k = ids.shape[1]
    if not skip_seen:
        top = order[:k]
        ids[:, : len(top)] = model.items.ids[top]
        scores[:, : len(top)] = model.people[top]
        return
    known = row >= 0
    owned = model.seen[np.where(known, row, 0)] if len(model.users) else None
    # Nobody can own more of the head of the list than they own at all, so this head is enough.
    most = int(np.diff(owned.indptr).max()) if owned is not None and owned.shape[0] else 0
    head = order[: k + most]
    place = np.full(len(model.items), -1, dtype=np.int64)
    place[head] = np.arange(len(head))
    free = np.ones((len(row), len(head)), dtype=bool)
    if owned is not None:
        rows = np.repeat(np.arange(len(row)), np.diff(owned.indptr))
        at = place[owned.indices]
        hit = (at >= 0) & known[rows]
        free[rows[hit], at[hit]] = False
    rank = np.cumsum(free, axis=1) - 1
    r, c = np.nonzero(free & (rank < k))
    ids[r, rank[r, c]] = model.items.ids[head[c]]
    scores[r, rank[r, c]] = model.people[head[c]]
