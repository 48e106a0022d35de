"""The lines that benchmarks print, and public data sets in a folder named by DATA.

A line says what its limit is and where that comes from: the project's own goal, a published figure,
or a peer measured beside it in the same run.
"""

import os
import statistics
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
    origin: str = "",
    peer: tuple[str, float] | None = None,
    **more: Any,
) -> Line:
    """One figure, the mean of `values`, beside its limit; a `ratio` from 1 keeps it.

    `origin` says where the limit comes from.
    """
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
        "limit": {"what": what, "value": round(limit, 4), "from": origin} if what else None,
        "peer": {"what": peer[0], "value": round(peer[1], 4)} if peer else None,
        "ratio": ratio,
        "runs": len(values),
        "spread": round(max(values) - min(values), 4),
        **more,
    }


def pace(
    name: str,
    unit: str,
    n: int,
    ours: list[float],
    limit: list[float],
    what: str,
    *,
    keep: float | None = None,
) -> Line:
    """One speed; both lists were taken in pairs. A `ratio` from `keep` is the project's goal."""
    middle = statistics.median(ours)
    at_least = {} if keep is None else {"keep": keep}
    return {
        "name": name,
        "value": round(middle, 2),
        "unit": unit,
        "n": n,
        "limit": {"what": what, "value": round(statistics.median(limit), 2), **at_least},
        "peer": None,
        "ratio": round(statistics.median(a / b for a, b in zip(ours, limit, strict=True)), 3),
        "runs": len(ours),
        "spread": round((max(ours) - min(ours)) / middle, 3),
    }
