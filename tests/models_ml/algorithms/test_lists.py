"""What lists of picks are like, on a shop small enough to reckon by hand."""

import numpy as np
import pytest

from models_ml.algorithms import lists, metrics
from models_ml.algorithms.data import Interactions, Truth

# Four people: everybody has product 1, two have 2 and 3 together, one has 4.
PAIRS = [(1, 1), (2, 1), (3, 1), (4, 1), (1, 2), (2, 2), (1, 3), (2, 3), (4, 4)]


@pytest.fixture
def shelf() -> lists.Shelf:
    user, item = zip(*PAIRS, strict=True)
    at = np.full(len(user), np.datetime64("2026-01-01", "s"))
    return lists.Shelf.of(Interactions.of(user, item, at))


def test_what_everybody_has_is_worth_no_bits_and_each_halving_one_more(shelf):
    picks = np.array([[1, 1], [2, 3], [4, -1]])
    assert lists.novelty(shelf, picks).tolist() == [0.0, 1.0, 2.0]
    assert lists.popularity(shelf, picks).tolist() == [1.0, 0.5, 0.25]


def test_products_of_the_same_people_are_alike_and_of_others_are_not(shelf):
    # 2 and 3 share all their people, 2 and 4 none; 1 and 2 share two of four: 2 / sqrt(4 * 2).
    picks = np.array([[2, 3], [2, 4], [1, 2], [4, -1]])
    found = lists.diversity(shelf, picks, seed=1)
    assert found == pytest.approx([0.0, 1.0, 1 - 2 / np.sqrt(8)])


def test_products_that_nobody_has_count_nothing(shelf):
    assert lists.novelty(shelf, np.array([[99, 2]])).tolist() == [1.0]
    assert lists.popularity(shelf, np.array([[99, 98]])).tolist() == [0.0]


def test_the_reciprocal_place_is_that_of_the_first_hit():
    truth = Truth(np.array([1, 2]), np.array([0, 0, 1]), np.array([5, 6, 9]))
    judged = metrics.ranking(truth, np.array([[4, 6, 5], [1, 2, 3]]), 3)
    assert judged.reciprocal.tolist() == [0.5, 0.0]


def test_hits_are_counted_by_the_place_they_stood_at():
    truth = Truth(users=np.array([1, 2]), row=np.array([0, 0, 1]), item=np.array([7, 9, 8]))
    assert lists.hits(truth, np.array([[7, 8, 9], [8, 7, -1]])) == [2, 0, 1]
