"""What people see of running jobs: the ring in the top bar, what ended, when to ask again."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from marketing.core.models import Job, User


@dataclass(frozen=True)
class Ring:
    """How many jobs are open and how far they are together, in whole percent."""

    count: int
    percent: int


def ring() -> Ring:
    """The open jobs now."""
    return ring_of(
        Job.objects.filter(state__in=Job.OPEN).only("state", "step", "steps", "done", "total")[:50]
    )


def ring_of(jobs: Iterable[Job]) -> Ring:
    parts = [job.percent or 0 for job in jobs]
    return Ring(count=len(parts), percent=round(sum(parts) / len(parts)) if parts else 0)


def ended_since(*, user: User, since: datetime) -> list[Job]:
    """At most three jobs of this person or of the platform itself that ended after `since`."""
    mine = Q(created_by=user) | Q(created_by=None)
    return list(
        Job.objects.filter(mine, finished_at__gt=since)
        .only("public_id", "title", "state", "error", "result_url")
        .order_by("-finished_at")[:3]
    )


def poll_seconds(job: Job, now: datetime) -> int:
    """Every second at first, every 2 after 10 s, every 5 after a minute."""
    age = (now - (job.started_at or job.created_at)).total_seconds()
    return 1 if age < 10 else 2 if age < 60 else 5
