"""Categories are asked about in subsets, rare and new levels are 'other', odd input is borne."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from models_ml.algorithms import tree as trees
from models_ml.algorithms.classify import Interval
from models_ml.algorithms.tree import (
    CATEGORY,
    Condition,
    Feature,
    Params,
    Sample,
    Tree,
    growing,
    moving,
)

COUNTRIES = ("GB", "DE", "FR", "ES", "IT", "NL")
EAGER = {"DE", "ES", "NL"}
FEATURES = (
    Feature("country", nullable=True, kind=CATEGORY, levels=COUNTRIES),
    Feature("days"),
)
PARAMS = Params(depth=3, leaves=2, min_leaf=60)


def shop(people: int, *, seed: int, first: int = 0) -> Sample:
    """0.7 of the people of three countries do it and 0.2 of the others; days mean nothing."""
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 6, people).astype(float)
    chance = np.where([COUNTRIES[int(p)] in EAGER for p in place], 0.7, 0.2)
    place[rng.random(people) < 0.05] = np.nan
    x = np.column_stack([place, rng.integers(0, 50, people)])
    return Sample(x, rng.random(people) < chance, np.arange(first, first + people))


@pytest.fixture(scope="module")
def found() -> Tree:
    return trees.fit(
        structure=shop(3000, seed=1), judge=shop(3000, seed=2, first=9000),
        features=FEATURES, params=PARAMS,
    )  # fmt: skip


def test_one_question_finds_the_planted_subset_of_countries(found: Tree) -> None:
    assert found.features[int(found.feature[0])].name == "country"
    groups = [{COUNTRIES[i] for i in codes if i < 6} for codes in found.subset[:1]]
    assert groups[0] in (EAGER, set(COUNTRIES) - EAGER)


def test_countries_are_named_on_the_side_that_can_be_listed(found: Tree) -> None:
    leaf = int(found.apply(np.array([[1.0, 10.0]]))[0])
    one = next(c for c in found.conditions(leaf) if c.feature == "country")
    rest = int(found.apply(np.array([[0.0, 10.0]]))[0])
    two = next(c for c in found.conditions(rest) if c.feature == "country")
    assert {one.op, two.op} == {"in", "not_in"}
    assert set(one.levels) == set(two.levels)
    assert one.missing != two.missing


def test_a_country_nobody_had_goes_with_the_unlisted_ones(found: Tree) -> None:
    leaf = int(found.apply(np.array([[6.0, 10.0]]))[0])
    one = next(c for c in found.conditions(leaf) if c.feature == "country")
    assert one.op == "not_in"


def test_levels_of_too_few_people_are_never_named() -> None:
    levels = tuple(f"town {n}" for n in range(10_000))
    features = (Feature("town", kind=CATEGORY, levels=levels, nullable=True), Feature("days"))
    rng = np.random.default_rng(4)
    size = 8000
    town = np.where(rng.random(size) < 0.4, 0.0, rng.integers(1, 10_001, size).astype(float))
    label = rng.random(size) < np.where(town == 0, 0.8, 0.2)
    sample = Sample(np.column_stack([town, rng.integers(0, 9, size)]), label, np.arange(size))
    half = np.arange(size) % 2 == 0
    tree = trees.fit(
        structure=sample.take(half), judge=sample.take(~half), features=features, params=PARAMS
    )
    named = {v for n in tree.leaves for c in tree.conditions(n) for v in c.levels}
    assert named == {"town 0"}


def test_the_best_subset_is_found_as_trying_all_of_them_would() -> None:
    rng = np.random.default_rng(7)
    n, y = rng.integers(5, 90, 7).astype(float), np.zeros(7)
    y = np.floor(n * rng.random(7))
    n, y = np.append(n, [0.0, 0.0]), np.append(y, [0.0, 0.0])
    before = float(growing._entropy(y.sum()[None], n.sum()[None])[0])
    asked = growing._among(n, y, before, 1, 0)
    best = 0.0
    for mask in range(1, 2**7 - 1):
        side = np.array([bool(mask >> i & 1) for i in range(7)] + [False, False])
        best = max(
            best,
            float(growing._gains(n[side].sum(), y[side].sum(), n.sum(), y.sum(), before, 1)),
        )
    assert asked is not None
    assert asked.gain == pytest.approx(best)


def test_on_numbers_alone_it_asks_what_scikit_learn_asks() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 60, (3000, 4)).astype(float)
    label = rng.random(3000) < 0.1 + 0.5 * (x[:, 0] > 30) + 0.3 * ((x[:, 1] < 20) & (x[:, 0] > 30))
    params = Params(depth=3, leaves=4, min_leaf=50)
    features = tuple(Feature(f"f{i}") for i in range(4))
    ours, _ = growing.grow(Sample(x, label, np.arange(3000)), features, params)
    theirs = DecisionTreeClassifier(
        criterion="entropy", max_depth=3, max_leaf_nodes=4, min_samples_leaf=50, random_state=1
    ).fit(x, label)
    same = [len(np.unique(theirs.apply(x)[ours.apply(x) == leaf])) for leaf in ours.leaves]
    assert same == [1, 1, 1, 1]


def test_conditions_share_everybody_out_as_the_tree_does(found: Tree) -> None:
    sample = shop(600, seed=9)
    sample.x[:5, 0] = 6.0
    where = found.apply(sample.x)
    for row, leaf in zip(sample.x, where, strict=True):
        assert [n for n in found.leaves if meets(found.conditions(n), row)] == [leaf]


def meets(conditions: list[Condition], row: np.ndarray) -> bool:
    """A leaf's conditions read as a marketer would."""
    for c in conditions:
        value = row[[f.name for f in FEATURES].index(c.feature)]
        if np.isnan(value):
            if not c.missing:
                return False
        elif c.op in ("in", "not_in"):
            level = (*COUNTRIES, "elsewhere")[int(value)]
            if (level in c.levels) != (c.op == "in"):
                return False
        elif (value <= c.threshold) != (c.op == "<="):
            return False
    return True


def test_a_stored_tree_with_categories_answers_as_before(found: Tree) -> None:
    read = Tree.from_json(json.loads(json.dumps(found.as_json())))
    x = shop(500, seed=5).x
    assert read.apply(x).tolist() == found.apply(x).tolist()
    data = found.as_json()
    data["subset"][0] = [99]
    with pytest.raises(ValueError, match="do not make a tree"):
        Tree.from_json(data)


def test_infinite_values_count_as_unknown_and_constant_columns_are_never_asked() -> None:
    sample = shop(2000, seed=1)
    x = np.column_stack(
        [sample.x, np.full(2000, 4.0), np.full(2000, np.nan), np.full(2000, np.inf)]
    )
    features = (*FEATURES, Feature("flat"), Feature("none", nullable=True), Feature("inf"))
    half = np.arange(2000) % 2 == 0
    wide = Sample(x, sample.label, sample.person)
    tree = trees.fit(
        structure=wide.take(half), judge=wide.take(~half), features=features, params=PARAMS
    )
    asked = {tree.features[int(tree.feature[i])].name for i in np.flatnonzero(tree.left != -1)}
    assert asked <= {"country", "days"}
    assert np.isfinite(tree.rate).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_whatever_it_is_given_leaves_are_big_enough_and_share_everyone(
    seed: int, depth: int
) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(40, 300))
    x = np.column_stack([rng.integers(0, 7, size), rng.integers(0, 4, size)]).astype(float)
    x[rng.random((size, 2)) < 0.2] = np.nan
    sample = Sample(x, rng.random(size) < 0.4, np.arange(size))
    params = Params(depth=depth, min_leaf=10)
    tree, share = growing.grow(sample, FEATURES, params)
    sizes = np.bincount(tree.apply(x), minlength=len(tree.left))
    assert sizes.sum() == size
    assert all(sizes[leaf] >= 10 for leaf in tree.leaves) or len(tree.left) == 1
    for _alpha, asked in growing.steps(tree, share):
        smaller = growing.cut_back(tree, asked)
        assert len(smaller.leaves) == asked.sum() + 1
        assert np.isin(smaller.apply(x), smaller.leaves).all()


def test_a_retrained_tree_says_which_groups_moved() -> None:
    old = trees.fit(
        structure=shop(3000, seed=1), judge=shop(3000, seed=2, first=9000),
        features=FEATURES, params=PARAMS,
    )  # fmt: skip
    judge = shop(3000, seed=2, first=9000)
    new = trees.fit(
        structure=shop(3000, seed=1), features=FEATURES, params=PARAMS,
        judge=Sample(judge.x, judge.label | (judge.x[:, 0] == 1.0), judge.person),
    )  # fmt: skip
    x = shop(2000, seed=8).x
    found = moving.between(old, new, old.apply(x), new.apply(x))
    assert {m.kind for m in found.moves} == {"same"}
    assert found.changed == 0.0
    assert found.gone == ()
    moved = [m for m in found.moves if m.moved]
    assert moved
    assert all(m.before is not None and m.after > m.before for m in moved)


def test_a_group_that_shares_few_people_with_any_other_is_new() -> None:
    sample, other = shop(3000, seed=1), shop(3000, seed=2, first=9000)
    old = trees.fit(structure=sample, judge=other, features=FEATURES, params=PARAMS)
    by_days = Sample(sample.x, sample.x[:, 1] < 25, sample.person)
    new = trees.fit(
        structure=by_days, judge=Sample(other.x, other.x[:, 1] < 25, other.person),
        features=FEATURES, params=Params(depth=1, min_leaf=60),
    )  # fmt: skip
    x = shop(2000, seed=8).x
    found = moving.between(old, new, old.apply(x), new.apply(x))
    assert {m.kind for m in found.moves} == {"new"}
    assert set(found.gone) == set(old.leaves)
    assert found.changed == 1.0


def test_the_difference_of_two_rates_is_newcombes() -> None:
    """56 of 70 less 48 of 80: the published interval is 0.0524 to 0.3339."""
    wilson = trees.judging.classify.wilson
    got = moving.newcombe(wilson(48, 80), wilson(56, 70))
    assert isinstance(got, Interval)
    assert (round(got.low, 4), round(got.high, 4)) == (0.0524, 0.3339)
    assert math.isclose(got.value, 0.2)
