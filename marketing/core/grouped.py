"""Small durable writes that arrive together share one transaction, so one flush pays for many.

Whoever comes first writes for all who wait and hands over to the first who came since; each caller
returns once its own item is committed.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class _Ticket(Generic[T]):
    __slots__ = ("done", "error", "gate", "item")

    def __init__(self, item: T) -> None:
        self.item = item
        self.gate = threading.Lock()
        self.done = False
        self.error: BaseException | None = None


class Grouped(Generic[T]):
    """`write` takes a group of items and returns when they are committed, or raises for all.

    A group is closed once its items weigh `limit`; `writers` groups are under way at once: one is
    put together while the other's flush is awaited.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], None],
        *,
        limit: int = 500,
        writers: int = 2,
        weight: Callable[[T], int] = lambda _item: 1,
    ) -> None:
        self._write, self._limit, self._most, self._weight = write, limit, writers, weight
        self._waiting: deque[_Ticket[T]] = deque()
        self._guard = threading.Lock()  # held for moments, never while something is written
        self._writers = 0

    @property
    def idle(self) -> bool:
        """Nobody writes and nobody waits."""
        return not self._writers and not self._waiting

    def submit(self, item: T) -> None:
        """Returns when `item` is durable; raises what kept its group from being written."""
        ticket = _Ticket(item)
        with self._guard:
            free = self._writers < self._most
            if free:
                self._writers += 1
            else:
                ticket.gate.acquire()
                self._waiting.append(ticket)
        if not free:
            ticket.gate.acquire()  # opened when it is written, or when it is our turn to write
        if not ticket.done:
            self._write_with_others(ticket)
        if ticket.error is not None:
            raise ticket.error

    def _write_with_others(self, ticket: _Ticket[T]) -> None:
        group, weight = [ticket], self._weight(ticket.item)
        with self._guard:
            while self._waiting and weight < self._limit:
                group.append(self._waiting.popleft())
                weight += self._weight(group[-1].item)
        try:
            self._write([one.item for one in group])
        except BaseException as error:
            for one in group:
                one.error = error
        finally:
            with self._guard:
                heir = self._waiting.popleft() if self._waiting else None
                if heir is None:
                    self._writers -= 1
            if heir is not None:
                heir.gate.release()  # first, so that the database has something to do
            for one in group:
                one.done = True
                if one is not ticket:
                    one.gate.release()
