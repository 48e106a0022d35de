"""The demo knows where it stands from rows alone, and starts each step once, in its turn."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from ingestion.models import ImportJob, Source
from marketing import demo
from marketing.core import jobs
from marketing.core.models import Job, User
from models_ml.models import Prediction
from tests import factories


@pytest.fixture
def imported(db) -> Job:
    """The shipped history, brought in."""
    job = jobs.start(kind="import.run", title="Online Retail")
    source = Source.objects.create(name="Online Retail", is_demo=True)
    ImportJob.objects.create(source=source, job=job, path="x", original_name="x.csv")
    return end(job)


def end(job: Job, state: str = "done") -> Job:
    Job.objects.filter(pk=job.pk).update(state=state)
    job.refresh_from_db()
    return job


def end_all(*kinds: str) -> None:
    Job.objects.filter(kind__in=kinds).update(state="done")


def advance() -> list[str]:
    return demo.advance(now=timezone.now())


@pytest.mark.django_db
def test_an_installation_that_never_asked_for_it_is_left_alone():
    jobs.start(kind="features.build", title="A user's own")
    end_all("features.build")

    assert advance() == []
    assert Job.objects.count() == 1


def test_each_step_starts_once_when_its_forerunners_are_done(imported):
    assert advance() == ["features.build"]
    assert advance() == []
    end_all("features.build")
    assert advance() == ["tree.train", "recommenders.train"]
    end_all("tree.train")
    assert advance() == []
    end_all("recommenders.train")
    assert advance() == ["recommendations.refresh"]
    end_all("recommendations.refresh")
    assert advance() == ["demo.campaign"]
    end_all("demo.campaign")
    assert advance() == ["demo.ads"]
    assert advance() == ["prediction.train:purchase_90d"]
    assert {stage.state for stage in demo.stages()} == {"done"}


def test_ready_predictions_are_trained_one_at_a_time_when_the_demo_stands(imported):
    for kind in (step.kind for step in demo.STEPS[1:]):
        end(jobs.start(kind=kind, title=kind, params={"demo": True}))
    first, second, third = demo.PREDICTIONS
    assert advance() == ["demo.ads"]
    assert advance() == [f"prediction.train:{first}"]
    assert advance() == []
    training = Job.objects.filter(kind="prediction.train")
    training.update(state="done")
    factories.model_version(first, 1, state="refused")
    assert advance() == [f"prediction.train:{second}"]
    training.update(state="failed")
    assert advance() == [f"prediction.train:{third}"]
    training.update(state="failed")
    assert advance() == []
    asked = Prediction.objects.order_by("id").values_list("key", "is_ready")
    assert list(asked) == [(key, True) for key in demo.PREDICTIONS]


def test_it_waits_at_a_failed_step_and_goes_on_when_that_is_tried_again(imported):
    advance()
    job = end(Job.objects.get(kind="features.build"), "failed")
    assert advance() == []
    assert [stage.state for stage in demo.stages()][:3] == ["done", "failed", "waiting"]

    jobs.retry(job_id=job.pk)
    assert demo.stages()[1].state == "running"
    end(job)
    assert advance() == ["tree.train", "recommenders.train"]


def test_an_import_of_ones_own_is_not_the_demo(db):
    job = jobs.start(kind="import.run", title="My shop")
    ImportJob.objects.create(
        source=Source.objects.create(name="My shop"), job=job, path="x", original_name="x.csv"
    )
    end(job)

    assert advance() == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_start_a_step_once():
    job = jobs.start(kind="import.run", title="Online Retail")
    source = Source.objects.create(name="Online Retail", is_demo=True)
    ImportJob.objects.create(source=source, job=job, path="x", original_name="x.csv")
    end(job)
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            barrier.wait(timeout=10)
            advance()
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert Job.objects.filter(kind="features.build").count() == 1


@pytest.mark.django_db
def test_asking_twice_brings_the_history_in_once():
    User.objects.create_user("demo")
    demo.begin(now=timezone.now())
    demo.begin(now=timezone.now())

    assert ImportJob.objects.filter(source__is_demo=True).count() == 1
    assert [stage.state for stage in demo.stages()] == ["running", *["waiting"] * 5]
