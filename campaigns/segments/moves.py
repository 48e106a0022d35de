"""Who is in a segment as it is stored, and who came and went: written here alone.

Membership and the moves that tell of it are one statement, worked out against what is stored, so a
repeat changes nothing and tells nothing. All writers take turns: moves get their numbers in the
order in which they can be seen, and a reader who keeps the last number misses none.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, QuerySet

from campaigns.models import SegmentMember, SegmentMove
from campaigns.segments.asking import Asked, array
from ingestion.models import Customer

LOCK = "campaigns.segments.moves"
PAGE = 1_000
PIECE = 50_000
_PATIENCE_MS = 600_000

_TELL = """
told AS (
    INSERT INTO campaigns_segmentmove (segment_id, customer_id, entered, at, cause)
    SELECT %s, customer_id, entered, %s, {cause} FROM (
        SELECT customer_id, true AS entered FROM entered
        UNION ALL SELECT customer_id, false FROM gone) AS moved ORDER BY customer_id
    RETURNING entered
)
SELECT count(*) FILTER (WHERE entered), count(*) FILTER (WHERE NOT entered) FROM told
"""
_SOME = (
    """
WITH meant AS MATERIALIZED ({rule}),
entered AS (
    INSERT INTO campaigns_segmentmember (segment_id, customer_id, since)
    SELECT %s, id, %s FROM meant ON CONFLICT DO NOTHING RETURNING customer_id
), gone AS (
    DELETE FROM campaigns_segmentmember k
    WHERE k.segment_id = %s AND k.customer_id = ANY(%s::bigint[]) AND NOT EXISTS (
        SELECT FROM meant WHERE meant.id = k.customer_id)
    RETURNING k.customer_id
), """
    + _TELL
)
_ALL = (
    """
WITH meant AS MATERIALIZED ({rule}),
entered AS (
    INSERT INTO campaigns_segmentmember (segment_id, customer_id, since)
    SELECT %s, id, %s FROM meant WHERE NOT EXISTS (
        SELECT FROM campaigns_segmentmember k
        WHERE k.segment_id = %s AND k.customer_id = meant.id)
    RETURNING customer_id
), gone AS (
    DELETE FROM campaigns_segmentmember k
    WHERE k.segment_id = %s AND NOT EXISTS (SELECT FROM meant WHERE meant.id = k.customer_id)
    RETURNING k.customer_id
), """
    + _TELL
)
_ERASED = """
INSERT INTO campaigns_segmentmove (segment_id, customer_id, entered, at, cause)
SELECT %(segment)s, id, false, %(at)s, 'erased' FROM unnest(%(ids)s::bigint[]) AS gone (id)
WHERE NOT EXISTS (SELECT FROM campaigns_segmentmember k
                  WHERE k.segment_id = %(segment)s AND k.customer_id = gone.id)
  AND NOT EXISTS (SELECT FROM campaigns_segmentmove m WHERE m.customer_id = gone.id
                  AND m.segment_id = %(segment)s AND m.cause = 'erased')
ORDER BY id
"""
_PLACE = """
WITH wanted AS (
    SELECT segment_id, unnest(people::bigint[]) AS customer_id, entered, cause
    FROM unnest(%(segments)s::bigint[], %(entered)s::boolean[], %(causes)s::text[],
        %(people)s::text[]) AS w (segment_id, entered, cause, people)
), came AS (
    INSERT INTO campaigns_segmentmember (segment_id, customer_id, since)
    SELECT segment_id, customer_id, %(at)s FROM wanted WHERE entered
    ON CONFLICT DO NOTHING RETURNING segment_id, customer_id
), went AS (
    DELETE FROM campaigns_segmentmember k USING wanted w
    WHERE NOT w.entered AND k.segment_id = w.segment_id AND k.customer_id = w.customer_id
    RETURNING k.segment_id, k.customer_id
), told AS (
    INSERT INTO campaigns_segmentmove (segment_id, customer_id, entered, at, cause)
    SELECT segment_id, customer_id, entered, %(at)s, cause FROM wanted
    WHERE (segment_id, customer_id) IN (SELECT * FROM came UNION ALL SELECT * FROM went)
    ORDER BY segment_id, customer_id RETURNING segment_id, entered
), counted AS (
    SELECT segment_id, count(*) FILTER (WHERE entered) AS entered,
        count(*) FILTER (WHERE NOT entered) AS gone
    FROM told GROUP BY segment_id
)
UPDATE campaigns_segmentupkeep u SET people = u.people + counted.entered - counted.gone
FROM counted WHERE u.segment_id = counted.segment_id
RETURNING u.segment_id, counted.entered, counted.gone, u.people
"""
_TIMELY = "CASE WHEN customer_id = ANY(%s::bigint[]) THEN 'time' ELSE 'change' END"


@dataclass(frozen=True)
class Moved:
    """How many entered and how many left."""

    entered: int = 0
    left: int = 0


@dataclass(frozen=True)
class Step:
    """Some people enter a segment, or leave it, and why."""

    segment_id: int
    people: Collection[int]
    entered: bool
    cause: str


class Placed(NamedTuple):
    """How many entered a segment and left it, and how many are in it now."""

    entered: int
    left: int
    people: int


def bring(
    *, segment_id: int, asked: Asked, people: Iterable[int], timely: Iterable[int], at: datetime
) -> Moved:
    """Let these people be in the segment or not, as the rule says of them.

    `timely` are those of whom nothing changed but the time. Within the caller's turn (`LOCK`).
    """
    ids = array(people)
    text, params = asked
    return _run(
        _SOME.replace("{rule}", text).replace("{cause}", _TIMELY),
        [*params, segment_id, at, segment_id, ids, segment_id, at, array(timely)],
    )


def place(*, steps: Sequence[Step], at: datetime) -> dict[int, Placed]:
    """Let people into segments and out of them, many at once; how many moved, by segment.

    Their number is kept with how far the segment was brought. Within the caller's turn (`LOCK`).
    """
    if not steps:
        return {}
    values: dict[str, Any] = {
        "segments": array(step.segment_id for step in steps),
        # In order, so that those who stand side by side in the indexes are written one by one.
        "people": [array(sorted(step.people)) for step in steps],
        "entered": [step.entered for step in steps],
        "causes": [str(step.cause) for step in steps],
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, values)
        return {number: Placed(*counts) for number, *counts in cursor.fetchall()}


def rebuild(*, segment_id: int, asked: Asked, cause: str, at: datetime) -> Moved:
    """The same of everybody; only differences are written."""
    text, params = asked
    return _run(
        _ALL.replace("{rule}", text).replace("{cause}", "%s"),
        [*params, segment_id, at, segment_id, segment_id, segment_id, at, cause],
    )


def tell_erased(*, segment_id: int, people: Iterable[int], at: datetime) -> int:
    """Tell that these people, whom an erasure took out, are in no more; how many were not told yet.

    Within the caller's turn (`LOCK`).
    """
    with connection.cursor() as cursor:
        cursor.execute(_ERASED, {"segment": segment_id, "ids": array(people), "at": at})
        return int(cursor.rowcount)


def close(*, segment_id: int, at: datetime) -> Moved:
    """Everybody leaves: the segment is in use no more."""
    return rebuild(
        segment_id=segment_id,
        asked=("SELECT 1::bigint AS id WHERE false", ()),
        cause=SegmentMove.Cause.RULE,
        at=at,
    )


def _run(statement: str, params: Sequence[Any]) -> Moved:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = %s", [_PATIENCE_MS])
        cursor.execute(statement, params)
        return Moved(*cursor.fetchone())


def members(*, segment_id: int) -> QuerySet[SegmentMember]:
    """Who is in a segment as stored."""
    return SegmentMember.objects.filter(segment_id=segment_id)


def people(*, segment_id: int) -> QuerySet[Customer]:
    """The same as people, each with `since`."""
    stored = Customer.objects.filter(memberships__segment_id=segment_id)
    return stored.annotate(since=F("memberships__since"))


def since(*, after: int = 0, segment_id: int | None = None, limit: int = PAGE) -> list[SegmentMove]:
    """The moves after a number, oldest first: the last one's number is where to go on."""
    rows = SegmentMove.objects.filter(pk__gt=after)
    if segment_id is not None:
        rows = rows.filter(segment_id=segment_id)
    return list(rows.order_by("pk")[:limit])


def tidy(*, before: datetime, limit: int = PIECE) -> int:
    """Remove up to `limit` moves from before a moment; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM campaigns_segmentmove WHERE ctid = ANY(ARRAY("
            "SELECT ctid FROM campaigns_segmentmove WHERE at < %s LIMIT %s))",
            [before, limit],
        )
        return int(cursor.rowcount)
