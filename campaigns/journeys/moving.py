"""From version to version: what differs, and people moved on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.journeys import definitions
from campaigns.journeys.runner import FACTS
from campaigns.models import Journey, JourneyVersion
from marketing.core import audit, bus
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User

Actor = User | ApiKey | None
_MOVE = """
UPDATE campaigns_enrollment e
SET version_id = %(to)s, node = m.new,
    arrived_at = CASE WHEN m.new = m.old THEN e.arrived_at ELSE %(now)s END,
    wake_at = %(now)s, heard_at = NULL
FROM unnest(%(old)s::text[], %(new)s::text[]) AS m (old, new)
WHERE e.version_id = %(of)s AND e.ended_at IS NULL AND e.node = m.old
"""


def locked(journey_id: int) -> Journey:
    journey = Journey.objects.select_for_update().filter(pk=journey_id).first()
    if journey is None:
        raise NotFound(_("There is no such journey."), code="journey_unknown")
    return journey


def move_people(
    *,
    version_id: int,
    to_version_id: int,
    mapping: Mapping[str, str] | None = None,
    user: Actor,
    now: datetime,
) -> int:
    """Move everybody inside a version to another one of the same journey; how many.

    A step that the other version has under the same name needs no word; for each of the others
    `mapping` says where its people go. Refused, with the steps, where one is missing.
    """
    versions = JourneyVersion.objects.in_bulk([version_id, to_version_id])
    if len({version_id, to_version_id} & set(versions)) < 2:
        raise NotFound(_("There is no such version."), code="version_unknown")
    of, to = versions[version_id], versions[to_version_id]
    if of.journey_id != to.journey_id:
        raise Invalid(_("These versions are of different journeys."), code="other_journey")
    with transaction.atomic():
        journey = locked(of.journey_id)
        if to.state == JourneyVersion.State.CLOSED:
            raise Conflict(_("That version is closed. Nobody was moved."), code="version_closed")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [FACTS])
        inside = set(of.enrollments.filter(ended_at=None).values_list("node", flat=True).distinct())
        said = dict(mapping or {})
        steps = definitions.load(to.definition).nodes
        where = {node: said.get(node, node) for node in inside}
        lost = sorted(node for node, new in where.items() if new not in steps)
        if lost:
            raise Invalid(
                _("The other version has no such step: %(steps)s. Nobody was moved.")
                % {"steps": ", ".join(lost)},
                code="step_vanished",
                field="mapping",
                remedy=_("Say where the people of these steps shall go."),
                items=[{"node": node} for node in lost],
            )
        with connection.cursor() as cursor:
            cursor.execute(
                _MOVE,
                {
                    "of": of.pk,
                    "to": to.pk,
                    "now": now,
                    "old": list(where),
                    "new": list(where.values()),
                },
            )
            moved = int(cursor.rowcount)
        audit.record(
            actor=user,
            action="journey.moved",
            obj=journey,
            detail={"from": of.number, "to": to.number, "people": moved},
        )
        bus.announce("journeys.due")
    return moved


@dataclass(frozen=True)
class Difference:
    """What differs between two definitions: names of steps, and of parts of the journey."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    parts: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.added) + len(self.removed) + len(self.changed) + len(self.parts)


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """What was changed from one definition to another."""
    old, new = before.get("nodes") or {}, after.get("nodes") or {}
    parts = ("start", "goal", "exits", "entry", "caps", "holdout")
    return Difference(
        added=tuple(sorted(set(new) - set(old))),
        removed=tuple(sorted(set(old) - set(new))),
        changed=tuple(sorted(key for key in set(old) & set(new) if old[key] != new[key])),
        parts=tuple(part for part in parts if before.get(part) != after.get(part)),
    )
