"""Answers still to come: told right from the few that had the time to be slow."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.ads import delays
from campaigns.ads.delays import Delays


def test_without_an_answer_every_try_counts_whole():
    assert delays.learn([]).share(0.1) == 1
    assert delays.ripe([(0.0, 10), (5.0, 2)], Delays()) == 12


def test_slow_answers_are_not_forgotten_because_they_are_still_to_come():
    rng = random.Random(5)
    seen = []
    for _try in range(20_000):
        age = rng.random() * 48
        delay = rng.expovariate(1 / 12)
        if delay <= age:
            seen.append((round(delay, 1), age, 1))
    found = delays.learn(seen)
    naive = sum(1 for d, _a, _n in seen if d <= 12) / len(seen)
    # Of those that answer within 48 hours: 1 - e^-1 over 1 - e^-4.
    assert found.share(12) == pytest.approx(0.6440, abs=0.02)
    assert naive > 0.70


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 200), st.integers(1, 5)), min_size=1, max_size=40
    )
)
def test_the_share_grows_to_one_and_never_falls(seen):
    found = delays.learn(seen)
    shares = [found.share(age) for age in (0, 1, 5, 20, 50, 100, 1_000)]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert shares[0] >= 0


def test_young_tries_are_worth_the_share_that_has_come():
    half = Delays([1.0, 24.0], [0.5, 1.0])
    assert delays.ripe([(0.5, 100), (2.0, 100), (30.0, 100)], half) == 150
