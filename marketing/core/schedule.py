"""The clock: starts everything in `pipeline.EVERY`, once per slot however many clocks run.

A slot is the whole number of periods since 1970. One clock leads by a session lock in PostgreSQL;
the unique row per slot keeps a second leader harmless. After an outage only the newest slot is
made up for, never the pile of missed ones.
"""

import logging
import threading
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from marketing.core import beats, bus
from marketing.core.models import Slot

logger = logging.getLogger(__name__)

LOCK = 7_368_421  # any number, the same for every clock of an installation
KEPT = timedelta(hours=1)
CANARY = "marketing.core.tasks.canary"


def tick(*, now: datetime) -> list[str]:
    """Start what is due in this moment's slots; the names of the tasks that were nudged."""
    plan = [(task, task, seconds, queue) for task, (seconds, queue) in _every().items()]
    plan += [
        (f"{CANARY}:{queue}", CANARY, beats.CANARY_SECONDS, queue)
        for queue in settings.PIPELINE.QUEUES
    ]
    slots = {name: int(now.timestamp() // seconds) for name, _task, seconds, _queue in plan}
    fresh = _take(slots, now)
    started = []
    for name, task, seconds, queue in plan:
        if name not in fresh:
            continue
        ids = {"queue_name": queue} if task == CANARY else {}
        # Where a queue is that long, what expired sooner would never have its turn.
        bus.nudge(task, queue=queue, expires=max(seconds * 2, 60), **ids)
        started.append(name)
    return started


def _every() -> dict[str, tuple[float, str]]:
    every: dict[str, tuple[float, str]] = settings.PIPELINE.EVERY
    return every


def _take(slots: dict[str, int], now: datetime) -> set[str]:
    """The names whose slot nobody had taken, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO core_slot (job, slot, at)
            SELECT job, slot, %s FROM unnest(%s::text[], %s::bigint[]) AS due (job, slot)
            WHERE NOT EXISTS (
                SELECT FROM core_slot taken WHERE taken.job = due.job AND taken.slot = due.slot
            )
            ON CONFLICT (job, slot) DO NOTHING
            RETURNING job
            """,
            [now, list(slots), list(slots.values())],
        )
        return {row[0] for row in cursor.fetchall()}


def forget_old(*, now: datetime) -> int:
    """Delete slot rows that no clock can ask for any more."""
    return Slot.objects.filter(at__lt=now - KEPT).delete()[0]


class Leader:
    """A session lock: held as long as this process keeps its connection."""

    def __init__(self) -> None:
        self._connection: object | None = None

    def leads(self) -> bool:
        if self._connection is not None and self._connection is connection.connection:
            return True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            got = bool(cursor.fetchone()[0])
        self._connection = connection.connection if got else None
        return got


def keep_time(stop: threading.Event) -> None:
    """Tick every second until `stop`; an unreachable database is waited for."""
    leader = Leader()
    cleaned = 0.0
    while not stop.wait(1.0):
        now = timezone.now()
        try:
            if not leader.leads():
                continue
            tick(now=now)
            if now.timestamp() - cleaned > 600:
                cleaned = now.timestamp()
                forget_old(now=now)
        except (OperationalError, InterfaceError) as error:
            logger.warning("the database does not answer, trying again: %s", error)
            connection.close()
            stop.wait(2.0)
