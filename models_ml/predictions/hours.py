"""At which hour of their day somebody is best written to, for whoever sends.

A person's own hour where the prediction in use has one, else everybody's. Reading loads no model
library.
"""

from typing import Any

from django.db.models import QuerySet

from ingestion import consent
from models_ml.models import ModelVersion, Prediction, Score


def chosen() -> tuple[QuerySet[Score, tuple[int, float]], int | None]:
    """Everybody's own hour as rows of (person, hour), for a join, and that of everyone else.

    Whoever refused profiling has no row.
    """
    asked = Prediction.objects.filter(
        kind=Prediction.Kind.HOUR, state=Prediction.State.ACTIVE
    ).order_by("pk")
    first = asked.first()
    usual = everyones(first)
    own = Score.objects.filter(prediction=0 if first is None or usual is None else first.pk)
    refused = consent.objects_to_profiling("customer")
    return own.exclude(refused).values_list("customer", "value").order_by(), usual


def everyones(prediction: Prediction | None) -> int | None:
    """Everybody's best hour as the newest version learned it, published or not."""
    if prediction is None:
        return None
    version = ModelVersion.objects.filter(name=prediction.key).first()
    details: dict[str, Any] = version.details if version is not None else {}
    hour = (details.get("everyone") or {}).get("hour")
    return int(hour) if hour is not None else None
