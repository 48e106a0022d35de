"""What ALS says of a person is the sum of what their purchases say."""

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares

from models_ml.algorithms.recommenders.als import ALS, Params
from tests.models_ml.algorithms.shops import two_tastes

PARAMS = Params(factors=8, regularization=2.0, half_life_days=60)


@pytest.fixture(scope="module")
def shop():
    return two_tastes(people=60, items=30)


@pytest.fixture(scope="module")
def model(shop):
    return ALS(PARAMS).fit(shop)


def test_what_each_purchase_adds_sums_to_the_score(model, shop):
    users = shop.users.ids[:20]
    ids, scores = model.recommend(users, 5)
    for row, user in enumerate(users.tolist()):
        for place in range(5):
            own, parts = model.contributions(user, int(ids[row, place]))
            assert set(own) == set(shop.item[shop.user == user])
            assert parts.sum() == pytest.approx(scores[row, place], rel=0.01)


def test_the_parts_are_those_of_the_library(model, shop):
    library = AlternatingLeastSquares(
        factors=8, regularization=PARAMS.regularization, alpha=PARAMS.alpha
    )
    library.item_factors, library.user_factors = model.item_factors, model.user_factors
    user, item = 3, 7
    total, parts, _weights = library.explain(user, model.seen, item, N=100)
    own, ours = model.contributions(int(model.users.ids[user]), int(model.items.ids[item]))
    expected = {int(model.items.ids[place]): score for place, score in parts}
    assert dict(zip(own.tolist(), ours.tolist(), strict=True)) == pytest.approx(expected, abs=1e-4)
    assert ours.sum() == pytest.approx(total, abs=1e-4)


def test_the_reason_is_the_purchase_that_adds_most(model, shop):
    users = np.append(shop.users.ids[:10], 999_999)
    ids, _scores = model.recommend(users, 4)
    reasons = model.explain(users, ids)
    for row, user in enumerate(users[:10].tolist()):
        for place in range(4):
            own, parts = model.contributions(user, int(ids[row, place]))
            assert reasons.anchor[row, place] == own[np.argmax(parts)]
            assert reasons.share[row, place] == pytest.approx(parts.max() / parts.sum(), rel=1e-4)
    assert reasons.anchor[10].tolist() == [-1] * 4


def test_a_stored_model_gives_the_same_reasons(model, shop, tmp_path):
    model.save(tmp_path)
    users = shop.users.ids[:10]
    ids, _scores = model.recommend(users, 4)
    again = ALS.load(tmp_path).explain(users, ids)
    assert (again.anchor == model.explain(users, ids).anchor).all()


def test_somebody_without_a_product_in_the_answer_has_no_reason(model, shop):
    reasons = model.explain(shop.users.ids[:2], np.array([[-1, 5000], [-1, -1]]))
    assert reasons.anchor[0, 0] == -1
    assert reasons.anchor[0, 1] != -1
    assert reasons.anchor[1].tolist() == [-1, -1]
