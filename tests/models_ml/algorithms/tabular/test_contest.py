"""A contest: equal splits, an honest winner, and a name for everything that cannot be learned."""

import numpy as np
import pytest

from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular import contest
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Frame
from models_ml.algorithms.tabular.judging import Profit
from tests.models_ml.algorithms.tabular.frames import amounts, people

RECENCY = Baseline("ordered last", lambda x: -x["recency"].to_numpy())
LAST_VALUE = Baseline("last value", lambda x: x["spent"].to_numpy())
FAST = ("linear", "tree")


@pytest.fixture(scope="module")
def outcome():
    return contest.run(
        people(seed=1),
        people(seed=2),
        "chance",
        RECENCY,
        seed=5,
        folds=3,
        candidates=FAST,
        profit=Profit(worth=20, cost=5),
    )


def test_the_baseline_is_always_a_row_and_the_winner_beats_it(outcome):
    assert [row.name for row in outcome.table] == ["linear", "tree", "ordered last"]
    assert [row.is_baseline for row in outcome.table] == [False, False, True]
    assert outcome.best == "linear"
    assert outcome.verdict.ok
    assert outcome.verdict.code == "better"
    linear = outcome.table[0]
    assert linear.gain.low > 0
    assert linear.later["auc"] > outcome.table[2].later["auc"]
    assert set(linear.later) >= {"auc", "log_loss", "brier", "calibration_error"}


def test_answers_survive_being_stored(outcome, tmp_path):
    outcome.fitted.save(tmp_path)
    again = Fitted.load(tmp_path)
    fresh = people(seed=3).x
    assert again.columns == ("recency", "orders", "place")
    np.testing.assert_array_equal(again.predict(fresh), outcome.fitted.predict(fresh))


def test_reaching_pays_above_cost_over_worth(outcome):
    assert outcome.threshold["chance"] == 0.25
    assert outcome.threshold["seen"] >= outcome.threshold["everyone"]
    assert [point["share"] for point in outcome.threshold["curve"]][-1] == 1.0


def test_the_same_contest_gives_the_same_answers():
    runs = [
        contest.run(people(seed=1), people(seed=2), "chance", RECENCY, seed=5, candidates=FAST)
        for _ in range(2)
    ]
    assert runs[0].table[0].later == runs[1].table[0].later
    x = people(seed=3).x
    np.testing.assert_array_equal(runs[0].fitted.predict(x), runs[1].fitted.predict(x))


def test_an_amount_is_said_in_its_own_unit():
    found = contest.run(
        amounts(seed=1), amounts(seed=2), "amount", LAST_VALUE, seed=1, candidates=FAST
    )
    winner = next(row for row in found.table if row.name == found.best)
    assert found.best == "linear"
    assert 9 < winner.later["rmse"] < 11
    assert found.verdict.ok
    assert found.threshold is None


def test_a_rule_as_good_as_any_model_is_not_beaten():
    def noise(seed: int) -> Frame:
        frame = people(seed=seed)
        y = np.random.default_rng(seed).random(len(frame)) < 0.4
        return Frame(frame.x, y, frame.person, frame.moment)

    found = contest.run(noise(1), noise(2), "chance", RECENCY, seed=1, candidates=FAST)
    assert not found.verdict.ok
    assert found.verdict.code == "no_better_than_baseline"


def with_y(frame: Frame, y: np.ndarray) -> Frame:
    return Frame(frame.x, y, frame.person, frame.moment)


def leaky(frame: Frame) -> Frame:
    return Frame(frame.x.assign(told=frame.y * 3.0), frame.y, frame.person, frame.moment)


def bare(frame: Frame) -> Frame:
    x = frame.x[["recency"]].assign(recency=1.0, gone=np.nan)
    return Frame(x, frame.y, frame.person, frame.moment)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("no_rows", lambda f: f.take(np.empty(0, np.int64))),
        ("one_class", lambda f: with_y(f, np.ones(len(f), bool))),
        ("one_class", lambda f: with_y(f, np.zeros(len(f), bool))),
        ("too_few_people", lambda f: f.take(np.arange(10))),
        ("too_few_each", lambda f: with_y(f, np.arange(len(f)) < 5)),
        ("leak", leaky),
        ("no_columns", bare),
    ],
)
def test_what_cannot_be_learned_has_a_name(code, change):
    with pytest.raises(Unfit) as refused:
        contest.run(change(people()), people(seed=2), "chance", RECENCY, seed=1, candidates=FAST)
    assert refused.value.code == code
    assert refused.value.facts


def test_a_leak_is_named_and_can_be_allowed():
    with pytest.raises(Unfit) as refused:
        contest.run(leaky(people()), leaky(people(seed=2)), "chance", RECENCY, seed=1)
    assert [leak["column"] for leak in refused.value.facts["columns"]] == ["told"]
    found = contest.run(
        leaky(people()),
        leaky(people(seed=2)),
        "chance",
        RECENCY,
        seed=1,
        candidates=FAST,
        allow=["told"],
    )
    assert next(row for row in found.table if row.name == found.best).later["auc"] > 0.99
