"""What goes together more than chance, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders.itemitem import ItemItem, Params, surprise

DAY = np.datetime64("2026-01-01", "s")


def having(*people: str) -> Interactions:
    """Each person's items as letters, all on one day."""
    pairs = [(row, ord(letter)) for row, items in enumerate(people) for letter in items]
    user, item = map(np.array, zip(*pairs, strict=True))
    return Interactions.of(user, item, np.repeat(DAY, len(user)))


def test_cosine_counts_who_has_both():
    data = having("ab", "ab", "ac", "a", "d")
    model = ItemItem(Params(significance=0, least=1, shrink=0)).fit(data)
    table = model.table.toarray()
    assert table[0].tolist() == pytest.approx([0, 2 / np.sqrt(4 * 2), 1 / np.sqrt(4 * 1), 0])
    ids, scores, people = model.neighbours(2)
    assert ids[0].tolist() == [ord("b"), ord("c")]
    assert people[0].tolist() == [2, 1]
    assert scores[0].tolist() == pytest.approx([0.70710678, 0.5])
    assert ids[3].tolist() == [-1, -1]
    assert np.isneginf(scores[3]).all()


def test_a_pair_that_chance_explains_is_dropped_and_a_real_one_kept():
    # Everybody has "x"; "a" and "b" go together, "c" goes with nothing.
    data = having(*["xab"] * 10, *["x"] * 30, *["xc"] * 10)
    model = ItemItem(Params(shrink=0)).fit(data)
    ids, _scores, people = model.neighbours(3)
    names = dict(zip(model.items.ids.tolist(), ids.tolist(), strict=True))
    assert names[ord("a")] == [ord("b"), -1, -1]
    assert names[ord("c")] == [-1, -1, -1]
    assert names[ord("x")] == [-1, -1, -1]
    assert people[0].tolist() == [10, 0, 0]


def test_lift_is_how_many_times_chance():
    data = having("ab", "ab", "a", "b", "c", "c", "c", "c")
    model = ItemItem(Params(like="lift", significance=0, least=1, shrink=0)).fit(data)
    assert model.table[0, 1] == pytest.approx(2 * 8 / (3 * 3))
    doubted = ItemItem(Params(like="lift", significance=0, least=1, shrink=2)).fit(data)
    assert doubted.table[0, 1] == pytest.approx(2 / 4 * 2 * 8 / (3 * 3))


def test_baskets_and_people_are_told_apart():
    moments = np.array([0, 0, 1, 2]) * 86_400
    data = Interactions.of([1, 1, 1, 2], [10, 11, 12, 13], DAY + moments)
    free = {"significance": 0, "least": 1, "shrink": 0}
    baskets = ItemItem(Params(together="basket", **free)).fit(data)
    assert baskets.people.toarray().tolist() == [
        [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0],
    ]  # fmt: skip
    people = ItemItem(Params(together="person", **free)).fit(data)
    assert people.people[0, 2] == 1


def test_the_ratio_is_the_one_in_the_paper():
    # Dunning 1993, table 2: "the swiss", 110 of 2,552 and so on.
    assert surprise(np.array([110.0]), np.array([2552.0]), np.array([221.0]), 31777.0)[
        0
    ] == pytest.approx(270.72, abs=0.05)


@given(
    both=st.integers(0, 50), left=st.integers(0, 50), right=st.integers(0, 50),
    neither=st.integers(0, 50),
)  # fmt: skip
def test_the_ratio_is_never_negative_and_zero_where_chance_explains_all(both, left, right, neither):
    total = both + left + right + neither
    if not total:
        return
    found = surprise(
        np.array([float(both)]), np.array([float(both + left)]), np.array([float(both + right)]),
        float(total),
    )[0]  # fmt: skip
    assert found >= -1e-9
    if both * neither == left * right:
        assert found == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("like", ["cosine", "bm25", "lift", "surprise"])
def test_every_likeness_ranks_the_own_side_first(like):
    data = having(*["abc"] * 8, *["xyz"] * 8, "ab", "xy")
    model = ItemItem(Params(like=like)).fit(data)
    ids, _scores = model.recommend(np.array([16, 17]), 1)
    assert ids.tolist() == [[ord("c")], [ord("z")]]
    assert model.explain(np.array([16]), ids[:1]).people.tolist() == [[8]]
