"""Models in use are looked after: moved people, broken promises, and what is started then."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingestion.models import Order, OrderLine
from marketing.core.errors import Conflict
from marketing.core.models import Job
from models_ml import registry
from models_ml.models import ModelVersion, Prediction, Watch
from models_ml.predictions import definitions, engines, life, profiles, scoring, training, watching
from models_ml.predictions.engines import Answers
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
DAY = timedelta(days=1)
Level = Watch.Level


def trained(people: int = 400) -> Prediction:
    shops.plant(people=people)
    made = definitions.create(
        title="Buys again",
        target={"type": "order"},
        horizon_days=60,
        settings={"candidates": ["tree"]},
        now=NOW,
    )
    registry.promote(version=training.train(prediction=made, now=NOW))
    return made


def read_of(x: pd.DataFrame, said: Any) -> dict[str, Any]:
    return profiles.of(x=x, said=said, columns=list(x.columns))


def sure(profile: dict[str, Any], people: int, columns: int) -> float:
    return profiles.sure(profile, people, columns)


def test_a_shift_of_one_spread_alarms_at_once() -> None:
    rng = np.random.default_rng(1)
    x = pd.DataFrame({"a": rng.normal(size=2000)})
    profile = read_of(x, x["a"].to_numpy())
    moved = pd.DataFrame({"a": rng.normal(size=2000) + 1})
    found = profiles.compare(profile=profile, x=moved, said=moved["a"].to_numpy())
    for name in ("a", "said"):
        assert profiles.level_of(found[name], sure(profile, 2000, 2)) == Level.ALARM


@pytest.mark.parametrize("people", [150, 2000])
def test_a_hundred_looks_at_people_who_did_not_move_alarm_twice_at_most(people: int) -> None:
    rng = np.random.default_rng(2)
    columns = [f"c{n}" for n in range(20)]

    def sample() -> pd.DataFrame:
        return pd.DataFrame({name: rng.gamma(1.0, 3.0, people) for name in columns})

    first = sample()
    profile = read_of(first, first["c0"].to_numpy())
    alarms = 0
    for _look in range(100):
        x = sample()
        found = profiles.compare(profile=profile, x=x, said=x["c0"].to_numpy())
        limit = sure(profile, people, len(found))
        levels = [profiles.level_of(one, limit) for one in found.values()]
        alarms += any(level == Level.ALARM for level in levels)
    assert alarms <= 2


def test_a_column_that_went_missing_alarms_and_a_new_level_counts() -> None:
    x = pd.DataFrame({"a": np.arange(500.0), "b": pd.Categorical(["x", "y"] * 250)})
    profile = read_of(x, x["a"].to_numpy())
    gone = x.assign(a=np.nan, b=pd.Categorical(["z"] * 500))
    found = profiles.compare(profile=profile, x=gone, said=x["a"].to_numpy())
    assert found["a"]["missing"] == 1.0
    assert profiles.level_of(found["a"], 0.0) == Level.ALARM
    assert found["b"]["psi"] > 1
    assert profiles.level_of(found["said"], 0.0) == Level.FINE


def test_it_alarms_when_people_move_further_than_they_do_while_nothing_happens() -> None:
    rng = np.random.default_rng(3)

    def people(shift: float, answers: float) -> tuple[pd.DataFrame, Any]:
        x = pd.DataFrame({"season": rng.normal(size=3000) + shift, "still": rng.normal(size=3000)})
        return x, rng.normal(size=3000) + answers

    x, said = people(0.0, 0.0)
    earlier = [people(shift, 0.0) for shift in (0.0, 1.5, 0.0)]
    plain = profiles.of(x=x, said=said, columns=["season", "still"])
    known = profiles.of(x=x, said=said, columns=["season", "still"], earlier=earlier)
    leans = {"season": 0.1, "still": 0.05}

    def level(profile: dict[str, Any], shift: float, answers: float) -> str:
        now, says = people(shift, answers)
        return profiles.judge(profile=profile, x=now, said=says, importances=leans)[0]

    assert known["usual"]["season"] > 1
    assert level(known, 0.0, 0.0) == Level.FINE
    assert level(known, 1.2, 0.4) == Level.WATCH
    assert level(plain, 1.2, 0.4) == Level.ALARM  # what it leans on moved, and its answers followed
    assert level(plain, 1.2, 0.0) == Level.WATCH  # it has no ear for it
    assert level(known, 1.2, 1.0) == Level.ALARM
    assert level(known, 4.0, 0.4) == Level.ALARM
    now, says = people(0.0, 0.0)
    gone = now.assign(season=np.nan)
    assert profiles.judge(profile=known, x=gone, said=says, importances=leans)[0] == Level.ALARM


@pytest.mark.django_db
def test_people_as_they_were_are_no_drift_and_a_look_is_stored_once() -> None:
    made = trained()
    scoring.score(prediction=made, now=NOW)
    (first,) = watching.look(prediction=made, now=NOW)
    assert (first.kind, first.people) == ("drift", made.scored_people)
    assert first.readings["said"]["psi"] < 0.25
    again = watching.look(prediction=made, now=NOW)
    assert [one.pk for one in again] == [first.pk]


@pytest.mark.django_db
def test_what_was_said_is_held_against_what_came() -> None:
    made = trained()
    later = NOW + 30 * DAY
    # Ninety days on everybody buys, which nothing foretold.
    goods = factories.product("G0")
    source = factories.source()
    buyers = list(OrderLine.objects.values_list("customer_id", flat=True).distinct())
    orders = Order.objects.bulk_create(
        Order(
            source=source, external_id=f"late{key}", customer_id=key, currency="GBP", total=10,
            placed_at=NOW + 25 * DAY,
        )
        for key in buyers
    )  # fmt: skip
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order, line_no=1, customer_id=order.customer_id, product=goods, sku="G0",
            quantity=1, unit_price=10, total=10, placed_at=order.placed_at,
        )
        for order in orders
    )  # fmt: skip
    seen = {one.kind: one for one in watching.look(prediction=made, now=later)}
    calibration = seen["calibration"]
    assert calibration.as_of == later - 60 * DAY
    assert calibration.readings["seen"] == 1.0
    assert calibration.readings["said"] < 0.9
    assert calibration.level == Level.ALARM
    found = life.due(prediction=made, now=later)
    assert found is not None
    assert found.code in ("drift", "calibration")


@pytest.mark.django_db
def test_a_version_in_the_shadow_is_compared_and_decides_nothing() -> None:
    made = trained()
    live = registry.live(made.key)
    assert live is not None
    other = ModelVersion.objects.get(pk=live.pk)
    other.pk, other.version, other.state = None, 7, ModelVersion.State.CANDIDATE
    other.save()
    shadow = life.shade(version=other, actor=None)
    scoring.score(prediction=made, now=NOW)
    before = dict(made.scores.values_list("customer_id", "version_id"))
    seen = {one.kind: one for one in watching.look(prediction=made, now=NOW)}
    assert seen["shadow"].version_id == shadow.pk
    assert seen["shadow"].readings["rank_correlation"] == 1.0
    assert dict(made.scores.values_list("customer_id", "version_id")) == before
    assert set(before.values()) == {live.pk}


@pytest.mark.django_db
def test_going_back_is_one_press_and_everybody_is_scored_by_the_older_version() -> None:
    made = trained()
    first = registry.live(made.key)
    second = registry.promote(version=training.train(prediction=made, now=NOW))
    scoring.score(prediction=made, now=NOW)
    assert first is not None
    assert set(made.scores.values_list("version_id", flat=True)) == {second.pk}
    assert life.roll_back(prediction=made, actor=None).pk == first.pk
    job = life.score_after_promotion(name=made.key)
    assert job is not None
    assert job.kind == "prediction.score"
    scoring.score(prediction=made, now=NOW)
    assert set(made.scores.values_list("version_id", flat=True)) == {first.pk}


def due(**values: Any) -> str | None:
    made = Prediction.objects.create(
        key="again", title="again", kind="chance", target={"type": "order"}, horizon_days=60
    )
    factories.model_version(
        "again",
        1,
        trained_at=NOW - 10 * DAY,
        data_until=NOW - 10 * DAY,
        **{"details": {"engine": "contest", "profile": {"people": 1}}, **values},
    )
    found = life.due(prediction=made, now=NOW)
    return found.code if found else None


@pytest.mark.django_db
def test_a_training_is_due_by_age_and_by_erasure_and_not_before() -> None:
    factories.order(factories.customer(), days_ago=1)
    assert due() is None
    live = ModelVersion.objects.get()
    made = Prediction.objects.get()
    live.forgotten = 2
    live.save()
    found = life.due(prediction=made, now=NOW)
    assert found is not None
    assert found.code == "erasure"
    live.forgotten, live.data_until = 0, NOW - 40 * DAY
    live.save()
    found = life.due(prediction=made, now=NOW)
    assert found is not None
    assert found.code == "age"
    live.trained_at = NOW - DAY
    live.save()
    assert life.due(prediction=made, now=NOW) is None


@pytest.mark.django_db
def test_looking_after_starts_each_thing_once() -> None:
    factories.order(factories.customer(), days_ago=1)
    due()
    kinds = [job.kind for job in life.look_after(now=NOW)]
    assert kinds == ["prediction.score", "prediction.watch"]
    assert life.look_after(now=NOW) == []
    assert Job.objects.count() == 2


def test_every_engine_is_looked_after_or_says_why_not() -> None:
    for name in engines.ENGINES:
        offers = {one for one in ("glance", "matured") if hasattr(engines.of(name), one)}
        assert offers == (set() if name in engines.UNWATCHED else {"glance", "matured"}), name
        assert bool(engines.why_unwatched(name)) == (name in engines.UNWATCHED)
    assert engines.why_unwatched("magic")


@pytest.mark.django_db
def test_what_cannot_be_looked_after_is_not_tried_again_and_again() -> None:
    factories.order(factories.customer(), days_ago=1)
    due(details={"engine": "uplift"})
    assert [job.kind for job in life.look_after(now=NOW)] == ["prediction.score"]
    Job.objects.update(state=Job.State.FAILED, finished_at=NOW)
    assert life.look_after(now=NOW + timedelta(minutes=10)) == []
    assert [job.kind for job in life.look_after(now=NOW + 2 * DAY)] == ["prediction.score"]


@pytest.mark.django_db
def test_a_version_published_during_another_training_still_scores_everyone() -> None:
    factories.order(factories.customer(), days_ago=1)
    due()
    made = Prediction.objects.get()
    running = training.start(prediction=made)
    job = life.score_after_promotion(name=made.key)
    assert job is not None
    assert job.kind == "prediction.score"
    ModelVersion.objects.update(job=running)
    assert life.score_after_promotion(name=made.key) is None


@pytest.mark.django_db
def test_a_question_is_not_changed_under_a_training_or_answered_by_an_old_version() -> None:
    made = definitions.create(title="again", target={"type": "order"}, horizon_days=60, now=NOW)
    running = training.start(prediction=made)
    with pytest.raises(Conflict, match="being trained already"):
        definitions.change(prediction=made, horizon_days=30, now=NOW)
    Job.objects.filter(pk=running.pk).update(state=Job.State.STOPPED)
    asked = {"target": made.target, "horizon_days": 60, "population": made.population}
    version = factories.model_version(made.key, 1, state="refused", details=asked)
    made.refresh_from_db()
    definitions.change(prediction=made, horizon_days=30, now=NOW)
    with pytest.raises(Conflict, match="another question"):
        life.publish(version=version, actor=None)
    assert registry.live(made.key) is None


@pytest.mark.django_db
def test_who_was_scored_while_the_prediction_was_archived_has_no_score() -> None:
    made = definitions.create(title="again", target={"type": "order"}, horizon_days=60, now=NOW)
    version = factories.model_version(made.key, 1)
    person = factories.customer()
    life.archive(prediction=made, actor=None, now=NOW)
    answers = Answers(np.array([person.pk], dtype=np.int64), np.array([0.5]))
    scoring.write(prediction=made, version=version, answers=answers, as_of=NOW, now=NOW)
    assert made.scores.count() == 0
