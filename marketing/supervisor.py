"""Care for child processes: start, restart what died with growing pauses, stop in order.

Each child leads a session of its own, so Ctrl-C in the terminal reaches only its supervisor, and
stands under a guard that ends it should the supervisor itself be killed. Knows nothing of Django.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from marketing.embedded import guard

LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
LOG_LIMIT_BYTES = 10_000_000


@dataclass(frozen=True)
class Program:
    """What to run. `patience` is how many seconds it gets to end before it is killed; `descriptors`
    are open files and sockets of ours that it goes on using under the same numbers."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    patience: float = 5.0
    descriptors: tuple[int, ...] = ()


@dataclass
class _Child:
    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    failures: int = 0
    next_try: float = 0.0


class Supervisor:
    """Children by name, in the order in which they were started."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._children: dict[str, _Child] = {}
        self._guard = guard.watch([])
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, program: Program) -> None:
        """Start a program and keep it running until `stop`."""
        child = self._children.setdefault(program.name, _Child(program))
        child.program = program
        self._launch(child)

    def _launch(self, child: _Child) -> None:
        log = self._logs / f"{child.program.name}.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child.process = subprocess.Popen(
                child.program.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **child.program.environment},
                pass_fds=child.program.descriptors,
            )
        child.started = time.monotonic()
        # A negative number names the whole group: a worker's pool ends with it.
        guard.add(self._guard, -child.process.pid, signal.SIGKILL)

    def watch(self) -> None:
        """Start again what has died, and keep logs short. Call it every second or so."""
        now = time.monotonic()
        self._trim()
        for child in self._children.values():
            process = child.process
            if process is not None and process.poll() is not None:
                if now - child.started > STEADY_SECONDS:
                    child.failures = 0
                pause = min(LONGEST_PAUSE, 0.5 * 2**child.failures)
                child.failures += 1
                child.process, child.next_try = None, now + pause
                _end_group(process.pid)
                self._say(
                    f"{child.program.name} ended ({_reason(process.returncode)}) and is started "
                    f"again; see {self._logs / child.program.name}.log"
                )
            if child.process is None and now >= child.next_try:
                self._launch(child)

    def _trim(self) -> None:
        """Move aside what running children wrote, once it is long. They append, so they go on at
        the beginning of the emptied file; what they write in between is dropped, and so is the
        whole where no disk is left to keep it.
        """
        for name in self._children:
            log = self._logs / f"{name}.log"
            with contextlib.suppress(OSError):
                if log.stat().st_size > LOG_LIMIT_BYTES:
                    with contextlib.suppress(OSError):
                        shutil.copyfile(log, log.with_suffix(".log.1"))
                    os.truncate(log, 0)

    def restart(self, name: str) -> None:
        """End a child that runs but does nothing, and start it again."""
        child = self._children[name]
        if child.process is not None:
            _end_group(child.process.pid)
            child.process.wait()
        self._launch(child)

    def age(self, name: str) -> float:
        """Seconds since this child was started last."""
        return time.monotonic() - self._children[name].started

    def processes(self) -> dict[str, int]:
        """Process id of each child that runs now."""
        return {
            name: child.process.pid
            for name, child in self._children.items()
            if child.process is not None and child.process.poll() is None
        }

    def stop(self) -> None:
        """End all: everybody is told at once, the last started first; who stays is killed."""
        running = [
            child for child in reversed(self._children.values()) if child.process is not None
        ]
        began = time.monotonic()
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()  # type: ignore[union-attr]
        for child in running:
            left = began + child.program.patience - time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(timeout=max(left, 0.1))  # type: ignore[union-attr]
            _end_group(child.process.pid)  # type: ignore[union-attr]
            child.process.wait()  # type: ignore[union-attr]
        self._children.clear()
        guard.release(self._guard)


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _reason(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
