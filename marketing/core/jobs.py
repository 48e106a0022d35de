"""Long work as leased rows: start, run under a heartbeat, cancel, retry, and sweep what died.

The row is the truth. A queue message only says which row to look at; a lost message delays a job
until the sweeper looks, and a doubled one finds the row already taken.
"""

import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from marketing.core import beats, brand, bus, counters
from marketing.core.errors import Conflict, NotFound, Refused
from marketing.core.models import Job, User
from marketing.core.wording import Words, in_each, in_ours

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=20)
HEARTBEAT_SECONDS = 5.0
NUDGE_AFTER = timedelta(seconds=10)
LOG_LINES = 200


class Cancelled(Exception):
    """The job was asked to stop, or its lease went to another worker."""


def start(
    *,
    kind: str,
    title: str,
    params: dict[str, Any] | None = None,
    user: User | None = None,
    steps: int = 1,
    result_url: str = "",
) -> Job:
    """Store a waiting job and nudge its queue after commit. KeyError for a kind not in JOBS."""
    spec = settings.PIPELINE.JOBS[kind]
    job = Job.objects.create(
        kind=kind,
        title=title[:300],
        queue=spec.queue,
        params=params or {},
        steps=steps,
        max_attempts=spec.max_attempts,
        created_by=user,
        result_url=result_url,
    )
    transaction.on_commit(partial(_nudge, job.id, spec.queue))
    return job


def _nudge(job_id: int, queue: str, expires: float | None = None) -> None:
    bus.nudge("marketing.core.tasks.run_job", queue=queue, expires=expires, job_id=job_id)


def cancel(*, job_id: int, now: datetime | None = None) -> Job:
    """Ask a job to stop. A waiting one stops at once, a running one at its next safe point."""
    now = now or timezone.now()
    with transaction.atomic():
        job = _locked(job_id)
        if job.state == Job.State.QUEUED:
            job.state, job.finished_at = Job.State.STOPPED, now
        elif job.state == Job.State.RUNNING:
            job.state = Job.State.CANCELLING
        elif job.state != Job.State.CANCELLING:
            raise Conflict(_("This job has already ended; nothing was changed."), code="job_ended")
        job.cancel_requested = True
        job.save(update_fields=["state", "finished_at", "cancel_requested"])
        if job.state == Job.State.STOPPED:
            bus.announce("job.finished", job_id=job.id)
    return job


def retry(*, job_id: int) -> Job:
    """Queue an ended job again; it goes on from what it had committed."""
    with transaction.atomic():
        job = _locked(job_id)
        if job.state not in (Job.State.FAILED, Job.State.STOPPED):
            raise Conflict(
                _("Only a failed or stopped job can be tried again."), code="job_not_ended"
            )
        job.state, job.error, job.attempt = Job.State.QUEUED, "", 0
        job.cancel_requested, job.finished_at, job.heartbeat_at = False, None, None
        job.save(
            update_fields=[
                "state",
                "error",
                "attempt",
                "cancel_requested",
                "finished_at",
                "heartbeat_at",
            ]
        )
        transaction.on_commit(partial(_nudge, job.id, job.queue))
    return job


def _locked(job_id: int) -> Job:
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise NotFound(_("There is no such job."), code="job_unknown")
    return job


class Running:
    """What a handler sees of its own job: where to report, and when to stop."""

    def __init__(self, job: Job) -> None:
        self.id = job.id
        self.params: dict[str, Any] = job.params
        self.attempt = job.attempt
        self.created_by_id: int | None = job.created_by_id
        self._fence = job.fence
        self._queue = job.queue
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._reported = 0.0
        self._step = job.step
        self._begun: tuple[int, str] | None = None

    def step(self, index: int, label: Words, total: int | None = None, unit: str = "rows") -> None:
        """Begin step `index` (from 1); `label` as in `log`. Begun once more it goes on as it is."""
        self.check()
        said = in_ours(label)[:200]
        if self._begun == (index, said):
            return
        self._step, self._begun = index, (index, said)
        self._update(
            step=index,
            step_label=said,
            step_labels=in_each(label, most=200),
            done=0,
            total=total,
            unit=unit,
            step_started_at=timezone.now(),
        )
        self.log(label)

    def progress(self, done: int, total: int | None = None) -> None:
        """Report rows done in this step; written at most three times a second."""
        self.check()
        if time.monotonic() - self._reported < 0.33 and done != total:
            return
        self._reported = time.monotonic()
        self._update(done=done, **({} if total is None else {"total": total}))

    def log(self, words: Words, level: str = "info") -> None:
        """Add one line to the job's log; the newest 200 are kept.

        What is lazy or a function is kept in each language that pages have, for every reader.
        """
        line = _line(words, level, timezone.now())
        with transaction.atomic():
            job = Job.objects.select_for_update().only("log").get(pk=self.id)
            job.log = [*job.log, line][-LOG_LINES:]
            job.save(update_fields=["log"])

    def set_url(self, url: str) -> None:
        """Where the result can be seen."""
        self._update(result_url=url)

    def check(self) -> None:
        """Raise Cancelled when the job should go no further."""
        if self._stop.is_set() or self._lost.is_set():
            raise Cancelled

    @property
    def lost(self) -> bool:
        """Whether another worker holds the lease now: then nothing may be written any more."""
        return self._lost.is_set()

    def _update(self, **values: Any) -> None:
        if not Job.objects.filter(pk=self.id, fence=self._fence).update(**values):
            self._lost.set()
            raise Cancelled

    def beat(self) -> None:
        """Renew the lease, and learn whether to stop."""
        now = timezone.now()
        mine = Job.objects.filter(
            pk=self.id, fence=self._fence, state__in=[Job.State.RUNNING, Job.State.CANCELLING]
        )
        if not mine.update(heartbeat_at=now, lease_until=now + LEASE):
            self._lost.set()
        elif mine.filter(cancel_requested=True).exists():
            self._stop.set()
        # A worker busy with one long job cannot answer its canary, and is alive all the same.
        beats.record(queue=self._queue, now=now)


def _line(words: Words, level: str, now: datetime) -> dict[str, Any]:
    line = {"at": now.isoformat(), "text": in_ours(words)[:2000], "level": level}
    texts = in_each(words, most=2000)
    return line | ({"texts": texts} if texts else {})


def _claim(job_id: int, now: datetime) -> Job | None:
    taken = Job.objects.filter(pk=job_id, state=Job.State.QUEUED).update(
        state=Job.State.RUNNING,
        owner=beats.this_worker(),
        fence=F("fence") + 1,
        attempt=F("attempt") + 1,
        lease_until=now + LEASE,
        heartbeat_at=now,
        started_at=now,
        step_started_at=now,
        error="",
    )
    return Job.objects.get(pk=job_id) if taken else None


def run(*, job_id: int, now: datetime | None = None) -> None:
    """Take the job if it still waits, run its handler under a heartbeat, and write how it ended."""
    job = _claim(job_id, now or timezone.now())
    if job is None:
        return
    running = Running(job)
    outcome: dict[str, Any]
    ended = threading.Event()
    pulse = threading.Thread(target=_keep_alive, args=(running, ended), daemon=True)
    pulse.start()
    try:
        handler: Callable[[Running], dict[str, Any] | None] = import_string(
            settings.PIPELINE.JOBS[job.kind].handler
        )
        with override(_language(job)):
            result = handler(running)
    except Cancelled:
        outcome = {"state": Job.State.STOPPED, "error": ""}
    except Refused as refusal:
        outcome = {"state": Job.State.FAILED, "error": str(refusal)}
    except Exception as error:
        if _is_outage(error):
            _give_back(job, error)
            return
        logger.exception("job %s failed", job.id)
        running.log(traceback.format_exc(limit=8), level="error")
        outcome = {"state": Job.State.FAILED, "error": f"{type(error).__name__}: {error}"[:2000]}
    else:
        outcome = {"state": Job.State.DONE, "result": result or {}, "error": ""}
    finally:
        ended.set()
        pulse.join(timeout=HEARTBEAT_SECONDS)
    _finish(job, outcome)


def _language(job: Job) -> str:
    """What its steps and its end are told in: as whoever started it reads, else as the shop."""
    chosen = job.created_by.language if job.created_by else brand.now().language
    return chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


def _is_outage(error: Exception) -> bool:
    """Whether the database went away or broke a tie, so that trying again is the right answer."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    code = getattr(error.__cause__, "pgcode", None)
    return code is None or (code[:2] in ("08", "57", "40") and code != "57014")


def _give_back(job: Job, error: Exception) -> None:
    """End the lease now, so the sweeper takes the job up; without a database it runs out itself."""
    logger.warning("job %s waits for the database: %s", job.id, error)
    connection.close()
    try:
        Job.objects.filter(pk=job.id, fence=job.fence).update(lease_until=timezone.now())
    except (OperationalError, InterfaceError):
        connection.close()


def _finish(job: Job, outcome: dict[str, Any]) -> None:
    with transaction.atomic():
        mine = Job.objects.filter(pk=job.id, fence=job.fence, state__in=Job.OPEN)
        if mine.update(finished_at=timezone.now(), lease_until=None, **outcome):
            bus.announce("job.finished", job_id=job.id)
            counters.add({f"jobs.{outcome['state'].value}": 1})


def _keep_alive(running: Running, ended: threading.Event) -> None:
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            running.beat()
        except Exception:
            logger.exception("heartbeat of job %s failed", running.id)
            connection.close()
    connection.close()


def release(*, host: str | None = None, now: datetime | None = None) -> list[int]:
    """Let the running jobs of a host wait again: its workers were stopped on purpose.

    Not counted as a failed try. Call it only when no worker of that host runs any more.
    """
    now = now or timezone.now()
    host = host or socket.gethostname()
    with transaction.atomic():
        rows = list(
            Job.objects.select_for_update().filter(
                state__in=[Job.State.RUNNING, Job.State.CANCELLING], owner__startswith=f"{host}:"
            )
        )
        for job in rows:
            if job.cancel_requested:
                job.state, job.finished_at = Job.State.STOPPED, now
            else:
                job.state, job.attempt = Job.State.QUEUED, max(job.attempt - 1, 0)
                transaction.on_commit(partial(_nudge, job.id, job.queue))
            job.fence += 1
            job.lease_until = None
            job.save(update_fields=["state", "finished_at", "attempt", "fence", "lease_until"])
    return [job.id for job in rows]


def sweep(*, now: datetime | None = None) -> list[int]:
    """Requeue jobs whose worker died, fail those out of tries, nudge forgotten ones; their ids."""
    now = now or timezone.now()
    with transaction.atomic():
        dead = list(
            Job.objects.select_for_update(skip_locked=True).filter(
                Q(state__in=[Job.State.RUNNING, Job.State.CANCELLING]), lease_until__lt=now
            )
        )
        for job in dead:
            if job.cancel_requested:
                job.state, job.finished_at = Job.State.STOPPED, now
            elif job.attempt >= job.max_attempts:
                job.state, job.finished_at = Job.State.FAILED, now
                with override(_language(job)):
                    job.error = _(
                        "The worker doing this stopped answering %(tries)d times. What it had "
                        "stored is kept; look at the worker's log, then try again."
                    ) % {"tries": job.attempt}
            else:
                job.state = Job.State.QUEUED
            job.fence += 1  # whoever still holds the old lease can write nothing any more
            line = _line(gettext_lazy("The worker stopped answering."), "warning", now)
            job.log = [*job.log, line][-LOG_LINES:]
            job.save(update_fields=["state", "finished_at", "error", "fence", "log"])
            if job.state != Job.State.QUEUED:
                bus.announce("job.finished", job_id=job.id)
    # A waiting row's heartbeat says when it was last nudged: a busy queue is not flooded.
    forgotten = Q(heartbeat_at=None, created_at__lt=now - NUDGE_AFTER)
    forgotten |= Q(heartbeat_at__lt=now - 6 * NUDGE_AFTER)
    waiting = Job.objects.filter(forgotten | Q(id__in=[j.id for j in dead]), state=Job.State.QUEUED)
    found = list(waiting.order_by("id").values_list("id", "queue")[:100])
    Job.objects.filter(id__in=[i for i, _q in found], state=Job.State.QUEUED).update(
        heartbeat_at=now
    )
    for job_id, queue in found:
        _nudge(job_id, queue)
    return [job_id for job_id, _queue in found]
