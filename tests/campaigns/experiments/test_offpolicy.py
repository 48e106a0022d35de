"""What a policy would have earned, told from another one's log, beside what it truly earns."""

import numpy as np
import pytest

from campaigns.experiments import offpolicy

ARMS = 5
RATES = np.array([[0.02, 0.05, 0.08, 0.03, 0.01], [0.06, 0.02, 0.02, 0.07, 0.03]])


def _log(n: int, seed: int, behave: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of two kinds of people, the arm they got, and whether they answered."""
    draw = np.random.default_rng(seed)
    kind = draw.integers(0, 2, n)
    ends = behave[kind].cumsum(axis=1)
    arm = (draw.random(n)[:, None] >= ends[:, :-1]).sum(axis=1)
    return kind, arm, (draw.random(n) < RATES[kind, arm]).astype(float)


UNIFORM = np.full((2, ARMS), 1 / ARMS)
WANTED = np.array([[0.05, 0.2, 0.6, 0.1, 0.05], [0.35, 0.05, 0.05, 0.5, 0.05]])
TRUE = float((WANTED * RATES).sum(axis=1).mean())


def _estimates(seed: int, behave: np.ndarray = UNIFORM, n: int = 8_000):
    kind, arm, reward = _log(n, seed, behave)
    weight = offpolicy.weights(wanted=WANTED[kind, arm], had=behave[kind, arm])
    said = offpolicy.crossed(reward=reward, arm=arm, arms=ARMS, group=kind, seed=seed)
    return (
        offpolicy.ips(reward=reward, weight=weight),
        offpolicy.snips(reward=reward, weight=weight),
        offpolicy.dr(reward=reward, weight=weight, said=said, policy=WANTED[kind], arm=arm),
    )


@pytest.mark.parametrize("which", [0, 1, 2], ids=["ips", "snips", "dr"])
def test_the_truth_lies_inside_the_interval_as_often_as_it_says(which):
    found = [_estimates(seed)[which] for seed in range(400)]
    inside = sum(value.low <= TRUE <= value.high for value in found)
    assert 0.93 <= inside / 400 <= 0.97
    assert abs(np.mean([value.value for value in found]) - TRUE) < 0.0006


def test_the_doubly_robust_estimate_is_the_narrowest():
    widths = np.mean(
        [[value.high - value.low for value in _estimates(seed)] for seed in range(60)], axis=0
    )
    assert widths[2] < widths[0]
    assert widths[1] < widths[0]


def test_a_policy_like_the_one_that_chose_is_worth_its_mean():
    kind, arm, reward = _log(3_000, 1, WANTED)
    weight = offpolicy.weights(wanted=WANTED[kind, arm], had=WANTED[kind, arm])
    found = offpolicy.ips(reward=reward, weight=weight)
    assert found.value == pytest.approx(reward.mean())
    assert found.rows == pytest.approx(3_000)


def test_few_rows_that_count_are_said_to_be_too_few():
    kind, arm, reward = _log(500, 2, UNIFORM)
    wanted = np.zeros(500)
    wanted[:30] = 1.0
    weight = offpolicy.weights(wanted=wanted, had=UNIFORM[kind, arm])
    assert not offpolicy.snips(reward=reward, weight=weight).trusted
    assert offpolicy.snips(reward=reward, weight=weight * 0).rows == 0


def test_a_decision_without_its_chance_is_refused():
    with pytest.raises(ValueError, match="chance by which it was made"):
        offpolicy.weights(wanted=np.ones(2), had=np.array([0.5, 0.0]))
