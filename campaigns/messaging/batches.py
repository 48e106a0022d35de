"""Claimed messages on their way out, shared by the threads that send them."""

import math
import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from campaigns.messaging import claims, marks
from campaigns.messaging.claims import Claimed, Due, Purpose
from campaigns.messaging.contents import Ready
from campaigns.messaging.lanes import Lane
from campaigns.messaging.marks import Outcome
from campaigns.messaging.providers.base import Answer, Verdict
from campaigns.models import Run

RECHECK_SECONDS = 0.5
# Stop this long before the lease ends, so that a send begun in time also ends in time.
MARGIN_SECONDS = 3.0
RETRY_FIRST_SECONDS, RETRY_LONGEST_SECONDS = 30.0, 3_600.0


def retry_wait(attempt: int) -> float:
    """Seconds until the next try: doubling from half a minute to an hour, with jitter."""
    base = min(RETRY_FIRST_SECONDS * 2 ** max(attempt - 1, 0), RETRY_LONGEST_SECONDS)
    return base * random.uniform(0.8, 1.2)


@dataclass
class Batch:
    """Written messages by lane, the leases on them, and what became of each.

    `troubles` says why a lane takes no more; the messages of others go on.
    """

    waiting: dict[str, deque[Ready]]
    held: dict[int, Claimed]
    purpose_of: Purpose = claims.marketing
    stopped: bool = False
    troubles: dict[str, str] = field(default_factory=dict)
    # Seconds until what is given back may be tried again, by message.
    waits: dict[int, float] = field(default_factory=dict)
    until: float = math.inf
    # Lanes by which nobody could be reached, and those that have been so for minutes.
    unreachable: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    answers: list[tuple[Verdict, Claimed, Answer]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    deadline: float = 0.0
    checked: float = 0.0

    @classmethod
    def of(cls, ready: Iterable[Ready], purpose_of: Purpose = claims.marketing) -> "Batch":
        """A batch of these messages."""
        waiting: dict[str, deque[Ready]] = defaultdict(deque)
        held = {}
        for one in ready:
            waiting[one.line].append(one)
            held[one.message.id] = one.message
        return cls(dict(waiting), held, purpose_of)

    @property
    def trouble(self) -> str:
        """Why something could not be sent at all; empty when nothing stood in the way."""
        return next(iter(self.troubles.values()), "")

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
        """Drop whoever unsubscribed since the claim."""
        with self.lock:
            by_id = {r.message.id: r.message for line in self.waiting.values() for r in line}
        if not by_id:
            return
        refused = claims.unwanted(
            [
                Due(m.id, m.customer_id, m.channel, m.address, m.step, m.variant)
                for m in by_id.values()
            ],
            self.purpose_of,
        )
        if refused:
            with self.lock:
                for key, line in self.waiting.items():
                    self.waiting[key] = deque(r for r in line if r.message.id not in refused)
                for message_id in refused:
                    self.held.pop(message_id, None)
            marks.mark(
                [
                    Outcome(key, by_id[key].fence, "skipped", reason, "", "", 0.0)
                    for key, reason in refused.items()
                ]
            )

    def next_lane(self, lanes: Collection[str]) -> str | None:
        """By which of these lanes the next message goes, or None when nothing is left to do."""
        with self.lock:
            if self.stopped or time.monotonic() > self.until:
                return None
            return next((key for key in lanes if self._has(key)), None)

    def take(self, lanes: Collection[str] | None = None) -> Ready | None:
        """The next message that may go out now, or None when there is nothing left to do.

        `lanes` asks for one that goes by any of these.
        """
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
            while not self.stopped and (line := self._next_line(lanes)) is not None:
                ready = line.popleft()
                if ready.message.id in self.held:
                    return ready
        return None

    def _has(self, key: str) -> bool:
        return bool(self.waiting.get(key)) and key not in self.troubles

    def _next_line(self, lanes: Collection[str] | None) -> deque[Ready] | None:
        keys = self.waiting if lanes is None else lanes
        return next((self.waiting[key] for key in keys if self._has(key)), None)

    def postpone(self, ready: Ready, seconds: float) -> None:
        """Leave a message for later; it stays ours until it is given back."""
        with self.lock:
            self.waits[ready.message.id] = seconds

    def block(self, lane: Lane, why: str, seconds: float) -> None:
        """Send nothing more by this lane; what waits for it goes back to the queue for a while."""
        with self.lock:
            self.troubles[lane.key] = why
            for ready in self.waiting[lane.key]:
                self.waits[ready.message.id] = seconds

    def give_back(self) -> None:
        """Return to the queue what was not sent, each for as long as it has to wait."""
        by_wait: dict[float, list[Claimed]] = defaultdict(list)
        for message in self.held.values():
            by_wait[self.waits.get(message.id, 0.0)].append(message)
        for seconds, messages in by_wait.items():
            claims.give_back(messages, wait_seconds=seconds)

    def settle(self, answered: Sequence[tuple[Ready, Answer]]) -> None:
        """Write what the provider said, durably, before these lines carry anything else."""
        states = marks.mark(
            [
                outcome_of(ready.message, answer, ready.outgoing.subject)
                for ready, answer in answered
            ]
        )
        with self.lock:
            for ready, answer in answered:
                message = ready.message
                self.held.pop(message.id, None)
                self.answers.append((answer.verdict, message, answer))
                state = states.get(message.id)
                if state is None:
                    self.deadline = 0.0  # somebody else holds it: ask about the others first
                elif state != Run.State.RUNNING:
                    self.stopped = True


def outcome_of(message: Claimed, answer: Answer, subject: str) -> Outcome:
    """The row that an answer leads to."""
    state, reason, wait = answer.verdict.value, "", 0.0
    if answer.verdict is Verdict.RETRY:
        state, wait = "queued", answer.wait_seconds or retry_wait(message.attempt)
    elif answer.verdict is Verdict.FAILED:
        reason = "bounced" if answer.bounced else "refused"
    elif answer.verdict is Verdict.UNKNOWN:
        reason = "line_broke"
    error = "" if answer.verdict is Verdict.SENT else answer.text[:500]
    return Outcome(
        message.id, message.fence, state, reason, error, subject[:300], wait, answer.ref[:200]
    )
