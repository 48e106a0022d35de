"""Where the reasons for a score wait for the page that asked for them."""

from typing import Any

from django.core.cache import cache

from ingestion import consent
from marketing.core import bus
from models_ml import registry
from models_ml.models import ModelVersion, Prediction

TASK = "models_ml.tasks.explain_score"
KEPT_SECONDS = 600
# Engines that say why somebody has their score.
EXPLAINED = ("contest", "oddness")


def key_of(prediction: Prediction, version: ModelVersion, customer_id: int) -> str:
    as_of = prediction.scored_as_of
    moment = int(as_of.timestamp()) if as_of else 0
    return f"reasons:{prediction.pk}:{version.pk}:{moment}:{customer_id}"


def known(*, prediction: Prediction, customer_id: int) -> dict[str, Any] | None:
    """The reasons as `reasons.work_out` gives them, if they were worked out lately."""
    version = registry.live(prediction.key)
    if version is None or consent.unprofiled([customer_id]):
        return None
    found: dict[str, Any] | None = cache.get(key_of(prediction, version, customer_id))
    return found


def ask(*, prediction: Prediction, customer_id: int) -> dict[str, Any] | None:
    """The reasons, or None after a worker was asked for them: look again in a moment."""
    found = known(prediction=prediction, customer_id=customer_id)
    if found is None:
        bus.nudge(TASK, "bulk", 60, prediction_id=prediction.pk, customer_id=customer_id)
    return found
