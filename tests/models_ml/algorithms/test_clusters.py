"""Groups are found where there are groups, and said not to be there where there are none."""

import numpy as np
import pytest

from models_ml.algorithms.clusters import choosing, finding, matching, reference, scaling
from models_ml.algorithms.clusters.choosing import NO_GAP, TOO_SMALL
from models_ml.algorithms.clusters.fitted import KMEANS, MIXTURE, Groups
from models_ml.algorithms.clusters.scaling import Scaler

NAMES = ("orders", "money")


def cloud(kind: str, people: int = 600) -> np.ndarray:
    chance = np.random.default_rng(5)
    if kind == "three":
        middles = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
        return middles[np.arange(people) % 3] + 0.5 * chance.normal(size=(people, 2))
    if kind == "even":
        return chance.uniform(-2, 2, size=(people, 2))
    if kind == "skewed":
        return np.clip(chance.exponential(size=(people, 2)), 0, 4)
    lengthwise = chance.normal(size=(people, 1))
    return np.hstack([lengthwise, lengthwise + 0.4 * chance.normal(size=(people, 1))])


@pytest.mark.parametrize("kind", [KMEANS, MIXTURE])
def test_three_groups_are_found_and_their_number_is_explained(kind: str) -> None:
    choice = choosing.choose(cloud("three"), kind=kind, seed=1, counts=(2, 3, 4))
    assert choice.count == 3
    two, three, _four = choice.tried
    assert three.stands
    assert not two.stands
    assert three.stability > 0.95
    assert three.silhouette > 0.6
    assert three.gap > 10 * three.gap_error
    if kind == MIXTURE:
        assert choice.one_bic is not None
        assert three.bic is not None
        assert three.bic < choice.one_bic


@pytest.mark.parametrize("shape", ["even", "skewed", "long"])
def test_one_group_of_any_shape_is_left_whole(shape: str) -> None:
    choice = choosing.choose(cloud(shape), kind=KMEANS, seed=1, counts=(2, 3, 4, 5))
    assert choice.count is None
    assert all(NO_GAP in one.against for one in choice.tried)


def test_a_number_somebody_insists_on_is_taken_only_if_it_stands() -> None:
    people = cloud("three")
    assert choosing.choose(people, kind=KMEANS, seed=1, counts=(2, 3), wanted=2).count is None
    assert choosing.choose(people, kind=KMEANS, seed=1, counts=(2, 3), wanted=3).count == 3


def test_groups_of_fewer_than_ten_people_are_none() -> None:
    choice = choosing.choose(cloud("three", 27), kind=KMEANS, seed=1)
    assert choice.count is None
    assert [one.count for one in choice.tried] == [2]
    few = cloud("three", 300)[:, :1].repeat(2, axis=1)
    few[:4] += 40
    alone = choosing.choose(few, kind=KMEANS, seed=1, counts=(2,))
    assert TOO_SMALL in alone.tried[0].against
    assert choosing.choose(np.zeros((15, 2)), kind=KMEANS, seed=1).tried == ()


def test_a_mixture_tells_the_chance_that_the_library_tells() -> None:
    from sklearn.mixture import GaussianMixture

    people = cloud("three")
    theirs = GaussianMixture(3, reg_covar=finding.THINNEST, random_state=4).fit(people)
    ours = finding.mixture(people, 3, seed=4)
    place, chance = ours.assign(people)
    assert (place == theirs.predict(people)).all()
    np.testing.assert_allclose(chance, theirs.predict_proba(people).max(axis=1), atol=1e-9)


def test_amounts_are_compared_by_their_logarithm_and_odd_values_are_tamed() -> None:
    x = np.array([[0.0, 0.0], [3.0, 10.0], [8.0, 20.0], [np.inf, 30.0], [np.nan, 1e9]])
    scaler, left = scaling.learn(x, NAMES, (True, False))
    assert left == []
    assert scaler.center.tolist() == [pytest.approx(np.log(4)), 20.0]
    z = scaler.apply(x)
    assert z[2, 1] == 0.0
    assert z[4, 1] == scaling.BOUND  # the odd one
    assert z[3, 0] == z[4, 0] == 0.0  # infinite and unknown count as the middle
    np.testing.assert_allclose(scaler.undo(z[:3]), x[:3], atol=1e-9)
    debts = Scaler(("money",), (True,), np.zeros(1), np.ones(1))
    assert debts.undo(debts.apply(np.array([[-9.0]]))).tolist() == [[pytest.approx(-9.0)]]


def test_facts_that_tell_nobody_apart_are_left_out_by_name() -> None:
    x = np.full((10, 4), np.nan)
    x[:, 1] = 7
    x[:4, 2] = range(4)
    x[:, 3] = [0] * 9 + [5]
    scaler, left = scaling.learn(x, ("nothing", "same", "rare", "spike"), (False,) * 4)
    assert scaler.names == ("spike",)
    assert [(one.name, one.why, one.known) for one in left] == [
        ("nothing", "unknown", 0.0),
        ("same", "same", 1.0),
        ("rare", "unknown", 0.4),
    ]


def test_the_one_hump_nearest_to_two_keeps_everybody() -> None:
    values = np.concatenate([np.full(50, 1.0), np.full(50, 3.0)])
    edges, shares = reference.one_hump(values)
    assert (edges[0], edges[-1]) == (1.0, 3.0)
    assert (shares[0], shares[-1]) == (0.0, pytest.approx(1.0))
    # One hump at an end, and the rest spread evenly up to the other.
    steps = np.diff(shares)
    assert max(steps[0], steps[-1]) == pytest.approx(0.5)
    assert np.ptp(steps[1:-1]) == pytest.approx(0)


def scaled(middles: list[list[float]], names: tuple[str, ...] = NAMES) -> tuple[Scaler, Groups]:
    width = len(names)
    scaler = Scaler(names, (False,) * width, np.zeros(width), np.ones(width))
    centers = np.array(middles, dtype=float)
    even = np.full(len(middles), 1 / len(middles))
    return scaler, Groups(KMEANS, centers, even, np.empty((0, 0, 0)))


def test_groups_go_on_under_their_number_where_their_middle_stayed_near() -> None:
    old = scaled([[0, 0], [4, 0], [0, 8]])
    found = matching.match(old, scaled([[0, 8.4], [0.4, 0], [40, 40]]))
    assert found.before == (2, 0, None)
    assert found.moved == (pytest.approx(0.05), pytest.approx(0.1), None)


def test_groups_are_compared_over_the_facts_that_both_know() -> None:
    old = scaled([[0, 0], [4, 0]])
    new = scaled([[4.1, 1], [0.1, 1]], names=("orders", "visits"))
    assert matching.match(old, new).before == (1, 0)
    strange = scaled([[1], [2]], names=("visits",))
    assert matching.match(old, strange).before == (None, None)
