"""Why a person has their score: shares that sum to it, and a change that would move it."""

from datetime import timedelta

import pytest

from ingestion import consent
from models_ml import registry
from models_ml.models import Prediction, Score
from models_ml.predictions import answers, definitions, reasons, scoring, training
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
pytestmark = pytest.mark.django_db


@pytest.fixture
def made() -> Prediction:
    shops.plant(people=400)
    found = definitions.create(
        title="Buys again",
        target={"type": "order"},
        horizon_days=60,
        settings={"candidates": ["boosting"]},
        now=NOW,
    )
    registry.promote(version=training.train(prediction=found, now=NOW))
    scoring.score(prediction=found, now=NOW)
    return found


def test_the_reasons_sum_to_the_score_and_wait_for_the_page(made: Prediction) -> None:
    scores = list(Score.objects.filter(prediction=made).order_by("value"))
    for score in (scores[0], scores[len(scores) // 2], scores[-1]):
        body = reasons.work_out(prediction=made, customer_id=score.customer_id, now=NOW)
        assert body is not None
        assert body["value"] == pytest.approx(score.value, abs=1e-9)
        total = body["usual"] + sum(row["share"] for row in body["reasons"])
        assert total == pytest.approx(score.value, abs=1e-9)
        sizes = [abs(row["share"]) for row in body["reasons"]]
        assert sizes == sorted(sizes, reverse=True)
        assert answers.known(prediction=made, customer_id=score.customer_id) == body


def test_a_change_is_shown_to_whoever_is_worse_off_than_most(made: Prediction) -> None:
    scores = list(Score.objects.filter(prediction=made).order_by("value"))
    best = reasons.work_out(prediction=made, customer_id=scores[-1].customer_id, now=NOW)
    assert best is not None
    assert best["change"] is None
    middle = scores[len(scores) // 2].value
    bodies = [
        reasons.work_out(prediction=made, customer_id=score.customer_id, now=NOW)
        for score in scores[: len(scores) // 2 : 8]
    ]
    changes = [body["change"] for body in bodies if body and body["change"]]
    assert changes
    for change in changes:
        assert change["would"] >= middle - 0.05
        assert change["meaning"]


def test_nobody_who_refused_profiling_and_nobody_unknown_has_reasons(made: Prediction) -> None:
    person = Score.objects.filter(prediction=made).first()
    assert person is not None
    assert reasons.work_out(prediction=made, customer_id=person.customer_id, now=NOW)
    consent.revoke(
        customer_ids=[person.customer_id], purpose="profiling", source="test",
        now=NOW + timedelta(seconds=1),
    )  # fmt: skip
    assert answers.known(prediction=made, customer_id=person.customer_id) is None
    assert reasons.work_out(prediction=made, customer_id=person.customer_id, now=NOW) is None
    assert reasons.work_out(prediction=made, customer_id=10**9, now=NOW) is None
