"""The closed form, against the formula of the paper."""

import numpy as np
import pytest

from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders.ease import EASE, Params

DAY = np.datetime64("2026-01-01", "s")


def dense(has: np.ndarray, penalty: float) -> np.ndarray:
    inverse = np.linalg.inv(has.T @ has + penalty * np.eye(has.shape[1]))
    table = -inverse / np.diag(inverse)
    np.fill_diagonal(table, 0)
    return table


def of(has: np.ndarray) -> Interactions:
    user, item = np.nonzero(has)
    return Interactions.of(user, item, np.repeat(DAY, len(user)))


@pytest.fixture
def has() -> np.ndarray:
    rng = np.random.default_rng(3)
    has = (rng.random((30, 8)) < 0.4).astype(float)
    has[0], has[:, 0] = 1, 1
    return has


def test_two_items_by_hand():
    # X'X + 1 is [[3, 1], [1, 2]]; its inverse [[2, -1], [-1, 3]] / 5: weights 1/3 and 1/2.
    data = Interactions.of([1, 1, 2], [10, 11, 10], np.repeat(DAY, 3))
    table = EASE(Params(penalty=1.0)).fit(data).table.toarray()
    assert table == pytest.approx(np.array([[0, 1 / 3], [1 / 2, 0]]), abs=1e-6)


def test_the_table_is_the_closed_form(has):
    model = EASE(Params(penalty=5.0)).fit(of(has))
    assert model.table.toarray() == pytest.approx(dense(has, 5.0), abs=1e-5)


def test_scores_are_the_history_times_the_table(has):
    model = EASE(Params(penalty=5.0)).fit(of(has))
    mine = has / has.sum(axis=1, keepdims=True)
    expected = mine @ dense(has, 5.0)
    ids, scores = model.recommend(model.users.ids, 8, skip_seen=False)
    got = np.take_along_axis(expected, ids, axis=1)
    assert scores == pytest.approx(got, abs=1e-5)


def test_above_the_limit_the_most_bought_are_learned(has):
    model = EASE(Params(penalty=5.0, most=3)).fit(of(has))
    reach = has.sum(axis=0)
    chosen = np.sort(np.lexsort((np.arange(8), -reach))[:3])
    expected = np.zeros((8, 8))
    expected[np.ix_(chosen, chosen)] = dense(has[:, chosen], 5.0)
    assert model.table.toarray() == pytest.approx(expected, abs=1e-5)


def test_only_the_largest_weights_of_each_item_are_kept(has):
    whole = dense(has, 5.0)
    table = EASE(Params(penalty=5.0, keep=2)).fit(of(has)).table.toarray()
    for column in range(8):
        largest = np.argsort(-np.abs(whole[:, column]))[:2]
        assert np.flatnonzero(table[:, column]).tolist() == sorted(largest.tolist())


def test_a_penalty_of_nothing_is_refused(has):
    data = of(has)
    with pytest.raises(ValueError, match="penalty"):
        EASE(Params(penalty=0.0)).fit(data)
