"""Long work of ads: lists for networks, and models of clicks and conversions."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.ads import exporting, learning, trainings
from campaigns.models import AdExport
from marketing.core import jobs
from marketing.core.errors import NotFound


def export(job: jobs.Running) -> dict[str, Any]:
    """Write a list of people for a network."""
    made = AdExport.objects.select_related("segment").filter(pk=job.params["export"]).first()
    if made is None:
        raise NotFound(_("There is no such list any more."), code="export_unknown")
    job.step(1, gettext_lazy("Hashing names"), unit="people")
    try:
        exporting.write(export=made, report=job.progress, now=timezone.now())
    except Exception:
        if not job.lost:
            AdExport.objects.filter(pk=made.pk).update(state=AdExport.State.FAILED)
        raise
    job.set_url(reverse("campaigns:ad-exports"))
    return {"people": made.people, "left_out": made.left_out}


def train(job: jobs.Running) -> dict[str, Any]:
    """Learn who clicks and who converts; each is published only where it beats plain rates."""
    made = {}
    for step, name in enumerate(trainings.MODELS, start=1):
        job.step(step, trainings.TITLES[name], unit="rows")
        version = learning.train(name=name, job_id=job.id, now=timezone.now())
        made[name] = {"version": version.version, "state": version.state} if version else None
        job.check()
    return made
