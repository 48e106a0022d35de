"""What the processes of this folder did, counted where each other process can read it.

Each process adds to a small file of its own under VAR_DIR/counters, which is mapped into memory:
counting costs microseconds and asks nobody. Whoever reads adds up all files. Those of processes
that are gone are put together into one, by readers and by each new process, since workers' children
come and go all day; so no count ever falls, and the folder stays small where nobody reads.
"""

import contextlib
import fcntl
import mmap
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

DOORS = ("pages", "api", "events", "hits")
CLASSES = ("2xx", "3xx", "4xx", "5xx")
# Upper ends in seconds; the last one has none.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))
VERDICTS = ("sent", "failed", "retry", "unknown")
ENDS = ("done", "failed", "stopped")

# Every series there is. A name added at the end leaves the files of older processes readable.
SERIES = (
    *(f"http.{door}.{end:g}" for door in DOORS for end in BUCKETS),
    *(f"http.{door}.seconds" for door in DOORS),
    *(f"http.{door}.{kind}" for door in DOORS for kind in CLASSES),
    *(f"messages.{verdict}" for verdict in VERDICTS),
    *(f"jobs.{end}" for end in ENDS),
)
_PLACE = {name: place for place, name in enumerate(SERIES)}
_BYTES = 8 * len(SERIES)
_GONE = "gone"
_NAME = re.compile(r"(.+)-(\d+)")
# Files of another machine on a shared folder: its processes cannot be looked for from here.
_FOREIGN_SECONDS = 7 * 86_400.0
_lock = threading.Lock()
_mine: dict[int, "memoryview[float]"] = {}


def folder() -> Path:
    """Where the files lie."""
    return Path(settings.VAR_DIR) / "counters"


def add(amounts: dict[str, float]) -> None:
    """Add to some series. Counting is no work: where it cannot be done, it is left out."""
    with _lock:
        values = _own()
        if values is not None:
            for name, amount in amounts.items():
                values[_PLACE[name]] += amount


def observe(door: str, seconds: float, status: int) -> None:
    """Note one request that was answered."""
    end = next(end for end in BUCKETS if seconds <= end)
    kind = f"{min(max(status // 100, 2), 5)}xx"
    add({f"http.{door}.{end:g}": 1, f"http.{door}.seconds": seconds, f"http.{door}.{kind}": 1})


def _own() -> "memoryview[float] | None":
    number = os.getpid()
    if number not in _mine:
        _mine.clear()  # those of the process that we were forked from
        with contextlib.suppress(OSError):
            _mine[number] = _map(folder() / f"{socket.gethostname()}-{number}")
            with _locked_folder() as place:
                _put_together(place)
    return _mine.get(number)


def _map(path: Path) -> "memoryview[float]":
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        # Written out, not left sparse: on a full disk a mapped page without a block kills.
        if (missing := _BYTES - path.stat().st_size) > 0:
            file.write(bytes(missing))
            file.flush()
        return memoryview(mmap.mmap(file.fileno(), _BYTES)).cast("d")


def totals() -> dict[str, float]:
    """Every series over all processes, those that are gone among them."""
    found = [0.0] * len(SERIES)
    with _locked_folder() as place:
        for path in place.iterdir() if place.exists() else ():
            if _is_counter(path):
                found = [a + b for a, b in zip(found, _values(path), strict=True)]
        _put_together(place)
    return dict(zip(SERIES, found, strict=True))


@contextlib.contextmanager
def _locked_folder() -> Iterator[Path]:
    place = folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = (place / ".lock").open("w")
    except OSError:  # a full disk, a folder of somebody else: what can be read is read
        yield place
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place


def _is_counter(path: Path) -> bool:
    return path.name == _GONE or _NAME.fullmatch(path.name) is not None


def _values(path: Path) -> list[float]:
    with contextlib.suppress(OSError):
        raw = path.read_bytes()[:_BYTES]
        values = list(memoryview(raw[: len(raw) // 8 * 8]).cast("d"))
        return values + [0.0] * (len(SERIES) - len(values))
    return [0.0] * len(SERIES)


def _put_together(place: Path) -> None:
    """Move the counts of processes that ended into one file."""
    with contextlib.suppress(OSError):
        ended = [path for path in place.iterdir() if _ended(path)]
        if not ended:
            return
        every = [_values(path) for path in [*ended, place / _GONE]]
        new = place / ".gone"
        new.write_bytes(memoryview(_columns(every)).cast("B").tobytes())
        new.replace(place / _GONE)
        for path in ended:
            path.unlink()


def _columns(rows: list[list[float]]) -> "memoryview[float]":
    total = memoryview(bytearray(_BYTES)).cast("d")
    for place, column in enumerate(zip(*rows, strict=True)):
        total[place] = sum(column)
    return total


def _ended(path: Path) -> bool:
    named = _NAME.fullmatch(path.name)
    if named is None:
        return False
    if named[1] != socket.gethostname():
        return time.time() - path.stat().st_mtime > _FOREIGN_SECONDS
    try:
        os.kill(int(named[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
