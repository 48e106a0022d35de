"""Everybody's scores are written whole: all of one run or of another, and only of who is here."""

import threading
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from ingestion import consent
from ingestion.models import Customer
from marketing.core.models import Job
from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.api.predictions import prediction_body
from models_ml.models import ModelVersion, Prediction, Score
from models_ml.predictions import life, reading, scoring
from models_ml.predictions.engines import Answers
from tests import factories

NOW = factories.NOW


def prediction(key: str = "again", **values: object) -> Prediction:
    given = {"title": key, "kind": "chance", "target": {"type": "order"}, "horizon_days": 60}
    return Prediction.objects.create(key=key, **{**given, **values})


def write(
    made: Prediction, version: ModelVersion, people: list[Customer], values: list[float]
) -> None:
    answers = Answers(np.array([p.pk for p in people], dtype=np.int64), np.array(values))
    scoring.write(prediction=made, version=version, answers=answers, as_of=NOW, now=NOW)


def versions(made: Prediction) -> tuple[ModelVersion, ModelVersion]:
    """Two versions with files: the first spoke before, the second does now."""
    first, second = (
        registry.save(
            name=made.key,
            algorithm="none",
            write=lambda folder: artifacts.write_json(folder / "empty.json", {}),
            params={},
            metrics={},
            baseline={},
            data_from=None,
            data_until=None,
            rows=0,
            seed=0,
            now=NOW,
        )
        for _number in range(2)
    )
    return registry.promote(version=first), registry.promote(version=second)


def stored(made: Prediction) -> dict[int, tuple[float, int]]:
    rows = Score.objects.filter(prediction=made).values_list("customer_id", "value", "percentile")
    return {key: (value, percentile) for key, value, percentile in rows}


@pytest.mark.django_db
def test_a_new_set_takes_the_place_of_the_old_one_and_leaves_others_alone() -> None:
    ada, ben, cleo = (factories.customer(name) for name in ("ada", "ben", "cleo"))
    made, other = prediction(), prediction("other")
    first = factories.model_version("again", 1)
    write(made, first, [ada, ben], [0.2, 0.8])
    write(other, first, [cleo], [0.5])
    assert stored(made) == {ada.pk: (0.2, 1), ben.pk: (0.8, 51)}
    write(made, first, [cleo, ben], [0.1, 0.3])
    assert stored(made) == {cleo.pk: (0.1, 1), ben.pk: (0.3, 51)}
    assert stored(other) == {cleo.pk: (0.5, 1)}
    assert (made.scored_people, made.scored_as_of) == (2, NOW)


@pytest.mark.django_db
def test_rows_written_one_by_one_give_way_to_a_set() -> None:
    ada = factories.customer("ada")
    made, version = prediction(), factories.model_version("again", 1)
    Score.objects.create(prediction=made, customer=ada, value=0.9, percentile=100, version=version)
    write(made, version, [ada], [0.4])
    assert stored(made) == {ada.pk: (0.4, 1)}


@pytest.mark.django_db
def test_bounds_are_kept_where_a_model_can_tell_them() -> None:
    ada = factories.customer("ada")
    made, version = prediction(kind="amount"), factories.model_version("again", 1)
    answers = Answers(np.array([ada.pk]), np.array([5.0]), np.array([2.0]), np.array([9.0]))
    scoring.write(prediction=made, version=version, answers=answers, as_of=NOW, now=NOW)
    score = Score.objects.get(prediction=made, customer=ada)
    assert (score.value, score.low, score.high) == (5.0, 2.0, 9.0)
    (seen,) = reading.of_person(customer_id=ada.pk)
    assert (seen.key, seen.value, seen.low, seen.high, seen.version) == ("again", 5.0, 2.0, 9.0, 1)


@pytest.mark.django_db
def test_whoever_left_or_refused_while_everybody_was_scored_gets_no_score() -> None:
    ada, ben, cleo, dora = (factories.customer(name) for name in ("ada", "ben", "cleo", "dora"))
    made, version = prediction(), factories.model_version("again", 1)
    Customer.every.filter(pk=ben.pk).update(merged_into=ada)
    gone = cleo.pk
    cleo.delete()
    cleo.pk = gone
    consent.revoke(customer_ids=[dora.pk], purpose="profiling", source="test", now=NOW)
    write(made, version, [ada, ben, cleo, dora], [0.1, 0.2, 0.3, 0.4])
    assert list(stored(made)) == [ada.pk]


@pytest.mark.django_db
def test_without_a_version_in_use_the_scores_are_taken_away() -> None:
    ada = factories.customer("ada")
    made, version = prediction(), factories.model_version("again", 1, state="retired")
    write(made, version, [ada], [0.4])
    assert scoring.score(prediction=made, now=NOW) == 0
    assert stored(made) == {}
    made.refresh_from_db()
    assert made.scored_at is None


@pytest.mark.django_db
def test_what_the_version_before_said_is_kept_and_taken_back_at_once() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    made = prediction()
    first, second = versions(made)
    write(made, first, [ada, ben], [0.1, 0.2])
    write(made, second, [ada, ben], [0.7, 0.9])
    write(made, second, [ada], [0.8])
    assert stored(made) == {ada.pk: (0.8, 1)}
    assert life.roll_back(prediction=made, actor=None, now=NOW + timedelta(days=1)).pk == first.pk
    assert stored(made) == {ada.pk: (0.1, 1), ben.pk: (0.2, 51)}
    made.refresh_from_db()
    assert (made.scored_people, made.scored_as_of) == (2, NOW)
    second.refresh_from_db()
    life.publish(version=second, actor=None, now=NOW)
    assert stored(made) == {ada.pk: (0.8, 1)}


@pytest.mark.django_db
def test_whose_scores_are_served_is_said_until_everybody_is_scored_again() -> None:
    ada = factories.customer("ada")
    made = prediction()
    first, second = versions(made)
    write(made, second, [ada], [0.7])
    assert made.scored_version == second.version
    assert life.is_served_by(prediction=made, version=second)
    life.roll_back(prediction=made, actor=None, now=NOW)  # what the first said was not kept
    made.refresh_from_db()
    assert made.scored_version == second.version
    assert not life.is_served_by(prediction=made, version=first)
    body = prediction_body(made, registry.live(made.key))
    assert (body["model"]["version"], body["scored_version"], body["stale"]) == (1, 2, True)
    kinds = [job.kind for job in life.look_after(now=NOW)]
    assert "prediction.score" in kinds
    write(made, first, [ada], [0.1])
    assert not prediction_body(made, registry.live(made.key))["stale"]


@pytest.mark.django_db(transaction=True)
def test_archiving_under_a_reader_waits_for_nobody_and_leaves_the_scores_to_a_job() -> None:
    ada = factories.customer("ada")
    made, version = prediction(), factories.model_version("again", 1)
    write(made, version, [ada], [0.1])
    reading_now, done = threading.Event(), threading.Event()

    def read() -> None:
        try:
            with transaction.atomic():
                stored(made)
                reading_now.set()
                done.wait(60)
        finally:
            connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    reading_now.wait(60)
    put = life.archive(prediction=made, actor=None, now=NOW)
    done.set()
    reader.join()
    assert put.state == "archived"
    assert [job.kind for job in Job.objects.all()] == ["prediction.score"]
    assert scoring.score(prediction=put, now=NOW) == 0
    assert stored(made) == {}


@pytest.mark.django_db
def test_nobody_comes_back_with_former_scores_who_has_been_erased_or_has_refused() -> None:
    ada, ben, cleo = (factories.customer(name) for name in ("ada", "ben", "cleo"))
    made = prediction()
    first, second = versions(made)
    write(made, first, [ada, ben, cleo], [0.1, 0.2, 0.3])
    write(made, second, [ada, ben, cleo], [0.4, 0.5, 0.6])
    consent.revoke(customer_ids=[ben.pk], purpose="profiling", source="test", now=NOW)
    cleo.delete()
    life.roll_back(prediction=made, actor=None, now=NOW)
    assert list(stored(made)) == [ada.pk]


@pytest.mark.django_db(transaction=True)
def test_readers_in_the_way_delay_nobody_and_still_see_one_whole_set() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    made, version = prediction(), factories.model_version("again", 1)
    write(made, version, [ada, ben], [0.1, 0.2])
    reading_now, written = threading.Event(), threading.Event()
    seen: list[dict[int, tuple[float, int]]] = []

    def read() -> None:
        try:
            with transaction.atomic():
                seen.append(stored(made))
                reading_now.set()
                written.wait(60)
        finally:
            connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    reading_now.wait(60)
    write(made, version, [ada, ben], [0.7, 0.9])  # the reader keeps the table throughout
    written.set()
    reader.join()
    assert {value for value, _percentile in seen[0].values()} == {0.1, 0.2}
    assert {value for value, _percentile in stored(made).values()} == {0.7, 0.9}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname LIKE %s",
            [f"models\\_ml\\_score\\_p{made.pk}\\_%"],
        )
        parts = cursor.fetchone()[0]
    assert parts <= 2  # the one that serves and the one before it, and nothing left over


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=400))
def test_percentiles_are_in_order_and_of_equal_size(values: list[float]) -> None:
    value = np.array(values)
    found = scoring.percentiles(person=np.arange(len(value)), value=value)
    assert found.min() >= 1
    assert found.max() <= 100
    order = np.argsort(value, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    _which, sizes = np.unique(found, return_counts=True)
    assert sizes.max() - sizes.min() <= 1
    assert abs((found > 90).sum() - len(value) / 10) <= 1


@pytest.mark.django_db
def test_the_best_so_many_people_and_what_to_expect_of_them() -> None:
    people = [factories.customer(f"p{n}") for n in range(10)]
    made, version = prediction(), factories.model_version("again", 1)
    write(made, version, people, [n / 10 for n in range(10)])
    best = reading.reach(prediction=made, people=3)
    assert (best.people, round(best.expected, 6), best.least, best.of) == (3, 2.4, 0.7, 10)
    top = reading.slices(prediction=made)[0]
    assert (top["people"], top["expected"], top["above"]) == (1, 0.9, 90)
    assert reading.slices(prediction=made)[-1]["people"] == 10
    assert sum(one["people"] for one in reading.spread(prediction=made)) == 10


@pytest.mark.django_db
def test_a_date_is_told_as_a_date_and_refused_profiling_hides_everything() -> None:
    ada = factories.customer("ada")
    made, version = prediction(kind="date"), factories.model_version("again", 1)
    days = (NOW + timedelta(days=12) - reading.EPOCH) / timedelta(days=1)
    write(made, version, [ada], [days])
    (seen,) = reading.of_person(customer_id=ada.pk)
    assert seen.date is not None
    assert abs(seen.date - (NOW + timedelta(days=12))) < timedelta(seconds=1)
    consent.revoke(customer_ids=[ada.pk], purpose="profiling", source="test", now=NOW)
    assert reading.of_person(customer_id=ada.pk) == []
