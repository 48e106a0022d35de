"""Unlike the rest: the forest is scikit-learn's, its reasons sum, halves must agree."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from models_ml.algorithms import unusual
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.unusual import Forest, Oddness

RNG = np.random.default_rng(4)
PEOPLE = np.exp(RNG.normal(size=(900, 6)) @ (np.eye(6) + 0.3) * 0.7)
HALF = np.arange(900) % 2 == 0


def test_the_forest_is_that_of_scikit_learn_and_its_shares_sum_exactly() -> None:
    ours = Forest.fit(PEOPLE, seed=9)
    rows = np.arcsinh(ours.scaling.apply(PEOPLE))
    theirs = IsolationForest(n_estimators=200, max_samples=256, random_state=9).fit(rows)
    np.testing.assert_allclose(ours.degree(PEOPLE), -theirs.score_samples(rows), atol=1e-12)
    found = Oddness.fit(PEOPLE, seed=9)
    usual, shares = found.reasons(PEOPLE[:50])
    np.testing.assert_allclose(usual + shares.sum(axis=1), found.degree(PEOPLE[:50]), atol=1e-9)


def test_planted_people_stand_out_with_the_facts_that_were_planted(tmp_path: Path) -> None:
    outcome = unusual.run(PEOPLE, HALF, seed=2)
    assert outcome.code == "better"
    assert outcome.agreement > 0.9
    odd = np.median(PEOPLE, axis=0, keepdims=True).repeat(2, axis=0)
    odd[0, 3] = 40 * PEOPLE[:, 3].max()
    odd[1, [0, 4]] = np.quantile(PEOPLE[:, [0, 4]], 0.995, axis=0)
    degree = outcome.fitted.degree(odd)
    assert (degree > 0.9).all()
    _usual, shares = outcome.fitted.reasons(odd)
    assert np.argmax(shares[0]) == 3
    assert set(np.argsort(-shares[1])[:2]) == {0, 4}
    outcome.fitted.save(tmp_path)
    np.testing.assert_array_equal(
        Oddness.load(tmp_path).degree(PEOPLE), outcome.fitted.degree(PEOPLE)
    )


def test_halves_that_disagree_are_refused() -> None:
    apart = RNG.normal(size=(300, 5)) + 6.0 * (np.arange(300) % 2)[:, None]
    outcome = unusual.run(apart, np.arange(300) % 2 == 0, seed=1)
    assert outcome.agreement < 0
    assert outcome.code == "unstable"


def test_missing_and_infinite_numbers_are_usual_and_finite() -> None:
    holes = PEOPLE.copy()
    holes[:300, 0], holes[5, 1] = np.nan, np.inf
    found = Oddness.fit(holes, seed=1).degree(holes)
    assert np.isfinite(found).all()
    assert found[5] > 0.9


@pytest.mark.parametrize(
    ("rows", "columns", "code"), [(60, 5, "too_few_people"), (200, 1, "no_columns")]
)
def test_too_little_is_refused(rows: int, columns: int, code: str) -> None:
    with pytest.raises(Unfit) as unfit:
        unusual.run(RNG.normal(size=(rows, columns)), np.arange(rows) % 2 == 0, seed=1)
    assert unfit.value.code == code
