"""Public data sets for benchmarks of accuracy: in a folder named by DATA, not in the project."""

import os
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def find(relative: str) -> Path | None:
    """The file under DATA, or None when the folder was not named or has no such file."""
    folder = os.environ.get("DATA", "")
    path = Path(folder) / relative
    return path if folder and path.is_file() else None


def skipped(name: str, relative: str) -> Line:
    """The line that stands for a measurement which could not be made."""
    folder = os.environ.get("DATA", "")
    why = f"{folder} has no {relative}" if folder else f"DATA=<folder with {relative}> not given"
    return {"name": name, "skipped": why}


def line(
    name: str,
    unit: str,
    n: int,
    values: list[float],
    *,
    least: tuple[str, float] | None = None,
    most: tuple[str, float] | None = None,
    peer: tuple[str, float] | None = None,
    **more: Any,
) -> Line:
    """One figure, the mean of `values`, beside its limit; a `ratio` from 1 keeps it."""
    value = sum(values) / len(values)
    what, limit = least or most or ("", 0.0)
    ratio = None
    if least:
        ratio = round(value / limit, 4)
    elif most:
        ratio = round(limit / value, 4) if value else None
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "n": n,
        "limit": {"what": what, "value": round(limit, 4)} if what else None,
        "peer": {"what": peer[0], "value": round(peer[1], 4)} if peer else None,
        "ratio": ratio,
        "runs": len(values),
        "spread": round(max(values) - min(values), 4),
        **more,
    }
