"""What both servers need: a record on disk, a lock, a port, a process that answers or explains."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil

DATABASE = USER = "perennial"
START_SECONDS = 60.0
STOP_SECONDS = 10.0


class ServerError(RuntimeError):
    """A server could not be started; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Record:
    """What server.json holds: enough to find, reach and recognise a server started earlier."""

    kind: str
    port: int
    password: str
    pid: int = 0

    @property
    def url(self) -> str:
        secret = quote(self.password, safe="")
        if self.kind == "postgres":
            return f"postgres://{USER}:{secret}@127.0.0.1:{self.port}/{DATABASE}"
        return f"redis://default:{secret}@127.0.0.1:{self.port}/0"

    @property
    def stop_signal(self) -> int:
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for open sessions.
        return signal.SIGINT if self.kind == "postgres" else signal.SIGTERM

    @classmethod
    def read(cls, folder: Path) -> "Record | None":
        try:
            return cls(**json.loads((folder / "server.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        write_private(folder / "server.json", json.dumps(dataclasses.asdict(self)))


def package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise ServerError(
            f"The Python package {name} is not installed, so no server can be started here. "
            "Use `make run`, which installs it, or set DATABASE_URL and REDIS_URL to servers "
            "of your own."
        )
    return Path(spec.origin).parent


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; nobody else can read it."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def prepare_folder(folder: Path | str) -> Path:
    folder = Path(folder).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(
            f"The folder {folder} cannot be made ({error.strerror}). Nothing was started. "
            "Set PERENNIAL_VAR to a folder that can be written to."
        ) from error
    return folder


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Only one process at a time starts the server in a folder."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def choose_port(wanted: int, *, fixed: bool) -> int:
    """The wanted port when it is free; another free one unless it was asked for by number."""
    for candidate in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError as error:
                if fixed:
                    raise ServerError(
                        f"Port {wanted} on 127.0.0.1 is in use by another program. Nothing was "
                        "started. Choose another port or stop that program."
                    ) from error
                continue
            return int(probe.getsockname()[1])
    raise ServerError("No free port could be found on 127.0.0.1.")


def launch(command: list[str], log: Path, *, user: str | None = None) -> "subprocess.Popen[bytes]":
    """Start a program in a session of its own, so that Ctrl-C reaches only its supervisor."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=log.parent,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
        )


def wait_until(
    answers: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, name: str
) -> None:
    """Return when the server answers; otherwise end it and raise with the last of its log."""
    until = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None or time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise ServerError(explain(f"{name} did not start.", log))
        time.sleep(0.05)


def explain(what: str, log: Path) -> str:
    """A message from the end of a log, with the remedy where the cause is known."""
    with contextlib.suppress(OSError):
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        if "No space left on device" in tail:
            return (
                f"{what} The disk that holds {log.parent} is full. Free some space and start "
                "again; data that were stored before are untouched."
            )
        return f"{what} The end of {log}:\n{tail}"
    return what


def is_running(pid: int, name: str) -> bool:
    """Whether the process exists, is not a zombie, and is the program we mean."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and name in process.name()
    except psutil.Error:
        return False


def end(pid: int, number: int, *, patience: float = STOP_SECONDS) -> None:
    """Signal a process, wait, and kill it when it does not go."""
    try:
        process = psutil.Process(pid)
        process.send_signal(number)
        process.wait(patience)
    except psutil.TimeoutExpired:
        with contextlib.suppress(psutil.Error):
            process.kill()
            process.wait(5)
    except psutil.Error:
        return
