"""The embedded servers start, are found again, survive rough ends and keep what they were given."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from marketing import embedded
from marketing.embedded import processes


@pytest.fixture
def folder() -> Iterator[Path]:
    path = embedded.reachable_temporary_folder()
    yield path
    embedded.stop(path / "postgres")
    embedded.stop(path / "valkey")
    shutil.rmtree(path, ignore_errors=True)


def ask(url: str, statement: str):
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None


def test_postgres_is_version_18_with_pgvector_in_utc_and_durable(folder):
    url = embedded.start_postgres(folder / "postgres")
    ask(url, "CREATE EXTENSION vector")

    assert ask(url, "SELECT '[3,4]'::vector <-> '[0,0]'::vector") == [(5.0,)]
    assert ask(url, "SHOW server_version")[0][0].split(".")[0] == "18"
    assert ask(url, "SHOW timezone") == [("UTC",)]
    assert ask(url, "SHOW fsync") == [("on",)]
    assert ask(url, "SHOW listen_addresses") == [("127.0.0.1",)]


def test_a_second_start_adopts_the_running_servers(folder):
    first = embedded.start_postgres(folder / "postgres"), embedded.start_valkey(folder / "valkey")
    pids = [processes.Record.read(folder / name).pid for name in ("postgres", "valkey")]

    second = embedded.start_postgres(folder / "postgres"), embedded.start_valkey(folder / "valkey")

    assert second == first
    assert [processes.Record.read(folder / name).pid for name in ("postgres", "valkey")] == pids


def test_what_was_stored_is_there_after_a_kill_of_everything(folder):
    url = embedded.start_postgres(folder / "postgres")
    ask(url, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(processes.Record.read(folder / "postgres").pid, signal.SIGKILL)
    time.sleep(0.3)

    again = embedded.start_postgres(folder / "postgres")

    assert ask(again, "SELECT number FROM kept") == [(7,)]


def test_a_stale_pid_file_that_names_another_program_does_not_stop_the_start(folder):
    embedded.start_postgres(folder / "postgres")
    embedded.stop(folder / "postgres")
    (folder / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n/else\n")

    assert ask(embedded.start_postgres(folder / "postgres"), "SELECT 1") == [(1,)]


def test_passwords_are_generated_and_files_with_them_are_private(folder):
    embedded.start_postgres(folder / "postgres")
    embedded.start_valkey(folder / "valkey")

    postgres = processes.Record.read(folder / "postgres")
    valkey = processes.Record.read(folder / "valkey")
    assert len(postgres.password) >= 32
    assert postgres.password != valkey.password
    for file in ("postgres/server.json", "valkey/server.json", "valkey/valkey.conf"):
        assert (folder / file).stat().st_mode & 0o777 == 0o600
    wrong = postgres.url.replace(postgres.password, "wrong")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(wrong)


def test_valkey_keeps_its_queue_over_a_restart_and_refuses_to_be_emptied(folder):
    url = embedded.start_valkey(folder / "valkey")
    redis.Redis.from_url(url).lpush("queue", "nudge")
    with pytest.raises(redis.exceptions.NoPermissionError):
        redis.Redis.from_url(url).flushall()
    embedded.stop(folder / "valkey")

    again = redis.Redis.from_url(embedded.start_valkey(folder / "valkey"))

    assert again.lrange("queue", 0, -1) == [b"nudge"]
    assert again.info("memory")["maxmemory_policy"] == "noeviction"


def test_a_port_asked_for_by_number_and_in_use_is_refused_by_name(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(embedded.ServerError, match=f"Port {port} on 127.0.0.1 is in use"):
            embedded.start_valkey(folder / "valkey", port)


def test_servers_end_with_a_process_that_was_killed(folder):
    code = (
        "import os, sys; from marketing import embedded;"
        "servers = embedded.Servers(sys.argv[1]).start();"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False)

    pids = [processes.Record.read(folder / name).pid for name in ("postgres", "valkey")]
    gone = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], 15)[1]
    assert [process for process in gone if process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_lost_password_file_is_explained_and_nothing_is_overwritten(folder):
    embedded.start_postgres(folder / "postgres")
    embedded.stop(folder / "postgres")
    (folder / "postgres" / "server.json").unlink()

    with pytest.raises(embedded.ServerError, match=r"server\.json with its password is missing"):
        embedded.start_postgres(folder / "postgres")

    assert (folder / "postgres" / "data" / "PG_VERSION").exists()


def test_a_server_that_died_is_mended_at_its_old_address(folder):
    servers = embedded.Servers(folder).start()
    ask(servers.database_url, "CREATE TABLE kept AS SELECT 7 AS number")
    assert servers.mend() == []
    os.kill(processes.Record.read(folder / "postgres").pid, signal.SIGKILL)
    os.kill(processes.Record.read(folder / "valkey").pid, signal.SIGKILL)
    time.sleep(0.3)

    assert servers.mend() == ["postgres", "valkey"]

    assert ask(servers.database_url, "SELECT number FROM kept") == [(7,)]
    assert redis.Redis.from_url(servers.redis_url).ping() is True
    servers.stop()
