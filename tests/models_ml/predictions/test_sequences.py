"""A prediction whose model reads what people did, one after the other."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from ingestion import events
from models_ml import registry
from models_ml.algorithms.tabular import contest
from models_ml.algorithms.tabular.fitted import EVENTS
from models_ml.algorithms.tabular.sequence import Sequence
from models_ml.models import ModelVersion
from models_ml.predictions import definitions, reasons, training
from models_ml.predictions.engines import contests
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
SMALL = {"epochs": 1, "dimension": 8, "depth": 1}
pytestmark = pytest.mark.django_db


def test_what_people_did_is_read_in_training_and_in_answering(monkeypatch):
    shops.plant(people=200)
    monkeypatch.setattr(Sequence, "settings", lambda *_: [SMALL])
    made = definitions.create(
        title="Buys again",
        target={"type": "order"},
        horizon_days=60,
        settings={"candidates": ["sequence"]},
        now=NOW,
    )
    version = registry.promote(version=training.train(prediction=made, now=NOW))
    assert version.algorithm == "sequence"
    assert version.details["table"][0]["curve"][0]["epoch"] == 1
    curves = Path(settings.MODEL_DIR) / "tensorboard" / made.key / "v1"
    assert [path.name.split(".")[0] for path in curves.iterdir()] == ["events"]
    fitted = contests.fitted_of(version)
    assert fitted.columns[-1] == EVENTS
    answers = contests.answer(prediction=made, version=version, as_of=NOW)
    blind = fitted.predict(contests.values(prediction=made, version=version, as_of=NOW).x)
    assert np.isfinite(answers.value).all()
    assert np.abs(answers.value - blind).max() > 1e-6
    body = reasons.work_out(prediction=made, customer_id=int(answers.person[0]), now=NOW)
    assert body is not None
    assert body["usual"] + sum(row["share"] for row in body["reasons"]) == pytest.approx(
        answers.value[0], abs=1e-6
    )
    (deeds,) = [row for row in body["reasons"] if row["feature"] == EVENTS]
    assert deeds["meaning"] == "what they did, in order"
    # Sampled, so each line says how far it may be off.
    assert 0 <= body["error"] < 1


def test_the_transformer_enters_unasked_where_anything_but_orders_is_known(monkeypatch):
    people = shops.plant(people=200)
    monkeypatch.setattr(Sequence, "settings", lambda *_: [SMALL])
    monkeypatch.setattr(contest, "DEFAULT", ("linear", "sequence"))
    made = definitions.create(
        title="Buys again", target={"type": "order"}, horizon_days=60, settings={}, now=NOW
    )
    assert engines_of(training.train(prediction=made, now=NOW)) == ["linear"]
    deeds = [
        {
            "type": "product_viewed",
            "at": NOW - timedelta(days=150 + n % 9),
            "message_id": f"seen:{n}",
            "customer_id": person.pk,
        }
        for n, person in enumerate(people)
    ]
    events.record(batch=deeds, source="test", now=NOW)
    version = training.train(prediction=made, now=NOW)
    assert engines_of(version) == ["linear", "sequence"]


def engines_of(version: ModelVersion) -> list[str]:
    return [row["name"] for row in version.details["table"] if not row["is_baseline"]]
