"""Several engines as one: their lists, made comparable and added with weights that were learned.

Each engine's scores for a person are scaled to 0..1 over its own list, or replaced by how high
each item stands in it; weights are found by coordinate ascent on NDCG@10 over people whose next
purchases are known. The ascent begins at the best single engine, so there it is never the worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, Interactions, Truth, chunks, truth_of
from models_ml.algorithms.recommenders import (
    als,
    bpr,
    content,
    ease,
    histories,
    itemitem,
    local,
    markov,
    popular,
)
from models_ml.algorithms.recommenders.reasons import Reasons
from models_ml.algorithms.recommenders.sequential import served

KINDS: dict[str, Any] = {
    "popular": popular.Popular,
    "markov": markov.Markov,
    "itemitem": itemitem.ItemItem,
    "ease": ease.EASE,
    "als": als.ALS,
    "bpr": bpr.BPR,
    "local": local.Local,
    "content": content.Content,
}
# What reads a stored member; sequence models are read by what answers without torch.
READ: dict[str, Any] = {
    **{name: kind.load for name, kind in KINDS.items()},
    "sasrec": served.sasrec,
    "bert4rec": served.bert4rec,
}
# What a weight is tried at, beside the engine that weighs 1.
TRIED = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5)
ROUNDS = 3
BATCH = 2_048
K = 10
# Where a place in a list counts half of the first.
HALF_PLACE = 10.0
# More people make the weights no better, only later.
MOST_PEOPLE = 6_000
SEED = 20111209
# Answers of members that a blend remembers while it is judged, of BATCH people each.
REMEMBERED = 8


@dataclass(frozen=True)
class Params:
    """`depth`: how much of each engine's list competes; `scale`: by score or by place."""

    depth: int = 60
    scale: Literal["score", "place"] = "score"


class Blend:
    """Engines by name and a weight for each. `members` are fitted; weights are kept by `fit`."""

    def __init__(
        self,
        params: Params | None = None,
        members: Mapping[str, Any] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.params = params or Params()
        chosen = members or {name: KINDS[name]() for name in ("markov", "itemitem", "ease")}
        self.members: dict[str, Any] = dict(chosen)
        self.weights: dict[str, float] = dict(weights or {})
        # What members said, where a ranker will ask for the same; None: it is not kept.
        self.remembered: dict[tuple[bytes, bool, int], tuple[Array, Array]] | None = None

    def of(self, members: Mapping[str, Any], weights: Mapping[str, float]) -> Self:
        """The blend of members that are fitted, with weights that are known."""
        self.members, self.weights = dict(members), dict(weights)
        return self

    @property
    def users(self) -> IdMap:
        return IdMap.of(np.concatenate([member.users.ids for member in self.members.values()]))

    @property
    def items(self) -> IdMap:
        return IdMap.of(np.concatenate([member.items.ids for member in self.members.values()]))

    @property
    def seen(self) -> Any:
        """What people have, as the member that knows most items holds it."""
        return max(self.members.values(), key=lambda member: len(member.items)).seen

    def fit(self, data: Interactions) -> Self:
        """Fit every member; learn the weights first, on everybody's last moment, if there are none.

        What somebody bought last is asked for by members fitted on all that came before it.
        """
        if not len(data):
            raise ValueError("no interactions to learn from")
        if not self.weights:
            last = histories.steps_back(data) == 0
            history = data.where(~last)
            if len(history):
                truth = truth_of(data.where(last), history, skip_seen=True)
                self.weigh({n: again(m).fit(history) for n, m in self.members.items()}, truth)
            else:
                self.weights = dict.fromkeys(self.members, 1.0)
        self.members = {name: again(member).fit(data) for name, member in self.members.items()}
        return self

    def weigh(self, fitted: Mapping[str, Any], truth: Truth) -> float:
        """Learn the weights for members fitted on what came before `truth`; NDCG@10 reached."""
        self.members = dict(fitted)
        truth = some(truth)
        if not len(truth.users):
            self.weights = dict.fromkeys(self.members, 1.0)
            return 0.0
        lists = [self._lists(part) for part in _parts(truth.users)]
        board = _Board.of(lists, truth)
        singles = [board.ndcg(row) for row in np.eye(len(self.members))]
        weights = np.eye(len(self.members))[int(np.argmax(singles))]
        best = max(singles)
        for _round in range(ROUNDS):
            before = best
            for place in range(len(weights)):
                for value in TRIED:
                    tried = weights.copy()
                    tried[place] = value
                    if not tried.any():
                        continue
                    # As they are kept: with other digits equals might change places.
                    tried = (tried / tried.max()).round(4)
                    reached = board.ndcg(tried)
                    if reached > best + 1e-9:
                        best, weights = reached, tried
            if best <= before:
                break
        self.weights = dict(zip(self.members, weights.tolist(), strict=True))
        return best

    def _lists(
        self, users: Array, allowed: Array | None = None, skip_seen: bool = True, depth: int = 0
    ) -> tuple[Array, Array]:
        """Items (n, c) that any member proposes, NO_ITEM behind them, and what each member says
        of them (n, c, members)."""
        depth = max(depth, self.params.depth)
        key = (np.asarray(users, dtype=np.int64).tobytes(), skip_seen, depth)
        if allowed is not None or self.remembered is None:
            return self._asked(users, allowed, skip_seen, depth)
        if key not in self.remembered:
            found = self._asked(users, None, skip_seen, depth)
            if len(self.remembered) >= REMEMBERED:
                return found
            self.remembered[key] = found
        return self.remembered[key]

    def _asked(
        self, users: Array, allowed: Array | None, skip_seen: bool, depth: int
    ) -> tuple[Array, Array]:
        """The same, from the members."""
        total = len(users)
        items, values = [], []
        for member in self.members.values():
            ids, scores = member.recommend(users, depth, allowed, skip_seen)
            items.append(ids)
            values.append(_scaled(scores, self.params.scale))
        every = np.concatenate(items, axis=1)
        order = np.argsort(every, axis=1, kind="stable")
        ranked = np.take_along_axis(every, order, axis=1)
        new = ranked >= 0
        new[:, 1:] &= ranked[:, 1:] != ranked[:, :-1]
        slot = np.cumsum(new, axis=1) - 1
        place = np.empty_like(slot)
        np.put_along_axis(place, order, slot, axis=1)
        width = int(slot.max(initial=-1)) + 1
        union = np.full((total, width), NO_ITEM, dtype=np.int64)
        said = np.zeros((total, width, len(items)), dtype=np.float32)
        row = np.broadcast_to(np.arange(total)[:, None], (total, depth))
        for number, (ids, value) in enumerate(zip(items, values, strict=True)):
            at = place[:, number * depth : (number + 1) * depth]
            good = ids >= 0
            union[row[good], at[good]] = ids[good]
            said[row[good], at[good], number] = value[good]
        return union, said

    def proposed(
        self, users: Array, allowed: Array | None, skip_seen: bool, depth: int
    ) -> tuple[Array, Array, Array]:
        """What any member proposes (n, c), what each says of it (n, c, members), and the score."""
        union, said = self._lists(users, allowed, skip_seen, depth=depth)
        return union, said, np.where(union >= 0, said @ self._vector(), -np.inf).astype(np.float32)

    def recommend(
        self, users: Array, k: int, allowed: Array | None = None, skip_seen: bool = True
    ) -> tuple[Array, Array]:
        """See `base.Recommender`."""
        users = np.asarray(users, dtype=np.int64)
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        for part in chunks(len(users), BATCH):
            union, _said, found = self.proposed(users[part], allowed, skip_seen, k)
            if not union.shape[1]:
                continue
            places, best = histories.top(found, k)
            width = places.shape[1]
            picked = np.take_along_axis(union, places, axis=1)
            ids[part, :width] = np.where(np.isfinite(best), picked, NO_ITEM)
            scores[part, :width] = best
        return ids, scores

    def explain(self, users: Array, picks: Array) -> Reasons:
        """The reason of the heaviest member that has one."""
        users, picks = np.asarray(users, dtype=np.int64), np.asarray(picks, dtype=np.int64)
        reasons = Reasons.none(picks.shape)
        for name in sorted(self.members, key=lambda name: -self.weights[name]):
            member = self.members[name]
            if not self.weights[name] or not hasattr(member, "explain"):
                continue
            open_ = np.flatnonzero(((reasons.anchor < 0) & (picks >= 0)).any(axis=1))
            said = member.explain(users[open_], picks[open_])
            free = (reasons.anchor[open_] < 0) & (said.anchor >= 0)
            for ours, theirs in (
                (reasons.anchor, said.anchor),
                (reasons.share, said.share),
                (reasons.people, said.people),
            ):
                ours[open_] = np.where(free, theirs, ours[open_])
        return reasons

    def vectors(self) -> tuple[Array, Array] | None:
        """Those of the heaviest member that has some."""
        for name in sorted(self.members, key=lambda name: -self.weights[name]):
            found = self.members[name].vectors()
            if found is not None:
                return found
        return None

    def _vector(self) -> Array:
        return np.array([self.weights[name] for name in self.members], dtype=np.float32)

    def save(self, folder: Path) -> None:
        artifacts.write_json(folder / "params.json", asdict(self.params))
        # As a list, since the order of members is that of their weights and of ties.
        artifacts.write_json(folder / "weights.json", [[n, self.weights[n]] for n in self.members])
        for name, member in self.members.items():
            (folder / name).mkdir()
            member.save(folder / name)

    @classmethod
    def load(cls, folder: Path) -> Blend:
        weights = dict(artifacts.read_json(folder / "weights.json"))
        members = {name: READ[name](folder / name) for name in weights}
        return cls(Params(**artifacts.read_json(folder / "params.json")), members, weights)


@dataclass(frozen=True)
class _Board:
    """What members say of each person's candidates (n, c, members), and which were bought."""

    said: Array
    there: Array
    hit: Array
    ideal: Array

    @classmethod
    def of(cls, lists: list[tuple[Array, Array]], truth: Truth) -> _Board:
        width = max(union.shape[1] for union, _said in lists)
        union = np.concatenate([_wide(union, width, NO_ITEM) for union, _said in lists])
        said = np.concatenate([_wide(said, width, 0) for _union, said in lists])
        items = IdMap.of(np.concatenate([truth.item, union.ravel()]))
        bought = truth.row.astype(np.int64) * len(items) + items.encode(truth.item)
        asked = np.arange(len(union))[:, None] * len(items) + items.encode(union)
        discount = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, K + 2)))])
        return cls(
            said=said,
            there=union >= 0,
            hit=np.isin(asked, bought) & (union >= 0),
            ideal=discount[np.minimum(truth.sizes, K)],
        )

    def ndcg(self, weights: Array) -> float:
        spoken = (self.said[:, :, weights > 0] > 0).any(axis=2) if (weights == 0).any() else True
        found = np.where(self.there & spoken, self.said @ weights.astype(np.float32), -np.inf)
        if not found.shape[1]:
            return 0.0
        places, values = histories.top(found, K)
        hits = np.take_along_axis(self.hit, places, axis=1) & np.isfinite(values)
        gains = hits / np.log2(np.arange(2, places.shape[1] + 2))
        return float((gains.sum(axis=1) / np.maximum(self.ideal, 1e-12)).mean())


def _scaled(scores: Array, scale: str) -> Array:
    """Scores (n, d) of lists, best first, as numbers above 0 up to 1 a person."""
    there = np.isfinite(scores)
    if scale == "place":
        places = np.arange(scores.shape[1], dtype=np.float32)
        return np.where(there, HALF_PLACE / (HALF_PLACE + places), 0.0).astype(np.float32)
    high = np.where(there, scores, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    low = np.where(there, scores, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    span = np.where(high > low, high - low, 1.0)
    with np.errstate(invalid="ignore"):
        # The last of a list still counts more than what is not in it.
        scaled = 0.01 + 0.99 * (scores - np.where(np.isfinite(low), low, 0.0)) / span
    return np.where(there, scaled, 0.0).astype(np.float32)


def again(member: Any) -> Any:
    """The same engine with the same parameters, not fitted yet."""
    return type(member)(member.params)


def some(truth: Truth) -> Truth:
    """At most MOST_PEOPLE of those who are judged, drawn with a fixed seed."""
    total = len(truth.users)
    if total <= MOST_PEOPLE:
        return truth
    kept = np.sort(np.random.default_rng(SEED).choice(total, MOST_PEOPLE, replace=False))
    place = np.full(total, -1)
    place[kept] = np.arange(MOST_PEOPLE)
    stays = place[truth.row] >= 0
    return Truth(truth.users[kept], place[truth.row[stays]], truth.item[stays])


def _parts(users: Array) -> list[Array]:
    return [users[part] for part in chunks(len(users), BATCH)]


def _wide(array: Array, width: int, empty: float) -> Array:
    spare = [(0, 0), (0, width - array.shape[1])] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, spare, constant_values=empty)
