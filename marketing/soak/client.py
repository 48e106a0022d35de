"""A client that keeps its connections and takes down how each answer went."""

import http.client
import json
import threading
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 30.0


class Book:
    """How every request went, for all threads: milliseconds by kind, answers by status."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.milliseconds: dict[str, list[float]] = {}
        self.statuses: dict[str, Counter[int]] = {}
        self.refused: dict[str, str] = {}
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, status: int, milliseconds: float, body: bytes) -> None:
        """One answer; status 0 for none. Of each kind the first that was refused is kept."""
        with self._lock:
            self.milliseconds.setdefault(kind, []).append(milliseconds)
            self.statuses.setdefault(kind, Counter())[status] += 1
            if not 200 <= status < 400:
                self.refused.setdefault(f"{kind} {status}", body[:300].decode(errors="replace"))

    def add(self, what: str, number: int = 1) -> None:
        """Count something that was taken or answered."""
        with self._lock:
            self.counts[what] += number

    def faults(self) -> int:
        """Requests without an answer, and answers of 500 and above."""
        with self._lock:
            return sum(
                number
                for found in self.statuses.values()
                for status, number in found.items()
                if not status or status >= 500
            )

    def refusals(self) -> int:
        """Answers of 400 to 499: what the shop asked wrongly."""
        with self._lock:
            return sum(
                number
                for found in self.statuses.values()
                for status, number in found.items()
                if 400 <= status < 500
            )


class Client:
    """Requests to one address, each thread over a connection of its own."""

    def __init__(self, address: str, key: str, book: Book) -> None:
        self._host = urlsplit(address).netloc
        self._key = key
        self.book = book
        self._mine = threading.local()

    def ask(
        self,
        kind: str,
        path: str,
        given: Any = None,
        *,
        method: str = "",
        headers: dict[str, str] | None = None,
        public: bool = False,
    ) -> tuple[int, bytes]:
        """Status and body; (0, why) when nobody answered. `given` goes as JSON, bytes as they are.

        `public` requests bring no key.
        """
        body = given if given is None or isinstance(given, bytes) else json.dumps(given).encode()
        sent = {"Content-Type": "application/json", **(headers or {})}
        if not public:
            sent["Authorization"] = f"Bearer {self._key}"
        began = time.perf_counter()
        try:
            status, answer = self._send(
                method or ("GET" if body is None else "POST"), path, body, sent
            )
        except (OSError, http.client.HTTPException) as error:
            status, answer = 0, repr(error).encode()
        self.book.note(kind, status, 1000 * (time.perf_counter() - began), answer)
        return status, answer

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        """A kept connection may have been closed meanwhile; then the request goes once more."""
        for fresh in (False, True):
            line: http.client.HTTPConnection | None = getattr(self._mine, "line", None)
            kept = line is not None and not fresh
            if line is None or fresh:
                line = self._mine.line = http.client.HTTPConnection(self._host, timeout=PATIENCE)
            try:
                line.request(method, path, body, headers)
                answer = line.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                line.close()
                self._mine.line = None
                if not kept:
                    raise
        raise AssertionError

    def get(self, kind: str, path: str) -> Any:
        """What a good answer says. RuntimeError with what a bad one said."""
        return self._told(kind, path, *self.ask(kind, path))

    def post(self, kind: str, path: str, given: Any, **more: Any) -> Any:
        """As `get`, for what is sent."""
        return self._told(kind, path, *self.ask(kind, path, given, **more))

    @staticmethod
    def _told(kind: str, path: str, status: int, body: bytes) -> Any:
        if not 200 <= status < 300:
            raise RuntimeError(f"{kind}: {path} answered {status}: {body[:500]!r}")
        return json.loads(body) if body else None
