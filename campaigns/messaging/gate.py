"""Sending waits when the database was brought back from an earlier moment.

Every sweep writes the same moment into the database and then into a file. A file that is ahead of
the database can only mean that a backup stands in its place: what waits in it may have been sent
since, and who left since is unknown to it. Nothing is sent until somebody has decided.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Message, Pace, Run
from marketing.core import audit

KEY = "gate"
# The two are written one after the other; a file is never ahead by more than a moment.
SLACK = timedelta(seconds=5)
_SENT_SINCE = """
    UPDATE campaigns_message SET state = 'unknown', reason = 'restored', owner = '',
        lease_until = NULL, next_try_at = NULL, fence = fence + 1
    WHERE state IN ('queued', 'sending') AND coalesce(next_try_at, queued_at) <= %s"""


@dataclass(frozen=True)
class Closed:
    """Up to when this machine has seen the database, and up to when the database goes."""

    seen: datetime
    restored: datetime | None


def _file() -> Path:
    return Path(settings.SENDING_SEEN)


def _seen() -> datetime | None:
    with suppress(OSError, ValueError):
        return datetime.fromisoformat(_file().read_text().strip())
    return None


def beat(*, now: datetime) -> bool:
    """Note that the database is as we know it; False when it is older, and sending stays closed."""
    row, _made = Pace.objects.get_or_create(key=KEY)
    if row.down:
        return False
    seen = _seen()
    if seen is not None and (row.since is None or row.since + SLACK < seen):
        if row.since is None and not Run.objects.exists():
            seen = None  # a new database beside an old folder: there is nothing to send twice
        else:
            Pace.objects.filter(key=KEY).update(down=True, free_at=seen)
            return False
    now = max(now, row.since or now)
    Pace.objects.filter(key=KEY, down=False).update(since=now)
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(now.isoformat())
    new.replace(path)
    return True


def closed() -> Closed | None:
    """Why sending waits, or None."""
    row = Pace.objects.filter(key=KEY, down=True).first()
    return Closed(row.free_at, row.since) if row is not None and row.free_at else None


def sentence(found: Closed) -> str:
    """What a person is told."""
    return _(
        "The database was brought back from an earlier moment, so what waits may have been sent "
        "already. Nothing is sent until somebody runs “manage.py sending open” on the server."
    )


def open_again(*, send_again: bool, now: datetime) -> int:
    """Let sending go on; how many messages ended as not known.

    Whatever was due before the database was last seen may have gone out, so it is not sent unless
    `send_again` says so; campaigns that were about to begin wait for a person.
    """
    found = closed()
    if found is None:
        return 0
    ended = 0
    with transaction.atomic(), connection.cursor() as cursor:
        if not send_again:
            cursor.execute(_SENT_SINCE, [found.seen])
            ended = cursor.rowcount
            why = _("The database was brought back: look first whether it was sent meanwhile.")
            begun = Run.objects.filter(state=Run.State.RUNNING, campaign__isnull=False).exclude(
                snapshot__filled=True
            )
            Campaign.objects.filter(runs__in=begun).update(state=Campaign.State.PAUSED)
            begun.update(state=Run.State.PAUSED, error=why)
            Campaign.objects.filter(
                state=Campaign.State.SCHEDULED, scheduled_at__lte=found.seen
            ).update(state=Campaign.State.DRAFT, held_because=why)
        Pace.objects.filter(key=KEY).update(down=False, free_at=None, since=max(now, found.seen))
        audit.record(
            actor=None,
            action="sending.opened",
            obj=None,
            detail={"seen": found.seen.isoformat(), "unknown": ended, "again": send_again},
        )
    return ended


def waiting(found: Closed) -> int:
    """How many messages were due before the database was last seen."""
    return Message.objects.filter(state__in=Message.OPEN, queued_at__lte=found.seen).count()
