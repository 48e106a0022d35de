import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.algorithms.data import Truth
from models_ml.algorithms.metrics import paired_difference, ranking


def truth(*sets: set[int]) -> Truth:
    row = [i for i, items in enumerate(sets) for _ in items]
    item = [key for items in sets for key in sorted(items)]
    return Truth(np.arange(len(sets)), np.array(row, dtype=int), np.array(item, dtype=int))


def test_hits_are_counted_by_hand():
    judged = ranking(truth({7, 8}, {9}), np.array([[1, 7, 2], [9, 1, 2]]), 3)
    assert judged.recall.tolist() == [0.5, 1.0]
    ideal = 1 + 1 / np.log2(3)
    assert judged.ndcg == pytest.approx([(1 / np.log2(3)) / ideal, 1.0])
    assert judged.items_shown == 4


def test_a_perfect_list_scores_one_even_when_more_was_bought_than_fits():
    judged = ranking(truth(set(range(50))), np.arange(10)[None, :], 10)
    assert judged.ndcg == pytest.approx([1.0])
    assert judged.recall.tolist() == [0.2]


def test_empty_places_count_as_misses():
    judged = ranking(truth({3}), np.array([[-1, 3, -1]]), 3)
    assert judged.ndcg == pytest.approx([1 / np.log2(3)])
    assert judged.items_shown == 1


def test_the_number_of_people_must_agree():
    with pytest.raises(ValueError, match="one row of picks"):
        ranking(truth({1}), np.zeros((2, 3), dtype=int), 3)


@given(st.data())
def test_figures_stay_between_zero_and_one_and_better_places_never_hurt(data):
    bought = data.draw(st.sets(st.integers(0, 12), min_size=1))
    shown = data.draw(st.permutations(range(13)))[:5]
    judged = ranking(truth(bought), np.array([shown]), 5)
    assert 0 <= judged.ndcg[0] <= 1 + 1e-9
    assert 0 <= judged.recall[0] <= 1
    front = sorted(shown, key=lambda key: key not in bought)
    assert ranking(truth(bought), np.array([front]), 5).ndcg[0] >= judged.ndcg[0] - 1e-12


def test_the_interval_holds_the_difference_and_is_the_same_for_the_same_seed():
    rng = np.random.default_rng(1)
    theirs = rng.random(400)
    ours = theirs + rng.normal(0.05, 0.1, 400)
    gap = paired_difference(ours, theirs, seed=3)
    assert gap.low < gap.mean < gap.high
    assert gap.low > 0
    assert gap == paired_difference(ours, theirs, seed=3)


def test_equal_engines_are_not_called_different():
    same = np.random.default_rng(2).random(200)
    noise = np.random.default_rng(3).normal(0, 0.1, 200)
    gap = paired_difference(same + noise - noise.mean(), same, seed=1)
    assert gap.low < 0 < gap.high


def test_many_people_get_the_normal_interval():
    ours = np.random.default_rng(4).normal(1.0, 2.0, 30_000)
    gap = paired_difference(ours, np.zeros(30_000), seed=1)
    assert gap.high - gap.mean == pytest.approx(1.96 * 2 / np.sqrt(30_000), rel=0.03)


def test_nobody_judged_means_no_difference():
    assert paired_difference(np.array([]), np.array([]), seed=1).mean == 0.0
