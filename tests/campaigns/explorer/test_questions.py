"""Which questions a tree is grown for, of how many people, and the job that grows it."""

from typing import Any

import pytest

from ingestion import consent
from marketing.core import jobs
from marketing.core.errors import Invalid, Refused
from marketing.core.models import Job
from models_ml.models import Exploration, ModelVersion
from tests.campaigns.explorer import people
from tests.campaigns.explorer.people import NOW, ask, train

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("many", "target", "code"),
    [
        (10, {"type": "order"}, "too_few_people"),
        (300, {"type": "spend_over", "amount": 1e9}, "one_class"),
        (300, {"type": "event", "event": "never"}, "history_too_short"),
        (300, {"type": "answer"}, "no_mails"),
        (300, {"type": "segment", "segment": 999}, "segment_gone"),
    ],
)
def test_what_keeps_a_tree_from_being_grown_is_noted_by_name(
    many: int, target: dict[str, Any], code: str
) -> None:
    people.plant(many)
    exploration = ask(target)
    with pytest.raises(Refused):
        train(exploration)
    exploration.refresh_from_db()
    assert exploration.trouble["code"] == code
    assert exploration.trouble["message"]
    assert exploration.trouble["remedy"]
    assert not ModelVersion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_job_grows_the_tree_and_can_be_taken_up_again() -> None:
    people.plant()
    exploration = ask({"type": "order"})
    job = jobs.start(kind="explorer.train", title="x", params={"exploration": exploration.pk})
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    assert job.result_url == "/segments/tree/question/"
    Job.objects.filter(pk=job.pk).update(state="queued")
    jobs.run(job_id=job.pk)
    assert ModelVersion.objects.filter(name="tree:question").count() == 1


def test_whoever_refused_profiling_teaches_nothing() -> None:
    made = people.plant(400)
    no = [person.pk for person in made[:50]]
    consent.revoke(customer_ids=no, purpose="profiling", source="test", now=NOW)
    exploration = ask({"type": "order"})
    version = train(exploration)
    assert exploration.sizes["people"] == 350
    assert version.details["judged_people"] + version.details["learned_people"] <= 350


def test_only_questions_of_yes_or_no_are_taken() -> None:
    with pytest.raises(Invalid, match="yes or no"):
        ask({"type": "spend"})
    with pytest.raises(Invalid, match="at least 20 people"):
        ask({"type": "order"}, settings={"min_leaf": 3})
    with pytest.raises(Invalid, match="whole number of days"):
        ask({"type": "order"}, days=0)
    assert not Exploration.objects.exists()
