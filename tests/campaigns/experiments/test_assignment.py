"""Who is held out is a stable hash, and the difference comes with an honest interval."""

import random

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from campaigns import experiments


@given(st.text(max_size=20), st.integers(1, 10**12), st.floats(0, 100))
def test_somebody_keeps_their_side_and_a_larger_holdout_keeps_everyone_of_a_smaller(
    key, unit, percent
):
    held = experiments.held_out(key=key, unit=unit, percent=percent)
    assert held == experiments.held_out(key=key, unit=unit, percent=percent)
    if held:
        assert experiments.held_out(key=key, unit=unit, percent=min(100, percent + 7))


def test_nobody_is_held_out_at_zero_and_everybody_at_a_hundred():
    assert not any(experiments.held_out(key="k", unit=n, percent=0) for n in range(500))
    assert all(experiments.held_out(key="k", unit=n, percent=100) for n in range(500))


def test_the_share_held_out_is_the_share_asked_for():
    held = sum(experiments.held_out(key="campaign:7", unit=n, percent=10) for n in range(20_000))
    assert 1_870 <= held <= 2_130


def test_two_campaigns_hold_out_different_people():
    first = {n for n in range(2_000) if experiments.held_out(key="campaign:1", unit=n, percent=10)}
    second = {n for n in range(2_000) if experiments.held_out(key="campaign:2", unit=n, percent=10)}
    assert len(first & second) < 60


@pytest.mark.django_db
def test_the_database_holds_out_the_very_same_people():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n FROM generate_series(1, 3000) AS n WHERE substr(md5(%s || ':' || n), 1, 8)"
            ' COLLATE "C" < %s',
            ["campaign:9", experiments.holdout_ceiling(12)],
        )
        held = {row[0] for row in cursor.fetchall()}
    assert held == {
        n for n in range(1, 3001) if experiments.held_out(key="campaign:9", unit=n, percent=12)
    }


def test_a_share_beyond_a_hundred_is_refused():
    with pytest.raises(ValueError, match="between 0 and 100"):
        experiments.holdout_ceiling(101)


def test_the_interval_is_the_one_published():
    # Newcombe 1998, table II, example (a) by method 10: 56/70 against 48/80.
    lift = experiments.difference(
        treated=70, treated_converted=56, control=80, control_converted=48
    )
    assert lift is not None
    assert round(lift.difference, 4) == 0.2
    assert (round(lift.low, 4), round(lift.high, 4)) == (0.0524, 0.3339)
    assert lift.proven


def test_no_effect_is_said_to_be_proven_from_nothing():
    assert (
        experiments.difference(treated=0, treated_converted=0, control=5, control_converted=1)
        is None
    )
    lift = experiments.difference(treated=9, treated_converted=1, control=1, control_converted=0)
    assert lift is not None
    assert not lift.proven


def test_more_conversions_than_people_are_refused():
    with pytest.raises(ValueError, match="conversions"):
        experiments.difference(treated=3, treated_converted=4, control=1, control_converted=0)


def test_the_interval_holds_its_level_for_small_rates_and_uneven_groups():
    draw = random.Random(5)
    inside = 0
    for _trial in range(400):
        a = sum(draw.random() < 0.05 for _ in range(900))
        b = sum(draw.random() < 0.03 for _ in range(100))
        lift = experiments.difference(
            treated=900, treated_converted=a, control=100, control_converted=b
        )
        assert lift is not None
        inside += lift.low <= 0.02 <= lift.high
    assert inside >= 372  # 93% of 400


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any), st.integers(1, 10**9))
def test_everybody_is_on_one_side_of_a_split_and_nobody_on_an_empty_one(weights, unit):
    found = experiments.side(key="k", unit=unit, ceilings=experiments.edges(weights))
    assert weights[found] > 0


def test_a_split_is_as_large_as_its_weights():
    ceilings = experiments.edges([2, 1, 1])
    counts = [0, 0, 0]
    for unit in range(20_000):
        counts[experiments.side(key="s", unit=unit, ceilings=ceilings)] += 1
    assert all(
        abs(n / 20_000 - want) < 0.012 for n, want in zip(counts, (0.5, 0.25, 0.25), strict=True)
    )


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_a_split_without_weights_is_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        experiments.edges(weights)
