"""The blend proposes, trees put in order: what they may know, and when they stay silent."""

import numpy as np
import pytest

from models_ml.algorithms import artifacts, forgetting, metrics
from models_ml.algorithms.data import Interactions, split_by_time, truth_of
from models_ml.algorithms.recommenders import popular, ranker
from models_ml.algorithms.recommenders.blend import Blend
from models_ml.algorithms.recommenders.content import Goods
from models_ml.algorithms.recommenders.evidence import NAMES, NEVER, Evidence
from tests.models_ml.algorithms.shops import DAYS, START, two_tastes

SMALL = ranker.Params(rounds=20, rate=0.2, least=20, depth=40)
BANDS = 4


def goods(items=40):
    """Of every four products one is cheap, one dear, and two lie between."""
    ids = np.arange(items) + 5000
    return Goods(ids, [""] * items, [f"c{key % 3}" for key in ids], 10.0 ** (ids % BANDS))


def by_price(seed=7):
    """Everybody buys at their own price and nothing else."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(160), 9)
    item = rng.integers(0, 10, size=len(user)) * BANDS + user % BANDS
    day = rng.integers(0, DAYS, size=len(user))
    return Interactions.of(user + 1000, item + 5000, START + day * 86_400)


def sit(data, told):
    """A blend of popularity alone and a ranker of it: NDCG@10 of each on days nobody learned."""
    split = split_by_time(data, until=START + DAYS * 86_400)
    choosing = truth_of(split.validation, split.train, skip_seen=True)
    judging = truth_of(split.test, split.before_test, skip_seen=True)
    early, late = (
        Blend(members={"popular": popular.Popular().fit(part)}, weights={"popular": 1.0})
        for part in (split.train, split.before_test)
    )
    first = ranker.Ranker(SMALL).of(early, split.train, told)
    first.learn(choosing)
    second = ranker.Ranker(SMALL).of(late, split.before_test, told).taught(first)
    return second, [
        float(metrics.ranking(judging, model.recommend(judging.users, 10)[0], 10).ndcg.mean())
        for model in (late, second)
    ]


@pytest.fixture(scope="module")
def taught():
    return sit(by_price(), goods())


def test_it_learns_who_buys_at_which_price_where_no_engine_can_say_so(taught):
    model, (blend, ours) = taught
    assert model.mix == 1.0
    assert ours > 1.5 * blend
    price = {int(key): key % BANDS for key in goods().ids}
    users = model.users.ids[:40]
    first = model.recommend(users, 1)[0][:, 0]
    right = sum(price[int(item)] == user % BANDS for user, item in zip(users, first, strict=True))
    assert right == len(users)


def test_where_trees_know_nothing_more_the_blend_is_served_as_it_is():
    rng = np.random.default_rng(3)
    n = 2_000
    data = Interactions.of(
        rng.integers(0, 100, n), rng.integers(0, 300, n), START + rng.integers(0, DAYS, n) * 86_400
    )
    model = ranker.Ranker(SMALL).fit(data)
    assert model.mix in ranker.MIXES
    model.mix = 0.0
    users = data.users.ids[:9]
    for mine, blends in zip(
        model.recommend(users, 10), model.blend.recommend(users, 10), strict=True
    ):
        assert (mine == blends).all()


def test_what_is_told_of_person_and_product_is_as_of_the_moment():
    day = np.array([0, 0, 30, 40], dtype="timedelta64[D]")
    data = Interactions.of([1, 1, 1, 2], [10, 11, 10, 10], START + day)
    told = Evidence.of(data, Goods(np.array([10, 11, 12]), "abc", ["x", "y", "x"], [1.0, 4.0, 2.0]))
    found = told.columns(np.array([1, 9]), np.array([[10, 12], [10, 12]]))
    row = dict(zip(NAMES, found[0, 0].round(3).tolist(), strict=True))
    moment = 1 / 86_400
    assert row["buyers"] == pytest.approx(np.log(3), abs=1e-3)
    assert row["buyers_7"] == pytest.approx(np.log(2), abs=1e-3)
    assert (row["known_days"], row["recency_days"]) == pytest.approx((40, 10), abs=moment * 50)
    assert np.expm1([row["orders"], row["products"]]).round(2).tolist() == [2, 2]
    assert (row["order_every_days"], row["basket"]) == (30, 1.5)
    assert row["usual_price"] == pytest.approx(np.log(4) / 3, abs=1e-3)
    assert row["price_to_usual"] == pytest.approx(-np.log(4) / 3, abs=1e-3)
    assert (row["category_share"], row["owned"]) == pytest.approx((2 / 3, 2), abs=1e-3)
    new = dict(zip(NAMES, found[0, 1].tolist(), strict=True))
    assert (new["buyers"], new["owned"], new["owned_days"]) == (0, 0, NEVER)
    assert new["category_share"] == pytest.approx(2 / 3, abs=1e-3)
    assert np.isnan(found[1]).all()
    # What was bought later is not in it.
    before = Evidence.of(data.between(stop=START + day[2]), told.goods)
    assert np.expm1(before.columns(np.array([1]), np.array([[10]]))[0, 0, 0]) == pytest.approx(1)


def test_a_stored_ranker_answers_as_before_and_forgets_whoever_is_erased(taught, tmp_path):
    model, _figures = taught
    with artifacts.create(tmp_path / "m", {}) as folder:
        model.save(folder)
    back = ranker.Ranker.load(tmp_path / "m")
    users = np.append(model.users.ids, 999_999)
    for skip_seen in (True, False):
        asked, again = (one.recommend(users, 10, skip_seen=skip_seen) for one in (model, back))
        assert (asked[0] == again[0]).all()
        assert np.allclose(asked[1], again[1])
    made = forgetting.drop_people(folder=tmp_path / "m", numbers=[1000])
    assert made is not None
    assert 1000 not in forgetting.people_in(folder=made)
    assert 1001 in ranker.Ranker.load(made).known.users.ids


def test_nobody_is_shown_what_they_own_and_only_what_is_allowed(taught):
    model, _figures = taught
    data, users = model.known.data, model.users.ids[:50]
    owned = set(zip(data.user.tolist(), data.item.tolist(), strict=True))
    ids, scores = model.recommend(users, 10)
    shown = zip(users.tolist(), ids.tolist(), strict=True)
    assert not owned & {(user, item) for user, row in shown for item in row}
    assert (np.diff(np.where(np.isfinite(scores), scores, -9), axis=1) <= 0).all()
    few = model.recommend(users, 8, allowed=np.array([5000, 5001, 5002]))[0]
    assert set(few.ravel().tolist()) <= {5000, 5001, 5002, -1}


def test_a_ranker_fitted_alone_learns_on_what_people_bought_last():
    model = ranker.Ranker(SMALL).fit(two_tastes(people=60, items=40))
    assert model.recommend(model.users.ids[:4], 5)[0].shape == (4, 5)
    with pytest.raises(ValueError, match="no interactions"):
        ranker.Ranker().fit(Interactions.of([], [], []))
