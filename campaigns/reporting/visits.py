"""What visitors of the shop's pages say: who arrived with the words of a send in the address.

It stands beside clicks, never instead of them: a link may be passed on, and a browser may keep
trackers out. Pages are found by an index over events that carry such a word, within the days in
which a send is judged. What is too much to count while somebody waits is counted by a worker and
kept.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import redis
from django.core.cache import cache
from django.db import OperationalError, connection

from campaigns.messaging import tags
from campaigns.models import Run
from campaigns.reporting.tallies import WINDOW
from marketing.core import bus
from marketing.core.db import holding, statement_timeout

COUNT_MS = 8_000
# A worker takes its time; what it counted is shown for a day and counted anew after an hour.
WORKER_MS = 250_000
KEPT_SECONDS, FRESH = 86_400, timedelta(hours=1)
ASKED_SECONDS = 300
TASK = "campaigns.tasks.count_visits"
_AWAY = (redis.RedisError, OSError)
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

    `orders` are of those, within a day of a visit. `counted` is False when there are too many;
    `waits` when a worker counts them now. `counted_at` is set where one did.
    """

    words: tuple[str, ...]
    visits: int = 0
    people: int = 0
    known: int = 0
    orders: int = 0
    money: Decimal = Decimal(0)
    until: datetime | None = None
    counted: bool = True
    waits: bool = False
    counted_at: datetime | None = None


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


def shown(*, run: Run, now: datetime) -> Visits | None:
    """The same for a page: counted now, or by a worker where that takes too long."""
    if not words_of(run):
        return None
    try:
        kept: Visits | None = cache.get(_key(run.pk))
        if kept is None and cache.get(_asked(run.pk)):
            return Visits(words_of(run), until=run.started_at + WINDOW, counted=False, waits=True)
        if kept is not None:
            if kept.counted_at and now - kept.counted_at > FRESH and now < run.started_at + WINDOW:
                _ask(run.pk)
            return kept
    except _AWAY:
        return of(run=run, milliseconds=COUNT_MS)
    found = of(run=run, milliseconds=COUNT_MS)
    if found is None or found.counted:
        return found
    with suppress(*_AWAY):
        _ask(run.pk)
        return replace(found, waits=True)
    return found


def count(*, run_id: int, now: datetime, milliseconds: int = WORKER_MS) -> None:
    """Count for a page and keep the result; once, however many pages asked."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        return
    with holding(f"visits:{run_id}") as mine:
        found = of(run=run, milliseconds=milliseconds) if mine else None
        if found is not None:
            cache.set(_key(run_id), replace(found, counted_at=now), KEPT_SECONDS)
            cache.delete(_asked(run_id))


def _ask(run_id: int) -> None:
    if cache.add(_asked(run_id), 1, ASKED_SECONDS):  # a lost nudge is repeated when that is over
        bus.nudge(TASK, "bulk", ASKED_SECONDS, run_id=run_id)


def _key(run_id: int) -> str:
    return f"visits:{run_id}"


def _asked(run_id: int) -> str:
    return f"visits:{run_id}:asked"
