"""Numbers are made again when facts came in, once, and daily in a shop that sells."""

from datetime import timedelta

import pytest

from marketing.core.models import Job
from models_ml import renewal
from tests import factories

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def made(hours_ago: float, state: str = "done") -> Job:
    at = NOW - timedelta(hours=hours_ago)
    return factories.job("Numbers", kind="features.build", state=state, created_at=at)


def test_a_finished_import_starts_one_job() -> None:
    factories.import_job(finished_at=NOW)
    job = renewal.start_if_due(now=NOW)
    assert job is not None
    assert (job.kind, job.steps) == ("features.build", 2)
    assert renewal.start_if_due(now=NOW) is None
    assert Job.objects.count() == 1


def test_nothing_is_due_when_numbers_are_newer_than_the_import() -> None:
    factories.import_job(finished_at=NOW - timedelta(hours=2))
    made(hours_ago=1)
    assert renewal.start_if_due(now=NOW) is None


def test_the_demos_own_import_is_left_to_the_demo() -> None:
    job = factories.import_job(finished_at=NOW)
    job.source.is_demo = True
    job.source.save()
    assert not renewal.due(now=NOW)


def test_a_shop_that_sells_is_counted_daily_and_an_old_history_is_not() -> None:
    cast = factories.cast()
    made(hours_ago=25)
    assert renewal.due(now=NOW)
    assert not renewal.due(now=NOW + timedelta(days=90))
    assert not renewal.due(now=NOW - timedelta(hours=2))
    assert cast.ada.pk
