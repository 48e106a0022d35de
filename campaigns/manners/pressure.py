"""How many people are at their limits this moment, counted in one pass over what was sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.manners import rules
from campaigns.manners.rules import ALL, Cap


@dataclass(frozen=True, slots=True)
class Pressure:
    """Of one limit: people for whom it is reached, and those who are one message away from it."""

    cap: Cap
    full: int
    near: int


def now_at(*, now: datetime) -> list[Pressure]:
    """For each limit of the shop; nothing while there is none."""
    caps = rules.current().caps
    if not caps:
        return []
    counts, sums = [], []
    params: list[Any] = []
    for place, cap in enumerate(caps):
        of_channel = "channel <> 'webhook'" if cap.channel == ALL else "channel = %s"
        counts.append(f"count(*) FILTER (WHERE claimed_at > %s AND {of_channel}) AS c{place}")
        params += [now - cap.window, *([] if cap.channel == ALL else [cap.channel])]
        sums.append(f"count(*) FILTER (WHERE c{place} >= {cap.most})")
        sums.append(f"count(*) FILTER (WHERE c{place} > 0 AND c{place} = {cap.most - 1})")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {", ".join(sums)} FROM (
                SELECT {", ".join(counts)} FROM campaigns_message
                WHERE claimed_at > %s AND state IN ('sending', 'sent', 'unknown')
                GROUP BY customer_id) AS people""",
            [*params, now - max(cap.window for cap in caps)],
        )
        found = cursor.fetchone()
    return [Pressure(cap, found[2 * n], found[2 * n + 1]) for n, cap in enumerate(caps)]
