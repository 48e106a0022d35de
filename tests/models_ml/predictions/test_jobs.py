"""Trainings as jobs: resumed without learning twice, stopped with a state that can be read."""

import pytest
from django.urls import reverse

from marketing.core import jobs
from marketing.core.models import Job
from models_ml import uses
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, training
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
pytestmark = pytest.mark.django_db(transaction=True)


def asked() -> Prediction:
    return definitions.create(
        title="Buys again",
        target={"type": "order"},
        horizon_days=60,
        settings={"candidates": ["tree"]},
        now=NOW,
    )


def run(job: Job) -> Job:
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    return job


def test_a_training_ends_as_a_version_and_is_not_learned_twice() -> None:
    shops.plant(people=300)
    made = asked()
    job = run(training.start(prediction=made))
    assert job.state == Job.State.DONE, job.error
    version = ModelVersion.objects.get(name=made.key)
    assert job.result["version"] == version.version
    assert version.job_id == job.pk
    assert job.result["scored"] == made.scores.count()
    Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED)
    assert run(job).state == Job.State.DONE
    assert ModelVersion.objects.filter(name=made.key).count() == 1


def test_a_training_that_cannot_be_ends_with_words_and_not_with_a_traceback() -> None:
    made = asked()
    job = run(training.start(prediction=made))
    assert job.state == Job.State.FAILED
    assert "too short to learn from" in job.error
    made.refresh_from_db()
    assert made.trouble["code"] == "history_too_short"
    assert "Error" not in job.error


def test_scoring_and_watching_are_jobs_of_their_own() -> None:
    shops.plant(people=300)
    made = asked()
    run(training.start(prediction=made))
    job = run(training.start_scoring(prediction=made))
    assert job.state == Job.State.DONE
    assert job.result["scored"] == made.scores.count()


def test_the_page_of_a_version_and_the_list_stand_with_a_prediction(client) -> None:  # type: ignore[no-untyped-def]
    shops.plant(people=300)
    made = asked()
    run(training.start(prediction=made))
    version = ModelVersion.objects.get(name=made.key)
    ModelVersion.objects.filter(pk=version.pk).update(state="live")
    client.force_login(factories.user("admin"))
    for address in (
        reverse("models_ml:model-list"),
        reverse("models_ml:model-detail", args=[version.pk]),
    ):
        assert client.get(address, follow=True).status_code == 200
    assert "Buys again" in {str(use.label) for use in uses.everything()}
