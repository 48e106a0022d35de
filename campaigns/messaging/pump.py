"""The pump: claim, commit, write, send, mark, until nothing is due.

No transaction is open while the network is spoken to. Each message is marked right after the
provider's answer, in a durable commit, before the same line carries its next one; lines that are
answered in the same moment share a commit. A killed sender therefore leaves at most one message
per line whose fate is not written. A mail is then sent again with the same Message-ID; a message
that may never go twice was noted as handed over before, and ends as unknown. Before every single
send the sender checks, by its own monotonic clock, that its lease still holds; a frozen process
that wakes up late sends nothing more.
"""

import logging
import math
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from campaigns.messaging import claims, marks, news, watching
from campaigns.messaging.batches import Batch
from campaigns.messaging.claims import Claimed
from campaigns.messaging.contents import Ready
from campaigns.messaging.lanes import Fleets, Lane, Lines
from campaigns.messaging.news import Got
from campaigns.messaging.pacing import SLICE_SECONDS, Allowance
from campaigns.messaging.providers.base import Answer, Unreachable, Verdict
from campaigns.messaging.talks import Fleet
from campaigns.messaging.writers import Writer
from campaigns.models import Run

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
UNREACHABLE_WAIT_SECONDS = 10.0
DOMAIN_WAIT_SECONDS = 1.0


@dataclass
class Pump:
    """Sends one run's messages from this process, over so many lines at once."""

    run: Run
    lines: int = 1
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    def __post_init__(self) -> None:
        self.writer = Writer(self.run)
        self._most = math.inf
        self._fleets = Fleets(self.lines)
        self._lines = [Lines() for _ in range(self.lines)]
        self._crew: ThreadPoolExecutor | None = None
        # Which of the last messages failed, for the share at which sending stops by itself.
        self.complaints_asked = -math.inf
        self.window: deque[bool] = deque(maxlen=watching.WINDOW)

    def close(self) -> None:
        self._fleets.close()
        for line in self._lines:
            line.close()
        if self._crew is not None:
            # Each thread has a database connection of its own, kept from batch to batch.
            together = threading.Barrier(self.lines)
            for _line in self._lines:
                self._crew.submit(_hang_up, together)
            self._crew.shutdown()

    def step(self, limit: int, *, until: float = math.inf) -> Batch | None:
        """One batch from claim to marks; None when nothing was due.

        `until`, a moment of the monotonic clock, ends the waiting for a channel's allowance.
        """
        began = time.monotonic()
        claimed = claims.claim(
            run_id=self.run.pk,
            owner=self.owner,
            limit=int(min(limit, self._most)),
            purpose_of=self.writer.purpose_of,
        )
        if not claimed:
            return None
        ready, ends = self.writer.prepare(claimed)
        with transaction.atomic():  # one commit for both
            untold = news.begin(run_id=self.run.pk, messages=[r.message.id for r in ready])
            self.writer.store(ready)
        if ends:
            marks.mark(ends)
            self.window.extend([outcome.state == "failed" for outcome in ends])
        batch = Batch.of(ready, self.writer.purpose_of)
        batch.extend(began)
        batch.checked, batch.until = began, until
        ended = threading.Event()
        pulse = threading.Thread(target=_keep, args=(batch, ended), daemon=True)
        pulse.start()
        try:
            self._send(batch)
        finally:
            ended.set()
            batch.give_back()
        # Where most had to wait, fewer are written at once: they would be written again.
        too_many = batch.held and 2 * len(batch.held) > len(ready)
        self._most = max(self.lines, 2 * len(batch.answers)) if too_many else math.inf
        self._learn(batch, untold)
        return batch

    def _send(self, batch: Batch) -> None:
        """What can be talked about in steps goes from this thread, by all lines at once; the rest
        from threads that wait for one message each."""
        fleets = {key: self._fleets.to(self.writer.lanes[key]) for key in batch.waiting}
        slow = [key for key, fleet in fleets.items() if fleet is None]
        others = []
        if slow and self.lines > 1:
            self._crew = self._crew or ThreadPoolExecutor(self.lines, "line")
            others = [self._crew.submit(self._apart, batch, one, slow) for one in self._lines]
        try:
            for key, fleet in fleets.items():
                if fleet is not None:
                    self._send_together(batch, self.writer.lanes[key], fleet)
            if slow and not others:
                self._drain(batch, self._lines[0], slow)
        except Exception as error:
            self._break_off(batch, error)
        wait(others)

    def _send_together(self, batch: Batch, lane: Lane, fleet: Fleet[Ready]) -> None:
        only = (lane.key,)
        fleet.run(
            lambda: batch.take(only),
            lambda answered: self._settle(batch, lane, answered),
        )

    def _settle(
        self, batch: Batch, lane: Lane, answered: Sequence[tuple[Ready, Answer | Exception]]
    ) -> None:
        known = []
        for ready, answer in answered:
            if isinstance(answer, Unreachable):
                batch.unreachable.add(lane.key)
                batch.waits[ready.message.id] = UNREACHABLE_WAIT_SECONDS
                batch.block(lane, str(answer), UNREACHABLE_WAIT_SECONDS)
            elif isinstance(answer, Exception):
                # Whether it left nobody knows, so it is not guessed.
                logger.error("a provider did what none may do", exc_info=answer)
                said = f"{type(answer).__name__}: {answer}"
                known.append((ready, Answer(Verdict.UNKNOWN, said)))
            else:
                known.append((ready, answer))
        if known:
            batch.settle(known)
            with batch.lock:
                self.window.extend(
                    answer.verdict in (Verdict.FAILED, Verdict.UNKNOWN) for _ready, answer in known
                )
                batch.stopped = batch.stopped or watching.failing(self.window)

    def _apart(self, batch: Batch, lines: Lines, keys: Collection[str]) -> None:
        try:
            self._drain(batch, lines, keys)
        except Exception as error:
            self._break_off(batch, error)
            connection.close()  # it may be what broke

    def _break_off(self, batch: Batch, error: Exception) -> None:
        logger.exception("a sender of run %s stopped", self.run.pk)
        batch.stopped, batch.troubles["sender"] = True, f"{type(error).__name__}: {error}"

    def _drain(self, batch: Batch, lines: Lines, keys: Collection[str]) -> None:
        while (ready := self._next(batch, keys)) is not None:
            lane = self.writer.lanes[ready.line]
            if lane.once_at_most and claims.hand_over(ready.message) is None:
                batch.stopped = True  # the lease is lost, or somebody pressed pause
                return
            answer: Answer | Exception
            try:
                answer = lines.to(lane).send(ready.outgoing)
            except Exception as error:
                answer = error
            self._settle(batch, lane, [(ready, answer)])

    def _next(self, batch: Batch, keys: Collection[str]) -> Ready | None:
        """The next message, when its channel and its domain may be used; None at the end."""
        if not any(self.writer.lanes[key].limited for key in keys):
            return batch.take(keys)
        while (key := batch.next_lane(keys)) is not None:
            lane = self.writer.lanes[key]
            if lane.allowance is not None and not self._wait(batch, lane, lane.allowance):
                continue
            ready = batch.take((key,))
            if ready is None:
                continue
            domain = lane.domain(ready.message.address)
            if domain is None:
                return ready
            taken, seconds = domain.take()
            if taken:
                time.sleep(seconds)
                return ready
            batch.postpone(ready, max(seconds, DOMAIN_WAIT_SECONDS))
            if lane.allowance is not None:
                lane.allowance.put_back()
        return None

    def _wait(self, batch: Batch, lane: Lane, allowance: Allowance) -> bool:
        """Wait for a slot, a little at a time; True when one has come."""
        taken, seconds = allowance.take()
        if seconds == math.inf:
            batch.block(
                lane,
                _("The channel is being warmed up, and today's share is used. The rest follows."),
                allowance.until_tomorrow(),
            )
            return False
        time.sleep(seconds if taken else min(seconds, SLICE_SECONDS))
        return taken

    def _learn(self, batch: Batch, untold: int | None) -> None:
        """What the answers mean beyond their own rows: events, dead addresses, the error rate."""
        now = datetime.now(UTC)
        sent = [message for verdict, message, _a in batch.answers if verdict is Verdict.SENT]
        dead = [(m.channel, m.address) for _v, m, answer in batch.answers if answer.bounced]
        with transaction.atomic():
            record_sent(run=self.run, messages=sent, now=now)
            news.suppress(dead, now=now)
            news.end(untold)
        self._note(batch)

    def _note(self, batch: Batch) -> None:
        """Tell each channel how it fared."""
        lanes_used = {self._lane_of(message).key for _v, message, _a in batch.answers}
        for key in lanes_used | batch.unreachable:
            verdicts = [v for v, message, _a in batch.answers if self._lane_of(message).key == key]
            unclear = sum(v in (Verdict.RETRY, Verdict.UNKNOWN) for v in verdicts)
            bad = unclear + (key in batch.unreachable)
            if watching.note(lane=key, good=len(verdicts) - unclear, bad=bad) and bad:
                batch.down.add(key)

    def _lane_of(self, message: Claimed) -> Lane:
        return self.writer.content(message.step, message.variant)[1]


def _hang_up(together: threading.Barrier) -> None:
    with suppress(threading.BrokenBarrierError):
        together.wait(10)
    connection.close()


def _keep(batch: Batch, ended: threading.Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            batch.renew()
        except Exception:
            logger.exception("the lease of a batch could not be renewed")
    connection.close()


def record_sent(*, run: Run, messages: Sequence[Claimed], now: datetime) -> None:
    """Tell the event stream who got something; the message's own id makes a repeat harmless."""
    got = [Got(m.customer_id, m.channel, m.step, m.key, now) for m in messages]
    news.tell(run=run, got=got, now=now)
