"""What followed what, by hand."""

import numpy as np
import pytest

from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders.markov import Markov, Params

DAY = np.datetime64("2026-01-01", "s")
PLAIN = Params(steps=1, fade=0, smooth=0.0, popular_half_life_days=0)


def bought(*rows: tuple[int, int, int]) -> Interactions:
    user, item, day = map(np.array, zip(*rows, strict=True))
    return Interactions.of(user, item, DAY + day * 86_400)


def test_the_plain_chain_gives_shares_of_what_came_next():
    data = bought(
        (1, 10, 0), (1, 11, 1), (2, 10, 0), (2, 11, 1), (3, 10, 0), (3, 12, 1), (4, 10, 5)
    )
    model = Markov(PLAIN).fit(data)
    assert model.table.toarray()[0].tolist() == pytest.approx([0, 2 / 3, 1 / 3])
    ids, scores = model.recommend(np.array([4]), 2)
    assert ids.tolist() == [[11, 12]]
    assert scores[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    reasons = model.explain(np.array([4]), ids)
    assert reasons.anchor.tolist() == [[10, 10]]
    assert reasons.people.tolist() == [[2, 1]]
    assert reasons.share.tolist() == [[1, 1]]


def test_every_product_of_the_next_basket_follows():
    data = bought((1, 10, 0), (1, 11, 0), (1, 12, 1), (1, 13, 1))
    assert Markov(PLAIN).fit(data).table.toarray().tolist() == [
        [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0],
    ]  # fmt: skip


def test_baskets_further_on_and_across_a_gap_count_less():
    data = bought((1, 10, 0), (1, 11, 10), (1, 12, 30))
    params = Params(steps=2, learn_fade=0.5, smooth=0.0, gap_half_life_days=10)
    table = Markov(params).fit(data).table.toarray()
    # One step across 10 days is a half; two steps across 30 days a half of an eighth.
    assert table[0].tolist() == pytest.approx([0, 1 / 2, 1 / 16])
    assert table[1].tolist() == pytest.approx([0, 0, 1 / 4])


def test_little_known_items_lean_on_popularity():
    data = bought((1, 10, 0), (1, 11, 1), (2, 12, 0), (3, 12, 0), (4, 10, 1))
    model = Markov(Params(steps=1, fade=0, smooth=1.0, popular_half_life_days=0)).fit(data)
    # Popularity is 2/5, 1/5, 2/5; one basket followed item 10, so popularity counts a half.
    ids, scores = model.recommend(np.array([4]), 3, skip_seen=False)
    assert ids.tolist() == [[11, 10, 12]]
    assert scores[0].tolist() == pytest.approx([1 / 2 + 1 / 10, 1 / 5, 1 / 5])


def test_who_bought_what_nothing_follows_gets_what_is_popular():
    data = bought((1, 10, 0), (1, 11, 1), (2, 12, 0), (3, 12, 0), (5, 13, 0))
    model = Markov(PLAIN).fit(data)
    ids, _scores = model.recommend(np.array([5]), 3)
    assert ids.tolist() == [[12, 10, 11]]
    assert model.explain(np.array([5]), ids).anchor.tolist() == [[-1, -1, -1]]


def test_the_last_basket_alone_speaks_without_fade_and_earlier_ones_with_it():
    data = bought((1, 10, 0), (1, 11, 1), (2, 12, 0), (2, 13, 1), (3, 10, 0), (3, 12, 1))
    plain = Markov(PLAIN).fit(data)
    assert plain.explain(np.array([3]), np.array([[11, 13]])).anchor.tolist() == [[-1, 12]]
    faded = Markov(Params(steps=1, fade=0.5, smooth=0.0)).fit(data)
    assert faded.explain(np.array([3]), np.array([[11, 13]])).anchor.tolist() == [[10, 12]]


def test_one_purchase_in_all_is_enough_to_run():
    data = bought((1, 10, 0))
    ids, _scores = Markov().fit(data).recommend(np.array([1]), 2, skip_seen=False)
    assert ids.tolist() == [[10, -1]]
