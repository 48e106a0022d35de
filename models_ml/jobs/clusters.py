"""Long work of clusters: find groups, sort everyone, find them again when they are old."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import jobs
from marketing.core.errors import NotFound
from models_ml import queries
from models_ml.clusters import definitions, membership, training
from models_ml.models import Clustering, ModelVersion


def _clustering(job: jobs.Running) -> Clustering:
    found = Clustering.objects.filter(pk=job.params["clustering"]).first()
    if found is None:
        raise NotFound(_("There are no such clusters any more."), code="clustering_unknown")
    return found


def train(job: jobs.Running) -> dict[str, Any]:
    """Find groups, publish or refuse; then sort everyone if the new version serves."""
    clustering = _clustering(job)
    # A worker that died after storing had done the learning.
    version = (
        ModelVersion.objects.filter(job_id=job.id, name=clustering.name)
        .exclude(state=ModelVersion.State.CANDIDATE)
        .first()
    )
    if version is None:
        version = training.train(
            clustering=clustering,
            now=timezone.now(),
            job_id=job.id,
            report=job.step,
            progress=job.progress,
        )
    job.set_url(reverse("models_ml:clusters-of", args=[clustering.key]))
    people = 0
    if version.state == ModelVersion.State.LIVE:
        job.step(definitions.STEPS, gettext_lazy("Sorting everyone"), unit="people")
        people = membership.assign(clustering=clustering, as_of=_as_of())
    job.log(version.verdict)
    return {"version": version.version, "state": version.state, "people": people}


def assign(job: jobs.Running) -> dict[str, Any]:
    """Sort everyone again by the groups in use."""
    clustering = _clustering(job)
    job.step(1, gettext_lazy("Sorting everyone"), unit="people")
    people = membership.assign(clustering=clustering, as_of=_as_of())
    job.progress(people, people)
    return {"people": people}


def _as_of() -> datetime:
    return queries.data_now(now=timezone.now())
