"""Selection rates and errors of groups, by hand."""

import numpy as np
import pandas as pd
import pytest

from models_ml.algorithms import fairness


def two_groups(first: int, second: int, people: int = 100) -> fairness.Fairness:
    chosen = np.zeros(2 * people, dtype=bool)
    chosen[:first] = True
    chosen[people : people + second] = True
    groups = pd.Series(["a"] * people + ["b"] * people)
    return fairness.judge(chosen=chosen, groups=groups, attribute="letter")


def test_a_group_chosen_less_than_four_fifths_as_often_is_flagged() -> None:
    found = two_groups(50, 39)
    by_name = {group.name: group for group in found.groups}
    assert by_name["b"].ratio == pytest.approx(0.78)
    assert by_name["b"].flagged
    assert not by_name["a"].flagged
    assert (found.ok, found.least) == (False, pytest.approx(0.78))
    assert by_name["b"].chosen.value == 0.39
    assert by_name["b"].chosen.low < 0.39 < by_name["b"].chosen.high


def test_four_fifths_itself_is_fine() -> None:
    assert two_groups(50, 40).ok


def test_a_group_too_small_to_tell_is_shown_and_not_flagged() -> None:
    chosen = np.r_[np.ones(60, dtype=bool), np.zeros(5, dtype=bool)]
    groups = pd.Series(["many"] * 60 + ["few"] * 5)
    found = fairness.judge(chosen=chosen, groups=groups, attribute="x")
    few = found.groups[1]
    assert (few.name, few.people, few.ratio, few.flagged) == ("few", 5, None, False)


def test_errors_of_each_group_are_counted_where_outcomes_are_known() -> None:
    chosen = np.array([1, 1, 0, 0] * 10, dtype=bool)
    came = np.array([1, 0, 1, 0] * 10, dtype=bool)
    found = fairness.judge(
        chosen=chosen, groups=pd.Series(["a"] * 40), attribute="x", came=came
    ).groups[0]
    assert (found.missed, found.bothered) == (0.5, 0.5)
    never = fairness.judge(
        chosen=chosen, groups=pd.Series(["a"] * 40), attribute="x", came=np.zeros(40, dtype=bool)
    ).groups[0]
    assert (never.missed, never.bothered) == (None, 0.5)


def test_unknown_values_are_a_group_and_rare_ones_are_joined() -> None:
    values = [None] * 30 + [""] * 30 + [f"v{n % 40}" for n in range(400)]
    found = fairness.judge(chosen=np.ones(460, dtype=bool), groups=pd.Series(values), attribute="x")
    names = {group.name: group.people for group in found.groups}
    assert names["unknown"] == 60
    assert sum(names.values()) == 460
    assert len(names) == fairness.MOST_GROUPS + 1
    assert fairness.judge(
        chosen=np.zeros(0, dtype=bool), groups=pd.Series([], dtype=object), attribute="x"
    ).ok


def test_nobody_chosen_is_unfair_to_nobody() -> None:
    found = fairness.judge(
        chosen=np.zeros(50, dtype=bool), groups=pd.Series(["a", "b"] * 25), attribute="x"
    )
    assert (found.ok, found.least) == (True, None)
