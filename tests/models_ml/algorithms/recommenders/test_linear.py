"""Sums over what somebody has: the parts add up, the tables are the whole products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders import ease, histories, itemitem, markov, tables

DAY = np.datetime64("2026-01-01", "s")
ENGINES = {
    "markov": markov.Markov(markov.Params(popular_half_life_days=0)),
    "itemitem": itemitem.ItemItem(itemitem.Params(significance=0, least=1)),
    "ease": ease.EASE(ease.Params(penalty=2.0)),
}


@st.composite
def purchases(draw):
    rows = draw(
        st.lists(
            st.tuples(st.integers(1, 5), st.integers(10, 16), st.integers(0, 6)),
            min_size=1,
            max_size=40,
        )
    )
    user, item, day = map(np.array, zip(*rows, strict=True))
    return Interactions.of(user, item, DAY + day * 86_400)


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=40, deadline=None)
@given(data=purchases())
def test_what_each_purchase_adds_sums_to_the_score(name, data):
    model = ENGINES[name].fit(data)
    users = data.users.ids
    ids, scores = model.recommend(users, 7, skip_seen=False)
    reasons = model.explain(users, ids)
    for row, user in enumerate(users.tolist()):
        for place in np.flatnonzero(ids[row] >= 0):
            own, parts = model.contributions(user, int(ids[row, place]))
            assert parts.sum() == pytest.approx(scores[row, place], abs=1e-5)
            anchor = reasons.anchor[row, place]
            assert anchor == -1 or anchor in own
            # The chain's parts hold a share of popularity too, which is nobody's reason.
            if anchor != -1 and name != "markov":
                assert parts[own == anchor][0] >= parts.max() - 1e-5


@settings(max_examples=40, deadline=None)
@given(block=st.integers(1, 30))
def test_blocks_of_rows_make_the_same_table(block):
    has = csr_matrix(np.random.default_rng(1).integers(0, 2, (9, 6)).astype(np.float32))
    keep_all = lambda _row, _column, value: value  # noqa: E731
    whole = (has.T @ has).toarray()
    before = tables.BLOCK
    try:
        tables.BLOCK = block
        made, values = tables.strong_pairs(has.T.tocsr(), has, keep_all, 6)
        assert values.toarray().tolist() == whole.tolist()
        assert made.toarray().tolist() == whole.tolist()
        assert tables.values_at(has.T.tocsr(), has, made).toarray().tolist() == whole.tolist()
    finally:
        tables.BLOCK = before


def test_only_the_strongest_of_a_row_are_kept():
    left = csr_matrix(np.eye(2, dtype=np.float32))
    right = csr_matrix(np.array([[3, 1, 2], [0, 5, 5]], dtype=np.float32))
    made, _values = tables.strong_pairs(left, right, lambda _row, _column, value: value, 2)
    assert made.toarray().tolist() == [[3, 0, 2], [0, 5, 5]]


def test_earlier_baskets_count_less_and_a_row_sums_to_one():
    data = Interactions.of(
        [1, 1, 1, 1, 2], [10, 11, 12, 10, 12], DAY + np.array([0, 1, 1, 2, 0]) * 86_400
    )
    assert histories.steps_back(data).tolist() == [2, 1, 1, 0, 0]
    half = histories.of(data, data.users, data.items, fade=0.5).toarray()
    assert half.tolist() == [[0.5, 0.25, 0.25], [0, 0, 1]]
    last = histories.of(data, data.users, data.items, fade=0)
    assert last.toarray().tolist() == [[1, 0, 0], [0, 0, 1]]
    assert last.nnz == 4


def test_equal_scores_stand_in_the_order_of_the_items():
    places, values = histories.top(np.array([[1.0, 3.0, 1.0, 3.0], [0.0, 0.0, 0.0, 1.0]]), 3)
    assert places[0].tolist() == [1, 3, 0]
    assert values.tolist() == [[3, 3, 1], [1, 0, 0]]


def test_popularity_is_a_share_of_people_and_fades():
    data = Interactions.of([1, 1, 2, 3], [7, 7, 7, 8], DAY + np.array([0, 10, 0, 10]) * 86_400)
    assert tables.share_of_people(data, data.items).tolist() == pytest.approx([2 / 3, 1 / 3])
    faded = tables.share_of_people(data, data.items, half_life_days=10)
    assert faded.tolist() == pytest.approx([1.5 / 2.5, 1 / 2.5])
