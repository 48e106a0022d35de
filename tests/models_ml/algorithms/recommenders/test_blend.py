"""Lists added up: never worse than the best of them where the weights were learned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.algorithms import artifacts, metrics
from models_ml.algorithms.data import Interactions, Truth, split_by_time, truth_of
from models_ml.algorithms.recommenders import als, itemitem, markov, popular
from models_ml.algorithms.recommenders.blend import Blend, Params
from tests.models_ml.algorithms.shops import two_tastes

USERS = np.arange(4)


class Fixed:
    """An engine that gives every person the lists it was made with."""

    def __init__(self, lists: np.ndarray, scores: np.ndarray) -> None:
        self.lists, self.scores = lists, scores

    def recommend(self, users, k, allowed=None, skip_seen=True):
        ids = np.full((len(users), k), -1)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        width = min(k, self.lists.shape[1])
        ids[:, :width], scores[:, :width] = self.lists[users, :width], self.scores[users, :width]
        return ids, scores


def fixed(rng: np.random.Generator) -> Fixed:
    lists = np.stack([rng.permutation(30)[:20] for _user in USERS])
    return Fixed(lists, -np.sort(-rng.random((4, 20)), axis=1).astype(np.float32))


@pytest.mark.parametrize("scale", ["score", "place"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_blend_is_never_worse_than_its_best_member_where_it_learned(scale, seed):
    rng = np.random.default_rng(seed)
    members = {name: fixed(rng) for name in "abc"}
    item = np.concatenate([rng.permutation(30)[:3] for _user in USERS])
    truth = Truth(USERS, np.repeat(np.arange(4), 3), item)
    blend = Blend(Params(depth=20, scale=scale), members)
    reached = blend.weigh(members, truth)
    judged = metrics.ranking(truth, blend.recommend(USERS, 10)[0], 10).ndcg.mean()
    best = max(
        metrics.ranking(truth, member.recommend(USERS, 10)[0], 10).ndcg.mean()
        for member in members.values()
    )
    assert judged == pytest.approx(reached, abs=1e-6)
    assert judged >= best - 1e-9


def test_scores_are_weighed_places_by_hand():
    lists = np.array([[1, 2], [1, 2], [1, 2], [1, 2]])
    other = np.array([[2, 3], [2, 3], [2, 3], [2, 3]])
    scores = np.tile(np.array([[5.0, 1.0]], dtype=np.float32), (4, 1))
    members = {"a": Fixed(lists, scores), "b": Fixed(other, scores)}
    blend = Blend(Params(scale="place")).of(members, {"a": 1.0, "b": 0.5})
    ids, values = blend.recommend(USERS[:1], 4)
    assert ids.tolist() == [[2, 1, 3, -1]]
    assert values[0, :3].tolist() == pytest.approx([10 / 11 + 0.5, 1.0, 0.5 * 10 / 11])


def test_a_member_that_only_harms_weighs_nothing():
    rng = np.random.default_rng(5)
    good, bad = fixed(rng), fixed(rng)
    truth = Truth(USERS, np.repeat(USERS, 10), good.lists[:, :10].ravel())
    blend = Blend(Params(depth=20), {"bad": bad, "good": good})
    assert blend.weigh({"bad": bad, "good": good}, truth) == pytest.approx(1.0)
    assert blend.weights == {"bad": 0.0, "good": 1.0}


@pytest.fixture(scope="module")
def blend():
    members = {
        "popular": popular.Popular(),
        "itemitem": itemitem.ItemItem(),
        "als": als.ALS(als.Params(factors=8, half_life_days=0)),
    }
    return Blend(Params(), members).fit(two_tastes(people=80, items=40))


def test_planted_taste_is_found():
    split = split_by_time(two_tastes(), until="2026-07-01", test_days=40, validation_days=20)
    truth = truth_of(split.test, split.before_test, skip_seen=True)
    model = Blend().fit(split.before_test)
    ids, _scores = model.recommend(truth.users, 10)
    assert (ids % 2 == truth.users[:, None] % 2).mean() > 0.75


def test_a_stored_blend_answers_as_before(blend, tmp_path):
    with artifacts.create(tmp_path / "m", {}) as folder:
        blend.save(folder)
    assert "als/factors.safetensors" in artifacts.check(tmp_path / "m")["files"]
    again = Blend.load(tmp_path / "m")
    users = np.append(blend.users.ids, 999_999)
    ids, scores = blend.recommend(users, 10)
    assert (again.recommend(users, 10)[0] == ids).all()
    assert again.recommend(users, 10)[1] == pytest.approx(scores, abs=1e-5)
    assert (again.explain(users, ids).anchor == blend.explain(users, ids).anchor).all()


def test_a_reason_is_something_the_person_has(blend):
    users = blend.users.ids[:20]
    ids, _scores = blend.recommend(users, 5)
    reasons = blend.explain(users, ids)
    assert (reasons.anchor >= 0).mean() > 0.5
    for row, user in enumerate(users):
        owned = blend.seen[blend.members["als"].users.encode(np.array([user]))].indices
        names = blend.items.ids[owned]
        assert np.isin(reasons.anchor[row][reasons.anchor[row] >= 0], names).all()


def test_one_purchase_in_all_is_enough_to_run():
    data = Interactions.of([1, 2], [5, 6], np.repeat(np.datetime64("2026-01-01", "s"), 2))
    ids, _scores = Blend(members={"markov": markov.Markov()}).fit(data).recommend(np.array([1]), 1)
    assert ids.tolist() == [[6]]
    empty = Interactions.of([], [], np.array([], dtype="datetime64[s]"))
    with pytest.raises(ValueError, match="no interactions"):
        Blend().fit(empty)
