"""A prediction whose model reads what people did, one after the other."""

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings

from models_ml.algorithms.tabular.fitted import EVENTS
from models_ml.algorithms.tabular.sequence import Sequence
from models_ml.predictions import contests, definitions, training
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def test_what_people_did_is_read_in_training_and_in_answering(monkeypatch):
    shops.plant(people=200)
    monkeypatch.setattr(
        Sequence, "settings", lambda *_: [{"epochs": 1, "dimension": 8, "depth": 1}]
    )
    made = definitions.create(
        title="Buys again",
        target={"type": "order"},
        horizon_days=60,
        settings={"candidates": ["sequence"]},
        now=NOW,
    )
    version = training.train(prediction=made, now=NOW)
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
