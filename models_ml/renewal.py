"""When numbers about people are made again: after an import, and daily while the shop sells."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from ingestion import changes
from ingestion.models import Customer, ImportJob
from marketing.core import jobs
from marketing.core.db import advisory_lock
from marketing.core.models import Job
from models_ml import queries
from models_ml.models import ClusterMember, Score, Traits

KIND = "features.build"
DAILY = timedelta(days=1)


def due(*, now: datetime) -> bool:
    """Whether facts came in, or a day passed in a shop that sells, since numbers were made.

    The demo's own import is left to the demo, which makes numbers as its next step.
    """
    runs = Job.objects.filter(kind=KIND)
    if runs.filter(state__in=Job.OPEN).exists():
        return False
    last: datetime | None = (
        runs.order_by("-created_at").values_list("created_at", flat=True).first()
    )
    imported = ImportJob.objects.filter(state=ImportJob.State.DONE, source__is_demo=False)
    newest: datetime | None = (
        imported.order_by("-finished_at").values_list("finished_at", flat=True).first()
    )
    if newest is not None and (last is None or newest > last):
        return True
    if last is None or now - last < DAILY or not Traits.objects.exists():
        return False
    return queries.data_now(now=now) == now


def follow(*, customer_ids: Sequence[int]) -> int:
    """Drop the numbers and scores of people who were merged into others; how many.

    Whoever they were merged into, and whoever was parted again, gets theirs with the next run.
    """
    merged = Customer.every.filter(pk__in=customer_ids, merged_into__isnull=False)
    scored = Score.objects.filter(customer__in=merged)
    if scored.exists():
        scored.delete()
        changes.note(kind=changes.SCORE, people=customer_ids)
    membership = ClusterMember.objects.filter(customer__in=merged)
    if membership.exists():
        membership.delete()
        changes.note(kind=changes.SCORE, people=customer_ids)
    changes.note(kind=changes.TRAITS, people=customer_ids)
    return Traits.objects.filter(customer__in=merged).delete()[0]


def start_if_due(*, now: datetime) -> Job | None:
    """Start the job that makes all numbers again, once, if it is due."""
    with advisory_lock("features.renewal", wait=False) as ours:
        if not ours or not due(now=now):
            return None
        return jobs.start(kind=KIND, title=_("Work out everyone's numbers again"), steps=2)
