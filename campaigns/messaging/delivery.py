"""Sending a run: whose turn it is, for how long, and when it had better stop by itself."""

import logging
import time
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection
from django.utils.translation import gettext as _

from campaigns.messaging import claims, gate, watching
from campaigns.messaging.batches import Batch
from campaigns.messaging.providers.base import Verdict
from campaigns.messaging.pump import Pump
from campaigns.models import Run
from campaigns.sending import runs
from marketing.core import counters
from marketing.core.errors import Refused

logger = logging.getLogger(__name__)

BATCH, BATCH_MOST = 200, 800
SENDERS_PER_RUN = 2
# The connections of one sender. Mail servers let some dozens come from one address.
LINES = 16
# What falls due so soon is waited for: it had to wait for its domain's allowance, mostly.
WORTH_WAITING_SECONDS = 2.0
COMPLAINTS_SECONDS = 5.0


class Delivered(NamedTuple):
    """What one call of `deliver` did. `more`: it stopped for time, not for lack of work."""

    sent: int
    failed: int
    retried: int
    unknown: int
    more: bool


def deliver(
    *, run_id: int, lines: int = 1, budget_seconds: float = 20.0, limit: int | None = None
) -> Delivered:
    """Send what is due of one run until nothing is left or the time is up.

    At most SENDERS_PER_RUN processes send for a run; one more returns at once. `limit` is how many
    are claimed together; None lets that follow how fast they go.
    """
    totals = dict.fromkeys(Verdict, 0)
    until = time.monotonic() + budget_seconds
    run = Run.objects.select_related("campaign").get(pk=run_id)
    if run.state != Run.State.RUNNING:
        return Delivered(0, 0, 0, 0, False)
    if (shut := gate.closed()) is not None:
        Run.objects.filter(pk=run_id).update(error=gate.sentence(shut))
        return Delivered(0, 0, 0, 0, False)
    slot = _take_slot(run_id)
    if slot is None:
        return Delivered(0, 0, 0, 0, False)
    pump = None
    more = False
    try:
        if not runs.fill(run_id=run_id, now=datetime.now(UTC)):
            return Delivered(0, 0, 0, 0, False)
        pump = Pump(run, lines=lines)
        size = limit or BATCH
        while True:
            began = time.monotonic()
            batch = pump.step(size, until=until)
            if batch is None:
                wait = claims.due_in(run_id=run_id)
                if wait is None or wait > WORTH_WAITING_SECONDS:
                    break
                if more := time.monotonic() > until:
                    break
                time.sleep(max(wait, 0.05))
                continue
            if limit is None:
                size = _next_size(size, time.monotonic() - began)
            for verdict, _message, _answer in batch.answers:
                totals[verdict] += 1
            if _stopped(run, pump, batch):
                break
            if batch.trouble:
                Run.objects.filter(pk=run_id).update(error=batch.trouble[:1000])
                break
            if batch.answers and run.error:
                Run.objects.filter(pk=run_id).update(error="")
                run.error = ""
            if time.monotonic() > until:
                more = True
                break
    finally:
        if pump is not None:
            pump.close()
        _free_slot(run_id, slot)
        counters.add({f"messages.{verdict.value}": n for verdict, n in totals.items() if n})
    runs.finish(run_id=run_id, now=datetime.now(UTC))
    return Delivered(
        totals[Verdict.SENT],
        totals[Verdict.FAILED],
        totals[Verdict.RETRY],
        totals[Verdict.UNKNOWN],
        more,
    )


def _next_size(size: int, seconds: float) -> int:
    """About what goes out in a second: a claim costs nearly the same however many it takes."""
    if seconds < 0.5:
        return min(2 * size, BATCH_MOST)
    return max(size // 2, BATCH) if seconds > 2.0 else size


def _stopped(run: Run, pump: Pump, batch: Batch) -> bool:
    """Pause the run when what just happened says so; whether that was done.

    A journey's run waits for its provider instead: what it sends was meant for this very moment.
    """
    if watching.failing(pump.window):
        why = _(
            "More than half of the last messages failed, so sending was paused. Look at the "
            "failed messages, correct the cause, then resume: only the rest is written to."
        )
    elif batch.down and run.campaign_id is not None:
        why = _(
            "For %(n)d minutes most messages could not be handed to the provider, so sending was "
            "paused. Nothing was lost and nothing is marked as failed. Last answer: %(answer)s"
        ) % {"n": watching.DOWN_MINUTES, "answer": batch.trouble or _last_answer(batch)}
    elif back := _came_back(run, pump):
        why = back
    else:
        return False
    try:
        runs.halt(run_id=run.pk, now=datetime.now(UTC), reason=why)
    except Refused:
        logger.info("run %s was already stopped", run.pk)
    return True


def _last_answer(batch: Batch) -> str:
    return next((answer.text for _v, _m, answer in reversed(batch.answers) if answer.text), "")


def _came_back(run: Run, pump: Pump) -> str:
    """Too many complaints or bounces, asked for now and then."""
    now = time.monotonic()
    if now - pump.complaints_asked < COMPLAINTS_SECONDS:
        return ""
    pump.complaints_asked = now
    return watching.came_back(run)


_SLOTS = 0x50524E  # a namespace of our own among session-level advisory locks


def _take_slot(run_id: int) -> int | None:
    with connection.cursor() as cursor:
        for slot in range(SENDERS_PER_RUN):
            cursor.execute(
                "SELECT pg_try_advisory_lock(%s, %s)",
                [_SLOTS, (run_id * SENDERS_PER_RUN + slot) % 2**31],
            )
            if cursor.fetchone()[0]:
                return slot
    return None


def _free_slot(run_id: int, slot: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_unlock(%s, %s)",
            [_SLOTS, (run_id * SENDERS_PER_RUN + slot) % 2**31],
        )
