"""One line per workload, and the guard against a database that is in use.

{name, value, unit, n, limit, peer, ratio, runs, spread}: `value` and `limit` in units per second,
`ratio` = value / limit, `spread` = (slowest - fastest) / median of our own runs.
"""

import statistics
from typing import Any

from django.db import connection

from ingestion.models import Customer, EventKey, Order
from marketing.core.errors import Refused

Line = dict[str, Any]
FACTS = ("customer", "identity", "consent", "product", "order", "orderline", "customerrollup")
STREAM = ("customer", "identity", "eventkey", "event")
NOTES = ("inbox", "eventtally", "refusal", "observation", "importtouch", "reject")


def refuse_if_filled() -> None:
    """Raises Refused in a database that holds facts."""
    if Customer.objects.exists() or Order.objects.exists() or EventKey.objects.exists():
        raise Refused(
            "These workloads empty the tables of facts, and this database holds some.",
            code="database_filled",
            remedy="Point DATABASE_URL at an empty database.",
        )


def empty(*, keep_sources: bool = False) -> None:
    """Empty the tables that these workloads fill."""
    tables = {*FACTS, *STREAM, *NOTES}
    if not keep_sources:
        tables |= {"importjob", "source"}
    names = ", ".join(f"ingestion_{table}" for table in sorted(tables))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {names} CASCADE")


def figure(
    name: str, unit: str, n: int, values: list[float], *, most: float | None = None,
    least: float | None = None, what: str = "", digits: int = 3, runs: int | None = None,
    **more: Any,
) -> Line:  # fmt: skip
    """The middle of some runs beside a figure to keep, which is the most or the least that it may
    be; `ratio` from 1 keeps it.
    """
    middle, limit = statistics.median(values), most if least is None else least
    assert limit is not None
    ratio = limit / middle if least is None else middle / limit
    return {
        "name": name,
        "value": round(middle, digits),
        "unit": unit,
        "n": n,
        "limit": {"what": what or ("at most" if least is None else "at least"), "value": limit},
        "peer": None,
        "ratio": round(ratio, 3),
        "runs": runs or len(values),
        "spread": round((max(values) - min(values)) / middle, 3),
        **more,
    }


def line(name: str, n: int, ours: list[float], bare: list[float], peer: str, unit: str) -> Line:
    """The result of a workload from the seconds of each run."""
    value, limit = n / statistics.median(ours), n / statistics.median(bare)
    return {
        "name": name,
        "value": round(value),
        "unit": unit,
        "n": n,
        "limit": round(limit),
        "peer": peer,
        "ratio": round(value / limit, 3),
        "runs": len(ours),
        "spread": round((max(ours) - min(ours)) / statistics.median(ours), 3),
        "seconds": round(statistics.median(ours), 2),
    }
