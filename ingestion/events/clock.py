"""Whose clock is right: ours. What a device says about time is moved onto our clock.

A device states when something happened and when it sent that; both by its own clock, so their
difference is right even where the clock is wrong. The moment is when we received it, less that
difference. Without a moment of sending the stated moment is taken as it is.
"""

from datetime import UTC, datetime, timedelta

from django.utils.translation import gettext as _

from marketing.core.errors import Invalid

AHEAD = timedelta(minutes=5)  # what a network's delay and our own clock may explain
FUTURE = timedelta(days=1)
SKEW = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLAMPED, CORRECTED = "clamped", "corrected"


def correct(
    *, timestamp: datetime | None, sent_at: datetime | None, received_at: datetime
) -> tuple[datetime, str]:
    """The moment by our clock, and "" or how it was changed: "corrected" or "clamped".

    Moments up to a day ahead are set to the moment of receipt and flagged. Raises Invalid beyond
    that and before 1970.
    """
    if timestamp is None:
        return received_at, ""
    at, flag = timestamp, ""
    if sent_at is not None:
        try:
            at = received_at - (sent_at - timestamp)
        except OverflowError:  # further away than a date can say
            at = EPOCH - FUTURE if sent_at > timestamp else received_at + 2 * FUTURE
        if abs(at - timestamp) > SKEW:
            flag = CORRECTED
    if at > received_at + AHEAD:
        if at > received_at + FUTURE:
            raise Invalid(
                _("The time lies more than a day in the future."), code="date_in_future", field="at"
            )
        return received_at, CLAMPED
    if at < EPOCH:
        raise Invalid(_("The time lies before 1970."), code="date_too_old", field="at")
    return at, flag
