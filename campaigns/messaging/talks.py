"""Talks with servers in steps, so that one thread can hold many of them at once.

A talk is a generator: it says which socket must be ready for what, and until when; whoever drives
it goes on with it then, or throws TimeoutError into it. Threads of their own for each line would
do the same at several times the cost: a mail is a few short replies, and mostly waiting.
"""

import select
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from campaigns.messaging.providers.base import Answer, Outgoing

READ, WRITE = select.POLLIN, select.POLLOUT
# So long the first answers wait for the others, because marking many together costs little more
# than marking one.
GATHER_SECONDS = 0.002
_LONGEST_WAIT = 5.0
T = TypeVar("T")


class Wish(NamedTuple):
    """What a talk waits for: a socket's number, an event on it, and a moment to give up."""

    socket: int
    event: int
    until: float


Talk = Generator[Wish, None, Answer]


@runtime_checkable
class Talker(Protocol):
    """A line that can talk in steps. `make_ready` does beforehand what cannot be done so."""

    @property
    def is_ready(self) -> bool: ...

    def send(self, outgoing: Outgoing) -> Answer: ...

    def make_ready(self) -> None: ...

    def talk(self, outgoing: Outgoing) -> Talk: ...

    def close(self) -> None: ...


def alone(talk: Talk) -> Answer:
    """One talk from beginning to end."""
    try:
        wish = next(talk)
        while True:
            poll = select.poll()
            poll.register(wish.socket, wish.event)
            left = wish.until - time.monotonic()
            if poll.poll(max(left, 0.0) * 1_000):
                wish = next(talk)
            elif time.monotonic() >= wish.until:
                wish = talk.throw(TimeoutError("the server did not answer in time"))
    except StopIteration as end:
        answer: Answer = end.value
        return answer


class Fleet(Generic[T]):
    """Several lines to one place. Not shared between threads.

    `mail_of` says what of an item is handed over.
    """

    def __init__(self, lines: Sequence[Talker], mail_of: Callable[[T], Outgoing]) -> None:
        self._lines, self._mail_of = lines, mail_of
        self._free = list(reversed(lines))
        self._talks: dict[int, tuple[Talker, T, Talk, Wish]] = {}
        self._done: list[tuple[T, Answer | Exception]] = []
        self._freed: list[Talker] = []
        self._failure: Exception | None = None

    def run(
        self,
        take: Callable[[], T | None],
        settle: Callable[[Sequence[tuple[T, Answer | Exception]]], None],
    ) -> None:
        """Hand over what `take` gives until it gives nothing, and settle what became of it.

        A line gets its next item after `settle` has returned for its last one.
        """
        try:
            while True:
                self._begin(take)
                if not self._talks and not self._done:
                    break
                self._listen()
                settle(self._done)
                self._free += self._freed
                self._done, self._freed = [], []
        except BaseException:
            self._break_off()
            raise
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def close(self) -> None:
        for line in self._lines:
            line.close()

    def _begin(self, take: Callable[[], T | None]) -> None:
        """Give each free line an item, as long as there are any."""
        given: list[tuple[Talker, T]] = []
        while self._free and self._failure is None:
            try:
                item = take()
            except Exception as error:  # those who are under way still come to their end
                self._failure = error
                break
            if item is None:
                break
            given.append((self._free.pop(), item))
        closed = [line for line, _item in given if not line.is_ready]
        if len(closed) > 1:
            with ThreadPoolExecutor(len(closed), "opening") as openers:
                list(openers.map(lambda line: line.make_ready(), closed))
        for line, item in given:
            self._go_on(line, item, line.talk(self._mail_of(item)))

    def _go_on(self, line: Talker, item: T, talk: Talk, error: Exception | None = None) -> None:
        answer: Answer | Exception
        try:
            wish = next(talk) if error is None else talk.throw(error)
        except StopIteration as end:
            answer = end.value
        except Exception as failure:
            answer = failure
        else:
            self._talks[wish.socket] = line, item, talk, wish
            return
        self._done.append((item, answer))
        self._freed.append(line)

    def _listen(self) -> None:
        """Until somebody is done, and for a moment more, so that others may be done as well."""
        settled_at = time.monotonic() + GATHER_SECONDS if self._done else None
        while self._talks:
            now = time.monotonic()
            if settled_at is not None and now >= settled_at:
                return
            poll = select.poll()
            for number, (_line, _item, _talk, wish) in self._talks.items():
                poll.register(number, wish.event)
            soonest = min(wish.until for _line, _item, _talk, wish in self._talks.values())
            wait = min(settled_at or now + _LONGEST_WAIT, soonest) - now
            ready = poll.poll(max(wait, 0.0) * 1_000)
            for number, _event in ready:
                line, item, talk, _wish = self._talks.pop(number)
                self._go_on(line, item, talk)
            if not ready:
                self._give_up()
            if self._done and settled_at is None:
                settled_at = time.monotonic() + GATHER_SECONDS

    def _give_up(self) -> None:
        now = time.monotonic()
        late = [number for number, entry in self._talks.items() if entry[3].until <= now]
        for number in late:
            line, item, talk, _wish = self._talks.pop(number)
            self._go_on(line, item, talk, TimeoutError("the server did not answer in time"))

    def _break_off(self) -> None:
        """Leave every talk where it stands: the line is closed, and nobody says what became."""
        for line, _item, talk, _wish in self._talks.values():
            with suppress(OSError):
                talk.close()
            self._freed.append(line)
        self._talks, self._done = {}, []
        self._free, self._freed = [*self._free, *self._freed], []
