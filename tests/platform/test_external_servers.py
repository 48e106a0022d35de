"""DATABASE_URL and REDIS_URL put servers of one's own in the place of the embedded ones.

The PostgreSQL (with pgvector) is started apart from the platform. The queue is a Redis server
where the machine has one, and otherwise a Valkey started by hand.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from marketing import embedded, startup
from marketing.embedded import valkey

PASSWORD = "a-password-of-ones-own"


@pytest.fixture
def database_url() -> Iterator[str]:
    folder = embedded.reachable_temporary_folder()
    url = embedded.start_postgres(folder / "theirs", throwaway=True)
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'")
        cursor.execute("CREATE DATABASE marketing OWNER shop")
    connection.close()
    yield f"postgres://shop:{PASSWORD}@{url.split('@')[1].split('/')[0]}/marketing"
    embedded.stop(folder / "theirs")
    shutil.rmtree(folder, ignore_errors=True)


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


@pytest.mark.faults
def test_the_platform_runs_on_servers_of_ones_own_and_starts_none(
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
