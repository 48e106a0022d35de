"""Chances that mean what they say."""

import numpy as np
import pytest

from models_ml.algorithms.tabular import calibration, judging, splits
from models_ml.algorithms.tabular.calibration import Calibrator


def odds(n=6000, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.normal(-1, 1.5, n)
    return true, rng.random(n) < 1 / (1 + np.exp(-true)), splits.apart(rng.integers(0, 5, n))


def test_margins_that_are_right_are_left_alone():
    margin, y, apart = odds()
    found, _said = calibration.choose(margin, y, apart, "chance")
    assert found.kind == "plain"


def test_margins_twice_too_bold_are_made_modest():
    margin, y, apart = odds()
    found, said = calibration.choose(2 * margin + 1, y, apart, "chance")
    assert found.kind == "sigmoid"
    assert found.x[0] == pytest.approx(0.5, abs=0.05)
    assert judging.calibration_error(y, said) < 0.02


def test_margins_bent_out_of_shape_need_a_free_form():
    margin, y, apart = odds()
    found, said = calibration.choose(np.exp(2 * margin), y, apart, "chance")
    assert found.kind == "isotonic"
    assert judging.calibration_error(y, said) < 0.02


@pytest.mark.parametrize("kind", calibration.KINDS)
def test_nobody_changes_places(kind):
    margin, y, _ = odds()
    found = calibration.fit(kind, margin, y, "chance")
    line = np.linspace(-30, 30, 500)
    assert (np.diff(found.apply(line)) >= 0).all()
    assert found == Calibrator.from_json(found.as_json())


def test_no_chance_is_nought_or_one():
    for kind in calibration.KINDS:
        margin, y, _ = odds()
        said = calibration.fit(kind, margin, y, "chance").apply(np.array([-1e9, np.nan, 1e9]))
        assert ((said > 0) & (said < 1)).all()


def test_a_ranking_that_is_upside_down_gives_everybody_the_mean():
    margin, y, _ = odds()
    said = calibration.fit("sigmoid", -margin, y, "chance").apply(np.array([-3.0, 3.0]))
    np.testing.assert_allclose(said, y.mean())


def test_amounts_half_too_small_are_doubled():
    rng = np.random.default_rng(1)
    y = rng.gamma(2, 50, 3000)
    margin = y / 2 + rng.normal(0, 5, 3000)
    found, said = calibration.choose(margin, y, splits.apart(rng.integers(0, 5, 3000)), "amount")
    assert found.kind == "sigmoid"
    assert said.sum() == pytest.approx(y.sum(), rel=0.01)
