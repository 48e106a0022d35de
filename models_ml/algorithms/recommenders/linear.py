"""The engines whose score is a sum over what a person has: one table of weights, item by item.

score(person, item) = sum over their items j of x[j] * (table[j, item] + floor[j] * prior[item])

Since it is a sum, who said what is known exactly: `contributions` adds up to the score.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, Interactions, chunks
from models_ml.algorithms.recommenders import histories
from models_ml.algorithms.recommenders.reasons import Reasons, strongest
from models_ml.algorithms.recommenders.tables import BLOCK, within_block


class Linear(ABC):
    """A table of weights between items, applied to what each person has (`seen`, users by items).

    `table` is items by items, `people` has its pattern and counts who did both, `prior` (items,)
    says how popular each item is and `floor` (items,) how much that counts.
    """

    defaults: ClassVar[type]

    def __init__(self, params: Any = None) -> None:
        self.params = params if params is not None else self.defaults()
        self.users = self.items = IdMap(np.empty(0, dtype=np.int64))
        self.seen = self.table = self.people = csr_matrix((0, 0), dtype=np.float32)
        self.prior = self.floor = np.empty(0, dtype=np.float32)

    def fit(self, data: Interactions) -> Self:
        if not len(data):
            raise ValueError("no interactions to learn from")
        self.users, self.items = data.users, data.items
        self.learn(data)
        return self.read(data)

    @abstractmethod
    def learn(self, data: Interactions) -> None:
        """Set `table`, `people`, `prior` and `floor` from the data."""

    def read(self, data: Interactions) -> Self:
        """Take in the histories to answer for; what was learned stays."""
        self.users = data.users
        self.seen = histories.of(data, self.users, self.items, fade=self.params.fade)
        return self

    def scores(self, mine: csr_matrix) -> Array:
        """Scores (n, items) for histories (n, items)."""
        spoken = mine.copy()
        spoken.eliminate_zeros()
        found = self.personal(spoken)
        found += (spoken @ self.floor)[:, None] * self.prior
        return found

    def personal(self, mine: csr_matrix) -> Array:
        """The part of the scores that the person's own items speak for."""
        return (mine @ self.table).toarray()

    def weights(self, own: Array, picks: Array) -> Array:
        """What items at places `own` (e,) say for items at places `picks` (e, k)."""
        flat = self.table[np.repeat(own, picks.shape[1]), picks.ravel()]
        return np.asarray(flat, dtype=np.float32).reshape(picks.shape)

    def recommend(
        self, users: Array, k: int, allowed: Array | None = None, skip_seen: bool = True
    ) -> tuple[Array, Array]:
        """See `base.Recommender`."""
        users = np.asarray(users, dtype=np.int64)
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        values = np.full((len(users), k), -np.inf, dtype=np.float32)
        row = self.users.encode(users)
        met = np.flatnonzero(row >= 0)
        closed = None if allowed is None else ~np.isin(self.items.ids, allowed)
        for part in chunks(len(met), max(1, BLOCK // max(1, len(self.items)))):
            mine = self.seen[row[met[part]]]
            found = self.scores(mine)
            if closed is not None:
                found[:, closed] = -np.inf
            if skip_seen:
                found[
                    np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr)), mine.indices
                ] = -np.inf
            places, best = histories.top(found, k)
            width = places.shape[1]
            ids[met[part], :width] = np.where(np.isfinite(best), self.items.ids[places], NO_ITEM)
            values[met[part], :width] = best
        return ids, values

    def explain(self, users: Array, picks: Array) -> Reasons:
        """What each of the picks (n, k) rests on; see `Reasons`."""
        users, picks = np.asarray(users, dtype=np.int64), np.asarray(picks, dtype=np.int64)
        reasons = Reasons.none(picks.shape)
        row, place = self.users.encode(users), self.items.encode(picks)
        met = np.flatnonzero(row >= 0)
        sizes = np.diff(self.seen.indptr)[row[met]] if len(met) else np.empty(0, dtype=np.int64)
        for part in within_block(sizes * max(1, picks.shape[1])):
            mine = self.seen[row[met[part]]]
            entry = np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr))
            spoken = mine.data > 0
            entry, own, x = entry[spoken], mine.indices[spoken], mine.data[spoken]
            if not len(own):
                continue
            asked = place[met[part]][entry]
            parts = self.weights(own, np.maximum(asked, 0)) * x[:, None]
            parts[asked < 0] = 0
            who, first, share = strongest(parts, entry, own)
            good = first >= 0
            anchor = own[np.maximum(first, 0)]
            rows = met[part][who]
            reasons.anchor[rows] = np.where(good, self.items.ids[anchor], NO_ITEM)
            reasons.share[rows] = np.where(good, share, 0)
            if self.people.nnz:
                target = np.maximum(place[rows], 0)
                both = np.asarray(self.people[anchor.ravel(), target.ravel()]).reshape(anchor.shape)
                reasons.people[rows] = np.where(good, np.rint(both), 0)
        return reasons

    def contributions(self, user: int, item: int) -> tuple[Array, Array]:
        """The person's items and what each adds to the score of `item`; they sum to the score."""
        mine = self.seen[self.users.encode(np.array([user]))]
        place = self.items.encode(np.array([item]))
        said = self.weights(mine.indices, np.repeat(place[None], mine.nnz, axis=0))[:, 0]
        said = said + self.floor[mine.indices] * self.prior[place]
        return self.items.ids[mine.indices], said * mine.data

    def neighbours(self, k: int) -> tuple[Array, Array, Array]:
        """For every item the k strongest others: ids, weights and people, all (items, k)."""
        shape = (len(self.items), k)
        ids = np.full(shape, NO_ITEM, dtype=np.int64)
        values = np.full(shape, -np.inf, dtype=np.float32)
        both = np.zeros(shape, dtype=np.int64)
        table = self.table.tocoo()
        other = (table.row != table.col) & (table.data > 0)
        row, column, data = table.row[other], table.col[other], table.data[other]
        order = np.lexsort((column, -data, row))
        row, column, data = row[order], column[order], data[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        keep = rank < k
        row, column, data, rank = row[keep], column[keep], data[keep], rank[keep]
        ids[row, rank], values[row, rank] = self.items.ids[column], data
        if self.people.nnz and len(row):
            both[row, rank] = np.rint(np.asarray(self.people[row, column]).ravel())
        return ids, values, both

    def vectors(self) -> tuple[Array, Array] | None:
        return None

    def save(self, folder: Path) -> None:
        artifacts.write_json(folder / "params.json", asdict(self.params))
        artifacts.write_arrays(
            folder / "people.npz",
            users=self.users.ids,
            seen_indptr=self.seen.indptr,
            seen_indices=self.seen.indices,
            seen_values=self.seen.data,
        )
        artifacts.write_arrays(
            folder / "items.npz",
            items=self.items.ids,
            prior=self.prior,
            floor=self.floor,
            **_parts("table", self.table),
            **_parts("people", self.people),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        model = cls(cls.defaults(**artifacts.read_json(folder / "params.json")))
        stored = artifacts.read_arrays(folder / "items.npz")
        model.items = IdMap(stored["items"])
        model.prior, model.floor = stored["prior"], stored["floor"]
        shape = (len(model.items), len(model.items))
        model.table, model.people = _whole("table", stored, shape), _whole("people", stored, shape)
        held = artifacts.read_arrays(folder / "people.npz")
        model.users = IdMap(held["users"])
        model.seen = _whole("seen", held, (len(model.users), len(model.items)))
        return model


def _parts(name: str, table: csr_matrix) -> dict[str, Array]:
    return {
        f"{name}_indptr": table.indptr,
        f"{name}_indices": table.indices,
        f"{name}_values": table.data,
    }


def _whole(name: str, stored: dict[str, Array], shape: tuple[int, int]) -> csr_matrix:
    if len(stored[f"{name}_indptr"]) != shape[0] + 1:
        return csr_matrix(shape, dtype=np.float32)
    parts = (stored[f"{name}_values"], stored[f"{name}_indices"], stored[f"{name}_indptr"])
    return csr_matrix(parts, shape=shape)
