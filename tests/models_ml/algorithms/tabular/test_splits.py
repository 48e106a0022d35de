"""Who is learned from and who is judged."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.algorithms.tabular import contest, splits
from models_ml.algorithms.tabular.frame import Frame, Schema
from tests.models_ml.algorithms.tabular.frames import MOMENT, people

RECENCY = contest.Baseline("ordered last", lambda x: -x["recency"].to_numpy())


def over_time(n: int = 1200, months: int = 6, seed: int = 0) -> Frame:
    """The same truth each month; beside it a number that is the month's alone."""
    frame = people(n, seed)
    month = np.arange(n) * months // n
    moment = MOMENT + month.astype("timedelta64[s]") * 2_592_000
    rng = np.random.default_rng(seed)
    rates = rng.normal(size=months)
    names = np.array(["jan", "feb", "mar", "apr", "may", "jun", "jul"])
    x = frame.x.assign(interest=rates[month] + rng.normal(0, 0.001, n), month=names[month])
    return Frame(x, frame.y, frame.person, moment)


@settings(max_examples=50, deadline=None)
@given(
    person=st.lists(st.integers(0, 30), min_size=20, max_size=200),
    seed=st.integers(0, 5),
    folds=st.integers(2, 5),
)
def test_nobody_is_in_two_folds(person, seed, folds):
    who = np.array(person, dtype=np.int64)
    y = np.random.default_rng(seed).random(len(who)) < 0.3
    fold = splits.folds_of(who, y, folds, seed)
    for one in np.unique(who):
        assert np.unique(fold[who == one]).size == 1


def test_each_fold_has_its_share_of_yeses():
    y = np.arange(1000) % 10 == 0
    fold = splits.folds_of(np.arange(1000), y, 5, 1)
    assert [int(y[fold == k].sum()) for k in range(5)] == [20] * 5


def test_what_comes_later_is_foretold_from_what_was_before():
    frame = over_time()
    later = frame.moment == frame.moment.max()
    found = splits.choose(frame.take(~later), frame.take(later), "chance", 5, 1)
    assert found.by_time
    moment = frame.take(~later).moment
    for before, judged in found.pairs:
        assert moment[before].max() < moment[judged].min()
    assert len(np.unique(found.rows)) == len(found.rows)


def test_people_are_dealt_out_when_all_are_seen_at_one_moment():
    found = splits.choose(people(seed=1), people(seed=2), "chance", 5, 1)
    assert not found.by_time
    assert len(found.pairs) == 5
    assert sorted(found.rows) == list(range(600))


def test_columns_that_say_when_are_told_from_those_that_say_who():
    frame = over_time()
    schema = Schema.of(frame.x)
    found = splits.columns_that_say_when(schema, schema.read(frame.x), frame)
    assert found == ["interest", "month"]


def test_one_moment_has_no_columns_that_say_when():
    frame = people()
    schema = Schema.of(frame.x)
    assert splits.columns_that_say_when(schema, schema.read(frame.x), frame) == []


def test_a_mark_that_nearly_everybody_lacks_is_no_calendar():
    frame = over_time()
    rare = np.where(np.arange(len(frame)) % 50 == 0, "vip", "")
    x = pd.DataFrame({"recency": frame.x["recency"], "mark": rare})
    schema = Schema.of(x.assign(mark=x["mark"].replace("", "none")))
    table = schema.read(x.assign(mark=x["mark"].replace("", "none")))
    assert splits.columns_that_say_when(schema, table, frame) == []


def test_a_contest_in_time_leaves_the_calendar_out_and_says_so():
    frame = over_time()
    later = frame.moment == frame.moment.max()
    found = contest.run(
        frame.take(~later),
        frame.take(later),
        "chance",
        RECENCY,
        seed=1,
        candidates=["linear", "tree"],
    )
    assert ("interest", "moment") in found.dropped
    assert ("month", "moment") in found.dropped
    assert found.fitted.columns == ("recency", "orders", "place")
    again = contest.refit(found, frame.take(~later), frame.take(later), seed=1)
    assert again.columns == found.fitted.columns


def test_shuffled_answers_cannot_be_foretold():
    frame = people(1500, seed=1)
    y = np.random.default_rng(0).permutation(frame.y)
    shuffled = Frame(frame.x, y, frame.person, frame.moment)
    found = contest.run(
        shuffled, people(1500, seed=2), "chance", RECENCY, seed=1, candidates=["linear", "tree"]
    )
    for row in found.table:
        assert abs(row.cv["auc"] - 0.5) < 0.05
