"""Versions of how people are measured: the newest is in use, and none is ever rewritten."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from ingestion.models import Customer
from marketing.core import audit, jobs
from marketing.core.errors import Conflict
from marketing.core.models import ApiKey, Job, User
from models_ml.models import Traits, Yardstick

KIND = "insights.measure"


def newest(*, kind: str) -> Yardstick | None:
    return Yardstick.objects.filter(kind=kind).order_by("-version").first()


def in_use(*, kind: str, start: Mapping[str, Any]) -> Yardstick:
    """The version that numbers are to be made with; the first one is written down when needed."""
    found = newest(kind=kind)
    if found is None:
        found, _made = Yardstick.objects.get_or_create(
            kind=kind, version=1, defaults={"body": dict(start)}
        )
    return found


def versions(*, kind: str, limit: int = 10) -> list[Yardstick]:
    rows = Yardstick.objects.filter(kind=kind).select_related("created_by")
    return list(rows.order_by("-version")[:limit])


def keep(
    *,
    kind: str,
    body: Mapping[str, Any],
    start: Mapping[str, Any],
    actor: User | ApiKey | None,
    now: datetime,
) -> Yardstick:
    """Store the next version and start the job that measures everybody with it.

    What is in use already is not stored again. `start` is what was in use before anybody chose.
    """
    last = in_use(kind=kind, start=start)
    if last.body == dict(body):
        return last
    user = actor if isinstance(actor, User) else getattr(actor, "created_by", None)
    try:
        with transaction.atomic():
            made = Yardstick.objects.create(
                kind=kind,
                version=last.version + 1,
                body=dict(body),
                created_by=user,
                created_at=now,
            )
            audit.record(
                actor=actor,
                action="yardstick.changed",
                obj=made,
                detail={"before": last.body, "after": made.body},
            )
            measure(user=user)
    except IntegrityError as error:
        raise Conflict(
            _("Somebody else changed this at the same moment; nothing of yours was stored."),
            code="changed_meanwhile",
            remedy=_("Look at the page again and repeat what is still needed."),
        ) from error
    return made


def measure(*, user: User | None = None) -> Job:
    """Start the job that gives everybody their scores and stages by the versions in use."""
    waiting = Job.objects.filter(kind=KIND, state=Job.State.QUEUED).first()
    if waiting is not None:
        return waiting
    return jobs.start(kind=KIND, title=_("Measure everybody again"), user=user, steps=2)


def pending() -> Job | None:
    """The job that is measuring everybody, or waits to."""
    return Job.objects.filter(kind=KIND, state__in=Job.OPEN).order_by("-id").first()


def totals(*, kind: str) -> Mapping[str, Any] | None:
    """What everybody's numbers came to when they were last measured, if these still stand."""
    row = Yardstick.objects.filter(kind=kind).exclude(applied={}).first()
    made = Traits.objects.order_by("customer_id").values_list("as_of", flat=True).first()
    if row is None or made is None or row.applied.get("as_of") is None:
        return None
    return row.applied if datetime.fromisoformat(row.applied["as_of"]) == made else None


def people(meant: Q) -> QuerySet[Traits]:
    """The numbers of everyone who meets this condition on them."""
    # Those few who were merged are looked for, rather than all others: theirs is a small index.
    merged = Customer.every.filter(pk=OuterRef("pk"), merged_into__isnull=False)
    return Traits.objects.filter(meant, ~Exists(merged))


def best_first(meant: QuerySet[Traits]) -> QuerySet[Any, int]:
    """The ids of these people, whoever spent most first."""
    return meant.order_by("-revenue", "pk").values_list("pk", flat=True)


def applied() -> bool:
    """Whether everybody was measured by the newest version of each kind."""
    newest = Yardstick.objects.order_by("kind", "-version").distinct("kind")
    return all(row.applied for row in newest) or pending() is not None
