"""From a question to a judged model and everybody's score."""

from typing import Any

import numpy as np
import pytest

from models_ml.models import ModelVersion, Prediction, Score
from models_ml.predictions import definitions, ready, scoring, training
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
QUICK = {"candidates": ["boosting"]}
pytestmark = pytest.mark.django_db


def asked(**values: Any) -> Prediction:
    given = {
        "title": "Buys again",
        "target": {"type": "order"},
        "horizon_days": 60,
        "settings": QUICK,
        **values,
    }
    return definitions.create(now=NOW, **given)


def test_a_ready_prediction_learns_publishes_and_scores_everyone() -> None:
    people = shops.plant()
    made = ready.install(key="churn", now=NOW)
    made.settings = QUICK
    made.save()
    version = training.train(prediction=made, now=NOW)
    assert version.state == ModelVersion.State.LIVE, version.reason
    assert version.metrics["auc"] > version.baseline["auc"]
    assert version.details["later_in_time"] is True
    assert version.details["learned_people"] > 200
    scored = scoring.score(prediction=made, now=NOW)
    values = np.array(Score.objects.filter(prediction=made).values_list("value", flat=True))
    assert scored == len(values) == made.scored_people <= len(people)
    assert np.isfinite(values).all()
    assert ((values >= 0) & (values <= 1)).all()
    assert made.scored_as_of is not None
