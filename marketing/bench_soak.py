"""A day of a shop's work in an hour: whether memory, tables and queues stay level, and nothing is
lost.

The whole platform runs as an operator runs it, with the demo's shop, in a folder of its own:
`make bench ONLY=soak.day`. MINUTES says how long (60); at less the same number of things happens a
minute. It is local night meanwhile, so that the night's work falls into the hour. SAMPLES names a
folder that keeps every look, as a line of JSON each, and the logs. SHOP names a folder of
`make run` whose demo is ready and that nobody needs any more; without it a new one is made. It runs
only when it is named.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marketing import benchmarks
from marketing.core.errors import Invalid
from marketing.soak import counts, verdict
from marketing.soak.client import Book, Client
from marketing.soak.opening import Visitor, prepare
from marketing.soak.shop import Shop
from marketing.soak.watching import Look, Watch

Line = dict[str, Any]
MINUTES = 60.0
LOOK_SECONDS = 30.0
DEMO_SECONDS = 1_800.0
# How long what was begun may take to end once nothing more comes in, and how often that is asked.
# A journey's wait is a minute, so the last who came in need that long.
END_SECONDS, END_LOOK_SECONDS = 300.0, 5.0
# What other measurements are told and an operator's platform is not.
_OF_MEASUREMENTS = ("LOG_LEVEL", "STATEMENT_TIMEOUT_MS")
_BAD = (" ERROR ", " CRITICAL ", "Traceback (most recent call last)")


def day(size: str = "small") -> list[Line]:
    """Growth, what waits, what was lost, errors and lags of one compressed day."""
    seconds = 60 * _minutes()
    kept = os.environ.get("SAMPLES", "")
    with _installation(os.environ.get("SHOP", "")) as platform:
        platform.environment["TIME_ZONE"] = night_at(datetime.now(UTC).hour)
        for name in _OF_MEASUREMENTS:
            platform.environment.pop(name, None)
        platform.start("demo ready in", DEMO_SECONDS)
        assert platform.process is not None
        book, mails = Book(), platform.var / "mail" / "new"
        key = json.loads((platform.var / "demo.json").read_text())["api_key"]
        client = Client(platform.address, key, book)
        visitor = Visitor(benchmarks.sign_in(platform), platform.address)
        ground = prepare(client, visitor)
        database = (platform.var / "postgres.url").read_text().strip()
        with _watch(platform.process.pid, platform.var, database, client) as watch:
            before = counts.stand(watch.ask, mails)
            shop = Shop(client, visitor, ground, mails, watch.entered)
            shop.live(seconds)
            watch.stop()
            after = _wait_for_the_end(watch)
            pairs = counts.pairs(
                mark=ground.mark,
                taken=book.counts,
                ask=watch.ask,
                before=before,
                after=counts.stand(watch.ask, mails),
            )
            looks = watch.looks
        if kept:
            _keep(Path(kept), [*looks, *after], platform.var)
        return [
            *verdict.memory(looks),
            verdict.tables(looks),
            verdict.queues(looks, after),
            verdict.connections(looks),
            verdict.arrived(pairs),
            verdict.lag(shop.lags),
            *verdict.answers(book, seconds),
            _logged(platform.var / "log") | {"broken": shop.broken, "missed": watch.missed},
        ]


@contextlib.contextmanager
def _installation(folder: str) -> Iterator[benchmarks.Platform]:
    if not folder:
        with benchmarks.installed(demo=True) as platform:
            yield platform
        return
    platform = benchmarks.Platform(Path(folder).resolve(), demo=True)
    try:
        yield platform
    finally:
        platform.stop()


def _minutes() -> float:
    text = os.environ.get("MINUTES") or str(MINUTES)
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 1 <= minutes <= 10_000:
        raise Invalid(f"MINUTES={text} is no number of minutes from 1 to 10,000.", code="minutes")
    return minutes


def night_at(hour: int) -> str:
    """The time zone in which it is two o'clock at this hour of UTC."""
    west = hour - 2
    west -= 24 if west > 12 else 0
    return f"Etc/GMT{west:+d}" if west else "Etc/GMT"


@contextlib.contextmanager
def _watch(root: int, var: Path, database: str, client: Client) -> Iterator[Watch]:
    watch = Watch(root=root, var=var, database=database, client=client, every=LOOK_SECONDS)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
        watch.close()


def _wait_for_the_end(
    watch: Watch, pause: Callable[[float], None] = time.sleep, seconds: float = END_SECONDS
) -> list[Look]:
    """Looks until each queue was seen empty, or too much time is over."""
    looks: list[Look] = []
    empty: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        look = watch.look()
        looks.append(look)
        empty.update(name for name, waits in look.queues.items() if not waits)
        if look.queues and all(empty[name] for name in look.queues):
            break
        pause(END_LOOK_SECONDS)
    return looks


def _logged(logs: Path) -> Line:
    """Lines of errors in the logs of all programs, and the first few."""
    found = [
        f"{log.stem}: {line[:300]}"
        for log in sorted(logs.glob("*.log*"))
        for line in log.read_text(errors="replace").splitlines()
        if any(word in line for word in _BAD)
    ]
    line = verdict.none("soak.day.logged", len(found), "errors in the logs", len(found))
    return line | {"lines": found[:10]}


def _keep(folder: Path, looks: list[Look], var: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(dataclasses.asdict(look)) for look in looks]
    (folder / "looks.jsonl").write_text("\n".join(lines) + "\n")
    shutil.copytree(var / "log", folder / "log", dirs_exist_ok=True)


WORKLOADS = {"soak.day": day}
ON_REQUEST = frozenset(WORKLOADS)
