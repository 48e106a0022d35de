"""A client that costs little: kept connections, bodies made beforehand, one thread."""

import selectors
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

HOST = "127.0.0.1"


@dataclass
class Sent:
    """How a load went: seconds in all, and of each request.

    `late`: how long after it was due each left, for want of a processor or of a free connection;
    it is part of the latency.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


def request(*, port: int, path: str, body: bytes, secret: str) -> bytes:
    """A whole POST as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Line:
    """One kept connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answer = b""
        self.sent_at = 0.0

    def send(self, data: bytes) -> None:
        self.answer, self.sent_at = b"", time.perf_counter()
        self.socket.sendall(data)

    def read(self) -> int:
        """The status once the answer is whole, else 0."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.answer += part
        head, found, body = self.answer.partition(b"\r\n\r\n")
        if not found:
            return 0
        low = head.lower()
        start = low.index(b"content-length:") + 15
        size = int(low[start:].split(b"\r\n", 1)[0])
        return int(head[9:12]) if len(body) >= size else 0


def send(
    requests: Iterable[bytes], *, port: int, connections: int, per_second: float = 0.0
) -> Sent:
    """Send each request once over so many kept connections, at a rate or as fast as answered.

    With a rate, a request's latency counts from when it was due.
    """
    result = Sent()
    lines = [_Line(port) for _ in range(connections)]
    # The others round a pause up to whole milliseconds, and every request would leave late.
    waiting = selectors.SelectSelector()
    for one in lines:
        waiting.register(one.socket, selectors.EVENT_READ, one)
    began = time.perf_counter()
    todo = _due(requests, began, per_second)
    upcoming = next(todo, None)
    # In turn, since the server closes a connection that rests for long.
    idle, busy = deque(lines), 0
    while upcoming is not None or busy:
        clock = time.perf_counter()
        while idle and upcoming is not None and upcoming[0] <= clock:
            one = idle.popleft()
            one.send(upcoming[1])
            if per_second:
                result.late.append(one.sent_at - upcoming[0])
                one.sent_at = upcoming[0]
            busy += 1
            upcoming = next(todo, None)
        pause = 1.0
        if upcoming is not None and idle:
            pause = max(0.0, upcoming[0] - time.perf_counter())
        for key, _events in waiting.select(pause):
            one = key.data
            status = one.read()
            if status:
                result.latencies.append(time.perf_counter() - one.sent_at)
                result.statuses[status] = result.statuses.get(status, 0) + 1
                idle.append(one)
                busy -= 1
    result.seconds = time.perf_counter() - began
    for one in lines:
        one.socket.close()
    waiting.close()
    return result


def pour(data: bytes, port: int, rate: int, seconds: int, ready: Any, told: Any) -> None:
    """Send one request over and over, as the body of a process of its own; tell the statuses."""
    ready.set()
    sent = send(repeat(data, rate * seconds), port=port, connections=16, per_second=rate)
    told.put(sent.statuses)


def _due(
    requests: Iterable[bytes], began: float, per_second: float
) -> Iterator[tuple[float, bytes]]:
    for number, data in enumerate(requests):
        yield (began + number / per_second if per_second else 0.0), data
