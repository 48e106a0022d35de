"""The budget goes where it is worth most, and the bound tells how much better it could be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import Bounds, LinearConstraint, milp

from recommendations.offers.allocation import allocate

CENTS = st.integers(-5, 60).map(lambda n: n / 2)


def best(worth, cost, budget):
    """The optimum by an exact solver."""
    n, k = worth.shape
    each = np.kron(np.eye(n), np.ones(k))
    found = milp(
        -np.maximum(worth, 0).ravel(),
        constraints=[LinearConstraint(each, ub=1), LinearConstraint(cost.ravel()[None], ub=budget)],
        integrality=np.ones(n * k),
        bounds=Bounds(0, np.where(worth.ravel() > 0, 1, 0)),
    )
    return -found.fun


@given(
    arrays(float, (5, 3), elements=CENTS),
    arrays(float, (5, 3), elements=st.integers(0, 20).map(float)),
    st.integers(0, 60),
)
def test_no_choice_within_the_budget_beats_the_bound_and_ours_keeps_the_budget(worth, cost, budget):
    chosen = allocate(worth, cost, budget=budget)
    who = np.nonzero(chosen.offer >= 0)[0]
    assert chosen.cost == pytest.approx(cost[who, chosen.offer[who]].sum())
    assert chosen.worth == pytest.approx(worth[who, chosen.offer[who]].sum())
    assert chosen.cost <= budget + 1e-6
    assert (worth[who, chosen.offer[who]] > 0).all()
    optimum = best(worth, cost, budget)
    assert chosen.worth <= optimum + 1e-6 <= chosen.bound + 2e-6
    # Short of it by no more than the one step that did not fit.
    assert chosen.bound - chosen.worth <= max(worth.max(), 0.0) + 1e-6


def test_money_goes_first_to_whom_it_is_worth_most_per_cost():
    worth = np.array([[10.0, 12.0], [9.0, -np.inf], [4.0, 30.0]])
    cost = np.array([[2.0, 6.0], [3.0, 1.0], [4.0, 10.0]])
    chosen = allocate(worth, cost, budget=15.0)
    assert chosen.offer.tolist() == [0, 0, 1]
    assert (chosen.worth, chosen.cost) == (49.0, 15.0)
    assert chosen.gap == 0.0


def test_money_enough_for_everybody_has_no_price_and_no_gap():
    chosen = allocate(np.array([[3.0, 5.0], [-1.0, 0.0]]), np.ones((2, 2)), budget=99.0)
    assert chosen.offer.tolist() == [1, -1]
    assert (chosen.price, chosen.gap) == (0.0, 0.0)


def test_costs_below_zero_are_refused():
    with pytest.raises(ValueError, match="0 or more"):
        allocate(np.array([[3.0]]), np.array([[-1.0]]), budget=1.0)
