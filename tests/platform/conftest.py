"""One `manage.py up` in a folder of its own, as a person would run it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marketing import embedded, startup

ROOT = Path(__file__).resolve().parents[2]


class Platform:
    """The platform in a folder and on a port of its own, without the demo's data."""

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

    def try_to_start(self) -> "subprocess.CompletedProcess[str]":
        """A start that is expected to end by itself."""
        return subprocess.run(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def said(self, words: str) -> bool:
        assert self.process is not None
        text = self.log.read_text()
        assert words in text or self.process.poll() is None, text
        return words in text

    def get(self, path: str) -> Any:
        """The JSON there, whatever its status."""
        try:
            answer = urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10)
        except urllib.error.HTTPError as refused:
            return json.load(refused)
        with answer:
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
