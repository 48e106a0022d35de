"""Shares that follow the answers: floors hold, caps hold, and doubt shrinks where people answer."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments import assignment, bandits
from campaigns.experiments.linear import Linear, capped, choose, choose_within
from campaigns.experiments.winners import Arm

ARMS = st.dictionaries(
    st.sampled_from("abcde"),
    st.tuples(st.integers(0, 5_000), st.floats(0, 1)).map(
        lambda pair: Arm(pair[0], int(pair[0] * pair[1]))
    ),
    min_size=1,
)


@given(ARMS, st.floats(0, 0.5))
def test_shares_add_up_and_none_falls_below_the_floor(arms, floor):
    shares = bandits.thompson(arms, floor=floor)
    assert math.isclose(sum(shares.values()), 1)
    assert min(shares.values()) >= min(floor, 1 / len(arms)) - 1e-9


def test_before_anybody_answered_all_shares_are_equal():
    shares = bandits.thompson({"a": Arm(0, 0), "b": Arm(0, 0), "c": Arm(0, 0)})
    assert all(math.isclose(share, 1 / 3) for share in shares.values())


MOST = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 1_000))


@given(ARMS, MOST, st.integers(1, 1_000))
def test_no_arm_gets_more_than_it_may_and_nobody_goes_without_while_one_may(arms, most, people):
    shares = bandits.thompson(arms)
    found = bandits.dealt(shares, people=people, most=most)
    assert all(0 <= found[arm] <= most.get(arm, people) for arm in shares)
    room = sum(most.get(arm, people) for arm in shares)
    assert sum(found.values()) == min(people, room)
    parts = bandits.capped(shares, people=people, most=most)
    assert sum(parts.values()) <= 1 + 1e-9
    assert all(abs(found[arm] - parts[arm] * people) <= len(arms) for arm in shares)
    if not set(most) & set(shares):
        assert parts == shares


def test_what_is_beyond_one_arm_goes_to_the_others_by_their_shares():
    shares = {"a": 0.6, "b": 0.3, "c": 0.1}
    found = bandits.capped(shares, people=100, most={"a": 20})
    assert found == pytest.approx({"a": 0.2, "b": 0.6, "c": 0.2})
    assert bandits.dealt(shares, people=101, most={"a": 20}) == {"a": 20, "b": 61, "c": 20}


def test_what_a_winner_leaves_over_goes_by_the_other_shares():
    won = {"a": 1.0, "b": 0.0, "c": 0.0}
    fixed = {"a": 0.5, "b": 0.4, "c": 0.1}
    found = bandits.dealt(won, people=100, most={"a": 50, "b": 30}, otherwise=fixed)
    assert found == {"a": 50, "b": 30, "c": 20}
    assert bandits.dealt(won, people=100, most={"a": 50}) == {"a": 50, "b": 0, "c": 0}


@given(st.integers(1, 400), st.lists(st.integers(0, 400), min_size=3, max_size=3), st.integers())
def test_chosen_for_each_person_no_arm_gets_more_than_it_may(people, most, seed):
    draw = np.random.default_rng(abs(seed))
    chances = draw.dirichlet((0.3, 0.3, 0.3), people)
    uniform = draw.random(people)
    arm, had = choose_within(chances, most=np.array(most, float), uniform=uniform)
    counts = np.bincount(arm, minlength=4)
    assert (counts[:3] <= most).all()
    assert counts[3] == max(people - sum(most), 0)
    assert ((had > 0) == (arm < 3)).all()
    free, same = choose_within(chances, most=np.full(3, np.inf), uniform=uniform)
    assert (free == choose(chances, uniform=uniform)).all()
    assert np.array_equal(same, chances[np.arange(people), free])


def test_chances_under_a_limit_go_to_each_persons_other_arms():
    chances = np.array([[0.8, 0.2, 0.0], [0.4, 0.3, 0.3]])
    found = capped(chances, most=np.array([0.6, np.inf, np.inf]))
    assert np.allclose(found, [[0.4, 0.6, 0.0], [0.2, 0.4, 0.4]])


def test_following_the_answers_loses_less_than_fixed_shares():
    """Twenty rounds of a thousand, three mails of known rates: less than half is lost."""
    truths = {"a": 0.02, "b": 0.03, "c": 0.05}
    draw = np.random.default_rng(3)
    lost = []
    for _trial in range(20):
        arms = {name: Arm(0, 0) for name in truths}
        so_far = 0.0
        for _round in range(20):
            shares = bandits.thompson(arms, floor=0.02)
            so_far += 1_000 * bandits.regret(list(shares.values()), list(truths.values()))
            for name, share in shares.items():
                n = round(1_000 * share)
                arms[name] = Arm(
                    arms[name].n + n, arms[name].converted + draw.binomial(n, truths[name])
                )
        lost.append(so_far)
    fixed = 20_000 * bandits.regret([1 / 3] * 3, list(truths.values()))
    assert np.mean(lost) < 0.3 * fixed


def _people(n: int, seed: int) -> np.ndarray:
    return np.column_stack([np.ones(n), np.random.default_rng(seed).standard_normal((n, 2))])


TRUTH = {"early": np.array([0.3, 0.2, 0.0]), "late": np.array([0.3, -0.2, 0.1])}


def _answers(x: np.ndarray, arm: np.ndarray, seed: int) -> np.ndarray:
    means = np.column_stack([x @ weights for weights in TRUTH.values()])
    noise = np.random.default_rng(seed).normal(0, 0.3, len(x))
    return means[np.arange(len(x)), arm] + noise


@pytest.mark.parametrize("way", ["ucb", "thompson"])
def test_a_contextual_bandit_learns_whom_each_arm_suits(way):
    learner = Linear(arms=("early", "late"), size=3, alpha=0.3)
    names = np.array(learner.arms)
    for turn in range(15):
        x = _people(400, turn)
        chances = (
            learner.ucb(x, floor=0.05)
            if way == "ucb"
            else learner.thompson(x, floor=0.05, seed=turn, draws=40)
        )
        assert np.allclose(chances.sum(axis=1), 1)
        assert chances.min() >= 0.05 - 1e-12
        arm = choose(chances, uniform=np.random.default_rng(100 + turn).random(400))
        learner.learn(x=x, arm=names[arm], reward=_answers(x, arm, turn))
    x = _people(5_000, 99)
    truth = np.column_stack([x @ weights for weights in TRUTH.values()])
    best = truth.argmax(axis=1)
    assert (learner.means(x).argmax(axis=1) == best).mean() > 0.95
    assert np.abs(learner.means(x) - truth).mean() < 0.05


def test_learning_in_parts_and_from_what_was_written_down_is_the_same():
    x = _people(300, 1)
    arm = np.random.default_rng(2).integers(0, 2, 300)
    reward = _answers(x, arm, 3)
    names = np.array(["early", "late"])[arm]
    whole = Linear(arms=("early", "late"), size=3)
    whole.learn(x=x, arm=names, reward=reward)
    parts = Linear(arms=("early", "late"), size=3)
    parts.learn(x=x[200:], arm=names[200:], reward=reward[200:])
    parts = Linear.of_json(parts.as_json())
    parts.learn(x=x[:200], arm=names[:200], reward=reward[:200])
    assert np.allclose(whole.means(x), parts.means(x))
    assert np.allclose(whole.doubts(x), parts.doubts(x))


def test_doubt_shrinks_as_people_answer():
    learner = Linear(arms=("early",), size=3)
    x = _people(50, 1)
    before = learner.doubts(x).mean()
    learner.learn(x=_people(500, 2), arm=["early"] * 500, reward=np.zeros(500))
    assert learner.doubts(x).mean() < before / 10


def test_a_hash_of_ones_own_chooses_by_the_chances():
    chances = np.tile([0.7, 0.2, 0.1], (20_000, 1))
    uniform = np.array([int(assignment.bucket(key="k", unit=n), 16) / 2**32 for n in range(20_000)])
    arm = choose(chances, uniform=uniform)
    assert np.allclose(np.bincount(arm) / 20_000, [0.7, 0.2, 0.1], atol=0.012)
