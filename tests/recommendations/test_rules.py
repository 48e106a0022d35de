import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.rules import Owned, Rules, Shelf, apply, fill_up

SHELF = Shelf(ids=np.array([1, 2, 3, 4, 5]), category=np.array([0, 0, 0, 1, -1]))


def run(picks, *, owned=None, **rules):
    picks = np.array(picks)
    scores = np.broadcast_to(np.arange(picks.shape[1], 0, -1.0), picks.shape)
    return apply(picks, scores, shelf=SHELF, owned=owned, rules=Rules(**rules))


def test_what_is_not_on_the_shelf_is_left_out_and_the_rest_moves_up():
    picks, scores = run([[9, 2, -1, 1]], size=3)
    assert picks.tolist() == [[2, 1, -1]]
    assert scores.tolist() == [[3.0, 1.0, -np.inf]]


def test_owned_products_are_left_out_for_their_owner_alone():
    owned = Owned(row=np.array([0, 1]), item=np.array([1, 9]))
    assert run([[1, 2], [1, 2]], owned=owned, size=2)[0].tolist() == [[2, -1], [1, 2]]
    assert run([[1, 2], [1, 2]], owned=owned, size=2, drop_owned=False)[0].tolist() == [
        [1, 2],
        [1, 2],
    ]


def test_a_category_fills_only_so_many_places():
    picks, _scores = run([[1, 2, 3, 4, 5], [5, 3, 4, 2, 1]], size=4, per_category=1)
    assert picks.tolist() == [[1, 4, 5, -1], [5, 3, 4, -1]]


def test_products_without_a_category_are_never_capped():
    shelf = Shelf(ids=np.array([1, 2]), category=np.array([-1, -1]))
    picks, _scores = apply(
        np.array([[1, 2]]), np.zeros((1, 2)), shelf=shelf, owned=None,
        rules=Rules(size=2, per_category=1),
    )  # fmt: skip
    assert picks.tolist() == [[1, 2]]


def test_an_empty_shelf_shows_nothing():
    empty = Shelf(ids=np.array([], dtype=int), category=np.array([], dtype=int))
    picks, _scores = apply(
        np.array([[1, 2]]), np.zeros((1, 2)), shelf=empty, owned=None, rules=Rules(size=2)
    )
    assert picks.tolist() == [[-1, -1]]


def test_unknown_rules_are_refused():
    with pytest.raises(ValueError, match="discount"):
        Rules.of({"discount": 3}, 10)
    assert Rules.of({"per_category": 2}, 6) == Rules(size=6, per_category=2)


def test_empty_places_are_filled_once_each_from_the_others():
    ids, scores, filled = fill_up(
        np.array([[3, -1, -1], [1, 2, 4]]), np.array([[0.5, -np.inf, -np.inf], [3, 2, 1]]),
        np.array([[3, 5, 1], [5, 5, 5]]), np.array([[9, 8, 7], [1, 1, 1]]),
    )  # fmt: skip
    assert ids.tolist() == [[3, 5, 1], [1, 2, 4]]
    assert filled.tolist() == [[False, True, True], [False, False, False]]
    assert scores[0].tolist() == [0.5, 8.0, 7.0]


@given(st.data())
def test_rules_hold_for_any_candidates(data):
    people = data.draw(st.integers(1, 4))
    rows = [data.draw(st.permutations(range(1, 9))) for _ in range(people)]
    owned = data.draw(st.lists(st.tuples(st.integers(0, people - 1), st.integers(1, 9))))
    size, cap = data.draw(st.integers(1, 8)), data.draw(st.integers(0, 3))
    row, item = (np.array([pair[i] for pair in owned], dtype=int) for i in (0, 1))
    picks, scores = run(rows, owned=Owned(row, item), size=size, per_category=cap)
    assert picks.shape == (people, size)
    for number, shown in enumerate(picks.tolist()):
        real = [key for key in shown if key >= 0]
        assert shown == real + [-1] * (size - len(real))
        assert len(set(real)) == len(real)
        assert set(real) <= set(SHELF.ids.tolist())
        assert not {(number, key) for key in real} & set(owned)
        codes = [SHELF.category[key - 1] for key in real]
        assert not cap or all(codes.count(code) <= cap for code in codes if code >= 0)
        places = [rows[number].index(key) for key in real]
        assert places == sorted(places)
    assert (np.isneginf(scores) == (picks < 0)).all()
