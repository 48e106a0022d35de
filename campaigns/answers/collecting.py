"""Hits become marks on messages and events, in batches, each hit once.

What may be a gateway is looked at a few seconds late, when the rest of its burst has arrived. A
mail is opened once by a machine and once by a person, a link clicked likewise: the first of each is
the event, whose id is made of the message and the link, so a repeat adds nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg2.extras import execute_values

from campaigns.answers import humans
from campaigns.messaging import contents
from campaigns.models import Run
from ingestion import events
from ingestion.events import claims

BATCH = 2_000
BURST = timedelta(seconds=humans.BURST_SECONDS)
# A mail that was sent longer ago than this is not a gateway's concern any more.
SETTLED = timedelta(minutes=5)
# A reader can be faster than the sender's own mark; a mark that never comes is the lease's matter.
MARKED_WITHIN = timedelta(minutes=10)
# In the order of arrival; whoever else collects takes the next ones.
_TAKE = """
    WITH due AS (
        SELECT h.id FROM campaigns_hit h LEFT JOIN campaigns_message m ON m.message_id = h.key
        WHERE (h.at <= %(now)s - %(burst)s OR m.sent_at <= h.at - %(settled)s)
          AND (m.id IS NULL OR m.state NOT IN ('queued', 'sending')
               OR h.at <= %(now)s - %(marked)s)
        ORDER BY h.id LIMIT %(limit)s FOR UPDATE OF h SKIP LOCKED),
    taken AS (
        DELETE FROM campaigns_hit h USING due WHERE h.id = due.id RETURNING h.*)
    SELECT t.id, t.kind, t.key, t.at, t.url, t.agent,
           m.id, m.customer_id, m.run_id, r.campaign_id, m.sent_at, m.clicked_at IS NULL,
           m.step
    FROM taken t JOIN campaigns_message m ON m.message_id = t.key
    JOIN campaigns_run r ON r.id = m.run_id
    WHERE m.state IN ('sent', 'unknown') ORDER BY t.at, t.id"""
# The time on the row is the first person's; a machine's stands there until a person came.
_LIKELY = humans.LIKELY
_MARK = f"""
    UPDATE campaigns_message m SET
        opened_at = CASE WHEN m.opened_at IS NULL OR (v.opened_human >= {_LIKELY}
            AND coalesce(m.opened_human, 0) < {_LIKELY}) THEN v.opened ELSE m.opened_at END,
        opened_human = greatest(m.opened_human, v.opened_human),
        clicked_at = CASE WHEN v.clicked IS NOT NULL AND (m.clicked_at IS NULL
            OR (v.clicked_human >= {_LIKELY} AND coalesce(m.clicked_human, 0) < {_LIKELY}))
            THEN v.clicked ELSE m.clicked_at END,
        clicked_human = greatest(m.clicked_human, v.clicked_human),
        state = 'sent', reason = '', sent_at = coalesce(m.sent_at, v.opened)
    FROM (VALUES %s) AS v(id, opened, opened_human, clicked, clicked_human)
    WHERE m.id = v.id"""


class Hit(NamedTuple):
    """A hit with the message that it belongs to."""

    id: int
    kind: str
    key: str
    at: datetime
    url: str
    agent: str
    message_id: int
    customer_id: int
    run_id: int
    campaign_id: int | None
    sent_at: datetime | None
    first_click: bool
    step: str


def collect(*, now: datetime, limit: int = BATCH) -> int:
    """Look at the hits that are due; how many led to something. One transaction: all or none."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            values: dict[str, Any] = {
                "now": now,
                "burst": BURST,
                "settled": SETTLED,
                "marked": MARKED_WITHIN,
                "limit": limit,
            }
            cursor.execute(_TAKE, values)
            hits = [Hit(*row) for row in cursor.fetchall()]
        if not hits:
            return 0
        judged = judge(hits)
        _mark(judged)
        _tell(judged, now)
    return len(hits)


def judge(hits: Sequence[Hit]) -> list[tuple[Hit, float]]:
    """Each hit with the probability that a person was behind it."""
    clicks: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for hit in hits:
        if hit.kind == "click":
            clicks[hit.key].append((hit.at, hit.url))
    judged = []
    for hit in hits:
        near = {url for at, url in clicks[hit.key] if abs(at - hit.at) <= BURST}
        seconds = None if hit.sent_at is None else (hit.at - hit.sent_at).total_seconds()
        signs = humans.Signs(hit.kind, seconds, hit.agent, len(near))
        judged.append((hit, humans.probability(signs)))
    return judged


def _mark(judged: Iterable[tuple[Hit, float]]) -> None:
    rows: dict[int, dict[str, Any]] = {}
    for hit, human in judged:
        row = rows.setdefault(
            hit.message_id, {"open": None, "open_p": None, "click": None, "click_p": None}
        )
        # Whoever follows a link has the mail before them.
        for kind in ("open", "click") if hit.kind == "click" else ("open",):
            person = human >= humans.LIKELY
            known = row[f"{kind}_p"]
            if known is None or (person and known < humans.LIKELY):
                row[kind] = hit.at
            row[f"{kind}_p"] = human if known is None else max(known, human)
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            _MARK,
            [
                (key, row["open"], row["open_p"], row["click"], row["click_p"])
                for key, row in sorted(rows.items())
            ],
            template="(%s::bigint, %s::timestamptz, %s::float8, %s::timestamptz, %s::float8)",
            page_size=BATCH,
        )


def _tell(judged: Iterable[tuple[Hit, float]], now: datetime) -> None:
    told: dict[str, events.Incoming] = {}
    clicked: set[int] = set()
    for hit, human in judged:
        machine = human < humans.LIKELY
        run = Run(pk=hit.run_id, campaign_id=hit.campaign_id)
        about = contents.about(run, hit.step) | {"machine": machine, "human": human}
        name = f"open:{hit.key}"
        if hit.kind == "click":
            link = blake2b(hit.url.encode(), digest_size=8).hexdigest()
            name = f"click:{hit.key}:{link}"
            about |= {"url": hit.url, "first": hit.first_click and hit.message_id not in clicked}
            clicked.add(hit.message_id)
        # A name of its own: what a gateway did must not hide the person who comes after it.
        name += ":machine" if machine else ""
        if name not in told:
            told[name] = events.Incoming(
                type="email_clicked" if hit.kind == "click" else "email_opened",
                at=hit.at,
                message_id=name,
                customer_id=hit.customer_id,
                properties=about,
            )
    known = claims.taken(source="campaigns", message_ids=told)
    new = [event for name, event in told.items() if name not in known]
    events.record(batch=new, source="campaigns", now=now)
