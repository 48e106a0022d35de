"""Work behind the insights: measuring everybody again, and the stages at successive moments."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy

from marketing.core import bus, jobs
from models_ml import features
from models_ml.insights import stage_history, yardsticks


def measure(job: jobs.Running) -> dict[str, Any]:
    """Scores and stages by the bands and bounds in use now, then the stages over time."""
    job.set_url(reverse("models_ml:insights"))
    job.step(1, gettext_lazy("Giving everybody their scores and stage"), unit="people")
    changed = features.measure()
    job.progress(changed, changed)
    bus.announce("features.built")
    job.step(2, gettext_lazy("Finding the stages at the end of each month"), unit="people")
    flow = stage_history.build(now=timezone.now())
    return {"changed": changed, "people": flow.people if flow else 0}


def look_back(job: jobs.Running) -> dict[str, Any]:
    """The stage of everybody at the end of each month, and who moved from which to which."""
    job.set_url(reverse("models_ml:lifecycle"))
    job.step(1, gettext_lazy("Finding the stages at the end of each month"), unit="people")
    flow = stage_history.build(now=timezone.now())
    return {"people": flow.people, "moments": len(flow.cuts)} if flow else {"people": 0}


def start_if_due(*, now: datetime) -> None:
    """Start what makes the stored measures agree with the choices and the numbers in use."""
    if not yardsticks.applied():
        yardsticks.measure()
    elif stage_history.due(now=now):
        stage_history.start()
