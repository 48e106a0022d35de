"""DATABASE_URL and REDIS_URL put servers of one's own in the place of the embedded ones.

They are those of the machine's distribution where it has them, an older PostgreSQL without pgvector
as it is installed there and a Redis; otherwise the embedded kinds, started apart by hand. The
account owns its database and nothing more. TEST_DATABASE_URL and TEST_REDIS_URL run any other test
on servers of one's own.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from marketing import embedded, startup
from marketing.embedded import guard, postgres, valkey
from tests import emptying
from tests.platform.conftest import ROOT

PASSWORD = "a-password-of-ones-own"
# What PostgreSQL itself must do alike: plans that are kept, claims side by side, numbers of people,
# questions of every kind about them, COPY of arrays and one statement for somebody's picks.
ASKED = (
    "tests/core/test_prepared.py",
    "tests/campaigns/messaging/test_claims.py",
    "tests/models_ml/features/test_traits.py",
    "tests/campaigns/segments/test_questions.py::"
    "test_a_live_segment_of_every_kind_is_filled_with_whom_its_rule_means",
    "tests/recommendations/test_writing.py",
    "tests/recommendations/test_serve.py",
)
# Of this run, and nothing to one that has servers of its own.
OURS = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "PERENNIAL_VAR", "QUEUE_PREFIX")
TABLES = """
SELECT string_agg(oid::regclass::text, ', ') FROM pg_class WHERE relkind IN ('r', 'p')
    AND relnamespace = 'public'::regnamespace AND NOT relname = ANY(%s)"""


def _installed() -> Path | None:
    """The folder of initdb and postgres that the machine has, the newest of several."""
    found = [
        path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()
    ]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    there = shutil.which("initdb")
    return Path(there).parent if there else None


@pytest.fixture
def administrator() -> Iterator[str]:
    """The address of a server's own account on a PostgreSQL that nobody tuned for this."""
    folder, programs = embedded.reachable_temporary_folder(), _installed()
    if programs is None:
        yield embedded.start_postgres(folder / "theirs", throwaway=True)
        embedded.stop(folder / "theirs")
        shutil.rmtree(folder, ignore_errors=True)
        return
    data, secret, log = folder / "data", folder / "password", folder / "log"
    data.mkdir(mode=0o700)
    secret.write_text(PASSWORD)
    if account := postgres._account():
        for path in (data, secret):
            shutil.chown(path, account)
    initdb = [
        *(str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "scram-sha-256"),
        *(f"--pwfile={secret}", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
    ]
    assert postgres._run_as_account(initdb, log).wait(timeout=60) == 0, log.read_text()
    port = startup.free_port(0)
    options = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
        "fsync": "off",
    }  # fmt: skip
    server = postgres._run_as_account(
        [str(programs / "postgres"), "-D", str(data)]
        + [word for name, value in options.items() for word in ("-c", f"{name}={value}")],
        log,
    )
    keeper = guard.watch([(server.pid, signal.SIGQUIT)], delete=folder)
    url = f"postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres"
    for _try in range(100):
        try:
            psycopg2.connect(url).close()
            break
        except psycopg2.OperationalError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
    yield url
    server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
    server.wait(timeout=20)
    guard.release(keeper)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(administrator: str) -> str:
    """A database of its owner alone, called as a test's is, so that tests can go on in it."""
    connection = psycopg2.connect(administrator)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'")
        cursor.execute("CREATE DATABASE test_marketing OWNER shop")
    connection.close()
    return f"postgres://shop:{PASSWORD}@{administrator.split('@')[1].split('/')[0]}/test_marketing"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    port = startup.free_port(0)
    program = shutil.which("redis-server") or str(valkey.program())
    server = subprocess.Popen(
        [
            *(program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""),
            *("--requirepass", PASSWORD, "--dir", str(tmp_path)),
        ],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/2"
    for _try in range(100):
        try:
            redis.Redis.from_url(url).ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    yield url
    server.terminate()
    server.wait()


def empty(url: str) -> None:
    """Leave the tables as the migrations do."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES, [list(emptying.KEPT)])
        cursor.execute(f"TRUNCATE {cursor.fetchone()[0]}")
    connection.close()


@pytest.mark.faults
def test_the_platform_runs_on_servers_of_ones_own_and_means_the_same_there(
    platform, database_url, redis_url, wait_for
):
    platform.environment |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    platform.start()
    wait_for(lambda: platform.said("Ctrl-C stops everything"), seconds=60)

    # Ready means: tables made by this account, messages carried by this Redis, workers answering.
    wait_for(lambda: platform.get("/readyz")["status"] == "ready", seconds=60)
    assert not (platform.var / "postgres").exists()
    assert not (platform.var / "valkey").exists()
    connection = psycopg2.connect(database_url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_workerbeat")
        assert cursor.fetchone() == (4,)
    connection.close()
    platform.stop()
    assert redis.Redis.from_url(redis_url).ping() is True

    empty(database_url)
    given = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith("PYTEST_")
    }
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "--reuse-db", *ASKED],
        cwd=ROOT,
        env=given
        | {
            "TEST_DATABASE_URL": database_url.replace("/test_marketing", "/marketing"),
            "TEST_REDIS_URL": redis_url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-1000:]
