"""What came of a placement: who was shown what, who clicked, who bought, and whether it helped.

Impressions and clicks are events of the shop's pages (`recommendation_shown` and
`recommendation_clicked` with the placement's key); here they are counted by visitor. Which side
somebody is on is reckoned here from who they are, whatever the event says. Everybody keeps the
engine of their first visit, so the sides may be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from ingestion.events import draining
from marketing.core.db import advisory_lock
from models_ml.algorithms import classify
from models_ml.algorithms.classify import Interval
from recommendations.models import Placement, VisitorMark
from recommendations.placements import HOLDOUT, look, title_of

SHOWN, CLICKED = "recommendation_shown", "recommendation_clicked"
DAYS = 30
BUYS_WITHIN = timedelta(days=7)
AT_ONCE = 200_000

_UPTO = """
SELECT max(id) FROM (SELECT id FROM ingestion_event WHERE id > %(after)s AND id <= %(newest)s
    ORDER BY id LIMIT %(most)s) next"""
_FRESH = """
    SELECT e.id, e.at, e.type, e.customer_id, e.anonymous_id, p.id AS place,
        CASE WHEN e.customer_id IS NULL THEN 'a:' || e.anonymous_id
            ELSE 'c:' || e.customer_id END AS unit
    FROM ingestion_event e
    JOIN recommendations_placement p ON p.slug = e.properties->>'placement'
    WHERE e.id > %(after)s AND e.id <= %(upto)s AND e.type = ANY(%(types)s)
        AND (e.customer_id IS NOT NULL OR e.anonymous_id <> '')"""
# Who comes for the first time, and what their device, or somebody who is them now, got before.
_NEW = f"""
SELECT f.place, f.unit, (
    SELECT v.arm FROM recommendations_visitor v WHERE v.placement_id = f.place
        AND v.unit = ANY(f.devices || ARRAY(SELECT 'c:' || m.id FROM ingestion_customer m
            WHERE m.merged_into_id = f.customer_id))
    ORDER BY v.first_at LIMIT 1)
FROM (
    SELECT place, unit, max(customer_id) AS customer_id, array_agg(DISTINCT 'a:' || anonymous_id)
        FILTER (WHERE anonymous_id <> '') AS devices
    FROM ({_FRESH}) fresh GROUP BY place, unit
) f WHERE NOT EXISTS (SELECT FROM recommendations_visitor v
    WHERE v.placement_id = f.place AND v.unit = f.unit)
"""
_COUNT = f"""
WITH fresh AS ({_FRESH}
)
INSERT INTO recommendations_visitor AS v (placement_id, unit, customer_id, arm, first_at, last_at,
    shown, clicked, first_click_at)
SELECT place, unit, max(customer_id), coalesce(max(d.arm), 'best'), min(at), max(at),
    count(*) FILTER (WHERE type = %(shown)s), count(*) FILTER (WHERE type = %(clicked)s),
    min(at) FILTER (WHERE type = %(clicked)s)
FROM fresh LEFT JOIN unnest(%(places)s::int8[], %(units)s::text[], %(arms)s::text[])
    AS d (place, unit, arm) USING (place, unit)
GROUP BY place, unit
ON CONFLICT (placement_id, unit) DO UPDATE SET
    last_at = greatest(v.last_at, excluded.last_at), shown = v.shown + excluded.shown,
    clicked = v.clicked + excluded.clicked,
    first_click_at = least(v.first_click_at, excluded.first_click_at)
"""
# Somebody who was a device when they first came and is a person now bought as that person. Whoever
# was merged counts as the one they are now, by what they got first; parted, each by their own.
_SIDES = """
WITH moved AS (
    SELECT v.id, c.merged_into_id AS person FROM recommendations_visitor v
    JOIN ingestion_customer c ON c.id = v.customer_id
    WHERE c.merged_into_id IS NOT NULL AND v.placement_id = ANY(%(places)s)
), parts AS (
    SELECT x.*, coalesce(m.person, x.customer_id) AS person
    FROM recommendations_visitor x LEFT JOIN moved m ON m.id = x.id
    WHERE x.placement_id = ANY(%(places)s)
        AND (m.id IS NOT NULL OR x.customer_id IN (SELECT person FROM moved))
), v AS (
    SELECT placement_id, unit, customer_id, arm, first_at, shown, clicked
    FROM recommendations_visitor
    WHERE placement_id = ANY(%(places)s) AND id NOT IN (SELECT id FROM parts)
    UNION ALL
    SELECT placement_id, 'c:' || person, person, (array_agg(arm ORDER BY first_at, id))[1],
        min(first_at), sum(shown)::int, sum(clicked)::int
    FROM parts GROUP BY placement_id, person
)
SELECT v.placement_id, v.arm, count(*), count(*) FILTER (WHERE v.clicked > 0),
    count(*) FILTER (WHERE o.n > 0),
    coalesce(sum(o.money), 0)::float8, coalesce(sum(o.money ^ 2), 0)::float8,
    sum(v.shown), sum(v.clicked)
FROM v
LEFT JOIN ingestion_identity i ON v.customer_id IS NULL AND i.kind = 'anonymous'
    AND i.value = substr(v.unit, 3)
LEFT JOIN LATERAL (
    SELECT count(*) AS n, sum(total) AS money FROM ingestion_order r
    WHERE r.customer_id = coalesce(v.customer_id, i.customer_id)
        AND r.placed_at >= v.first_at AND r.placed_at < v.first_at + %(within)s AND r.total > 0
) o ON true
WHERE v.first_at >= %(since)s AND v.first_at < %(until)s
GROUP BY v.placement_id, v.arm ORDER BY v.placement_id, v.arm
"""


@dataclass(frozen=True)
class Side:
    """Visitors who got one engine, or were held out; rates with 95% intervals.

    `lift` is the difference of the share that bought to the hold-out's, None without one.
    """

    arm: str
    title: str
    visitors: int
    shown: int
    clicks: int
    clicked: Interval
    bought: Interval
    money: float
    lift: Interval | None

    @property
    def held_out(self) -> bool:
        return self.arm == HOLDOUT

    @property
    def proven(self) -> bool:
        """Whether the whole interval of the lift lies on one side of zero."""
        return self.lift is not None and (self.lift.low > 0 or self.lift.high < 0)


def count() -> int:
    """Count the events that came since the last time among the visitors; up to which event.

    One at a time: whoever comes second does nothing.
    """
    newest = draining.last_stored()  # asked apart, so that nobody who stores waits for the counting
    with advisory_lock("recommendations.visitors", wait=False) as mine:
        if not mine:
            return 0
        mark = VisitorMark.objects.order_by("pk").first() or VisitorMark.objects.create()
        with connection.cursor() as cursor:
            cursor.execute(_UPTO, {"after": mark.event_id, "newest": newest, "most": AT_ONCE})
            upto = cursor.fetchone()[0]
            if upto is not None:
                values: dict[str, Any] = {
                    "after": mark.event_id, "upto": upto, "types": [SHOWN, CLICKED],
                    "shown": SHOWN, "clicked": CLICKED,
                }  # fmt: skip
                cursor.execute(_NEW, values)
                cursor.execute(_COUNT, values | _arms(cursor.fetchall()))
                mark.event_id = upto
                mark.save(update_fields=["event_id"])
    return mark.event_id


def _arms(new: Sequence[tuple[int, str, str | None]]) -> dict[str, Any]:
    """What each newcomer gets: never what their browser says, else anybody could choose a side."""
    known = {place.pk: place for place in look().places.values()}
    told = [(pk, unit, known[pk].arm(unit, kept or "")) for pk, unit, kept in new if pk in known]
    places, units, arms = zip(*told, strict=True) if told else ((), (), ())
    return {"places": [*places], "units": [*units], "arms": [*arms]}


def sides(*, placement: Placement, now: datetime) -> list[Side]:
    """The engines of a placement beside each other over the last 30 days, the hold-out last.

    Only visitors whose seven days for buying are over, or under way; money is of those days.
    """
    return sides_of(placements=[placement.pk], now=now)[placement.pk]


def sides_of(*, placements: Sequence[int], now: datetime) -> dict[int, list[Side]]:
    """The same of several placements, in one question."""
    values: dict[str, Any] = {
        "places": list(placements), "since": now - timedelta(days=DAYS), "until": now,
        "within": BUYS_WITHIN,
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 5000")
        cursor.execute(_SIDES, values)
        rows = cursor.fetchall()
    return {place: _beside([row[1:] for row in rows if row[0] == place]) for place in placements}


def _beside(rows: list[tuple[Any, ...]]) -> list[Side]:
    control = next((row for row in rows if row[0] == HOLDOUT), None)
    found = [
        Side(
            arm=arm,
            title=title_of(arm),
            visitors=n,
            shown=shown,
            clicks=clicks,
            clicked=classify.wilson(clicked, n),
            bought=classify.wilson(bought, n),
            money=money / n,
            lift=None
            if control is None or arm == HOLDOUT
            else difference(bought, n, control[3], control[1]),
        )
        for arm, n, clicked, bought, money, _squares, shown, clicks in rows
    ]
    return sorted(found, key=lambda side: (side.held_out, -side.visitors))


def difference(yes: int, n: int, other_yes: int, other_n: int) -> Interval:
    """The difference of two rates with Newcombe's interval (1998, method 10)."""
    one, other = classify.wilson(yes, n), classify.wilson(other_yes, other_n)
    a, b = yes / n, other_yes / other_n
    low = a - b - ((a - one.low) ** 2 + (other.high - b) ** 2) ** 0.5
    high = a - b + ((one.high - a) ** 2 + (b - other.low) ** 2) ** 0.5
    return Interval(a - b, low, high)
