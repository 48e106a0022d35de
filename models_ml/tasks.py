"""Celery doors of this app. Every worker loads them; training is in `jobs`, loaded when asked."""

from typing import Any

from celery import shared_task
from django.utils import timezone
from django.utils.module_loading import import_string

from ingestion.identity import merging
from models_ml import further, renewal
from models_ml.clusters import definitions as clusterings
from models_ml.demand import reading as demand
from models_ml.jobs import insights as insight_jobs
from models_ml.models import Prediction
from models_ml.predictions import life


@shared_task(name="models_ml.tasks.renew_features", queue="fast")
def renew_features(**_ids: Any) -> None:
    """Make everyone's numbers again if facts have come in since."""
    renewal.start_if_due(now=timezone.now())


@shared_task(name="models_ml.tasks.renew_insights", queue="fast")
def renew_insights(**_ids: Any) -> None:
    """Measure everybody and look back again where what is stored is not of what is in use."""
    insight_jobs.start_if_due(now=timezone.now())


@shared_task(name="models_ml.tasks.follow_people", queue="fast")
def follow_people(customer_ids: list[int] | None = None, **_ids: Any) -> None:
    """Keep numbers to people who stand for themselves."""
    now = timezone.now()
    renewal.follow(customer_ids=customer_ids or merging.moved_lately(now=now))


@shared_task(name="models_ml.tasks.score_after_promotion", queue="fast")
def score_after_promotion(name: str, **_ids: Any) -> None:
    """Let everyone be scored by a version that has just begun to speak."""
    life.score_after_promotion(name=name)
    if name == demand.NAME and (version := demand.live()) is not None:
        demand.serve_after_promotion(version=version)


@shared_task(name="models_ml.tasks.renew_demand", queue="fast")
def renew_demand(**_ids: Any) -> None:
    """Forecast again what will be sold, when a week of orders has come."""
    demand.start_if_due(now=timezone.now())


@shared_task(name="models_ml.tasks.learn_further", queue="fast")
def learn_further(**_ids: Any) -> None:
    """Let engines learn from new purchases, once a night where enough came."""
    further.start_if_due(now=timezone.now())


@shared_task(name="models_ml.tasks.look_after_predictions", queue="fast")
def look_after_predictions(**_ids: Any) -> None:
    """Train, score and watch what is due."""
    life.look_after(now=timezone.now())


@shared_task(name="models_ml.tasks.sort_people", queue="fast")
def sort_people(**_ids: Any) -> None:
    """Sort everyone into clusters again, and look for new ones where those in use are old."""
    clusterings.follow_numbers(now=timezone.now())


@shared_task(name="models_ml.tasks.explain_score", queue="bulk")
def explain_score(prediction_id: int, customer_id: int, **_ids: Any) -> None:
    """Work out why a person has their score, for a page that waits for it."""
    prediction = Prediction.objects.filter(pk=prediction_id).first()
    if prediction is not None:
        work_out = import_string("models_ml.predictions.reasons.work_out")
        work_out(prediction=prediction, customer_id=customer_id, now=timezone.now())
