"""A tiny process that ends others when its parent dies without saying goodbye.

Run as a script it waits on its standard input. The word `well` means that all ended as planned;
an end of file without it means that the parent was killed, and then every listed process gets
its signal, last first. Only the standard library, so that it starts at once and stays small.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 10.0


def watch(
    processes: list[tuple[int, int]], *, delete: Path | None = None
) -> "subprocess.Popen[bytes]":
    """Start a guard over (pid, signal) pairs; it also deletes a folder when one is named."""
    words = [f"{pid}:{int(number)}" for pid, number in processes]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(delete or ""), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def add(process: "subprocess.Popen[bytes]", pid: int, number: int) -> None:
    """Put one more process under a running guard."""
    if process.stdin and process.poll() is None:
        with contextlib.suppress(OSError):
            process.stdin.write(f"{pid}:{int(number)}\n".encode())
            process.stdin.flush()


def release(process: "subprocess.Popen[bytes]") -> None:
    """Tell a guard that all ended as planned."""
    if process.stdin and process.poll() is None:
        with contextlib.suppress(OSError):
            process.stdin.write(b"well\n")
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _main(delete: str, words: list[str]) -> None:
    for line in sys.stdin:
        if line.strip() == "well":
            return
        words.append(line.strip())
    for word in reversed(words):
        pid, number = map(int, word.split(":"))
        with contextlib.suppress(OSError):
            os.kill(pid, number)
        until = time.monotonic() + PATIENCE
        while _alive(pid) and time.monotonic() < until:
            time.sleep(0.05)
        with contextlib.suppress(OSError):
            if _alive(pid):
                os.kill(pid, signal.SIGKILL)
    if delete:
        shutil.rmtree(delete, ignore_errors=True)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
