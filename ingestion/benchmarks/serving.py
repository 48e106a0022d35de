"""The web server and the worker that the workloads need, as processes of their own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from django.conf import settings
from django.db import connection

from marketing.core.errors import Refused

PLATFORM = "marketing.wsgi:application"
BARE = "ingestion.benchmarks.bare_server:application"
HOST = "127.0.0.1"
_running: dict[str, int] = {}


@contextlib.contextmanager
def web(application: str, **environment: str) -> Iterator[int]:
    """Serve an application as `manage.py up` does; its port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    command = [
        *(sys.executable, "-m", "granian", application, "--interface", "wsgi", "--host", HOST),
        *("--port", str(port), "--workers", "2", "--blocking-threads", "16"),
        *("--blocking-threads-idle-timeout", "600", "--backlog", "512", "--no-ws"),
        *("--workers-kill-timeout", "4", "--log-level", "warning"),
    ]
    name = "web" if application == PLATFORM else "bare"
    with _process(command, name, **environment) as log:
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                break
            if time.monotonic() > until:
                raise Refused(f"the web server did not start: {log.read_text()[-1000:]}")
            time.sleep(0.1)
        time.sleep(1.0)  # both of its processes
        yield port


@contextlib.contextmanager
def worker(queue: str = "events") -> Iterator[None]:
    """A Celery worker of one queue, and the clock that starts what is due."""
    celery = [
        *(sys.executable, "-m", "celery", "-A", "marketing", "worker", "-Q", queue, "-c", "1"),
        *("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    beat = [sys.executable, str(settings.BASE_DIR / "manage.py"), "beat"]
    name = "worker" if queue == "events" else f"worker of {queue}"
    with contextlib.ExitStack() as started:
        started.enter_context(_process(celery, name, WORKER_QUEUE=queue))
        if "beat" not in _running:
            started.enter_context(_process(beat, "beat"))
        time.sleep(4.0)
        yield


@contextlib.contextmanager
def _process(command: list[str], name: str, **environment: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=settings.BASE_DIR,
                env={
                    **os.environ,
                    "DATABASE_URL": settings.DATABASE_URL,
                    "API_RATE": "100000000/min",
                    **environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _running[name] = process.pid
        try:
            yield log
        finally:
            del _running[name]
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def processor_seconds() -> dict[str, float]:
    """Processor time so far of the web server, the worker, PostgreSQL and this process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = int(cursor.fetchone()[0])
    roots = {name: psutil.Process(pid) for name, pid in _running.items()}
    with contextlib.suppress(psutil.Error):  # a server elsewhere
        if above := psutil.Process(backend).parent():
            roots["postgres"] = above
    found = {name: _seconds(root) for name, root in roots.items()}
    own = psutil.Process().cpu_times()
    return {**found, "client": own.user + own.system}


def _seconds(root: psutil.Process) -> float:
    """With the time of children, those included that have ended."""
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def megabytes(name: str) -> float:
    """Memory of the largest process of this program now."""
    root = psutil.Process(_running[name])
    found = [0]
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            found.append(process.memory_info().rss)
    return max(found) / (1 << 20)
