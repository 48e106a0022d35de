"""What can be said of a campaign before it goes out: what it costs, and what it could show.

A published model says how many would order anyway; what the mail adds is for the hold-out to tell.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import OperationalError, connection

from campaigns.experiments import power
from campaigns.models import Campaign
from campaigns.recipients import audience
from campaigns.reporting import costs
from campaigns.reporting.tallies import WINDOW
from campaigns.segments import clock
from marketing.core.db import statement_timeout
from models_ml.models import ModelVersion, Prediction

COUNT_MS = 4_000
_95 = 1.959964
_COUNT = """
    SELECT count(*) FILTER (WHERE reason = ''), count(*) FILTER (WHERE reason = 'holdout'),
           count(o.id), coalesce(sum(s.value) FILTER (WHERE reason = ''), 0),
           coalesce(sum(s.value * (1 - s.value)) FILTER (WHERE reason = ''), 0),
           count(s.value) FILTER (WHERE reason = '')
    FROM ({judged}) AS judged
    LEFT JOIN (SELECT DISTINCT customer_id AS id FROM ingestion_order
               WHERE placed_at >= %s AND placed_at < %s AND status <> 'cancelled'
                 AND customer_id IS NOT NULL) AS o ON o.id = judged.customer_id
    LEFT JOIN models_ml_score AS s ON s.prediction_id = %s AND s.customer_id = judged.customer_id
    WHERE judged.reason IN ('', 'holdout')"""


@dataclass(frozen=True)
class Expected:
    """So many of those who get it order within these days in any case, as a model has it."""

    title: str
    version: int
    days: int
    people: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Outlook:
    """`ordered` of the people it concerns did so in the last days as long as it is judged by.

    `smallest` is the difference of shares found in four of five such campaigns; None without two
    sides or without any orders. Where the shop's history is over, these are its last days, up to
    `ended`: a campaign of today would otherwise be told that nobody orders.
    """

    reached: int
    held: int
    ordered: int
    cost: Decimal
    smallest: float | None = None
    expected: Expected | None = None
    ended: datetime | None = None

    @property
    def rate(self) -> float:
        people = self.reached + self.held
        return self.ordered / people if people else 0.0

    @property
    def days(self) -> int:
        return WINDOW.days


def outlook(*, campaign: Campaign, now: datetime, milliseconds: int = COUNT_MS) -> Outlook | None:
    """Count the audience's recent orders; None when it takes too long or nobody is chosen."""
    if campaign.segment is None:
        return None
    draw, channel = audience.draw_of(campaign), "email"
    if campaign.template is not None:
        channel = campaign.template.kind
    exclude = campaign.exclude.rule if campaign.exclude else None
    rule = campaign.segment.rule
    judged, params = audience.judged_sql(rule=rule, draw=draw, channel=channel, exclude=exclude)
    model, until = _model(), clock.moment(now=now)
    try:
        with statement_timeout(milliseconds), connection.cursor() as cursor:
            cursor.execute(
                _COUNT.format(judged=judged),
                [*params, until - WINDOW, until, model[0].pk if model else 0],
            )
            reached, held, ordered, mean, spread, scored = cursor.fetchone()
            sent = {channel: reached}
            if draw.routes:
                ways = audience.reach(rule=rule, draw=draw, exclude=exclude).ways
                sent = {way.channel: way.given for way in ways}
    except OperationalError:
        return None
    rate = ordered / (reached + held) if reached + held else 0.0
    return Outlook(
        reached,
        held,
        ordered,
        costs.total(campaign_id=campaign.pk, sent=sent),
        power.smallest(treated=reached, control=held, variance=rate * (1 - rate)) if rate else None,
        _expected(model, scored, mean, spread),
        until if until < now else None,
    )


def _model() -> tuple[Prediction, int] | None:
    """The published prediction of who orders that looks least far ahead."""
    live: Mapping[str, Any] = dict(
        ModelVersion.objects.filter(state=ModelVersion.State.LIVE).values_list("name", "version")
    )
    asked = Prediction.objects.filter(
        kind=Prediction.Kind.CHANCE, state=Prediction.State.ACTIVE, target={"type": "order"}
    )
    for row in asked.order_by("horizon_days", "id"):
        if live.get(row.key) is not None and row.scored_version == live[row.key]:
            return row, int(live[row.key])
    return None


def _expected(
    model: tuple[Prediction, int] | None, scored: int, mean: float, spread: float
) -> Expected | None:
    if model is None or not scored:
        return None
    row, version = model
    width = _95 * math.sqrt(max(spread, 0.0))
    low, high = max(mean - width, 0.0), min(mean + width, float(scored))
    return Expected(row.title, version, row.horizon_days, scored, mean, low, high)
