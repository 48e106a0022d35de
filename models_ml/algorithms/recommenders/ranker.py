"""Two stages: the engines propose, and boosted trees put what they propose in order.

Candidates are the best of the blend. Each is told by what every engine says of it and where it
stands in its list, by how like it is to what the person bought, and by what is known of person and
product (`evidence`). The trees learn on people whose next purchases are known, from engines that
were fitted on what came before those (Covington et al., "Deep neural networks for YouTube
recommendations", RecSys 2016, for the two stages). How much they count beside the blend is found by
learning on some of these people and asking others, and may be nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, Interactions, Truth, chunks, truth_of
from models_ml.algorithms.recommenders import histories
from models_ml.algorithms.recommenders.blend import BATCH, HALF_PLACE, Blend, K, again, some
from models_ml.algorithms.recommenders.content import Goods
from models_ml.algorithms.recommenders.evidence import Evidence
from models_ml.algorithms.recommenders.reasons import Reasons

# What the order of the trees is tried at beside the blend's, which counts the rest of 1.
MIXES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# All that a stored file may bring to life beside arrays and scikit-learn's public estimators.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


@dataclass(frozen=True)
class Params:
    """`depth`: candidates of each person; `rounds`, `rate`, `leaves`, `least`: of the trees;
    `folds`: parts into which people are cut to find how much the trees count."""

    depth: int = 50
    rounds: int = 60
    rate: float = 0.06
    leaves: int = 15
    least: int = 60
    folds: int = 3
    seed: int = 20111209


class Ranker:
    """A fitted blend, trees that learned what follows its candidates, and how much they count."""

    def __init__(self, params: Params | None = None, blend: Blend | None = None) -> None:
        self.params = params or Params()
        self.blend = blend or Blend()
        self.trees: Any = None
        self.mix = 0.0
        self.known: Evidence | None = None

    def of(self, blend: Blend, data: Interactions, goods: Goods | None = None) -> Self:
        """Take a blend that was fitted on `data`, and what is known as of its end."""
        self.blend, self.known = blend, Evidence.of(data, goods)
        return self

    def taught(self, other: Ranker) -> Self:
        """Rank as another learned to."""
        self.trees, self.mix = other.trees, other.mix
        return self

    @property
    def users(self) -> IdMap:
        return self.blend.users

    @property
    def items(self) -> IdMap:
        return self.blend.items

    @property
    def seen(self) -> Any:
        return self.blend.seen

    def fit(self, data: Interactions, goods: Goods | None = None) -> Self:
        """Learn on what people bought last, then fit the blend with all of it."""
        if not len(data):
            raise ValueError("no interactions to learn from")
        last = histories.steps_back(data) == 0
        history = data.where(~last)
        if len(history):
            truth = truth_of(data.where(last), history, skip_seen=True)
            early = Blend(self.blend.params)
            fitted = {n: again(one).fit(history) for n, one in self.blend.members.items()}
            early.weigh(fitted, truth)
            self.blend.weights = early.weights
            self.of(early, history, goods).learn(truth)
            members = {name: again(one) for name, one in early.members.items()}
            self.blend = Blend(early.params, members, early.weights)
        return self.of(self.blend.fit(data), data, goods)

    def learn(self, truth: Truth) -> float:
        """Grow the trees for a blend fitted on what came before `truth`; NDCG@10 reached.

        What is reached is measured on people from whom the trees that ranked them had not learned.
        """
        truth = some(truth)
        self.trees, self.mix = None, 0.0
        if not len(truth.users):
            return 0.0
        ids, told, base = self._candidates(truth.users, None, True, self.params.depth)
        there = ids >= 0
        hit = _hits(ids, truth)
        discount = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(2, K + 2)))])
        ideal = np.maximum(discount[np.minimum(truth.sizes, K)], 1e-12)
        fold = np.random.default_rng(self.params.seed).integers(0, self.params.folds, len(ids))
        said = np.zeros(ids.shape)
        able = True
        for number in range(self.params.folds):
            asked = fold == number
            trees = self._grown(told[~asked][there[~asked]], hit[~asked][there[~asked]])
            able = able and trees is not None
            if trees is not None and asked.any():
                said[asked] = _said(trees, told[asked], there[asked])
        reached = [_ndcg(_mixed(base, said, there, mix), hit, ideal) for mix in MIXES]
        best = int(np.argmax(reached)) if able else 0
        self.mix = MIXES[best]
        if self.mix:
            self.trees = self._grown(told[there], hit[there])
        return reached[best]

    def _grown(self, told: Array, hit: Array) -> Any:
        """Trees for rows of columns; None where all rows have the same answer."""
        if not hit.any() or hit.all():
            return None
        params = self.params
        # A column of which nothing is known anywhere cannot be cut into bins.
        told = np.where(np.isnan(told).all(axis=0), np.float32(0), told)
        return HistGradientBoostingClassifier(
            max_iter=params.rounds,
            learning_rate=params.rate,
            max_leaf_nodes=params.leaves,
            min_samples_leaf=min(params.least, max(1, len(hit) // 20)),
            l2_regularization=1.0,
            early_stopping=False,
            random_state=params.seed,
        ).fit(told, hit)

    def _candidates(
        self, users: Array, allowed: Array | None, skip_seen: bool, depth: int
    ) -> tuple[Array, Array, Array]:
        """The blend's best (n, depth), best first; their columns; and the blend's scores."""
        parts = [
            self._part(users[part], allowed, skip_seen, depth) for part in chunks(len(users), BATCH)
        ]
        return tuple(np.concatenate(one) for one in zip(*parts, strict=True))  # type: ignore[return-value]

    def _part(
        self, users: Array, allowed: Array | None, skip_seen: bool, depth: int
    ) -> tuple[Array, Array, Array]:
        assert self.known is not None
        union, said, score = self.blend.proposed(users, allowed, skip_seen, depth)
        shape = (len(users), depth)
        ids = np.full(shape, NO_ITEM, dtype=np.int64)
        base = np.full(shape, -np.inf, dtype=np.float32)
        voices = np.zeros((*shape, said.shape[2]), dtype=np.float32)
        if union.shape[1]:
            places, best = histories.top(score, depth)
            width = places.shape[1]
            picked = np.take_along_axis(union, places, axis=1)
            ids[:, :width] = np.where(np.isfinite(best), picked, NO_ITEM)
            base[:, :width] = best
            voices[:, :width] = np.take_along_axis(said, places[..., None], axis=1)
        rank = np.broadcast_to(np.arange(depth, dtype=np.float32), shape)
        own = np.stack([np.where(np.isfinite(base), base, 0), rank, self._alike(users, ids)], -1)
        known = self.known.columns(users, ids)
        return ids, np.concatenate([voices, own, known], axis=2, dtype=np.float32), base

    def _alike(self, users: Array, ids: Array) -> Array:
        """How like what each person bought a candidate is in words; NaN where that is not known."""
        content = self.blend.members.get("content")
        if content is None:
            return np.full(ids.shape, np.nan, dtype=np.float32)
        row, place = content.users.encode(users), content.items.encode(ids)
        mine = np.zeros((len(users), content.table_of.shape[1]), dtype=np.float32)
        met = row >= 0
        mine[met] = content.seen[row[met]] @ content.table_of
        found = np.einsum("nd,ncd->nc", mine, content.table_of[np.maximum(place, 0)])
        return np.where((place >= 0) & met[:, None], found, np.nan)

    def recommend(
        self, users: Array, k: int, allowed: Array | None = None, skip_seen: bool = True
    ) -> tuple[Array, Array]:
        """See `base.Recommender`; scores say where candidates stand in both orders."""
        users = np.asarray(users, dtype=np.int64)
        if not self.mix or not len(users):
            return self.blend.recommend(users, k, allowed, skip_seen)
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        for part in chunks(len(users), BATCH):
            depth = max(k, self.params.depth)
            found, told, base = self._part(users[part], allowed, skip_seen, depth)
            there = found >= 0
            mixed = _mixed(base, _said(self.trees, told, there), there, self.mix)
            places, best = histories.top(mixed, k)
            ids[part] = np.where(
                np.isfinite(best), np.take_along_axis(found, places, axis=1), NO_ITEM
            )
            scores[part] = best
        return ids, scores

    def explain(self, users: Array, picks: Array) -> Reasons:
        """The reasons of the blend, which proposed them."""
        return self.blend.explain(users, picks)

    def vectors(self) -> tuple[Array, Array] | None:
        return self.blend.vectors()

    def save(self, folder: Path) -> None:
        assert self.known is not None
        artifacts.write_json(folder / "params.json", asdict(self.params) | {"mix": self.mix})
        data, goods = self.known.data, self.known.goods
        order = np.argsort(data.user, kind="stable")
        # As flat histories, so that whoever is erased is taken out of them like anywhere else.
        artifacts.write_arrays(
            folder / "people.npz",
            users=data.users.ids,
            start=np.searchsorted(data.user[order], [*data.users.ids, np.iinfo(np.int64).max]),
            item=data.item[order],
            at=data.at[order].astype("datetime64[s]").astype(np.int64),
        )
        artifacts.write_arrays(
            folder / "goods.npz",
            ids=goods.ids,
            title=np.array(goods.title, dtype=np.str_),
            category=np.array(goods.category, dtype=np.str_),
            price=np.asarray(goods.price, dtype=float),
        )
        if self.trees is not None:
            skops.io.dump(self.trees, folder / "trees.skops")
        (folder / "blend").mkdir()
        self.blend.save(folder / "blend")

    @classmethod
    def load(cls, folder: Path) -> Ranker:
        params = artifacts.read_json(folder / "params.json")
        mix = params.pop("mix")
        model = cls(Params(**params), Blend.load(folder / "blend"))
        people = artifacts.read_arrays(folder / "people.npz")
        told = artifacts.read_arrays(folder / "goods.npz")
        data = Interactions.of(
            np.repeat(people["users"], np.diff(people["start"])), people["item"], people["at"]
        )
        goods = Goods(told["ids"], told["title"].tolist(), told["category"].tolist(), told["price"])
        model.known, model.mix = Evidence.of(data, goods), mix
        if mix:
            model.trees = skops.io.load(folder / "trees.skops", trusted=TRUSTED)
        return model


def _said(trees: Any, told: Array, there: Array) -> Array:
    found = np.full(there.shape, -np.inf)
    if there.any():
        found[there] = trees.decision_function(told[there])
    return found


def _mixed(base: Array, said: Array, there: Array, mix: float) -> Array:
    """Where candidates stand in the two orders, as numbers up to 1."""
    one = HALF_PLACE / (HALF_PLACE + np.arange(base.shape[1]))
    order = np.argsort(-np.where(there, said, -np.inf), axis=1, kind="stable")
    other = np.empty_like(base, dtype=np.float64)
    np.put_along_axis(other, order, np.broadcast_to(one, base.shape), axis=1)
    return np.where(there, (1 - mix) * one + mix * other, -np.inf)


def _hits(ids: Array, truth: Truth) -> Array:
    items = IdMap.of(np.concatenate([truth.item, ids.ravel()]))
    bought = truth.row.astype(np.int64) * len(items) + items.encode(truth.item)
    asked = np.arange(len(ids))[:, None] * len(items) + items.encode(ids)
    return np.isin(asked, bought) & (ids >= 0)


def _ndcg(scores: Array, hit: Array, ideal: Array) -> float:
    places, values = histories.top(scores, K)
    hits = np.take_along_axis(hit, places, axis=1) & np.isfinite(values)
    gains = hits / np.log2(np.arange(2, places.shape[1] + 2))
    return float((gains.sum(axis=1) / ideal).mean())
