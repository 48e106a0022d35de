"""`manage.py up` as a person meets it: it starts, serves, mends itself, stops and goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from marketing import embedded, startup

ROOT = Path(__file__).resolve().parents[2]


class Platform:
    """One `manage.py up` in a folder of its own, without the demo's data."""

    def __init__(self, var: Path, port: int) -> None:
        self.var, self.port = var, port
        self.log = var / "terminal.log"
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL", "QUEUE_PREFIX")
        } | {"PERENNIAL_VAR": str(var), "PORT": str(port), "DEMO": "0"}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self, words: str) -> bool:
        assert self.process is not None
        text = self.log.read_text()
        assert words in text or self.process.poll() is None, text
        return words in text

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=20)


@pytest.fixture
def platform() -> Iterator[Platform]:
    var = embedded.reachable_temporary_folder()
    made = Platform(var, startup.free_port(0))
    yield made
    for log in [made.log, *sorted((var / "log").glob("*.log"))]:  # shown when the test failed
        if log.exists():
            sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}\n")
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
        time.sleep(1)
    for name in ("postgres", "valkey"):
        embedded.stop(var / name)
    shutil.rmtree(var, ignore_errors=True)


@pytest.mark.faults
def test_it_starts_mends_itself_stops_and_goes_on(platform, wait_for):
    platform.start()
    wait_for(lambda: platform.said("Ctrl-C stops everything"), seconds=60)

    login = json.loads((platform.var / "demo.json").read_text())
    assert login["address"] == f"http://127.0.0.1:{platform.port}"
    assert (platform.var / "demo.json").stat().st_mode & 0o777 == 0o600
    wait_for(lambda: platform.get("/readyz")["status"] == "ready", seconds=60)

    second = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=platform.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "already runs from this folder: http://127.0.0.1" in second.stderr

    children = psutil.Process(platform.process.pid).children(recursive=True)
    beat = next(child for child in children if "beat" in child.cmdline())
    beat.kill()
    wait_for(lambda: platform.said("beat ended (killed by SIGKILL) and is started again"))

    children = psutil.Process(platform.process.pid).children(recursive=True)
    platform.stop()
    assert "Stopped. The next start goes on from here." in platform.log.read_text()
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []

    platform.start()
    wait_for(lambda: platform.said("Ctrl-C stops everything"), seconds=60)
    assert json.loads((platform.var / "demo.json").read_text())["api_key"] == login["api_key"]
    assert "migrations" not in platform.log.read_text()


def test_a_server_that_does_not_answer_ends_the_start_and_leaves_nothing_running(platform):
    platform.environment["DATABASE_URL"] = "postgres://me:secret@127.0.0.1:1/nothing"
    done = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=platform.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "PostgreSQL at 127.0.0.1:1 does not answer" in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert embedded.stop(platform.var / "valkey") is False
