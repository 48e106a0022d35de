"""Long work about what people buy next: every engine trained and judged."""

from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import bus, jobs
from models_ml import catalog, queries, sittings, training
from models_ml.models import ModelVersion


def train_recommenders(job: jobs.Running) -> dict[str, Any]:
    """Train every engine of the catalogue on one exam; those that beat popularity go live.

    Called again after a crash it keeps the engines that were stored, goes on with the training that
    was cut off, and judges the rest.
    """
    now = timezone.now()
    job.set_url(reverse("recommendations:home"))
    job.step(1, gettext_lazy("Reading who bought what"), unit="purchases")
    as_of = sittings.as_of(job_id=job.id, now=queries.data_now(now=now))
    exam = training.prepare(as_of=as_of)
    job.progress(len(exam.data), len(exam.data))
    stored = {
        v.name: v for v in ModelVersion.objects.filter(job_id=job.id).exclude(state="candidate")
    }
    baseline = None
    answer: dict[str, Any] = {"purchases": len(exam.data), "people": len(exam.judging.users)}
    for number, entry in enumerate(catalog.CATALOG, start=2):
        job.step(number, partial(_training, entry), unit="rounds")
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
        job.log(partial(_outcome, version, ndcg))
        answer[entry.engine] = {
            "version": version.version,
            "state": version.state,
            entry.metric: ndcg,
        }
    sittings.finish(job_id=job.id)
    bus.announce("recommenders.trained", job_id=job.id)
    return answer


def _training(entry: catalog.Entry) -> str:
    return _("Training and judging: %(engine)s") % {"engine": entry.title}


def _outcome(version: ModelVersion, ndcg: float) -> str:
    told = {"version": version, "ndcg": ndcg, "seconds": version.seconds}
    return version.why or _("%(version)s is live: NDCG@10 %(ndcg).4f in %(seconds).0f s.") % told
