"""The tree finds planted truth, tells honest rates, and reads back as it was written."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.algorithms import tree as trees
from models_ml.algorithms.tree import Condition, Feature, Params, Sample, Tree

FEATURES = (Feature("days"), Feature("spent", 2), Feature("gap", 1, nullable=True))


def shop(people: int, *, seed: int, first: int = 0, noise: bool = False) -> Sample:
    """People whose truth we chose: 0.8 within 30 days; else 0.5 over 100 spent; else 0.15."""
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 120, people).astype(float)
    spent = np.round(rng.gamma(2, 60, people), 2)
    gap = np.where(rng.random(people) < 0.3, np.nan, np.round(rng.gamma(3, 10, people), 1))
    chance = np.where(days <= 30, 0.8, np.where(spent > 100, 0.5, 0.15))
    if noise:
        chance = np.full(people, 0.4)
    x = np.column_stack([days, spent, gap])
    return Sample(x, rng.random(people) < chance, np.arange(first, first + people, dtype=np.int64))


@pytest.fixture(scope="module")
def found() -> Tree:
    return trees.fit(
        structure=shop(4000, seed=1), judge=shop(4000, seed=2, first=10_000),
        features=FEATURES, params=Params(depth=3),
    )  # fmt: skip


def test_the_planted_groups_are_found_with_their_rates(found: Tree) -> None:
    x = np.array([[10.0, 50.0, 5.0], [60.0, 150.0, np.nan], [60.0, 50.0, 20.0]])
    assert np.abs(found.rate[found.apply(x)] - [0.8, 0.5, 0.15]).max() < 0.06
    first = found.features[int(found.feature[0])].name
    assert first == "days"
    assert 28 <= found.threshold[0] <= 32


def test_rates_come_only_from_people_the_questions_never_saw() -> None:
    structure, judge = shop(3000, seed=1), shop(3000, seed=2, first=10_000)
    flipped = Sample(judge.x, ~judge.label, judge.person)
    params = Params(depth=3)
    one = trees.fit(structure=structure, judge=judge, features=FEATURES, params=params)
    two = trees.fit(structure=structure, judge=flipped, features=FEATURES, params=params)
    assert one.threshold.tolist() == two.threshold.tolist()
    assert (one.yes + two.yes).tolist() == one.people.tolist()
    assert one.people[0] == 3000


def test_somebody_in_both_halves_is_refused() -> None:
    sample = shop(500, seed=1)
    with pytest.raises(ValueError, match="both in the structure"):
        trees.fit(structure=sample, judge=sample, features=FEATURES, params=Params())


def test_one_answer_only_is_refused() -> None:
    judge = shop(500, seed=1, first=1000)
    everyone = Sample(judge.x, np.ones(500, bool), judge.person)
    with pytest.raises(ValueError, match="people who did and people who did not"):
        trees.fit(structure=shop(500, seed=2), judge=everyone, features=FEATURES, params=Params())


def test_where_nothing_can_be_learned_the_verdict_is_not_better() -> None:
    structure = shop(3000, seed=3, noise=True)
    judge = shop(3000, seed=4, first=10_000, noise=True)
    params = Params(depth=4)
    tree = trees.fit(structure=structure, judge=judge, features=FEATURES, params=params)
    verdict = trees.assess(tree, judge, judge.x[:, 0], params)
    assert not verdict.better
    assert 0.45 < verdict.auc < 0.55


def test_where_there_is_truth_the_verdict_is_better_than_recency(found: Tree) -> None:
    judge = shop(4000, seed=2, first=10_000)
    verdict = trees.assess(found, judge, judge.x[:, 0], Params(depth=3))
    assert verdict.better
    assert verdict.gain.low > 0
    assert verdict.log_loss < verdict.log_loss_base


def test_every_leaf_has_enough_people_on_both_sides(found: Tree) -> None:
    structure = shop(4000, seed=1)
    sizes = np.bincount(found.apply(structure.x), minlength=len(found.left))
    assert min(sizes[leaf] for leaf in found.leaves) >= 100
    assert min(int(found.people[leaf]) for leaf in found.leaves) >= 50


def test_thresholds_have_the_precision_of_the_stored_column(found: Tree) -> None:
    for i in np.flatnonzero(found.left != trees.LEAF):
        decimals = found.features[int(found.feature[i])].decimals
        assert round(float(found.threshold[i]), decimals) == found.threshold[i]


def meets(conditions: list[Condition], row: np.ndarray) -> bool:
    """A leaf's conditions read as a marketer would."""
    names = [f.name for f in FEATURES]
    answers: dict[str, bool] = {}
    for c in conditions:
        value = row[names.index(c.feature)]
        if np.isnan(value):
            ok = c.missing
        else:
            ok = value <= c.threshold if c.op == "<=" else value > c.threshold
        answers[c.feature] = answers.get(c.feature, True) and ok
    return all(answers.values())


def test_the_conditions_of_leaves_share_everybody_out_as_the_tree_does(found: Tree) -> None:
    sample = shop(500, seed=9)
    where = found.apply(sample.x)
    for row, leaf in zip(sample.x, where, strict=True):
        assert [n for n in found.leaves if meets(found.conditions(n), row)] == [leaf]


def test_a_stored_tree_answers_as_before(found: Tree) -> None:
    read = Tree.from_json(json.loads(json.dumps(found.as_json())))
    x = shop(1000, seed=5).x
    assert read.apply(x).tolist() == found.apply(x).tolist()
    assert read.rate.tolist() == found.rate.tolist()
    assert read.features == found.features


@pytest.mark.parametrize(
    ("name", "value"), [("left", 0), ("right", 99), ("feature", 7), ("threshold", float("nan"))]
)
def test_a_damaged_tree_is_refused(found: Tree, name: str, value: float) -> None:
    data = found.as_json()
    data[name] = [value, *data[name][1:]]
    with pytest.raises(ValueError, match="do not make a tree"):
        Tree.from_json(data)


@given(st.lists(st.integers(1, 2**62), min_size=1, max_size=50), st.integers(0, 2**31))
def test_a_person_is_always_in_the_same_half(people: list[int], seed: int) -> None:
    ids = np.array(people, dtype=np.int64)
    whole = trees.halves(ids, seed)
    assert [bool(trees.halves(ids[i : i + 1], seed)[0]) for i in range(len(ids))] == whole.tolist()


def test_the_halves_are_halves() -> None:
    assert abs(trees.halves(np.arange(20_000, dtype=np.int64), 7).mean() - 0.5) < 0.02


def test_the_same_seed_gives_the_same_tree(found: Tree) -> None:
    again = trees.fit(
        structure=shop(4000, seed=1), judge=shop(4000, seed=2, first=10_000),
        features=FEATURES, params=Params(depth=3),
    )  # fmt: skip
    assert again.as_json() == found.as_json()
