"""Sending waits when the database was brought back from an earlier moment, or is a copy.

Every sweep writes the same moment into the database and then into a file. A file that is ahead of
the database can only mean that a backup stands in its place. A database knows its own mark, too:
one that lies elsewhere was restored, moved, or took over from another server. Either way, what
waits in it may have been sent since, and who left since is unknown to it. Nothing is sent until
somebody has decided.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
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


# Who this database is: its server, itself, and how often a standby took over. No dump carries it.
_MARK = """
    SELECT CASE WHEN has_function_privilege('pg_control_system()', 'execute')
        THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE '' END,
        d.oid::text,
        CASE WHEN has_function_privilege('pg_control_checkpoint()', 'execute')
        THEN (SELECT timeline_id::text FROM pg_control_checkpoint()) ELSE '' END
    FROM pg_database d WHERE d.datname = current_database()"""


@dataclass(frozen=True)
class Closed:
    """Up to when messages may have been sent elsewhere, and up to when the database goes."""

    seen: datetime
    restored: datetime | None


def _file() -> Path:
    return Path(settings.SENDING_SEEN)


def _seen() -> datetime | None:
    with suppress(OSError, ValueError):
        return datetime.fromisoformat(_file().read_text().strip())
    return None


def mark() -> str:
    """What tells this database from every copy of it."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK)
        return "/".join(cursor.fetchone())


def beat(*, now: datetime) -> bool:
    """Note that the database is as we know it; False when it is not, and sending stays closed."""
    row, _made = Pace.objects.get_or_create(key=KEY)
    if row.down or _is_copy(row, now):
        return False
    seen = _seen()
    if seen is not None and (row.since is None or row.since + SLACK < seen):
        if row.since is None and not Run.objects.exists():
            seen = None  # a new database beside an old folder: there is nothing to send twice
        else:
            Pace.objects.filter(key=KEY).update(down=True, free_at=seen)
            return False
    now = max(now, row.since or now)
    Pace.objects.filter(key=KEY, down=False).update(since=now, mark=mark())
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(now.isoformat())
    new.replace(path)
    return True


def _is_copy(row: Pace, now: datetime) -> bool:
    """Close sending in a database that is not the one it was; whether it is not."""
    if row.mark in ("", mark()):
        return False
    if not Run.objects.exists():
        return False  # copied before it ever sent anything
    # The other one may have been sending up to this moment.
    Pace.objects.filter(key=KEY).update(down=True, free_at=now)
    return True


def closed() -> Closed | None:
    """Why sending waits, or None. A copy is noticed here, too, before its first sweep."""
    row = Pace.objects.filter(key=KEY).first()
    if settings.SENDING_HELD:
        return Closed(timezone.now(), row.since if row else None)
    if row is None:
        return None
    if not row.down:
        now = timezone.now()
        return Closed(now, row.since) if _is_copy(row, now) else None
    return Closed(row.free_at, row.since) if row.free_at else None


def sentence(found: Closed) -> str:
    """What a person is told."""
    if settings.SENDING_HELD:
        return _("Nothing is sent from here: SENDING_HELD is set on the server.")
    return _(
        "The database was brought back from an earlier moment or is a copy, so what waits may "
        "have been sent already. Nothing is sent until somebody runs “manage.py sending open” on "
        "the server."
    )


def open_again(*, send_again: bool, now: datetime) -> int:
    """Let sending go on; how many messages ended as not known.

    Whatever was due before the database was last seen may have gone out, so it is not sent unless
    `send_again` says so; campaigns that were about to begin wait for a person.
    """
    found = closed()
    if found is None or settings.SENDING_HELD:
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
        Pace.objects.filter(key=KEY).update(
            down=False, free_at=None, since=max(now, found.seen), mark=mark()
        )
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
