"""Long work about journeys, in a worker: the time machine."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.journeys import replay
from campaigns.models import Journey
from marketing.core import jobs
from marketing.core.errors import NotFound


def look_back(job: jobs.Running) -> dict[str, Any]:
    """The last days of what a draft listens to, through it."""
    journey = Journey.objects.filter(pk=job.params["journey"]).first()
    if journey is None:
        raise NotFound(_("There is no such journey any more."), code="journey_unknown")
    job.step(1, gettext_lazy("Walking people through"), unit="people")
    definition = job.params.get("definition") or journey.draft
    until = replay.end(definition=definition, now=timezone.now())
    found = replay.run(
        definition=definition,
        since=until - timedelta(days=job.params["days"]),
        until=until,
        journey_id=journey.pk,
        imported=True,
        progress=job.progress,
    )
    return found.summary()
