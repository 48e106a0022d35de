"""The highest of each row are those that sorting whole rows would give."""

import numpy as np
import pytest

from models_ml.algorithms.recommenders.highest import highest


@pytest.mark.parametrize(("m", "k"), [(3, 5), (40, 10), (1_000, 10), (1_037, 1), (5_000, 20)])
def test_they_are_those_of_a_whole_sort(m, k):
    scores = np.random.default_rng(m).standard_normal((50, m)).astype(np.float32)
    scores[7, m // 2 :] = -np.inf
    places, values = highest(scores, k)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert (values == np.take_along_axis(scores, expected, axis=1)).all()
    finite = np.isfinite(values)
    assert (places[finite] == expected[finite]).all()


def test_equals_stand_in_the_order_of_their_places():
    scores = np.zeros((1, 2_000))
    scores[0, [1_500, 30, 700]] = 2.0
    assert highest(scores, 3)[0].tolist() == [[30, 700, 1_500]]
