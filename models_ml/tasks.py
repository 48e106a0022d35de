"""Long work of this app: handlers of the job kinds that `marketing/pipeline.py` lists."""

from typing import Any

from celery import shared_task
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from ingestion.identity import merging
from marketing.core import bus, jobs
from models_ml import (
    catalog,
    features,
    further,
    queries,
    renewal,
    repeat,
    sittings,
    training,
)
from models_ml.algorithms.tree import Params
from models_ml.clusters import definitions as clusterings
from models_ml.demand import reading as demand
from models_ml.jobs import insights as insight_jobs
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import life


def build_features(job: jobs.Running) -> dict[str, Any]:
    """Numbers of everyone as of the data's now, then the live tree's word on them."""
    as_of = queries.data_now(now=timezone.now())
    job.step(1, _("Counting orders, intervals and returns of every person"), unit="people")
    people = features.build(as_of=as_of)
    job.progress(people, people)
    job.step(2, _("Scoring people with the live tree"), unit="people")
    scored = repeat.score()
    job.log(
        _("%(people)d people counted as of %(moment)s, %(scored)d scored.")
        % {"people": people, "moment": f"{as_of:%Y-%m-%d %H:%M}", "scored": scored}
    )
    bus.announce("features.built")
    return {"people": people, "scored": scored, "as_of": as_of.isoformat()}


def train_tree(job: jobs.Running) -> dict[str, Any]:
    """Train the tree as asked (`depth`, `min_leaf`), publish it if worth it, score everyone."""
    version = (
        ModelVersion.objects.filter(job_id=job.id, name=repeat.NAME)
        .exclude(state="candidate")
        .first()
    )
    if version is None:  # a worker that died after storing had done the work
        given = {
            name: int(job.params[name]) for name in ("depth", "min_leaf") if name in job.params
        }
        now = timezone.now()
        version = repeat.train(
            as_of=queries.data_now(now=now),
            now=now,
            params=Params(**given),
            job_id=job.id,
            report=job.step,
        )
    job.set_url(reverse("models_ml:model-detail", args=[version.pk]))
    job.step(5, _("Scoring people with the live tree"), unit="people")
    features.build(as_of=queries.data_now(now=timezone.now()))
    scored = repeat.score()
    bus.announce("features.built")
    job.log(version.reason or _("%(version)s is live.") % {"version": version})
    return {
        "version": version.version,
        "state": version.state,
        "auc": version.metrics["auc"],
        "auc_baseline": version.baseline["auc"],
        "scored": scored,
    }


def train_recommenders(job: jobs.Running) -> dict[str, Any]:
    """Train every engine of the catalogue on one exam; those that beat popularity go live.

    Called again after a crash it keeps the engines that were stored, goes on with the training that
    was cut off, and judges the rest.
    """
    now = timezone.now()
    job.set_url(reverse("recommendations:home"))
    job.step(1, _("Reading who bought what"), unit="purchases")
    as_of = sittings.as_of(job_id=job.id, now=queries.data_now(now=now))
    exam = training.prepare(as_of=as_of)
    job.progress(len(exam.data), len(exam.data))
    stored = {
        v.name: v for v in ModelVersion.objects.filter(job_id=job.id).exclude(state="candidate")
    }
    baseline = None
    answer: dict[str, Any] = {"purchases": len(exam.data), "people": len(exam.judging.users)}
    for number, entry in enumerate(catalog.CATALOG, start=2):
        job.step(
            number, _("Training and judging: %(engine)s") % {"engine": entry.title}, unit="rounds"
        )
        version = stored.get(entry.name)
        # The baseline is judged again in any case, as the others are compared person by person.
        if version is None or not entry.gate:
            version, figures = training.train(
                name=entry.name,
                exam=exam,
                baseline=baseline,
                now=now,
                job_id=job.id,
                report=job.progress,
            )
            baseline = baseline or figures
        ndcg = version.metrics[entry.metric]
        job.log(
            version.reason
            or _("%(version)s is live: NDCG@10 %(ndcg).4f in %(seconds).0f s.")
            % {"version": version, "ndcg": ndcg, "seconds": version.seconds}
        )
        answer[entry.engine] = {
            "version": version.version,
            "state": version.state,
            entry.metric: ndcg,
        }
    sittings.finish(job_id=job.id)
    bus.announce("recommenders.trained", job_id=job.id)
    return answer


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
