"""What visitors of the shop's pages say: who arrived with the words of a send in the address.

It stands beside clicks, never instead of them: a link may be passed on, and a browser may keep
trackers out. Pages are found by an index over events that carry such a word, within the days in
which a send is judged.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import OperationalError, connection

from campaigns.messaging import tags
from campaigns.models import Run
from campaigns.reporting.tallies import WINDOW
from marketing.core.db import statement_timeout

COUNT_MS = 8_000
# An order this long after a visit came of it.
BOUGHT_WITHIN = timedelta(hours=24)
# A visit is the tracker's; other clients tell none, and then it is a visitor's day.
_VISITS = f"""
    WITH came AS MATERIALIZED (
        SELECT e.at, e.customer_id,
               CASE WHEN e.customer_id IS NULL THEN 'a' || e.anonymous_id
                    ELSE 'c' || e.customer_id END AS person,
               e.context->'session'->>'id' AS visit
        FROM ingestion_event e
        WHERE "left"(e.context->'campaign'->>'name', {tags.LONGEST}) = ANY(%(words)s)
          AND e.at >= %(start)s AND e.at < %(end)s AND e.type IN ('page', 'screen')),
    bought AS (
        SELECT o.total FROM ingestion_order o
        WHERE o.status <> 'cancelled' AND o.total >= 0 AND EXISTS (
            SELECT FROM came c WHERE c.customer_id = o.customer_id
            AND o.placed_at >= c.at AND o.placed_at < c.at + %(within)s)
          AND o.customer_id IN (SELECT customer_id FROM came WHERE customer_id IS NOT NULL)
          AND o.placed_at >= %(start)s AND o.placed_at < %(end)s + %(within)s)
    SELECT (SELECT count(DISTINCT coalesce(visit, person || (at AT TIME ZONE 'UTC')::date))
            FROM came),
           (SELECT count(DISTINCT person) FROM came),
           (SELECT count(DISTINCT customer_id) FROM came),
           (SELECT count(*) FROM bought), (SELECT coalesce(sum(total), 0) FROM bought)"""


@dataclass(frozen=True)
class Visits:
    """Visits that arrived with `words`; `known` of the people are somebody we know.

    `orders` are of those, within a day of a visit. `counted` is False when there are too many.
    """

    words: tuple[str, ...]
    visits: int = 0
    people: int = 0
    known: int = 0
    orders: int = 0
    money: Decimal = Decimal(0)
    until: datetime | None = None
    counted: bool = True


def words_of(run: Run) -> tuple[str, ...]:
    """The utm_campaign of a send's links, mostly one; none where they were turned off."""
    kept = (content.get("utm") for content in run.snapshot.get("contents", {}).values())
    return tuple(sorted({said["campaign"] for said in kept if said and said.get("campaign")}))


def of(*, run: Run, milliseconds: int = COUNT_MS) -> Visits | None:
    """Who came with the words of a send; None when its links carried no utm_campaign."""
    words = words_of(run)
    if not words:
        return None
    until = run.started_at + WINDOW
    values: dict[str, Any] = {
        "words": [word[: tags.LONGEST] for word in words],
        "start": run.started_at,
        "end": until,
        "within": BOUGHT_WITHIN,
    }
    try:
        with statement_timeout(milliseconds), connection.cursor() as cursor:
            cursor.execute(_VISITS, values)
            visits, people, known, orders, money = cursor.fetchone()
    except OperationalError:
        return Visits(words, until=until, counted=False)
    return Visits(words, visits, people, known, orders, money, until)
