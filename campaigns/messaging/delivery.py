"""The pump: claim, commit, render, send, mark, until nothing is due.

No transaction is open while the network is spoken to. Each mail is marked right after the server's
answer, in a durable commit, before the same connection sends its next one: a killed sender
therefore leaves at most one mail per connection whose fate is not written, and that one is sent
again with the same Message-ID. Before every single send the sender checks, by its own monotonic
clock, that its lease still holds; a frozen process that wakes up late sends nothing more.
"""

import logging
import os
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection
from django.utils.translation import gettext as _
from psycopg2 import Binary
from psycopg2.extras import execute_values

from campaigns import runs
from campaigns.messaging import addresses, bodies, claims, context, mime, providers
from campaigns.messaging.claims import Claimed, Outcome
from campaigns.messaging.providers.base import Answer, Connection, Outgoing, Unreachable, Verdict
from campaigns.messaging.rendering import Compiled, RenderError
from campaigns.models import Run
from ingestion import consent, events
from marketing.core.errors import Refused

logger = logging.getLogger(__name__)

BATCH = 200
SENDERS_PER_RUN = 2
BEAT_SECONDS = 5.0
RECHECK_SECONDS = 0.5
# Stop this long before the lease ends, so that a send begun in time also ends in time.
MARGIN_SECONDS = 3.0
UNREACHABLE_WAIT_SECONDS = 10.0
RETRY_FIRST_SECONDS, RETRY_LONGEST_SECONDS = 30.0, 3_600.0
WINDOW, WINDOW_LEAST, WORST_SHARE = 200, 50, 0.5


class Delivered(NamedTuple):
    """What one call of `deliver` did. `more`: it stopped for time, not for lack of work."""

    sent: int
    failed: int
    retried: int
    unknown: int
    more: bool


class Ready(NamedTuple):
    """A claimed message with its bytes."""

    message: Claimed
    recipient: str
    subject: str
    mail: bytes


def retry_wait(attempt: int) -> float:
    """Seconds until the next try: doubling from half a minute to an hour, with jitter."""
    base = min(RETRY_FIRST_SECONDS * 2 ** max(attempt - 1, 0), RETRY_LONGEST_SECONDS)
    return base * random.uniform(0.8, 1.2)


class Ledger:
    """Marks outcomes. Threads that arrive during one write share the next, and all of them wait."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Outcome, dict[str, str]]] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def mark(self, outcome: Outcome) -> str | None:
        """Returns once the outcome is durable: the run's state, or None if the lease was lost."""
        answer: dict[str, str] = {}
        with self._guard:
            self._waiting.append((outcome, answer))
        with self._turn:
            if "done" not in answer:
                with self._guard:
                    batch, self._waiting = self._waiting, []
                states = claims.mark([entry for entry, _answer in batch])
                for entry, their_answer in batch:
                    their_answer["done"] = "yes"
                    if entry.id in states:
                        their_answer["state"] = states[entry.id]
        return answer.get("state")


@dataclass
class Batch:
    """Claimed mails on their way out, shared by the threads that send them."""

    waiting: deque[Ready]
    held: dict[int, Claimed]
    ledger: Ledger = field(default_factory=Ledger)
    stopped: bool = False
    trouble: str = ""
    answers: list[tuple[Verdict, Claimed, Answer]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    deadline: float = 0.0
    checked: float = 0.0

    def extend(self, began: float) -> None:
        self.deadline = began + claims.LEASE_SECONDS - MARGIN_SECONDS

    def renew(self) -> None:
        """Lengthen the lease of what has no outcome yet; drop what is no longer ours."""
        began = time.monotonic()
        with self.lock:
            held = list(self.held.values())
        if held:
            ours = claims.renew(held)
            with self.lock:
                for message in held:
                    if message.id not in ours:
                        self.held.pop(message.id, None)
            self.extend(began)

    def recheck(self) -> None:
        """Drop whoever unsubscribed since the claim, and learn whether the run still runs."""
        with self.lock:
            ready = list(self.waiting)
        if not ready:
            return
        held = [(r.message.id, r.message.customer_id, r.message.address) for r in ready]
        refused = claims.unwanted(held)
        by_id = {r.message.id: r.message for r in ready}
        outcomes = [
            Outcome(key, by_id[key].fence, "skipped", reason, "", "", 0.0)
            for key, reason in refused.items()
        ]
        if outcomes:
            with self.lock:
                self.waiting = deque(r for r in self.waiting if r.message.id not in refused)
                for key in refused:
                    self.held.pop(key, None)
            claims.mark(outcomes)

    def take(self) -> Ready | None:
        """The next mail that may go out now, or None when there is nothing left to do."""
        if time.monotonic() - self.checked > RECHECK_SECONDS:
            with self.lock:
                mine = time.monotonic() - self.checked > RECHECK_SECONDS
                if mine:
                    self.checked = time.monotonic()
            if mine:
                self.recheck()
        if time.monotonic() > self.deadline:
            self.renew()
        with self.lock:
            while self.waiting and not self.stopped:
                ready = self.waiting.popleft()
                if ready.message.id in self.held:
                    return ready
        return None

    def settle(self, ready: Ready, answer: Answer) -> None:
        """Write what the server said, durably, before anything else is sent on this line."""
        message = ready.message
        state = self.ledger.mark(outcome_of(message, answer, ready.subject))
        with self.lock:
            self.held.pop(message.id, None)
            self.answers.append((answer.verdict, message, answer))
            if state is None:
                self.deadline = 0.0  # somebody else holds this one: ask about the others first
            elif state != Run.State.RUNNING:
                self.stopped = True


def outcome_of(message: Claimed, answer: Answer, subject: str) -> Outcome:
    """The row that an answer leads to."""
    state, reason, wait = answer.verdict.value, "", 0.0
    if answer.verdict is Verdict.RETRY:
        state, reason, wait = "queued", "", retry_wait(message.attempt)
    elif answer.verdict is Verdict.FAILED:
        reason = "bounced" if answer.bounced else "refused"
    elif answer.verdict is Verdict.UNKNOWN:
        reason = "line_broke"
    error = "" if answer.verdict is Verdict.SENT else answer.text[:500]
    return Outcome(message.id, message.fence, state, reason, error, subject[:300], wait)


@dataclass
class Pump:
    """Sends one run's mails from this process."""

    run: Run
    lines: int = 1
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    def __post_init__(self) -> None:
        kept = self.run.snapshot
        self.template: Compiled = runs.compiled(kept["template"], signer=addresses.signer())
        self.common = bodies.shared(kept["template"])
        self.writer = mime.Writer(
            from_name=kept["from_name"],
            from_email=kept["from_email"],
            reply_to=kept["reply_to"],
        )
        self.connections: list[Connection] = [providers.open() for _ in range(self.lines)]
        self.window: deque[bool] = deque(maxlen=WINDOW)

    def close(self) -> None:
        for line in self.connections:
            line.close()

    def prepare(self, claimed: Sequence[Claimed]) -> tuple[list[Ready], list[Outcome]]:
        """Bytes for each message, and failures for those whose values do not fit the template."""
        values = context.build(
            customer_ids=[message.customer_id for message in claimed], wants=self.template.wants
        )
        ready, failures, now = [], [], datetime.now(UTC)
        for message in claimed:
            person = values.get(message.customer_id)
            if person is None:
                failures.append(Outcome(message.id, message.fence, "skipped", "gone", "", "", 0.0))
                continue
            links = addresses.of_message(message.key)
            try:
                mail = self.template.render({**person, **links})
                data = self.writer.write(
                    key=message.key,
                    to=message.address,
                    to_name=f"{person.get('first_name', '')} {person.get('last_name', '')}".strip(),
                    mail=mail,
                    unsubscribe_url=str(links["unsubscribe_url"]),
                    at=now,
                )
            except RenderError as error:
                failures.append(self._failure(message, "render", str(error)))
            except mime.HeaderRefused as error:
                failures.append(self._failure(message, "address", str(error)))
            else:
                recipient = mime.address("To", message.address)
                ready.append(Ready(message, recipient, mail.subject, data))
        return ready, failures

    def _failure(self, message: Claimed, reason: str, why: str) -> Outcome:
        return Outcome(message.id, message.fence, "failed", reason, why[:500], "", 0.0)

    def step(self, limit: int) -> Batch | None:
        """One batch from claim to marks; None when nothing was due."""
        began = time.monotonic()
        claimed = claims.claim(run_id=self.run.pk, owner=self.owner, limit=limit)
        if not claimed:
            return None
        ready, failures = self.prepare(claimed)
        store_bodies(ready, self.common)
        if failures:
            claims.mark(failures)
            self.window.extend([outcome.state == "failed" for outcome in failures])
        batch = Batch(deque(ready), {r.message.id: r.message for r in ready})
        batch.extend(began)
        batch.checked = began
        ended = threading.Event()
        pulse = threading.Thread(target=_keep, args=(batch, ended), daemon=True)
        pulse.start()
        try:
            self._send(batch)
        finally:
            ended.set()
            left = list(batch.held.values())
            wait = UNREACHABLE_WAIT_SECONDS if batch.trouble else 0.0
            claims.give_back(left, wait_seconds=wait)
        self._learn(batch)
        return batch

    def _send(self, batch: Batch) -> None:
        if len(self.connections) == 1:
            self._drain(batch, self.connections[0])
            return
        threads = [
            threading.Thread(target=self._drain_apart, args=(batch, line), daemon=True)
            for line in self.connections
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _drain_apart(self, batch: Batch, line: Connection) -> None:
        try:
            self._drain(batch, line)
        except Exception as error:
            logger.exception("a sender of run %s stopped", self.run.pk)
            batch.stopped, batch.trouble = True, f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def _drain(self, batch: Batch, line: Connection) -> None:
        while (ready := batch.take()) is not None:
            try:
                answer = line.send(
                    Outgoing(
                        ready.message.key,
                        self.writer.sender,
                        ready.recipient,
                        ready.mail,
                        ready.subject,
                    )
                )
            except Unreachable as error:
                batch.stopped, batch.trouble = True, str(error)
                return
            batch.settle(ready, answer)

    def _learn(self, batch: Batch) -> None:
        """What the answers mean beyond their own rows: events, dead addresses, the error rate."""
        now = datetime.now(UTC)
        sent = [message for verdict, message, _ in batch.answers if verdict is Verdict.SENT]
        record_sent(run=self.run, messages=sent, now=now)
        for _verdict, message, answer in batch.answers:
            if answer.bounced:
                consent.suppress(
                    addresses=[message.address], channel="email", reason="bounced", now=now
                )
        self.window.extend(
            verdict in (Verdict.FAILED, Verdict.UNKNOWN) for verdict, _m, _a in batch.answers
        )


def _keep(batch: Batch, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            batch.renew()
        except Exception:
            logger.exception("the lease of a batch could not be renewed")
    connection.close()


def store_bodies(ready: Sequence[Ready], common: bytes) -> None:
    """Keep each mail as it is about to be sent; a second attempt replaces the first."""
    if not ready:
        return
    rows = [(r.message.id, Binary(bodies.pack(r.mail, common))) for r in ready]
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO campaigns_messagebody (message_id, mime) VALUES %s "
            "ON CONFLICT (message_id) DO UPDATE SET mime = excluded.mime",
            rows,
            page_size=100,
        )


def record_sent(*, run: Run, messages: Sequence[Claimed], now: datetime) -> None:
    """Tell the event stream who got a mail; the message's own id makes a repeat harmless."""
    if messages:
        about = {"campaign": run.campaign_id, "run": run.pk}
        events.record(
            batch=[
                events.Incoming(
                    type="email_sent",
                    at=now,
                    message_id=f"sent:{message.key}",
                    customer_id=message.customer_id,
                    properties=about,
                )
                for message in messages
            ],
            source="campaigns",
            now=now,
        )


def deliver(
    *, run_id: int, lines: int = 1, budget_seconds: float = 20.0, limit: int = BATCH
) -> Delivered:
    """Send what is due of one run until nothing is left or the time is up.

    At most SENDERS_PER_RUN processes send for a run; one more returns at once.
    """
    totals = dict.fromkeys(Verdict, 0)
    until = time.monotonic() + budget_seconds
    run = Run.objects.select_related("campaign").get(pk=run_id)
    if run.state != Run.State.RUNNING:
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
        while (batch := pump.step(limit)) is not None:
            for verdict, _message, _answer in batch.answers:
                totals[verdict] += 1
            if batch.trouble:
                Run.objects.filter(pk=run_id).update(error=batch.trouble[:1000])
                break
            if batch.answers and run.error:
                Run.objects.filter(pk=run_id).update(error="")
                run.error = ""
            if _too_bad(pump.window):
                _pause(run)
                break
            if time.monotonic() > until:
                more = True
                break
    finally:
        if pump is not None:
            pump.close()
        _free_slot(run_id, slot)
    runs.finish(run_id=run_id, now=datetime.now(UTC))
    return Delivered(
        totals[Verdict.SENT],
        totals[Verdict.FAILED],
        totals[Verdict.RETRY],
        totals[Verdict.UNKNOWN],
        more,
    )


def _too_bad(window: deque[bool]) -> bool:
    return len(window) >= WINDOW_LEAST and sum(window) / len(window) > WORST_SHARE


def _pause(run: Run) -> None:
    try:
        runs.pause(
            campaign_id=run.campaign_id,
            user=None,
            now=datetime.now(UTC),
            reason=_(
                "More than half of the last mails failed, so sending was paused. Look at the "
                "failed messages, correct the cause, then resume: only the rest is written to."
            ),
        )
    except Refused:
        logger.info("run %s was already stopped", run.pk)


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
