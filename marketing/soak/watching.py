"""What is looked at while a day passes: memory of each program, queues, sizes of tables."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from marketing.soak.client import Client

# Tables whose rows go again once they were dealt with, or after minutes.
FLAT = (
    "ingestion_inbox",
    "ingestion_change",
    "ingestion_observation",
    "ingestion_eventtally",
    "campaigns_hit",
    "campaigns_untold",
    "core_slot",
    "core_workerbeat",
)
FOLDERS = ("log", "models", "counters", "uploads", "valkey", "postgres/data/pg_wal")
_SIZES = """
    SELECT relname, pg_total_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
_DUE = "SELECT count(*) FROM campaigns_enrollment WHERE ended_at IS NULL AND wake_at < now()"
_ENTERED = """
    SELECT 1 FROM campaigns_segmentmember m JOIN ingestion_customer c ON c.id = m.customer_id
    WHERE m.segment_id = %s AND c.external_id = %s"""
# What waits in the platform; a change waits for its readers, whose lag is looked at instead.
_QUEUES = (
    "perennial_queue_tasks",
    "perennial_queue_unacked",
    "perennial_inbox_requests",
    "perennial_outbox_rows",
    "perennial_jobs_open",
)
_KEPT = 'outbox="changes"'


@dataclass
class Look:
    """One look. `megabytes`: program -> what its processes hold, by process id.
    `queues`: what waits, by name; `told`: the other numbers of /metrics; `bytes`: tables; `files`:
    bytes in folders of the installation.
    """

    at: float
    megabytes: dict[str, dict[int, float]]
    queues: dict[str, float] = field(default_factory=dict)
    told: dict[str, float] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


class Watch:
    """Looks, taken every so often by a thread of its own."""

    def __init__(
        self, *, root: int, var: Path, database: str, client: Client, every: float
    ) -> None:
        self._root, self._var, self._client, self._every = root, var, client, every
        self._line = psycopg2.connect(database, application_name="soak")
        self._line.autocommit = True
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self._began = time.monotonic()
        self.looks: list[Look] = []
        self.missed: list[str] = []

    def start(self) -> None:
        """Begin to look."""
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End the looking, after the look that is being taken."""
        self._end.set()
        self._thread.join()

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()

    def _look_on(self) -> None:
        due = time.monotonic()
        while not self._end.wait(max(0.0, due - time.monotonic())):
            try:
                self.looks.append(self.look())
            except (OSError, psycopg2.Error) as error:
                self.missed.append(repr(error))
            due += self._every

    def look(self) -> Look:
        """Everything as it is now."""
        found = Look(time.monotonic() - self._began, memory(self._root))
        status, text = self._client.ask("metrics", "/metrics")
        for name, value in read(text.decode()) if status == 200 else ():
            if name.startswith(_QUEUES):
                if _KEPT not in name:
                    found.queues[name] = value
            elif "_bucket" not in name:
                found.told[name] = value
        found.bytes = {name: int(size) for name, size in self.ask(_SIZES)}
        found.files = {name: size_of(self._var / name) for name in FOLDERS}
        found.queues["people due in journeys"] = float(self.ask(_DUE)[0][0])
        return found

    def ask(self, sql: str, given: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows, over the one connection that looks."""
        with self._lock, self._line.cursor() as cursor:
            cursor.execute(sql, given)
            return cursor.fetchall()

    def entered(self, segment: int, person: str) -> bool:
        """Whether this person stands in this segment."""
        return bool(self.ask(_ENTERED, (segment, person)))


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder, whatever goes meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def read(text: str) -> list[tuple[str, float]]:
    """Name with labels and value of each number that /metrics tells."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] not in ("#", ""))
    return [(name, float(value)) for name, value in lines]


def memory(root: int) -> dict[str, dict[int, float]]:
    """Program -> process id -> megabytes, what processes share told once."""
    found: dict[str, dict[int, float]] = {"up": {}}
    main = psutil.Process(root)
    _hold(found["up"], main)
    for child in main.children():
        try:
            name = name_of(child.cmdline())
            family = [child, *child.children(recursive=True)]
        except psutil.Error:
            continue
        for process in family if name else ():
            _hold(found.setdefault(name, {}), process)
    return found


def _hold(found: dict[int, float], process: psutil.Process) -> None:
    try:
        found[process.pid] = _megabytes(process)
    except (OSError, psutil.Error):
        return


def _megabytes(process: psutil.Process) -> float:
    """Its share of memory that belongs to no file and is no buffer of PostgreSQL's: a page of those
    that only one process happened to touch would count as its own."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():  # another system than Linux
        return float(process.memory_full_info().uss) / 1e6
    for line in rollup.read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float(process.memory_full_info().uss) / 1e6


def name_of(words: list[str]) -> str:
    """What a child of `manage.py up` is, by its command; empty for the guard."""
    line = " ".join(words)
    if "perennial-web" in line or "granian" in line:
        return "web"
    if "-Q" in words:
        return f"worker-{words[words.index('-Q') + 1]}"
    if "guard" in line:
        return ""
    for name in ("beat", "mailcatcher", "postgres", "valkey"):
        if name in line:
            return name
    return ""
