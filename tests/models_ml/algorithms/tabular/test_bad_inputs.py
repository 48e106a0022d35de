"""Whatever comes in, an answer is a number that makes sense, or the trouble has a name."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular import calibration, contest
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.families import CANDIDATES
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Frame, Schema
from tests.models_ml.algorithms.tabular.frames import MOMENT, amounts, people
from tests.models_ml.algorithms.tabular.test_reasons import SETTINGS

RECENCY = Baseline("ordered last", lambda x: -x["recency"].to_numpy())
ANYTHING = st.one_of(
    st.floats(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**400),
    st.text(max_size=5),
    st.none(),
    st.booleans(),
    st.sampled_from(
        [pd.NA, pd.NaT, math.inf, -math.inf, "north", "", "nan", "1e9999", 1j, [1], ()]
    ),
    st.dates(),
)


def columns(n: int):
    """A column of any kind that pandas can hold."""
    return st.one_of(
        st.lists(ANYTHING, min_size=n, max_size=n).map(lambda v: pd.Series(v, dtype="object")),
        st.lists(st.floats(), min_size=n, max_size=n).map(lambda v: pd.Series(v, dtype="float64")),
        st.lists(st.floats(width=32), min_size=n, max_size=n).map(
            lambda v: pd.Series(v, dtype="float32")
        ),
        st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=n, max_size=n).map(
            lambda v: pd.Series(v, dtype="Int64")
        ),
        st.lists(st.none() | st.booleans(), min_size=n, max_size=n).map(
            lambda v: pd.Series(v, dtype="boolean")
        ),
        st.lists(st.none() | st.text(max_size=3), min_size=n, max_size=n).map(
            lambda v: pd.Series(v, dtype="category")
        ),
        st.lists(st.none() | st.text(max_size=3), min_size=n, max_size=n).map(
            lambda v: pd.Series(v, dtype="string")
        ),
        st.lists(
            st.dates(datetime.date(1800, 1, 1), datetime.date(2200, 1, 1)), min_size=n, max_size=n
        ).map(lambda v: pd.Series(v, dtype="datetime64[s]")),
    )


@st.composite
def strange(draw, names=("recency", "orders", "place", "spent", "more")):
    n = draw(st.integers(0, 6))
    kept = draw(st.lists(st.sampled_from(names), max_size=6))
    parts = [draw(columns(n)).rename(name).reset_index(drop=True) for name in kept]
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=range(n))


@pytest.fixture(scope="module")
def models():
    """One of each kind, and each calibration, for a chance and for an amount."""
    found = []
    for task, made in (("chance", people), ("amount", amounts)):
        frame = made(400, seed=1)
        schema = Schema.of(frame.x)
        table = schema.read(frame.x)
        for name, setting in SETTINGS.items():
            model = CANDIDATES[name].fit(table, frame.y, task=task, seed=1, setting=setting)
            for kind in calibration.KINDS:
                fitted = calibration.fit(kind, model.margin(table), frame.y, task)
                highest = np.inf if task == "chance" else 1000.0
                found.append(Fitted(name, task, schema, model, fitted, highest))
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(x=strange())
def test_every_frame_gets_finite_answers(models, x):
    for model in models:
        said = model.predict(x)
        assert said.shape == (len(x),)
        assert np.isfinite(said).all()
        if model.task == "chance":
            assert ((said > 0) & (said < 1)).all()
        else:
            assert (np.abs(said) <= 1000).all()


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(x=strange())
def test_every_frame_gets_reasons_that_sum(models, x):
    for model in models[:: len(calibration.KINDS)]:
        base, shares = model.contributions(x)
        np.testing.assert_allclose(base + shares.sum(axis=1), model.predict(x), atol=1e-3)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_learning_from_any_columns_ends_in_a_model_or_a_named_state(data):
    n, seed = 240, data.draw(st.integers(0, 50))
    rng = np.random.default_rng(seed)
    y = rng.random(n) < data.draw(st.sampled_from([0.0, 0.02, 0.2, 0.5, 1.0]))
    few = [data.draw(columns(6)) for _ in range(data.draw(st.integers(0, 3)))]
    x = pd.DataFrame({"recency": rng.normal(size=n)})
    for place, column in enumerate(few):
        pick = rng.integers(0, 6, n)
        x[f"c{place}"] = column.take(pick).reset_index(drop=True)
    person = rng.integers(0, data.draw(st.sampled_from([5, 150, 10_000])), n)
    frame = Frame(x, y, person, np.full(n, MOMENT))
    names = ["linear", "tree"]
    code = ""
    try:
        found = contest.run(frame, frame, "chance", RECENCY, seed=1, folds=2, candidates=names)
    except Unfit as unfit:
        code = unfit.code
    if code:
        assert code in {"one_class", "too_few_people", "too_few_each", "leak"}
    else:
        assert np.isfinite(found.fitted.predict(x)).all()


def test_ten_thousand_categories_are_learned_from_and_unseen_ones_answered():
    frame = people(4000, seed=1)
    rng = np.random.default_rng(1)
    shop = np.array([f"shop {k}" for k in rng.integers(0, 10_000, 4000)])
    train = Frame(frame.x.assign(shop=shop), frame.y, frame.person, frame.moment)
    later = people(1000, seed=2)
    fresh = Frame(later.x.assign(shop="never seen"), later.y, later.person, later.moment)
    found = contest.run(
        train, fresh, "chance", RECENCY, seed=1, folds=3, candidates=["linear", "boosting"]
    )
    assert found.verdict.ok
    assert found.table[0].later["auc"] > found.table[-1].later["auc"]
    assert np.isfinite(found.fitted.predict(fresh.x)).all()


def test_columns_without_news_are_named_and_left_out():
    frame = people(400)
    x = frame.x.assign(same=7, gone=np.nan, never="", endless=np.inf)
    found = Schema.of(x)
    assert found.columns == ("recency", "orders", "place")
    assert dict(found.dropped) == {
        "same": "constant",
        "gone": "missing",
        "never": "missing",
        "endless": "missing",
    }


def test_infinite_and_huge_values_do_not_carry_a_score_away():
    frame = people(600, seed=1)
    x = frame.x.copy()
    x.loc[:5, "recency"] = [np.inf, -np.inf, 1e300, -1e300, np.nan, 1e18]
    found = contest.run(
        Frame(x, frame.y, frame.person, frame.moment),
        people(600, seed=2),
        "chance",
        RECENCY,
        seed=1,
        folds=3,
        candidates=["linear", "tree"],
    )
    assert found.verdict.ok


def test_a_number_that_arrives_as_text_is_read_as_the_number():
    schema = Schema.of(pd.DataFrame({"a": [1.5, 2.5, 3.5], "code": ["1", "2", "2"]}))
    read = schema.read(pd.DataFrame({"code": [1, 2, 9], "a": ["1.5", "much", None]}))
    np.testing.assert_array_equal(read.numbers[:, 0], [1.5, np.nan, np.nan])
    assert read.codes[:, 0].tolist() == [2, 3, 0]
