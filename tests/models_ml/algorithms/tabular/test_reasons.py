"""Reasons of every kind of model sum to what it says."""

import numpy as np
import pytest

from models_ml.algorithms.tabular import calibration, shapley
from models_ml.algorithms.tabular.blend import BlendModel
from models_ml.algorithms.tabular.families import CANDIDATES
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Schema
from tests.models_ml.algorithms.tabular.frames import amounts, people

SETTINGS = {
    "linear": {"bends": 4, "strength": 0.3},
    "tree": {"leaves": 8, "least": 10},
    "forest": {"trees": 10, "least": 10},
    "boosting": {"leaves": 4, "rate": 0.1, "least": 10, "l2": 1.0, "trees": 20},
    "network": {"epochs": 3},
}


def fitted(name: str, frame, task: str, kind: str = "isotonic") -> Fitted:
    schema = Schema.of(frame.x)
    table = schema.read(frame.x)

    def fit(one):
        candidate = CANDIDATES[one]
        return candidate.fit(table, frame.y, task=task, seed=1, setting=SETTINGS[one])

    if name == "blend":
        model = BlendModel((fit("linear"), fit("boosting")), (0.4, 0.6))
    else:
        model = fit(name)
    calibrator = calibration.fit(kind, model.margin(table), frame.y, task)
    return Fitted(name, task, schema, model, calibrator)


@pytest.mark.parametrize("task", ["chance", "amount"])
@pytest.mark.parametrize("name", [*SETTINGS, "blend"])
def test_base_and_reasons_sum_to_the_answer(name, task):
    made = people if task == "chance" else amounts
    model = fitted(name, made(seed=1), task)
    x = made(50, seed=2).x
    base, shares = model.contributions(x)
    assert shares.shape == (50, len(model.columns))
    np.testing.assert_allclose(base + shares.sum(axis=1), model.predict(x), atol=1e-8)
    if task == "chance":
        assert 0 < base < 1


@pytest.mark.parametrize("name", ["linear", "boosting", "forest", "network"])
def test_the_column_that_matters_most_has_the_largest_shares(name):
    model = fitted(name, amounts(seed=1), "amount", "plain")
    _, shares = model.contributions(amounts(100, seed=2).x)
    size = dict(zip(model.columns, np.abs(shares).mean(axis=0), strict=True))
    assert size["spent"] > size["noise"]


def test_linear_reasons_are_coefficient_times_distance_from_the_mean():
    frame = amounts(seed=1)
    model = fitted("linear", frame, "amount", "plain")
    base, shares = model.contributions(frame.x)
    assert base == pytest.approx(frame.y.mean())
    np.testing.assert_allclose(shares.mean(axis=0), 0, atol=1e-8)


def test_sampled_reasons_of_a_sum_are_exact_and_say_their_error():
    weight = np.array([2.0, -1.0, 0.5])
    x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]])
    owner = np.array([0, 1, 1])

    def ask(rows):
        return rows @ weight + 7

    base, shares = shapley.sample(ask, x, np.zeros(3), owner, 2, orders=4)
    assert base == 7
    np.testing.assert_allclose(shares, [[2.0, -0.5], [0.0, 0.5]])
    np.testing.assert_allclose(
        shapley.errors(ask, x, np.zeros(3), owner, 2, orders=4), 0, atol=1e-12
    )


def test_sampled_reasons_share_a_product_in_halves():
    base, shares = shapley.sample(
        lambda rows: rows[:, 0] * rows[:, 1],
        np.array([[2.0, 3.0]]),
        np.zeros(2),
        np.array([0, 1]),
        2,
        orders=4,
    )
    assert base == 0
    np.testing.assert_allclose(shares, [[3.0, 3.0]])
