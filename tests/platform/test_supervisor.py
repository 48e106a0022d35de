"""Children are kept running, ended in time, and never outlive their supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from marketing.supervisor import Program, Supervisor

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
STUBBORN = [
    *(sys.executable, "-S", "-c"),
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
    "time.sleep(600)",
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path, said) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path / "log", said.append)
    yield made
    made.stop()


def test_a_child_that_died_is_started_again_and_it_is_said_why(supervisor, said, wait_for):
    supervisor.start(Program("sleeper", SLEEP))
    first = supervisor.processes()["sleeper"]
    os.kill(first, signal.SIGKILL)

    def came_back() -> bool:
        supervisor.watch()
        return supervisor.processes().get("sleeper", first) != first

    wait_for(came_back)
    assert said[0].startswith("sleeper ended (killed by SIGKILL) and is started again")


def test_the_log_of_a_child_that_runs_for_long_is_moved_aside(
    supervisor, tmp_path, monkeypatch, wait_for
):
    monkeypatch.setattr("marketing.supervisor.LOG_LIMIT_BYTES", 2_000)
    talk = "import time\nfor n in range(10**6): print(n, 'said', flush=True); time.sleep(0.003)"
    supervisor.start(Program("talker", [sys.executable, "-S", "-c", talk]))
    log, aside = tmp_path / "log" / "talker.log", tmp_path / "log" / "talker.log.1"

    def moved() -> bool:
        supervisor.watch()
        return aside.exists() and 0 < log.stat().st_size < 2_000

    wait_for(moved)
    assert aside.stat().st_size > 2_000
    assert "\0" not in log.read_text()


def test_a_child_that_always_fails_is_tried_with_growing_pauses(supervisor, said):
    supervisor.start(Program("broken", [sys.executable, "-S", "-c", "raise SystemExit(3)"]))
    until = time.monotonic() + 3.2
    while time.monotonic() < until:
        supervisor.watch()
        time.sleep(0.02)

    # The pauses are 0.5, 1, 2, 4 … seconds, so three seconds see three ends at the most.
    assert 2 <= len(said) <= 3
    assert "exit code 3" in said[0]


def test_a_deaf_child_is_killed_when_its_patience_is_over(supervisor, tmp_path, wait_for):
    supervisor.start(Program("deaf", STUBBORN, patience=0.3))
    wait_for(lambda: "deaf" in (tmp_path / "log" / "deaf.log").read_text())
    child = psutil.Process(supervisor.processes()["deaf"])

    supervisor.stop()

    assert not child.is_running()


def test_a_silent_child_can_be_restarted(supervisor):
    supervisor.start(Program("sleeper", SLEEP))
    first = supervisor.processes()["sleeper"]

    supervisor.restart("sleeper")

    assert supervisor.processes()["sleeper"] != first
    assert not psutil.pid_exists(first)


def test_children_end_when_the_supervisor_itself_is_killed(tmp_path, wait_for):
    code = (
        "import sys, time; from pathlib import Path;"
        "from marketing.supervisor import Program, Supervisor;"
        "made = Supervisor(Path(sys.argv[1]), print);"
        "made.start(Program('sleeper', [sys.executable, '-S', '-c', 'import time; time.sleep(9)']))"
        ";print(made.processes()['sleeper'], flush=True); time.sleep(99)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert supervisor.stdout is not None
    child = psutil.Process(int(supervisor.stdout.readline()))

    supervisor.kill()
    supervisor.wait()

    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
