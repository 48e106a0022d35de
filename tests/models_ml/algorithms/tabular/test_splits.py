"""Who is learned from and who is judged."""

from datetime import timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.algorithms import classify
from models_ml.algorithms.tabular import contest, encoding, families, leaks, network, splits
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.frame import Frame, Schema, Table
from tests.models_ml.algorithms.tabular.frames import MOMENT, people

NO_TIME = timedelta(0)
MONTH = np.timedelta64(2_592_000, "s")
RECENCY = Baseline("ordered last", lambda x: -x["recency"].to_numpy())


def over_time(n: int = 1200, months: int = 6, seed: int = 0) -> Frame:
    """The same truth each month; beside it a number that is the month's alone."""
    frame = people(n, seed)
    month = np.arange(n) * months // n
    moment = MOMENT + month * MONTH
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
    found = splits.choose(frame.take(~later), frame.take(later), "chance", 5, 1, NO_TIME)
    assert found.by_time
    moment = frame.take(~later).moment
    for before, judged in found.pairs:
        assert moment[before].max() < moment[judged].min()
    assert len(np.unique(found.rows)) == len(found.rows)


def villages(months: int = 9, homes: int = 200, people_each: int = 5) -> Frame:
    """A village shops together by chance alone, whatever its season's offer; asked is about the
    next three months.
    """
    rng = np.random.default_rng(3)
    shops = rng.random((homes, months + 3)) < 0.2
    offer = rng.normal(size=(homes, months // 3))
    person = np.tile(np.arange(homes * people_each), months)
    month = np.repeat(np.arange(months), homes * people_each)
    home = person // people_each
    y = shops[home, month] | shops[home, month + 1] | shops[home, month + 2]
    x = pd.DataFrame({"offer": offer[home, month // 3]})
    return Frame(x, y, person.astype(np.int64), MOMENT + month * MONTH)


def test_nobody_is_judged_by_answers_that_were_not_known_yet():
    frame, horizon = villages(), 3 * MONTH
    later = frame.moment == frame.moment.max()
    train = frame.take(frame.moment + horizon <= frame.moment.max())
    table = Schema.of(train.x).table(train)
    forest, ranked = families.CANDIDATES["forest"], []
    for known_after in (NO_TIME, timedelta(days=90)):
        found = splits.choose(train, frame.take(later), "chance", 5, 1, known_after)
        assert found.by_time
        setting = {"trees": 60, "least": 5}
        margin, _ = forest.cross(table, train.y, found, task="chance", seed=1, setting=setting)
        ranked.append(classify.auc(train.y[found.rows], margin))
    assert len(found.pairs) == 3
    for before, judged in found.pairs:
        assert train.moment[before].max() + horizon <= train.moment[judged].min()
    # Two thirds of an answer are those of the month before: a leak where no time is left between.
    assert ranked[0] > 0.65
    assert abs(ranked[1] - 0.5) < 0.05


@settings(max_examples=30)
@given(person=st.lists(st.integers(0, 12), min_size=12, max_size=120), number=st.integers(2, 4))
def test_a_calibration_has_seen_neither_the_time_nor_the_people_it_is_asked_about(person, number):
    who = np.array(person, dtype=np.int64)
    part = np.arange(len(who)) % number
    found = splits.apart(part, who)
    assert sorted(np.concatenate([here for here, _others in found])) == list(range(len(who)))
    for here, others in found:
        assert not set(part[here]) & set(part[others])
        assert set(who[here]).isdisjoint(who[others]) or set(who[part != part[here][0]]) <= {
            *who[here]
        }


def twice(n: int = 400) -> tuple[Frame, np.ndarray]:
    """Each person six times with one answer each, and a place that is theirs alone."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(n), 6)
    y = (rng.random(n) < 0.5)[person]
    x = pd.DataFrame({"home": pd.Categorical([f"home {one}" for one in person])})
    return Frame(x, y, person.astype(np.int64), np.full(6 * n, MOMENT)), person


def test_a_place_of_ones_own_tells_nothing_of_oneself():
    frame, _person = twice()
    schema = Schema.of(frame.x)
    assert leaks.find(schema, schema.table(frame), frame.y, "chance", 1) == []
    rates = encoding.Encoder("raw").fit(schema.table(frame), frame.y, "chance", 1)
    assert abs(classify.auc(frame.y, rates[:, 0]) - 0.5) < 0.06


def test_rows_of_the_same_people_alone_would_give_the_answer_away():
    frame, person = twice()
    schema = Schema.of(frame.x)
    table = schema.read(frame.x)
    strangers = Table(table.numbers, table.codes, None, np.arange(len(person)))
    assert leaks.find(schema, strangers, frame.y, "chance", 1)[0]["column"] == "home"
    aside = network.set_aside(frame.person, 1)
    assert not set(person[aside]) & set(person[~aside])
    assert aside.sum() == 40 * 6


def test_people_are_dealt_out_when_all_are_seen_at_one_moment():
    found = splits.choose(people(seed=1), people(seed=2), "chance", 5, 1, NO_TIME)
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


def test_shuffled_answers_cannot_be_foretold():
    frame = people(1500, seed=1)
    y = np.random.default_rng(0).permutation(frame.y)
    shuffled = Frame(frame.x, y, frame.person, frame.moment)
    found = contest.run(
        shuffled, people(1500, seed=2), "chance", RECENCY, seed=1, candidates=["linear", "tree"]
    )
    for row in found.table:
        assert abs(row.cv["auc"] - 0.5) < 0.05
