"""`manage.py up` as a person meets it: it starts, serves, mends itself, stops and goes on."""

import json
import os
import signal

import psutil
import pytest

from marketing import embedded
from marketing.embedded import processes


@pytest.mark.faults
def test_it_starts_mends_itself_stops_and_goes_on(platform, wait_for):
    platform.start()
    wait_for(lambda: platform.said("Ctrl-C stops everything"), seconds=60)

    login = json.loads((platform.var / "demo.json").read_text())
    assert login["address"] == f"http://127.0.0.1:{platform.port}"
    assert (platform.var / "demo.json").stat().st_mode & 0o777 == 0o600

    second = platform.try_to_start()
    assert second.returncode == 1
    assert "already runs from this folder: http://127.0.0.1" in second.stderr

    children = psutil.Process(platform.process.pid).children(recursive=True)
    beat = next(child for child in children if "beat" in child.cmdline())
    beat.kill()
    wait_for(lambda: platform.said("beat ended (killed by SIGKILL) and is started again"))
    database = processes.Record.read(platform.var / "postgres")
    os.kill(database.pid, signal.SIGKILL)
    wait_for(lambda: platform.said("postgres ended and was started again on its data"))
    wait_for(lambda: platform.get("/readyz")["status"] == "ready", seconds=60)

    children = psutil.Process(platform.process.pid).children(recursive=True)
    platform.stop()
    assert "Stopped. The next start goes on from here." in platform.log.read_text()
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []

    platform.start()
    wait_for(lambda: platform.said("Ctrl-C stops everything"), seconds=60)
    assert json.loads((platform.var / "demo.json").read_text())["api_key"] == login["api_key"]
    assert "migrations" not in platform.log.read_text()
    platform.stop()


def test_a_server_that_does_not_answer_ends_the_start_and_leaves_nothing_running(platform):
    platform.environment["DATABASE_URL"] = "postgres://me:secret@127.0.0.1:1/nothing"
    done = platform.try_to_start()

    assert done.returncode == 1
    assert "PostgreSQL at 127.0.0.1:1 does not answer" in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert embedded.stop(platform.var / "valkey") is False


def test_a_port_that_is_no_number_is_explained(platform):
    platform.environment["PORT"] = "http"
    done = platform.try_to_start()

    assert done.returncode == 1
    assert "PORT=http is not a port" in done.stderr
