"""Selection rates and errors of groups, by hand."""

import numpy as np
import pandas as pd
import pytest

from models_ml.algorithms import fairness, fourfifths
from models_ml.algorithms.fourfifths import Judged, Tally


def beside(people: int, best: int, other: int) -> Judged:
    """The second of two groups of so many people, `best` and `other` of whom were chosen."""
    found = fourfifths.judge([Tally("a", people, best), Tally("b", people, other)])
    assert (found[0].name, found[0].state, found[0].ratio) == ("a", "most", 1.0)
    return found[1]


def test_a_group_surely_chosen_less_than_four_fifths_as_often_is_flagged() -> None:
    found = beside(1000, 500, 350)
    assert (found.state, found.flagged, found.ratio) == ("low", True, pytest.approx(0.7))
    # By hand: Wilson 0.4691 to 0.5309 and 0.3211 to 0.3801, joined as Donner and Zou do.
    assert found.ratio_low == pytest.approx(0.6302, abs=1e-4)
    assert found.ratio_high == pytest.approx(0.7770, abs=1e-4)


def test_a_ratio_that_chance_explains_is_too_few_people_and_one_it_hardly_does_is_likely() -> None:
    found = [beside(n, n // 2, 39 * n // 100) for n in (100, 1000, 10_000, 20_000)]
    assert [one.state for one in found] == ["few", "few", "maybe", "low"]
    assert [one.flagged for one in found] == [False, False, True, True]


def test_four_fifths_itself_is_fine_and_nobody_of_a_large_group_is_not() -> None:
    assert beside(100, 50, 40).state == "fine"
    never = beside(100, 50, 0)
    assert (never.state, never.ratio, never.ratio_low) == ("low", 0.0, 0.0)


def test_a_group_too_small_to_tell_is_shown_and_neither_flagged_nor_the_measure() -> None:
    found = fourfifths.judge(
        [Tally("many", 600, 60), Tally("few", 19, 0), Tally("lucky", 19, 19), Tally("", 0, 0)]
    )
    assert [(one.name, one.state) for one in found] == [
        ("many", "most"),
        ("few", "few"),
        ("lucky", "few"),
    ]


def test_more_groups_make_the_interval_wider_as_the_best_was_picked_by_looking() -> None:
    two = beside(200, 100, 70)
    five = fourfifths.judge(
        [Tally("a", 200, 100), Tally("b", 200, 70), *(Tally(c, 200, 99) for c in "cde")]
    )
    wider = next(one for one in five if one.name == "b")
    assert two.ratio_high is not None
    assert wider.ratio_high is not None
    assert wider.ratio_high > two.ratio_high


def test_equal_groups_are_seldom_flagged_and_the_interval_holds_what_it_promises() -> None:
    rng = np.random.default_rng(1)
    flagged = held = 0
    for _draw in range(1000):
        sizes = rng.integers(50, 200, 5)
        found = fourfifths.judge(
            Tally(f"g{n}", int(size), int(rng.binomial(size, 0.3))) for n, size in enumerate(sizes)
        )
        flagged += any(one.state == "low" for one in found)
        pair = Tally("a", 200, int(rng.binomial(200, 0.3))), Tally("b", 200, 80)
        low, high = fourfifths._between(pair[0], pair[1], 1.96)
        held += low <= 0.75 <= high
    assert flagged <= 20
    assert held >= 960  # of the two rates only one is drawn here, so it holds oftener than 95%


def test_unknown_values_stand_apart_and_rare_ones_are_told_together() -> None:
    values = [None] * 30 + [""] * 30 + [f"v{n % 40}" for n in range(400)]
    chosen = np.ones(460, dtype=bool)
    found = fairness.judge(chosen=chosen, groups=pd.Series(values), attribute="x").groups
    people = {group.judged.name: group.judged.people for group in found}
    states = {group.judged.name: group.judged.state for group in found}
    assert (people["unknown"], states["unknown"]) == (60, "apart")
    assert (people["others"], states["others"]) == (200, "apart")
    assert (sum(people.values()), len(people)) == (460, fourfifths.MOST_GROUPS + 2)
    none = pd.Series([], dtype=object)
    assert fairness.judge(chosen=np.zeros(0, dtype=bool), groups=none, attribute="x").ok


def test_nobody_chosen_is_unfair_to_nobody() -> None:
    found = fairness.judge(
        chosen=np.zeros(50, dtype=bool), groups=pd.Series(["a", "b"] * 25), attribute="x"
    )
    assert (found.ok, {group.judged.ratio for group in found.groups}) == (True, {None})


def test_errors_of_each_group_are_counted_where_outcomes_are_known() -> None:
    chosen = np.array([1, 1, 0, 0] * 10, dtype=bool)
    came = np.array([1, 0, 1, 0] * 10, dtype=bool)
    one = pd.Series(["a"] * 40)
    found = fairness.judge(chosen=chosen, groups=one, attribute="x", came=came).groups[0]
    assert (found.missed, found.bothered) == (0.5, 0.5)
    nobody = np.zeros(40, dtype=bool)
    never = fairness.judge(chosen=chosen, groups=one, attribute="x", came=nobody).groups[0]
    assert (never.missed, never.bothered) == (None, 0.5)
    assert never.as_json()["rate"] == 0.5
