"""What data can be wrong with: each is a state in words on the page, and what served goes on."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.conf import settings as conf
from django.db import connection
from django.test import Client
from django.urls import reverse

from ingestion.models import Customer
from marketing.core import jobs
from marketing.core.models import Job
from models_ml import registry
from models_ml.models import ModelVersion, Prediction, Score
from models_ml.predictions import definitions, training, watching
from tests import factories

NOW = factories.NOW
PEOPLE = 400
KNOWN = ("plan", "seats", "note", "town")
TARGET = {"type": "attribute", "attribute": "left", "op": "=", "value": "Yes"}
SETTINGS = {
    "candidates": ["tree"],
    "attributes": [
        {"name": "plan"},
        {"name": "seats", "kind": "number"},
        {"name": "note"},
        {"name": "town"},
        {"name": "left"},
        {"name": "goodbye"},
    ],
}
State = ModelVersion.State
pytestmark = pytest.mark.django_db(transaction=True)


def person(n: int, leaves: bool) -> dict[str, Any]:
    return {
        "plan": "pro" if n % 2 else "basic",
        "left": "Yes" if leaves else "No",
        "seats": n % 7,
        "note": f"note {n % 3}",
        "town": f"town {n % 5}",
    }


@pytest.fixture
def served() -> Prediction:
    """A prediction in use: version 1 has scored everybody."""
    rng = np.random.default_rng(5)
    Customer.objects.bulk_create(
        Customer(
            external_id=f"p{n}",
            attributes=person(n, bool(rng.random() < (0.15 if n % 2 else 0.7))),
            first_seen_at=NOW - timedelta(days=30),
        )
        for n in range(PEOPLE)
    )
    made = definitions.create(
        title="Leaves", target=TARGET, horizon_days=60, settings=SETTINGS, now=NOW
    )
    job = trained(made)
    assert job.state == Job.State.DONE, job.error
    assert registry.live(made.key) is not None
    made.refresh_from_db()
    assert made.scored_people == PEOPLE
    return made


def run(job: Job) -> Job:
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    return job


def trained(of: Prediction) -> Job:
    return run(training.start(prediction=of))


def spoil(sql: str, *params: Any) -> None:
    """Change what is known of everybody."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE ingestion_customer SET attributes = {sql}", params)


def page_of(prediction: Prediction, version: int | None = None) -> str:
    """What a marketer reads; never the name of an error."""
    client = Client()
    client.force_login(factories.user("marketer"))
    address = reverse("models_ml:prediction", args=[prediction.key])
    response = client.get(address, {"version": version} if version else {})
    assert response.status_code == 200
    shown = response.content.decode()
    assert "Traceback" not in shown
    assert "Error" not in shown
    return shown


def scores_of(prediction: Prediction) -> dict[int, float]:
    return dict(Score.objects.filter(prediction=prediction).values_list("customer_id", "value"))


def only_ten() -> None:
    last = Customer.objects.order_by("id")[10].pk
    Customer.objects.filter(pk__gte=last).update(attributes={})


def goodbye() -> None:
    spoil(
        "attributes || jsonb_build_object('goodbye',"
        " CASE attributes ->> 'left' WHEN 'Yes' THEN 'sent' ELSE 'none' END)"
    )


REFUSED: dict[str, tuple[Callable[[], None], str, str]] = {
    "no yes at all": (
        lambda: spoil('attributes || \'{"left": "No"}\''),
        "one_class",
        r"Of \d+ people nobody did it\. There is nothing to tell apart\.",
    ),
    "nothing but yes": (
        lambda: spoil('attributes || \'{"left": "Yes"}\''),
        "one_class",
        r"All \d+ people did\. There is nothing to tell apart\.",
    ),
    "ten people": (
        only_ten,
        "too_few_people",
        r"There are \d+ people to learn from; 100 are needed\.",
    ),
    "the answer written down later": (
        goodbye,
        "leak",
        r"These columns alone nearly tell the answer: goodbye\.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_learned_from_is_said_and_the_last_good_version_goes_on(
    served: Prediction, case: str
) -> None:
    break_it, code, words = REFUSED[case]
    before = scores_of(served)
    break_it()
    job = trained(served)
    assert job.state == Job.State.FAILED
    assert re.search(words, job.error)
    served.refresh_from_db()
    assert served.trouble["code"] == code
    shown = page_of(served)
    assert "ended without a result." in shown
    assert re.search(words, shown)
    assert "Version 1 goes on being used." in shown
    assert ModelVersion.objects.get(name=served.key).state == State.LIVE
    assert scores_of(served) == before


LEFT_OUT = {
    "a column that is the same for everybody": (
        lambda: spoil('attributes || \'{"note": "same"}\''),
        'Note: <span class="muted">the same for everybody',
    ),
    "a column that is empty for everybody": (
        lambda: spoil("attributes - 'note'"),
        'Note: <span class="muted">empty for everybody',
    ),
    "the target among the columns": (
        lambda: None,
        'Left: <span class="muted">it is what is asked',
    ),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_a_column_that_tells_nothing_or_all_is_named_and_left_out(
    served: Prediction, case: str
) -> None:
    break_it, words = LEFT_OUT[case]
    break_it()
    assert trained(served).state == Job.State.DONE
    newest = ModelVersion.objects.get(name=served.key, version=2)
    assert newest.state in (State.LIVE, State.CANDIDATE)  # as good as the one before, or nearly
    assert words in page_of(served, version=2)
    assert "In use" in page_of(served)
    assert len(scores_of(served)) == PEOPLE


ODD_NUMBERS = ["Infinity", "-Infinity", "NaN", "1e999", "9" * 400, "0x10", ""]


def test_infinite_and_impossible_numbers_are_unknown_and_carry_no_score_away(
    served: Prediction,
) -> None:
    people = Customer.objects.order_by("id")
    for number, row in zip(ODD_NUMBERS, people, strict=False):
        row.attributes["seats"] = number
        row.save(update_fields=["attributes"])
    # A JSON number may be larger than any that can be reckoned with.
    last = people.last()
    assert last is not None
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_customer SET attributes = attributes"
            " || ('{\"seats\": 1' || repeat('0', 400) || '}')::jsonb WHERE id = %s",
            [last.pk],
        )
    job = trained(served)
    assert job.state == Job.State.DONE, job.error
    values = np.array(list(scores_of(served).values()))
    assert len(values) == PEOPLE
    assert ((values > 0) & (values < 1)).all()
    assert "In use" in page_of(served)


def test_categories_nobody_had_before_are_scored_and_seen_as_drift(served: Prediction) -> None:
    spoil('attributes || \'{"plan": "platinum", "town": "Atlantis"}\'')
    job = run(training.start_scoring(prediction=served))
    assert job.state == Job.State.DONE, job.error
    values = np.array(list(scores_of(served).values()))
    assert len(values) == PEOPLE
    assert np.isfinite(values).all()
    watching.look(prediction=served, now=NOW)
    shown = page_of(served)
    assert "People are no longer like those it learned from." in shown
    assert "moved" in shown


def test_ten_thousand_categories_are_learned_from(served: Prediction) -> None:
    """The newcomers leave by their seats, which the version in use has no reason to know."""
    rng = np.random.default_rng(6)
    Customer.objects.bulk_create(
        Customer(
            external_id=f"x{n}",
            attributes=person(n, bool(rng.random() < (0.1 if n % 7 < 4 else 0.9)))
            | {"town": f"place {n}"},
            first_seen_at=NOW - timedelta(days=30),
        )
        for n in range(10_000)
    )
    job = trained(served)
    assert job.state == Job.State.DONE, job.error
    assert len(scores_of(served)) == PEOPLE + 10_000
    shown = page_of(served)
    assert "version 2, trained" in shown
    assert "In use" in shown


def test_one_flipped_bit_is_told_wherever_it_is_met_and_the_scores_stay(
    served: Prediction,
) -> None:
    before = scores_of(served)
    version = registry.live(served.key)
    assert version is not None
    folder = conf.MODEL_DIR / version.folder
    path = next(p for p in sorted(folder.iterdir()) if p.name != "manifest.json")
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    registry._read.cache_clear()
    job = run(training.start_scoring(prediction=served))
    assert job.state == Job.State.FAILED
    assert "are damaged, so nobody was scored again." in job.error
    served.refresh_from_db()
    shown = page_of(served)
    assert "are damaged, so nobody was scored again." in shown
    assert "Version 1 goes on being used." in shown
    assert scores_of(served) == before
    someone = Customer.objects.order_by("id").first()
    assert someone is not None
    client = Client()
    client.force_login(factories.user("marketer"))
    person_page = client.get(reverse("customer", args=[someone.pk]))
    assert person_page.status_code == 200
    assert "Traceback" not in person_page.content.decode()
    # A training makes it good again: there is nothing to compare the new version with.
    assert trained(served).state == Job.State.DONE
    served.refresh_from_db()
    assert served.trouble == {}
    assert "The files of that version are damaged" in page_of(served)
