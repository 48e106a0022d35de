"""How soon the platform answers, how fast its pages are, and how much memory a web process takes.

Everything runs as for a person: `manage.py up` in a folder of its own, pages over HTTP behind a
sign-in, on the shipped history. The limits are figures to keep rather than peers, so `ratio` is
the limit over our value: 1 is the limit, more is better.
"""

import contextlib
import http.cookiejar
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from django.conf import settings

from ingestion.benchmarks import measuring
from ingestion.benchmarks.measuring import Line
from marketing import embedded, startup

FIRST_START_SECONDS, LATER_START_SECONDS = 20.0, 10.0
WEB_MEGABYTES = 200.0
PAGE_MILLISECONDS = 150.0
DEMO_SECONDS = 300.0
ROUNDS = {"small": 20, "full": 100}
PAGES = (
    "/",
    "/people/",
    "/data/",
    "/segments/",
    "/segments/tree/",
    "/models/",
    "/recommendations/",
    "/campaigns/",
    "/content/",
    "/jobs/",
)


def _line(name: str, unit: str, values: list[float], limit: float, n: int) -> Line:
    return measuring.figure(name, unit, n, values, most=limit, digits=2)


class Platform:
    """`manage.py up` as a child process; its terminal goes to a file."""

    def __init__(self, var: Path, *, demo: bool) -> None:
        self.var = var
        self.log = var / "terminal.log"
        self.address = f"http://127.0.0.1:{startup.free_port(0)}"
        own = {"DATABASE_URL", "REDIS_URL", "EMAIL_PORT", "QUEUE_PREFIX"}
        self.environment = {k: v for k, v in os.environ.items() if k not in own} | {
            "PERENNIAL_VAR": str(var),
            "PORT": self.address.rsplit(":", 1)[1],
            "DEMO": "1" if demo else "0",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, words: str, seconds: float) -> float:
        """Seconds until the terminal said `words`. RuntimeError when it never did."""
        with self.log.open("wb") as output:
            began = time.perf_counter()
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=settings.BASE_DIR,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        while time.perf_counter() - began < seconds:
            if words in self.log.read_text():
                return time.perf_counter() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"“{words}” was never said:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=30)


@contextlib.contextmanager
def installed(*, demo: bool) -> Iterator[Platform]:
    """An installation in a folder of its own, which goes when this ends."""
    var = embedded.reachable_temporary_folder()
    platform = Platform(var, demo=demo)
    try:
        yield platform
    finally:
        platform.stop()
        shutil.rmtree(var, ignore_errors=True)


def starts(size: str = "small") -> list[Line]:
    """From the command to the first page: with an empty folder, and later."""
    first, later = [], []
    for _run in range(3):
        with installed(demo=False) as platform:
            first.append(platform.start("Open http", 120))
            platform.stop()
            later.append(platform.start("Open http", 120))
    return [
        _line("start.first", "s", first, FIRST_START_SECONDS, 1),
        _line("start.later", "s", later, LATER_START_SECONDS, 1),
    ]


def demo_pages(size: str = "small") -> list[Line]:
    """The whole main job, then every list page on its data, and what the web processes hold."""
    with installed(demo=True) as platform:
        demo = platform.start("demo ready in", 1200)
        visitor = sign_in(platform)
        times: dict[str, list[float]] = {page: [] for page in PAGES}
        for _round in range(ROUNDS[size] + 2):
            for page in PAGES:
                began = time.perf_counter()
                _read(visitor, platform, page)
                times[page].append(1000 * (time.perf_counter() - began))
        # Each web process loads a page's templates once; those two visits are not counted.
        p95 = {page: statistics.quantiles(taken[2:], n=20)[-1] for page, taken in times.items()}
        memory = _web_megabytes(platform)
        everything = [taken for page in PAGES for taken in times[page][2:]]
        slowest = max(p95, key=lambda page: p95[page])
        overall = statistics.quantiles(everything, n=20)[-1]
    return [
        _line("demo.job", "s", [demo], DEMO_SECONDS, 541_909),
        {
            **_line("demo.page_p95", "ms", [overall], PAGE_MILLISECONDS, len(everything)),
            "slowest": {"page": slowest, "p95": round(p95[slowest], 1)},
        },
        _line("demo.web_memory", "MB", memory, WEB_MEGABYTES, len(everything)),
    ]


def sign_in(platform: Platform) -> urllib.request.OpenerDirector:
    """What asks for pages as the demo's user, signed in by the form."""
    login = json.loads((platform.var / "demo.json").read_text())
    visitor = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    page = visitor.open(f"{platform.address}/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    if token is None:
        raise RuntimeError("the login page has no form")
    form = {
        "username": login["login"],
        "password": login["password"],
        "csrfmiddlewaretoken": token.group(1),
    }
    answer = visitor.open(
        urllib.request.Request(
            f"{platform.address}/login/",
            data=urllib.parse.urlencode(form).encode(),
            headers={"Referer": f"{platform.address}/login/"},
        )
    )
    if "/login/" in answer.url:
        raise RuntimeError("the login was refused")
    return visitor


def _read(visitor: urllib.request.OpenerDirector, platform: Platform, page: str) -> None:
    try:
        visitor.open(platform.address + page).read()
    except urllib.error.HTTPError as error:
        log = (platform.var / "log" / "web.log").read_text()[-2000:]
        raise RuntimeError(f"{page} answered {error.code}:\n{log}") from error


def _web_megabytes(platform: Platform) -> list[float]:
    """Resident memory of every process that answers pages."""
    assert platform.process is not None
    children = psutil.Process(platform.process.pid).children(recursive=True)
    web = [child for child in children if "perennial-web worker" in " ".join(child.cmdline())]
    return [child.memory_info().rss / 1e6 for child in web]


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"start": starts, "demo": demo_pages}
