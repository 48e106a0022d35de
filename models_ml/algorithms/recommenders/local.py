"""What is popular among people like this one: segment, then country, then everybody.

Each purchase fades with its age. The share of a product in a group is drawn towards its share in
the wider group by as many purchases as `shrink` says, so that few people never speak loudly and a
group without any speaks as the wider one does. Within that, categories a person buys from count
more. Somebody never met is answered by their country, where it is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import DAY, Array, IdMap, Interactions, chunks, matrix
from models_ml.algorithms.recommenders import histories
from models_ml.algorithms.recommenders.content import Goods
from models_ml.algorithms.recommenders.popular import rebuild_seen
from models_ml.algorithms.recommenders.tables import BLOCK

SECONDS_PER_DAY = float(DAY.astype(np.int64))
# Segments by how often somebody bought: once or never, two to four times, more often.
OFTEN = (2, 5)
SEGMENTS = len(OFTEN) + 1
# Countries of fewer people are part of everybody.
LEAST_PEOPLE, MOST_COUNTRIES = 20, 60
OVERALL, COUNTRY, SEGMENT = "overall", "country", "segment"
LEVELS = (OVERALL, COUNTRY, SEGMENT)


@dataclass(frozen=True)
class People:
    """Where people are: ids, rising, and countries, "" where it is not known."""

    ids: Array
    country: Sequence[str]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.country):
            raise ValueError("ids and country must have the same length")


@dataclass(frozen=True)
class Params:
    """`half_life_days`: when a purchase counts half (0: never); `shrink`: purchases of the wider
    group that stand against a group's own; `taste`: the same for the categories of a person."""

    half_life_days: float = 14.0
    shrink: float = 200.0
    taste: float = 20.0


class Local:
    """`tables` (countries + 1, SEGMENTS, items): shares; row 0 is of everybody elsewhere."""

    def __init__(self, params: Params | None = None) -> None:
        self.params = params or Params()
        self.users = self.items = self.known = IdMap(np.empty(0, dtype=np.int64))
        self.seen = csr_matrix((0, 0), dtype=np.float32)
        self.tables = np.empty((1, SEGMENTS, 0), dtype=np.float32)
        self.level = np.zeros((1, SEGMENTS), dtype=np.int64)
        self.segment = self.country = self.category = np.empty(0, dtype=np.int64)

    def fit(
        self, data: Interactions, people: People | None = None, goods: Goods | None = None
    ) -> Self:
        if not len(data):
            raise ValueError("no interactions to learn from")
        self.users, self.items = data.users, data.items
        self.seen = matrix(data, self.users, self.items)
        self.segment = _segments(data, self.users)
        self._place(people or People(np.empty(0, dtype=np.int64), []))
        self.category = _categories(goods, self.items)
        self._count(data)
        return self

    def _place(self, people: People) -> None:
        """Number the countries in which enough people bought."""
        self.known = IdMap.of(np.concatenate([self.users.ids, people.ids]))
        names = np.full(len(self.known), "", dtype=object)
        names[self.known.encode(people.ids)] = list(people.country)
        buyers = names[self.known.encode(self.users.ids)]
        found, counts = np.unique([name for name in buyers if name] or [""], return_counts=True)
        large = [
            str(found[place])
            for place in np.lexsort((found, -counts))[:MOST_COUNTRIES]
            if found[place] and counts[place] >= LEAST_PEOPLE
        ]
        number = {name: place for place, name in enumerate(large, start=1)}
        self.country = np.array([number.get(name, 0) for name in names], dtype=np.int64)

    def _count(self, data: Interactions) -> None:
        params, items = self.params, len(self.items)
        user, item, weight = _last_of_each(data, self.users, self.items, params.half_life_days)
        country = self.country[self.known.encode(self.users.ids)][user]
        group = country * SEGMENTS + self.segment[user]
        groups = (int(self.country.max(initial=0)) + 1) * SEGMENTS
        counts = np.bincount(group * items + item, weights=weight, minlength=groups * items)
        counts = counts.reshape(-1, SEGMENTS, items)
        overall = counts.sum(axis=(0, 1)) + 1e-6
        overall /= overall.sum()
        own = counts.sum(axis=1, keepdims=True)
        own[0] = 0  # elsewhere is no country
        size = own.sum(axis=2, keepdims=True)
        national = (own + params.shrink * overall) / (size + params.shrink)
        part = counts.sum(axis=2, keepdims=True)
        self.tables = ((counts + params.shrink * national) / (part + params.shrink)).astype(
            np.float32
        )
        heard = np.where(size[:, :, 0] > params.shrink, 1, 0)
        self.level = np.where(part[:, :, 0] > params.shrink, 2, heard)

    def levels(self, users: Array) -> list[str]:
        """Which group's purchases speak loudest for each of the people."""
        country, segment = self._groups(np.asarray(users, dtype=np.int64))
        return [LEVELS[one] for one in self.level[country, segment]]

    def _groups(self, users: Array) -> tuple[Array, Array]:
        at, row = self.known.encode(users), self.users.encode(users)
        country = np.where(at >= 0, self.country[np.maximum(at, 0)], 0)
        return country, np.where(row >= 0, self.segment[np.maximum(row, 0)], 0)

    def recommend(
        self, users: Array, k: int, allowed: Array | None = None, skip_seen: bool = True
    ) -> tuple[Array, Array]:
        """See `base.Recommender`; people never met are answered too, with nothing left out."""
        users = np.asarray(users, dtype=np.int64)
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        country, segment = self._groups(users)
        row = self.users.encode(users)
        closed = None if allowed is None else ~np.isin(self.items.ids, allowed)
        for part in chunks(len(users), max(1, BLOCK // max(1, len(self.items)))):
            found = self.tables[country[part], segment[part]].copy()
            mine = self.seen[np.maximum(row[part], 0)]
            met = np.repeat(row[part] >= 0, np.diff(mine.indptr))
            who = np.repeat(np.arange(mine.shape[0]), np.diff(mine.indptr))[met]
            own = mine.indices[met]
            if self.params.taste and self.category.max(initial=-1) >= 0:
                self._lean(found, who, own)
            if closed is not None:
                found[:, closed] = -np.inf
            if skip_seen:
                found[who, own] = -np.inf
            places, best = histories.top(found, k)
            width = places.shape[1]
            ids[part, :width] = np.where(np.isfinite(best), self.items.ids[places], NO_ITEM)
            scores[part, :width] = best
        return ids, scores

    def _lean(self, found: Array, who: Array, own: Array) -> None:
        """Let categories count as often as the person buys from them, beside the group's habit."""
        kinds = int(self.category.max()) + 1
        told = self.category[own] >= 0
        bought = np.bincount(
            who[told] * kinds + self.category[own[told]], minlength=len(found) * kinds
        ).reshape(len(found), kinds)
        total = bought.sum(axis=1, keepdims=True)
        with_kind = np.flatnonzero(self.category >= 0)
        usual = np.zeros((kinds, len(found)), dtype=np.float64)
        np.add.at(usual, self.category[with_kind], found[:, with_kind].T)
        usual = (usual / np.maximum(usual.sum(axis=0), 1e-12)).T
        sure = total / (total + self.params.taste)
        share = np.divide(bought, total, out=np.zeros(bought.shape), where=total > 0)
        lift = np.divide(share, usual, out=np.ones_like(usual), where=usual > 0)
        found[:, with_kind] *= (1 - sure + sure * lift)[:, self.category[with_kind]]

    def vectors(self) -> None:
        return None

    def save(self, folder: Path) -> None:
        artifacts.write_json(folder / "params.json", asdict(self.params))
        artifacts.write_arrays(
            folder / "people.npz",
            users=self.users.ids,
            segment=self.segment,
            seen_indptr=self.seen.indptr,
            seen_indices=self.seen.indices,
        )
        artifacts.write_arrays(folder / "places.npz", users=self.known.ids, country=self.country)
        artifacts.write_arrays(
            folder / "tables.npz",
            items=self.items.ids,
            tables=self.tables,
            level=self.level,
            category=self.category,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        model = cls(Params(**artifacts.read_json(folder / "params.json")))
        people = artifacts.read_arrays(folder / "people.npz")
        places = artifacts.read_arrays(folder / "places.npz")
        tables = artifacts.read_arrays(folder / "tables.npz")
        model.users, model.items = IdMap(people["users"]), IdMap(tables["items"])
        model.known, model.country = IdMap(places["users"]), places["country"]
        model.segment, model.category = people["segment"], tables["category"]
        model.tables, model.level = tables["tables"], tables["level"]
        model.seen = rebuild_seen(people, len(model.users), len(model.items))
        return model


def _segments(data: Interactions, users: IdMap) -> Array:
    """How often each of the users bought, as one of SEGMENTS kinds."""
    moments = np.unique(np.stack([users.encode(data.user), data.at.astype(np.int64)]), axis=1)
    times = np.bincount(moments[0], minlength=len(users))
    return np.searchsorted(OFTEN, times, side="right").astype(np.int64)


def _categories(goods: Goods | None, items: IdMap) -> Array:
    """The number of each item's category; -1 where none is known."""
    found = np.full(len(items), -1, dtype=np.int64)
    if goods is None:
        return found
    names = sorted({name for name in goods.category if name})
    number = {name: place for place, name in enumerate(names)}
    place = items.encode(goods.ids)
    code = np.array([number.get(name, -1) for name in goods.category], dtype=np.int64)
    found[place[place >= 0]] = code[place >= 0]
    return found


def _last_of_each(
    data: Interactions, users: IdMap, items: IdMap, half_life_days: float
) -> tuple[Array, Array, Array]:
    """Every pair of person and product once, faded by the age of its last purchase."""
    user, item = users.encode(data.user), items.encode(data.item)
    order = np.lexsort((data.at, item, user))
    user, item, at = user[order], item[order], data.at[order]
    last = np.ones(len(user), dtype=bool)
    last[:-1] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    weight = np.ones(int(last.sum()))
    if half_life_days:
        age = (data.span[1] - at[last]).astype(np.int64) / SECONDS_PER_DAY
        weight = np.exp2(-age / half_life_days)
    return user[last], item[last], weight
