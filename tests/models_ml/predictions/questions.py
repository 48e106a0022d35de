"""Questions about the planted shops, the people they take, and how well those are told apart."""

from datetime import timedelta
from typing import Any

from models_ml.algorithms import classify
from models_ml.algorithms.tabular import contest
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.models import Prediction
from models_ml.predictions import definitions
from models_ml.predictions.definitions import Wishes
from models_ml.predictions.engines import samples
from tests import factories

NOW = factories.NOW
QUICK = {"candidates": ["tree"]}
ORDER = targets.read({"type": "order"})
SIXTY = timedelta(days=60)


def asked(**values: Any) -> Prediction:
    given = {
        "title": "Buys again",
        "target": {"type": "order"},
        "horizon_days": 60,
        "settings": QUICK,
        **values,
    }
    return definitions.create(now=NOW, **given)


def drawn(**values: Any) -> samples.Sample:
    given = {
        "target": ORDER,
        "horizon": SIXTY,
        "population": Population(),
        "wishes": Wishes(),
        "as_of": NOW,
        **values,
    }
    return samples.draw(**given)


def auc(sample: samples.Sample) -> float:
    """Of boosting on the people kept back."""
    outcome = contest.run(
        sample.train,
        sample.later,
        "chance",
        samples.baseline_of(ORDER, SIXTY, sample.train.x.columns),
        seed=1,
        folds=3,
        candidates=["boosting"],
    )
    return classify.auc(sample.later.y, outcome.fitted.predict(sample.later.x))
