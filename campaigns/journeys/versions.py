"""A journey's life: draft, publish, pause, resume, close, and people moved from version to version.

Every move locks the journey's row. What people walk is a version, which never changes; the draft
is what the team draws meanwhile.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from campaigns.journeys import checking, definitions, frozen, hearing
from campaigns.journeys.moving import Actor, Difference, diff, locked, move_people
from campaigns.journeys.runner import FACTS
from campaigns.models import Journey, JourneyVersion, Message, Run
from marketing.core import audit, bus
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import User

__all__ = [
    "Difference",
    "close",
    "create",
    "diff",
    "discard",
    "move_people",
    "pause",
    "publish",
    "resume",
    "retire",
    "save_draft",
]

State, VersionState = Journey.State, JourneyVersion.State
_END = """
WITH gone AS (
    UPDATE campaigns_enrollment
    SET ended_at = %(now)s, outcome = 'closed', wake_at = NULL, steps = steps + 1
    WHERE version_id = ANY(%(versions)s) AND ended_at IS NULL
    RETURNING id, steps - 1 AS n, version_id, node)
INSERT INTO campaigns_journeystep (enrollment_id, n, version_id, node, branch, what, at)
SELECT id, n, version_id, node, '', 'closed', %(now)s FROM gone
"""


def create(
    *,
    name: str,
    definition: Mapping[str, Any] | None = None,
    origin: str = "",
    user: Actor,
    now: datetime,
) -> Journey:
    """A new draft."""
    name = _named(name)
    with transaction.atomic():
        journey = Journey.objects.create(
            name=name,
            draft=_drawn(definition if definition is not None else {"nodes": {}}),
            draft_at=now,
            origin=origin[:40],
            created_by=user if isinstance(user, User) else None,
            created_at=now,
            updated_at=now,
        )
        audit.record(actor=user, action="journey.created", obj=journey)
    return journey


def _named(name: str) -> str:
    name = str(name).strip()
    if not name or len(name) > 120:
        raise Invalid(
            _("Give the journey a name of up to 120 characters."), code="name_missing", field="name"
        )
    return name


def _drawn(definition: Any) -> dict[str, Any]:
    """A draft may have faults, but it must be a drawing."""
    if not isinstance(definition, Mapping) or not isinstance(definition.get("nodes", {}), Mapping):
        raise Invalid(
            _("This is no journey: it has no steps. Nothing was saved."),
            code="bad_definition",
            field="definition",
        )
    return dict(definition)


def save_draft(
    *,
    journey_id: int,
    definition: Mapping[str, Any] | None = None,
    name: str | None = None,
    number: int | None = None,
    user: Actor,
    now: datetime,
) -> Journey:
    """Keep what was drawn. With `number`, that of the draft it was drawn from, a draft that
    somebody else saved meanwhile is not overwritten.
    """
    with transaction.atomic():
        journey = locked(journey_id)
        if number is not None and number != journey.draft_number:
            raise Conflict(
                _("Somebody else changed this journey meanwhile. Yours was not saved."),
                code="changed_meanwhile",
                remedy=_("Load the page again, then make your change."),
            )
        if name is not None:
            journey.name = _named(name)
        if definition is not None:
            journey.draft = _drawn(definition)
        journey.draft_number += 1
        journey.draft_at = journey.updated_at = now
        journey.save()
        audit.record(actor=user, action="journey.saved", obj=journey)
    return journey


def discard(*, journey_id: int, user: Actor, now: datetime) -> None:
    """Delete a journey that was never live."""
    with transaction.atomic():
        journey = locked(journey_id)
        if journey.state != State.DRAFT:
            raise Conflict(
                _("A journey that was live is kept, with its people and figures."),
                code="was_live",
                remedy=_("Close it instead."),
            )
        audit.record(actor=user, action="journey.deleted", obj=journey, detail={"at": str(now)})
        journey.delete()


def publish(*, journey_id: int, user: Actor, now: datetime) -> JourneyVersion:
    """Make the draft the version that new people enter. Refused while it has faults.

    Whoever is inside stays on their version until they are through, or are moved.
    """
    with transaction.atomic():
        journey = locked(journey_id)
        if journey.state == State.CLOSED:
            raise Conflict(
                _("This journey was closed. Nothing was published."),
                code="journey_closed",
                remedy=_("Make a copy of it and publish that."),
            )
        faults = [fault for fault in checking.faults(journey.draft) if fault.serious]
        if faults:
            raise Invalid(
                _("The journey cannot go live yet: %(first)s Nothing was published.")
                % {"first": faults[0].message},
                code="journey_faults",
                field="definition",
                items=[fault.as_item() for fault in faults],
            )
        latest = journey.versions.first()
        if (
            latest is not None
            and latest.definition == journey.draft
            and (latest.state == VersionState.LIVE)
        ):
            raise Conflict(_("Nothing was changed since it was published."), code="nothing_changed")
        number = (journey.versions.aggregate(n=Max("number"))["n"] or 0) + 1
        journey.versions.filter(state=VersionState.LIVE).update(state=VersionState.ENDING)
        graph = definitions.load(journey.draft)
        paused = journey.state == State.PAUSED
        hearing.begin(now=now)
        run = Run.objects.create(
            name=f"{journey.name} · {number}"[:120],
            state=Run.State.PAUSED if paused else Run.State.RUNNING,
            started_at=now,
            snapshot={
                "filled": True,
                "salt": secrets.token_hex(16),
                "journey": journey.pk,
                "contents": frozen.contents(graph, journey.name),
            },
        )
        version = JourneyVersion.objects.create(
            journey=journey,
            number=number,
            definition=journey.draft,
            run=run,
            published_at=now,
            published_by=user if isinstance(user, User) else None,
        )
        if journey.state == State.DRAFT:
            journey.state = State.LIVE
        journey.updated_at = now
        journey.save(update_fields=["state", "updated_at"])
        audit.record(
            actor=user, action="journey.published", obj=journey, detail={"version": number}
        )
        bus.announce("journeys.published", version_id=version.pk)
    return version


def pause(*, journey_id: int, user: Actor, now: datetime, reason: str = "") -> Journey:
    """Stop: nobody comes in, nobody goes on, nothing is sent. Whoever is inside stays there."""
    with transaction.atomic():
        journey = locked(journey_id)
        if journey.state != State.LIVE:
            raise Conflict(
                _("Only a live journey can be paused. Nothing was changed."), code="not_live"
            )
        journey.state, journey.paused_reason, journey.updated_at = State.PAUSED, reason[:300], now
        journey.save(update_fields=["state", "paused_reason", "updated_at"])
        _runs(journey).filter(state=Run.State.RUNNING).update(
            state=Run.State.PAUSED, error=reason[:1000]
        )
        audit.record(actor=user, action="journey.paused", obj=journey, detail={"why": reason[:300]})
    return journey


def resume(*, journey_id: int, user: Actor, now: datetime) -> Journey:
    """Go on. Waits that ended meanwhile end now; later ones begin from there."""
    with transaction.atomic():
        journey = locked(journey_id)
        if journey.state != State.PAUSED:
            raise Conflict(
                _("Only a paused journey can be resumed. Nothing was changed."), code="not_paused"
            )
        journey.state, journey.paused_reason, journey.updated_at = State.LIVE, "", now
        journey.save(update_fields=["state", "paused_reason", "updated_at"])
        _runs(journey).filter(state=Run.State.PAUSED).update(state=Run.State.RUNNING, error="")
        audit.record(actor=user, action="journey.resumed", obj=journey)
        for run in _runs(journey).filter(state=Run.State.RUNNING):
            bus.announce("messages.queued", run_id=run.pk)
        bus.announce("journeys.due")
    return journey


def close(*, journey_id: int, finish: bool = False, user: Actor, now: datetime) -> Journey:
    """End a journey. With `finish` whoever is inside goes on to the end and nobody comes in;
    else everybody's stay ends now, and what waits to be sent is not sent.
    """
    with transaction.atomic():
        journey = locked(journey_id)
        if journey.state == State.CLOSED:
            raise Conflict(_("This journey is closed already."), code="journey_closed")
        open_versions = journey.versions.exclude(state=VersionState.CLOSED)
        if finish and journey.state == State.LIVE:
            open_versions.update(state=VersionState.ENDING)
            journey.updated_at = now
            journey.save(update_fields=["updated_at"])
            audit.record(actor=user, action="journey.ending", obj=journey)
            return journey
        ids = list(open_versions.values_list("pk", flat=True))
        journey.state, journey.updated_at = State.CLOSED, now
        journey.save(update_fields=["state", "updated_at"])
        _end(ids, now)
        audit.record(actor=user, action="journey.closed", obj=journey)
    return journey


def _end(version_ids: list[int], now: datetime) -> None:
    """Close versions: their runs, what waits to be sent, and everybody's stay."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FACTS])
        cursor.execute(_END, {"versions": version_ids, "now": now})
    runs = Run.objects.filter(journey_version__in=version_ids)
    Message.objects.filter(run__in=runs, state=Message.State.QUEUED).update(
        state=Message.State.SKIPPED, reason="cancelled", next_try_at=None
    )
    runs.update(state=Run.State.CANCELLED, finished_at=now)
    JourneyVersion.objects.filter(pk__in=version_ids).update(
        state=VersionState.CLOSED, closed_at=now
    )


def retire(*, now: datetime) -> int:
    """Close older versions that everybody is through with; how many."""
    done = 0
    for version in JourneyVersion.objects.filter(state=VersionState.ENDING).select_related("run"):
        with transaction.atomic():
            locked(version.journey_id)
            if version.enrollments.filter(ended_at=None).exists():
                continue
            if version.run.messages.filter(state__in=Message.OPEN).exists():
                continue
            Run.objects.filter(pk=version.run_id).update(state=Run.State.FINISHED, finished_at=now)
            JourneyVersion.objects.filter(pk=version.pk).update(
                state=VersionState.CLOSED, closed_at=now
            )
            journey = version.journey
            if not journey.versions.exclude(state=VersionState.CLOSED).exists():
                Journey.objects.filter(pk=journey.pk).update(state=State.CLOSED, updated_at=now)
            done += 1
    return done


def _runs(journey: Journey) -> Any:
    return Run.objects.filter(journey_version__journey=journey).select_for_update()
