"""Who was there on the way to an order: credit by rules, beside what was measured, not instead.

Touches are clicks and openings of messages. A campaign that writes to people
who would have bought anyway gets credit by every rule here, and nothing from the people held out.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.experiments import attribution
from campaigns.experiments.attribution import Way
from campaigns.models import Run
from campaigns.reporting import overview
from campaigns.reporting.effects import Effect

LOOK_BACK = timedelta(days=30)
DAYS = (30, 90, 365)
MOST_WAYS = 5_000
# A click counts as the touch that it is; an opening without one where nobody clicks.
_WAYS = """
    WITH touches AS (
        SELECT m.customer_id AS id, m.run_id, coalesce(m.clicked_at, m.opened_at) AS at
        FROM campaigns_message AS m JOIN campaigns_run AS r ON r.id = m.run_id
        WHERE r.campaign_id IS NOT NULL AND m.state = 'sent'
          AND coalesce(m.clicked_at, m.opened_at) >= %(first)s - %(back)s
          AND coalesce(m.clicked_at, m.opened_at) < %(until)s
    ), bought AS (
        SELECT o.id AS order_id, o.customer_id AS id, o.placed_at AS at, o.total::float8 AS money
        FROM ingestion_order AS o
        WHERE o.placed_at >= %(first)s AND o.placed_at < %(until)s AND o.status <> 'cancelled'
          AND o.total >= 0 AND o.customer_id IN (SELECT id FROM touches)
    ), led AS (
        SELECT b.order_id, b.money, array_agg(t.run_id ORDER BY t.at, t.run_id) AS way
        FROM bought AS b
        JOIN touches AS t ON t.id = b.id AND t.at < b.at AND t.at >= b.at - %(back)s
        GROUP BY b.order_id, b.money
    ), idle AS (
        SELECT array_agg(t.run_id ORDER BY t.at, t.run_id) AS way
        FROM touches AS t
        WHERE t.at >= %(first)s AND NOT EXISTS (SELECT 1 FROM bought AS b WHERE b.id = t.id)
        GROUP BY t.id
    )
    SELECT way, count(*) AS people, sum(ordered) AS orders, sum(money) AS money
    FROM (SELECT way, 1 AS ordered, money FROM led UNION ALL SELECT way, 0, 0 FROM idle) AS every
    GROUP BY way ORDER BY count(*) DESC LIMIT %(most)s"""


@dataclass(frozen=True)
class Credited:
    """One campaign: orders by each rule, and what was measured where people were held out."""

    run: Run
    last: float
    first: float
    even: float
    shapley: float
    markov: float
    effect: Effect | None

    @property
    def caused(self) -> float | None:
        """Orders that the campaign caused, in the days that its report counts."""
        if self.effect is None:
            return None
        return self.effect.orders.judged.difference * self.effect.mailed


def ways(*, since: datetime, until: datetime) -> list[Way]:
    """Touches before orders, and of people who did not order, in one statement."""
    values: dict[str, Any] = {"first": since, "until": until, "back": LOOK_BACK, "most": MOST_WAYS}
    with connection.cursor() as cursor:
        cursor.execute(_WAYS, values)
        return [
            Way(tuple(str(key) for key in way), people, float(orders))
            for way, people, orders, _money in cursor.fetchall()
        ]


def credited(*, since: datetime, until: datetime) -> list[Credited]:
    """Every campaign that somebody met on the way, most credit of the last touch first."""
    found = ways(since=since, until=until)
    last, first = attribution.last_touch(found), attribution.first_touch(found)
    even, shapley = attribution.even(found), attribution.shapley(found)
    markov = attribution.markov(found)
    met = {key for way in found for key in way.touches}
    rows = list(Run.objects.filter(pk__in=[int(key) for key in met]).select_related("campaign"))
    measured = {
        one.run.pk: one.effect for one in overview.listed(found=rows, now=until) if one.effect
    }
    lines = [
        Credited(
            run=run,
            last=last.get(key, 0.0),
            first=first.get(key, 0.0),
            even=even.get(key, 0.0),
            shapley=shapley.get(key, 0.0),
            markov=markov.get(key, 0.0),
            effect=measured.get(run.pk),
        )
        for run in rows
        for key in [str(run.pk)]
    ]
    return sorted(lines, key=lambda one: (-one.last, one.run.pk))
