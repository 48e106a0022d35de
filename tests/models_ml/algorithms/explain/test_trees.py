"""Shares of trees against Shapley's own sum over all subsets, and against what they sum to."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from models_ml.algorithms.explain.trees import Nodes, TreeShares


def by_all_subsets(nodes: Nodes, row: np.ndarray, single: bool) -> np.ndarray:
    """Shapley's sum, with the cover of training rows for whatever is not in the subset."""
    roots = set(range(nodes.size)) - set(nodes.left.tolist()) - set(nodes.right.tolist())

    def value(node: int, known: frozenset[int]) -> float:
        if nodes.left[node] < 0:
            return float(nodes.value[node])
        left, right = int(nodes.left[node]), int(nodes.right[node])
        column = int(nodes.feature[node])
        if column in known:
            x = row[column]
            asked = np.float32(x) if single else x
            if np.isnan(x):
                goes = bool(nodes.missing_left[node])
            elif node in nodes.categories:
                goes = x in nodes.categories[node]
            else:
                goes = bool(asked <= nodes.threshold[node])
            return value(left if goes else right, known)
        cover = nodes.cover
        both = cover[left] * value(left, known) + cover[right] * value(right, known)
        return float(both / cover[node])

    width = len(row)
    whole = {
        frozenset(some): sum(value(root, frozenset(some)) for root in roots)
        for size in range(width + 1)
        for some in itertools.combinations(range(width), size)
    }
    out = np.zeros(width)
    for column in range(width):
        for some, without in whole.items():
            if column in some:
                continue
            weight = (
                math.factorial(len(some))
                * math.factorial(width - len(some) - 1)
                / math.factorial(width)
            )
            out[column] += weight * (whole[some | {column}] - without)
    return out


def table(seed: int, rows: int = 400, columns: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)).round(1)
    x[rng.random(x.shape) < 0.1] = np.nan
    known = np.nan_to_num(x)
    y = known[:, 0] + known[:, 1] * known[:, 2] + (known[:, 3] > 0.5) + rng.normal(size=rows)
    return x, y


KINDS: list[tuple[str, Any, bool]] = [
    ("tree for a chance", DecisionTreeClassifier(max_depth=5, random_state=1), True),
    ("tree for an amount", DecisionTreeRegressor(max_depth=6, random_state=1), False),
    ("forest for a chance", RandomForestClassifier(5, max_depth=4, random_state=1), True),
    ("forest for an amount", RandomForestRegressor(5, max_depth=4, random_state=1), False),
    ("boosting for a chance", HistGradientBoostingClassifier(max_iter=6, random_state=1), True),
    ("boosting for an amount", HistGradientBoostingRegressor(max_iter=6, random_state=1), False),
]


@pytest.mark.parametrize(("_name", "estimator", "chance"), KINDS, ids=[k[0] for k in KINDS])
def test_shares_are_shapleys_and_sum_to_the_answer(
    _name: str, estimator: Any, chance: bool
) -> None:
    x, y = table(3)
    estimator.fit(x, (y > 0.4).astype(int) if chance else y)
    explained = TreeShares.of(estimator)
    base, shares = explained.contributions(x[:40])
    if not chance:
        said = estimator.predict(x[:40])
    elif hasattr(estimator, "decision_function"):
        said = estimator.decision_function(x[:40])
    else:
        said = estimator.predict_proba(x[:40])[:, 1]
    np.testing.assert_allclose(base + shares.sum(axis=1), said, atol=1e-10)
    for row in range(3):
        expected = by_all_subsets(explained.nodes, x[row], explained.read.single)
        np.testing.assert_allclose(shares[row], expected, atol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(2, 7))
def test_any_small_tree_is_shared_out_as_shapley_says(seed: int, columns: int, depth: int) -> None:
    x, _ = table(seed, rows=60, columns=max(columns, 4))
    x = x[:, :columns]
    y = np.random.default_rng(seed).normal(size=len(x))
    tree = DecisionTreeRegressor(max_depth=depth, random_state=seed).fit(x, y)
    explained = TreeShares.of(tree)
    base, shares = explained.contributions(x[:2])
    np.testing.assert_allclose(base + shares.sum(axis=1), tree.predict(x[:2]), atol=1e-9)
    np.testing.assert_allclose(shares[0], by_all_subsets(explained.nodes, x[0], True), atol=1e-9)


def test_categories_are_shared_out_wherever_their_column_stands() -> None:
    rng = np.random.default_rng(5)
    x = np.column_stack([rng.normal(size=600), rng.integers(0, 6, 600), rng.normal(size=600)])
    y = x[:, 0] + np.isin(x[:, 1], [1, 4]) * 2
    model = HistGradientBoostingRegressor(categorical_features=[1], max_iter=20).fit(x, y)
    base, shares = TreeShares.of(model).contributions(x[:50])
    np.testing.assert_allclose(base + shares.sum(axis=1), model.predict(x[:50]), atol=1e-9)
    assert np.abs(shares[:, 1]).mean() > 10 * np.abs(shares[:, 2]).mean()


def test_a_tree_that_asks_nothing_gives_everyone_its_base() -> None:
    tree = DecisionTreeRegressor().fit(np.zeros((10, 2)), np.full(10, 3.0))
    base, shares = TreeShares.of(tree).contributions(np.zeros((4, 2)))
    assert base == 3.0
    assert shares.tolist() == [[0.0, 0.0]] * 4


def test_a_column_that_no_tree_asks_about_gets_nothing() -> None:
    x, y = table(9)
    x[:, 4] = 1.0
    _, shares = TreeShares.of(
        RandomForestRegressor(10, max_depth=4, random_state=0).fit(x, y)
    ).contributions(x)
    assert not shares[:, 4].any()


def test_three_classes_are_refused() -> None:
    x, y = table(2)
    labels = np.digitize(y, [0, 1])
    with pytest.raises(TypeError, match="two classes"):
        TreeShares.of(DecisionTreeClassifier(max_depth=3).fit(x, labels))
    with pytest.raises(TypeError, match="two classes"):
        TreeShares.of(HistGradientBoostingClassifier(max_iter=3).fit(x, labels))
