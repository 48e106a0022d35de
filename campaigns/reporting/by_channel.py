"""A send by several channels: what went by each, and which was better for people who had a choice.

Channels are compared within each set of people whom the same channels reach, with those of the set
who were held out. Whom one channel alone reaches stands among what went out, and in no comparison.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import OperationalError, connection

from campaigns.answers import humans
from campaigns.experiments.winners import Arm
from campaigns.models import Run, Trial
from campaigns.recipients import audience, routes
from campaigns.recipients import prices as priced
from campaigns.reporting import settled, tallies
from campaigns.reporting.sides import Side, beside
from campaigns.reporting.tallies import HELD, Tally
from marketing.core.db import statement_timeout

COUNT_MS = 8_000
_WAYS = """
    SELECT m.channel, count(*),
           count(*) FILTER (WHERE m.reach = ANY(%s)),
           count(*) FILTER (WHERE m.state = 'sent'),
           count(*) FILTER (WHERE m.state = 'failed'),
           count(*) FILTER (WHERE m.state = 'unknown'),
           count(*) FILTER (WHERE m.state IN ('queued', 'sending')),
           count(*) FILTER (WHERE m.clicked_human >= %s)
    FROM campaigns_message AS m
    WHERE m.run_id = %s AND (m.state <> 'skipped' OR m.message_id IS NOT NULL)
    GROUP BY m.channel"""
_LACKS = """
    SELECT m.error, count(*) FROM campaigns_message AS m
    WHERE m.run_id = %s AND m.state = 'skipped' AND m.reach = %s GROUP BY m.error"""


@dataclass(frozen=True)
class Way:
    """What went by one channel. `free` are people who could have got another; `clicked` is None
    where nobody sees clicks. `lacks`: of those whom no channel reached, why not by this one."""

    channel: str
    people: int
    free: int
    sent: int
    failed: int
    unknown: int
    waiting: int
    clicked: int | None
    cost: Decimal
    lacks: Mapping[str, int]

    @property
    def forced(self) -> int:
        """Whom no other channel reached."""
        return self.people - self.free


@dataclass(frozen=True, kw_only=True)
class Row(Side):
    """One variant among people whom the same channels reach, by answers within a day."""

    channel: str


@dataclass(frozen=True)
class Group:
    """People whom these channels reach."""

    channels: tuple[str, ...]
    rows: tuple[Row, ...]
    held: int


@dataclass(frozen=True)
class Report:
    """`metric` is what decides between the channels; `unreached` people had none of them."""

    ways: tuple[Way, ...]
    groups: tuple[Group, ...]
    metric: str
    unreached: int


def of_run(*, run: Run, now: datetime, milliseconds: int = COUNT_MS) -> Report | None:
    """None for a send by one channel, and where counting takes too long."""
    draw = audience.Draw.of_json(run.snapshot.get("draw") or {"key": ""})
    if not draw.routes:
        return None
    try:
        with statement_timeout(milliseconds):
            return _report(run, draw, now)
    except OperationalError:
        return None


def metric_of(run: Run, draw: audience.Draw) -> str:
    """What decides between the channels of a send."""
    trial = run.campaign and Trial.objects.filter(campaign=run.campaign).first()
    return routes.metric_of(draw.routes, trial.metric if trial else Trial.Metric.CLICKED)


def _report(run: Run, draw: audience.Draw, now: datetime) -> Report:
    assert run.campaign is not None
    free = routes.choices(draw.routes)
    prices = priced.of_campaign(run.campaign_id)
    with connection.cursor() as cursor:
        cursor.execute(_WAYS, [free, humans.LIKELY, run.pk])
        counted = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_LACKS, [run.pk, routes.NONE])
        lacking = cursor.fetchall()
    ways = tuple(
        _way(channel, counted.get(channel, (0,) * 7), prices, lacking)
        for channel in routes.channels(draw.routes)
    )
    metric = metric_of(run, draw)
    answered = settled.of_sets(run=run, metric=metric, before_round=1, now=now)
    sums = tallies.of_sets(run=run, until=min(max(now, run.started_at),
                                              run.started_at + tallies.WINDOW))  # fmt: skip
    names = dict(run.campaign.variants.values_list("key", "name"))
    groups = [_group(reach, draw, names, answered, sums) for reach in free]
    return Report(
        ways,
        tuple(group for group in groups if any(row.tally.people for row in group.rows)),
        metric,
        sum(n for _why, n in lacking),
    )


def _way(
    channel: str, counted: tuple[int, ...], prices: priced.Prices, lacking: list[tuple[str, int]]
) -> Way:
    people, free, sent, failed, unknown, waiting, clicked = counted
    lacks: dict[str, int] = {}
    for text, n in lacking:
        for other, why in routes.read_why(text):
            if other == channel:
                lacks[why] = lacks.get(why, 0) + n
    seen = clicked if channel in routes.CLICKED_ON else None
    cost = sent * prices.of(channel)
    return Way(channel, people, free, sent, failed, unknown, waiting, seen, cost, lacks)


def _group(
    reach: str,
    draw: audience.Draw,
    names: Mapping[str, str],
    answered: Mapping[tuple[str, str], Arm],
    sums: Mapping[tuple[str, str], Tally],
) -> Group:
    keys = routes.arms(draw.routes, reach)
    by: dict[str, Any] = dict(draw.routes)
    held = sums.get((reach, HELD), Tally())
    sides = [sums.get((reach, key), Tally()) for key in keys]
    arms = [answered.get((reach, key), Arm(0, 0)) for key in keys]
    rows = beside(keys=keys, names=names, tallies=sides, counted=arms, held=held)
    return Group(
        tuple(reach.split()),
        tuple(Row(**vars(row), channel=by[row.key]) for row in rows),
        held.people,
    )
