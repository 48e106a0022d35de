"""When a source is fetched from next, and beginning it: at most one fetch of a source at a time."""

from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion.models import Connector, Pull
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import Job, User

JOB = "source.pull"
BACKOFF = (2, 5, 15, 60, 180)  # minutes after the first, second … failure in a row
PAUSE_AFTER = 6
LONGEST = 60 * 24 * 30


def refuse_nonsense(every_minutes: int | None) -> None:
    """Invalid for an interval that is none."""
    if every_minutes is not None and not 1 <= every_minutes <= LONGEST:
        raise Invalid(
            _("Give a whole number from %(low)d to %(high)d.") % {"low": 1, "high": LONGEST},
            code="bad_setting",
            field="every_minutes",
        )


def is_timed(connector: Connector) -> bool:
    """Whether it is fetched from without being asked."""
    return connector.every_minutes is not None or connector.daily_at is not None


def following(connector: Connector, *, now: datetime) -> datetime | None:
    """The moment of the next fetch after `now`; None when nobody but a person begins one."""
    if connector.state != Connector.State.ACTIVE:
        return None
    if connector.every_minutes:
        return now + timedelta(minutes=connector.every_minutes)
    if connector.daily_at:
        today = datetime.combine(now.astimezone(UTC).date(), connector.daily_at, UTC)
        return today if today > now else today + timedelta(days=1)
    return None


def after_failure(connector: Connector, *, now: datetime) -> datetime | None:
    """When to try again: sooner than usual at first, then ever later."""
    usual = following(connector, now=now)
    if usual is None:
        return None
    wait = BACKOFF[min(connector.failures, len(BACKOFF)) - 1]
    return now + timedelta(minutes=wait)


def begin(*, connector: Connector, by_hand: bool, user: User | None = None, now: datetime) -> Pull:
    """Begin a fetch. Conflict while one of this source is under way."""
    try:
        with transaction.atomic():
            locked = (
                Connector.objects.select_for_update(of=("self",))
                .select_related("source")
                .get(pk=connector.pk)
            )
            pull = Pull.objects.create(
                connector=locked, by_hand=by_hand, cursor=locked.cursor, created_at=now
            )
            pull.job = jobs.start(
                kind=JOB,
                title=_("Fetch from %(name)s") % {"name": locked.source.name},
                params={"pull_id": pull.pk},
                user=user,
                result_url=reverse("ingestion:source-detail", args=[locked.source_id]),
            )
            pull.save(update_fields=["job"])
            if locked.next_at is not None:
                locked.next_at = following(locked, now=now)
                locked.save(update_fields=["next_at"])
    except IntegrityError:
        raise Conflict(
            _("This source is being fetched from right now; nothing was started."),
            code="pull_open",
            remedy=_("Wait until it is done."),
        ) from None
    return pull


def begin_due(*, now: datetime) -> list[int]:
    """Begin every fetch that is due, and settle what a lost worker left; ids of the fetches."""
    settle(now=now)
    activate(now=now)
    begun = []
    due = Connector.objects.filter(state=Connector.State.ACTIVE, next_at__lte=now)
    for connector in due.order_by("next_at")[:50]:
        try:
            begun.append(begin(connector=connector, by_hand=False, now=now).pk)
        except Conflict:  # the last one still runs, or another clock was faster
            Connector.objects.filter(pk=connector.pk, next_at=connector.next_at).update(
                next_at=following(connector, now=now)
            )
    return begun


def settle(*, now: datetime) -> int:
    """Close fetches whose job has ended without them; how many."""
    ended = Q(job=None, created_at__lt=now - timedelta(minutes=1))
    ended |= Q(job__state__in=[Job.State.FAILED, Job.State.STOPPED, Job.State.DONE])
    closed = 0
    for pull in Pull.objects.filter(ended, state=Pull.State.OPEN).select_related("job"):
        stopped = pull.job is not None and pull.job.state == Job.State.STOPPED
        why = pull.job.error if pull.job else _("The work was lost; nothing was stored.")
        closed += close(pull=pull, error="" if stopped else why or _("It ended early."), now=now)
    return closed


def close(*, pull: Pull, error: str, now: datetime, retry_at: datetime | None = None) -> bool:
    """End a fetch without success: `error` says why, empty when somebody stopped it.

    After several failures in a row the source is paused. False when it had ended already.
    """
    with transaction.atomic():
        connector = Connector.objects.select_for_update().get(pk=pull.connector_id)
        mine = Pull.objects.filter(pk=pull.pk, state=Pull.State.OPEN)
        state = Pull.State.FAILED if error else Pull.State.STOPPED
        if not mine.update(state=state, error=error[:600], finished_at=now):
            return False
        if not error:
            return True
        connector.failures += 1
        connector.last_error = error[:600]
        if connector.failures >= PAUSE_AFTER and connector.state == Connector.State.ACTIVE:
            connector.state, connector.next_at = Connector.State.PAUSED, None
            connector.paused_reason = (
                _("It failed %(n)d times in a row. The last time: %(why)s")
                % {"n": connector.failures, "why": error}
            )[:600]
        else:
            connector.next_at = retry_at or after_failure(connector, now=now)
            if connector.state != Connector.State.ACTIVE:
                connector.next_at = None
        connector.save()
    return True


def activate(*, now: datetime) -> int:
    """Set the schedule going of sources whose columns were chosen since; how many."""
    ready = Connector.objects.filter(state=Connector.State.DRAFT).exclude(source__mapping={})
    changed = 0
    for connector in ready:
        connector.state = Connector.State.ACTIVE
        changed += Connector.objects.filter(pk=connector.pk, state=Connector.State.DRAFT).update(
            state=Connector.State.ACTIVE, next_at=following(connector, now=now)
        )
    return changed
