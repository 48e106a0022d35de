"""Somebody is taken out of a journey by hand, with a reason."""

from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.journeys.moving import Actor
from campaigns.models import Enrollment, Message
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound

MOST_REASON = 200
REASON = "taken_out"
_LOG = """
INSERT INTO campaigns_journeystep (enrollment_id, n, version_id, node, branch, what, at)
VALUES (%s, %s, %s, %s, '', 'taken', %s)
"""


def take_out(*, enrollment_id: int, reason: str, user: Actor, now: datetime) -> Enrollment:
    """End somebody's stay now; what waits to be sent to them by it is not sent.

    Whether they may come in again is for the journey to say, as after any other end.
    """
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= MOST_REASON:
        raise Invalid(
            _("Say why, in up to 200 characters. Nothing was changed."),
            code="reason_missing",
            field="reason",
        )
    with transaction.atomic():
        stay = (
            Enrollment.objects.select_for_update(of=["self"])
            .select_related("journey")
            .filter(pk=enrollment_id)
            .first()
        )
        if stay is None:
            raise NotFound(_("There is no such stay."), code="stay_unknown")
        if stay.ended_at is not None:
            raise Conflict(
                _("They have left this journey already. Nothing was changed."), code="stay_ended"
            )
        with connection.cursor() as cursor:
            cursor.execute(_LOG, [stay.pk, stay.steps, stay.version_id, stay.node, now])
        stay.ended_at, stay.outcome, stay.wake_at = now, Enrollment.Outcome.TAKEN, None
        stay.steps, stay.note = stay.steps + 1, reason
        stay.save(update_fields=["ended_at", "outcome", "wake_at", "steps", "note"])
        # Whoever was moved to another version has messages of the one before, too.
        Message.objects.filter(
            run__journey_version__journey=stay.journey_id,
            entry=stay.pk,
            state=Message.State.QUEUED,
        ).update(state=Message.State.SKIPPED, reason=REASON, next_try_at=None)
        # The words stay with the person, and are erased with them.
        audit.record(
            actor=user, action="journey.taken_out", obj=stay.journey, detail={"stay": stay.pk}
        )
    return stay
