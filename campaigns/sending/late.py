"""Whoever a pause made too late: their message was of use for a while, and the while went on.

A useful life is meant by the clock on the wall: a sale ends when it ends, paused or not. So nobody
is dropped and nothing is stretched by itself: whoever resumes is told how many it is, and chooses.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Message, Run
from marketing.core.errors import Conflict, Invalid

PAUSED_AT = "paused_at"
EXTEND, DROP = "extend", "drop"
CHOICES = (EXTEND, DROP)


@dataclass(frozen=True)
class Lateness:
    """How many of those who wait a resume would find too late, and for how long it was paused."""

    people: int
    waiting: int
    pause: timedelta

    @property
    def seconds(self) -> float:
        """How long the pause has lasted."""
        return self.pause.total_seconds()


def note_pause(run: Run, now: datetime) -> None:
    """Remember since when a run is paused; the caller saves its snapshot."""
    run.snapshot[PAUSED_AT] = now.isoformat()


def of(*, run: Run, now: datetime) -> Lateness:
    """Whom the pause so far has cost their message. Whoever was too late before is none of them."""
    since = _since(run)
    if since is None:
        return Lateness(0, 0, timedelta())
    waiting = run.messages.filter(state=Message.State.QUEUED)
    lost = waiting.filter(expires_at__gt=since, expires_at__lte=now).count()
    return Lateness(lost, waiting.count() if lost else 0, now - since)


def settle(*, run: Run, choice: str, now: datetime) -> int:
    """Do what was chosen about them, in the transaction that resumes; how many it was about.

    Conflict without a choice when there are such people. `extend` gives everybody who waits the
    time of the pause back, `drop` lets them end as too late.
    """
    if choice and choice not in CHOICES:
        raise Invalid(
            _("There is no such choice."),
            code="bad_choice",
            field="late",
            remedy=", ".join(CHOICES),
        )
    found = of(run=run, now=now)
    if found.people and not choice:
        raise Conflict(
            ngettext(
                "For %(n)d person the message would come too late: its useful life ended during"
                " the pause. Nothing was changed.",
                "For %(n)d people the message would come too late: its useful life ended during"
                " the pause. Nothing was changed.",
                found.people,
            )
            % {"n": found.people},
            code="too_late",
            field="late",
            remedy=_(
                "Give them the time of the pause back (extend), or go on without them (drop)."
            ),
        )
    if choice == EXTEND and (since := _since(run)) is not None:
        run.messages.filter(state=Message.State.QUEUED, expires_at__gt=since).update(
            expires_at=F("expires_at") + (now - since)
        )
    run.snapshot.pop(PAUSED_AT, None)
    return found.people


def _since(run: Run) -> datetime | None:
    kept: Any = run.snapshot.get(PAUSED_AT)
    return parse_datetime(kept) if kept else None
