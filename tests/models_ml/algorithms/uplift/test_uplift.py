"""Effects planted in a simulated test are found, ranked, and not made up where there are none."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models_ml.algorithms.classify import Interval
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.uplift import curves, power, trial
from models_ml.algorithms.uplift.learners import Base, Method, Params, Uplift, balance

METHODS: tuple[Method, ...] = ("t", "x", "transformed")
Sample = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def sent(n: int, seed: int, effect: float = 0.2) -> Sample:
    """A mail that moves those whose first number is above 0, and nobody else."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    x[rng.random(x.shape) < 0.02] = np.nan
    treated = rng.random(n) < 0.4
    moved = effect * (np.nan_to_num(x[:, 0]) > 0)
    usual = 0.1 + 0.1 * (np.nan_to_num(x[:, 1]) > 0)
    y = (rng.random(n) < usual + moved * treated).astype(float)
    return x, treated, y, moved


@pytest.mark.parametrize("base", ["linear", "boosting"])
@pytest.mark.parametrize("method", METHODS)
def test_a_planted_effect_is_found_and_ranked(method: Method, base: Base) -> None:
    x, treated, y, _ = sent(8000, 1)
    later, held, came, moved = sent(8000, 2)
    found = Uplift(Params(method=method, base=base)).fit(x, treated, y).effect(later)
    assert found.mean() == pytest.approx(0.1, abs=0.03)
    assert found[moved > 0].mean() > found[moved == 0].mean() + 0.1
    verdict = curves.judge(found, held, came, draws=200)
    assert verdict.code == "ranked"
    assert verdict.qini.low > 0
    assert verdict.mean.low < 0.1 < verdict.mean.high


def test_no_effect_is_said_to_be_none() -> None:
    x, treated, y, _ = sent(4000, 3, effect=0.0)
    later, held, came, _ = sent(4000, 4, effect=0.0)
    found = Uplift().fit(x, treated, y).effect(later)
    assert curves.judge(found, held, came, draws=200).code == "no_effect"


def test_noise_is_called_an_effect_about_as_often_as_the_interval_says() -> None:
    codes = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        treated, y = rng.random(800) < 0.5, (rng.random(800) < 0.2).astype(float)
        codes.append(curves.judge(rng.normal(size=800), treated, y, seed=seed, draws=200).code)
    assert codes.count("ranked") <= 6
    assert codes.count("no_effect") >= 48


def test_an_effect_that_is_the_same_for_all_is_called_so() -> None:
    rng = np.random.default_rng(6)
    treated = rng.random(6000) < 0.5
    y = (rng.random(6000) < 0.1 + 0.1 * treated).astype(float)
    verdict = curves.judge(rng.normal(size=6000), treated, y, draws=200)
    assert verdict.code == "same_for_all"
    assert verdict.mean.value == pytest.approx(0.1, abs=0.03)


def test_qini_by_hand() -> None:
    effect = np.array([4.0, 3.0, 2.0, 1.0])
    treated = np.array([True, False, True, False])
    y = np.array([1.0, 0.0, 0.0, 0.0])
    # Gains of 0, 0, 1 * 2/4, (1/2) * 3/4 and (1/2) * 4/4 after each person.
    gains = [0, 0, 0.5, 0.375, 0.5]
    under = sum((a + b) / 2 * 0.25 for a, b in pairwise(gains))
    assert curves.qini(effect, treated, y) == pytest.approx(under - 0.25)


def test_people_of_one_effect_are_in_no_order() -> None:
    rng = np.random.default_rng(7)
    treated, y = rng.random(500) < 0.5, rng.random(500)
    assert curves.qini(np.zeros(500), treated, y) == pytest.approx(0.0)
    found = curves.curve(np.zeros(500), treated, y)
    np.testing.assert_allclose(found.gained, found.share * found.gained[-1])


def test_a_learner_reads_back_what_it_wrote(tmp_path: Path) -> None:
    x, treated, y, _ = sent(2000, 8)
    bases: tuple[Base, ...] = ("linear", "boosting")
    for number, (method, base) in enumerate((m, b) for m in METHODS for b in bases):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = Uplift(Params(method=method, base=base, trees=5)).fit(x, treated, y)
        made.save(folder)
        assert (Uplift.load(folder).effect(x) == made.effect(x)).all()


def test_bad_samples_are_named_and_unknown_numbers_give_finite_effects() -> None:
    x, treated, y, _ = sent(500, 9)
    with pytest.raises(Unfit) as nobody:
        Uplift().fit(x, np.zeros(500, dtype=bool), y)
    assert nobody.value.code == "too_few_treated"
    with pytest.raises(Unfit) as all_of_them:
        Uplift().fit(x, np.ones(500, dtype=bool), y)
    assert all_of_them.value.code == "too_few_untreated"
    with pytest.raises(Unfit) as same:
        Uplift().fit(x, treated, np.ones(500))
    assert same.value.code == "constant_outcome"
    x[:, 2] = np.nan
    found = Uplift().fit(x, treated, y).effect(np.full((3, 4), np.inf))
    assert np.isfinite(found).all()


def test_how_many_to_hold_out_follows_from_what_was_seen() -> None:
    # 5% against 6% with nine mailed to one held out: 2.8016^2 * (0.0475 + 0.0564 / 9) / 0.01^2.
    assert power.for_mean(rate=0.05, effect=0.01, ratio=9) == 4221
    assert power.for_mean(rate=0.05, effect=0.0, ratio=9) is None
    # Twice as sure as it has to be seen four times in five, with half the standard error.
    told = Interval(2.8016, 2.8016 - 1.959964, 2.8016 + 1.959964)
    assert power.for_ranking(found=told, held_out=300) in (300, 301)
    assert power.for_ranking(found=Interval(0.0, -1.0, 1.0), held_out=300) is None


def test_another_share_held_out_is_made_up_for_by_weights() -> None:
    rng = np.random.default_rng(11)
    season = rng.random(6000) < 0.5
    chance = np.where(season, 0.9, 0.4)
    treated = rng.random(6000) < chance
    y = (rng.random(6000) < np.where(season, 0.5, 0.1)).astype(float)
    effect = rng.normal(size=6000)
    assert curves.judge(effect, treated, y, draws=100).mean.low > 0.1
    weighed = curves.judge(effect, treated, y, weight=balance(treated, chance), draws=100)
    assert weighed.mean.low < 0 < weighed.mean.high


def test_another_learner_is_taken_only_where_it_is_surely_ahead() -> None:
    first = np.array([0.10, 0.12, 0.08, 0.11, 0.09])
    little = first + np.array([0.02, -0.01, 0.03, -0.01, 0.01])
    surely = first + np.array([0.02, 0.01, 0.03, 0.02, 0.02])
    assert trial._preferred({"t_linear": first, "t_bent": little}) == "t_linear"
    assert trial._preferred({"t_linear": first, "t_bent": surely}) == "t_bent"


def test_a_mail_that_moves_those_in_the_middle_is_learned_with_bends() -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, 6000)
    treated = rng.random(6000) < 0.5
    y = (rng.random(6000) < 0.1 + 0.4 * treated * (np.abs(x) < 0.35)).astype(float)
    people, none = np.arange(6000), np.zeros(6000, dtype=np.int64)
    of = trial.Trial(pd.DataFrame({"x": x}), treated, y, people, none, np.full(6000, 0.5))
    chosen, tried = trial._choose(of, 1, lambda name: None)
    assert chosen != "t_linear"
    said = tried["t_bent"][0].effect(pd.DataFrame({"x": [-0.9, 0.0, 0.9]}))
    assert said[1] > max(said[0], said[2]) + 0.1
