"""How much memory this process held at most while something ran (Linux; elsewhere 0)."""

import gc
from collections.abc import Callable
from pathlib import Path

SELF = Path("/proc/self")


def held() -> int:
    """Bytes in use now."""
    return _status("VmRSS")


def peak(run: Callable[[], object]) -> int:
    """The most bytes in use at any moment of `run()`; what it returns is let go."""
    gc.collect()
    try:
        # The kernel begins to count the highest mark anew.
        (SELF / "clear_refs").write_text("5")
    except OSError:
        return 0
    run()
    return _status("VmHWM")


def _status(name: str) -> int:
    try:
        lines = (SELF / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name)), 0)
