"""Numbers of the pages and files about ads: sums, rates with intervals, money against the plan."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from campaigns.ads import choosing, pacing, steering
from campaigns.models import AdCampaign, AdCreative, AdDay, AdHour
from models_ml.algorithms import classify

DAYS = 14
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 220, 52, 12, 10, 26


class Rate(NamedTuple):
    """A share with its 95% interval (Wilson, 1927); `value` None while nothing was tried."""

    value: float | None
    low: float
    high: float


def rate(yes: int, n: int) -> Rate:
    """So many of so many."""
    if n <= 0:
        return Rate(None, 0.0, 1.0)
    found = classify.wilson(min(yes, n), n)
    return Rate(found.value, found.low, found.high)


@dataclass(frozen=True)
class Sums:
    """What came of something, and the rates that follow."""

    impressions: int = 0
    clicks: int = 0
    conversions: int = 0
    answered: int = 0
    turned: int = 0
    cost: Decimal = Decimal(0)
    value: Decimal = Decimal(0)

    @property
    def ctr(self) -> Rate:
        """Of the impressions, those that were clicked, whenever."""
        return rate(self.answered, self.impressions)

    @property
    def cvr(self) -> Rate:
        """Of the clicks, those that converted, whenever."""
        return rate(self.turned, self.clicks)

    @property
    def per_click(self) -> Decimal | None:
        return self.cost / self.clicks if self.clicks else None

    @property
    def per_conversion(self) -> Decimal | None:
        return self.cost / self.conversions if self.conversions else None


_NAMES = ("impressions", "clicks", "conversions", "answered", "turned", "cost", "value")
_SUMS = {f"sum_{name}": Sum(name) for name in _NAMES}


def _sums(rows: Any, *by: str) -> dict[Any, Sums]:
    found = {}
    for row in rows.values(*by).annotate(**_SUMS):
        key = row[by[0]] if len(by) == 1 else tuple(row[name] for name in by)
        values: dict[str, Any] = {name: row[f"sum_{name}"] or 0 for name in _NAMES}
        found[key] = Sums(**values)
    return found


def of_ads(ads: list[AdCampaign]) -> dict[int, Sums]:
    """What came of each of these campaigns."""
    return _sums(AdHour.objects.filter(ad__in=ads), "ad_id")


def of_ad(ad: AdCampaign) -> Sums:
    return of_ads([ad]).get(ad.pk, Sums())


class Creative(NamedTuple):
    row: AdCreative
    share: float
    sums: Sums


def creatives(ad: AdCampaign) -> list[Creative]:
    """Each creative with what came of it and how often it is shown now."""
    rows = list(ad.creatives.order_by("pk"))
    sums = _sums(AdHour.objects.filter(ad=ad), "creative_id")
    active = tuple(row for row in rows if row.active)
    shares = dict(
        zip(
            (row.pk for row in active),
            choosing.shares_of(ad, active, ad.rounds.first()),
            strict=True,
        )
    )
    return [Creative(row, shares.get(row.pk, 0.0), sums.get(row.pk, Sums())) for row in rows]


def placements(ad: AdCampaign) -> list[tuple[str, Sums]]:
    """Each placement with what came of it, most shown first."""
    sums = _sums(AdHour.objects.filter(ad=ad), "placement__name")
    return sorted(sums.items(), key=lambda pair: -pair[1].impressions)


class Day(NamedTuple):
    """What a day cost; `later` of it was not known or not likely any more by its end."""

    day: Any
    spent: Decimal
    later: Decimal
    cap: Decimal | None
    share: float


def days(ad: AdCampaign, *, now: datetime) -> list[Day]:
    """The last days: what each cost against what it might, newest first."""
    today = steering.today_of(ad, now)
    rows = AdDay.objects.filter(ad=ad, day__gt=today - timedelta(days=DAYS), day__lte=today)
    return [
        Day(one.day, one.spent, one.later, one.cap, float(one.spent / one.cap) if one.cap else 0.0)
        for one in rows.order_by("-day")
    ]


class Tick(NamedTuple):
    at: float
    text: str


@dataclass(frozen=True)
class Today:
    """Today's money against its plan, as points of a drawing and as rows."""

    cap: float
    spent: float
    planned: float
    chance: float
    bid: float
    plan: str
    real: str
    x: list[Tick]
    y: list[Tick]
    rows: list[tuple[str, float, float | None]]
    w: int = WIDTH
    h: int = HEIGHT


def today(ad: AdCampaign, *, now: datetime) -> Today | None:
    """Today's curve; None before the first round of the controller or out of the period."""
    pace = ad.pace or {}
    day = steering.today_of(ad, now)
    cap = float(pace.get("cap") or 0)
    if pace.get("day") != day.isoformat() or cap <= 0:
        return None
    plan = pacing.curve(day, ad.timezone, steering.shape_of(ad, now=now))
    costs = {
        hour: float(cost or 0)
        for hour, cost in AdHour.objects.filter(
            ad=ad, hour__gte=plan[0][0] - timedelta(minutes=59), hour__lte=now
        )
        .values_list("hour")
        .annotate(Sum("cost"))
    }
    planned, real, total, gone = [(0.0, 0.0)], [(0.0, 0.0)], 0.0, 0.0
    rows: list[tuple[str, float, float | None]] = []
    for place, (hour, share) in enumerate(plan, start=1):
        gone += share
        planned.append((place / len(plan), cap * gone))
        began = hour <= now
        if began:
            total += costs.get(hour.replace(minute=0), 0.0)
            end = min((now - plan[0][0]) / (len(plan) * pacing.HOUR), place / len(plan))
            real.append((end, total))
        rows.append((f"{place:02d}", cap * gone, total if began else None))
    top = max(cap, total)

    def points(line: list[tuple[float, float]]) -> str:
        return " ".join(f"{_x(x)},{_y(y / top)}" for x, y in line)

    return Today(
        cap=cap,
        spent=float(pace.get("spent") or 0.0),
        planned=float(pace.get("planned") or 0.0),
        chance=float(pace.get("chance") or 0.0),
        bid=float(pace.get("bid") or 1.0),
        plan=points(planned),
        real=points(real),
        x=[Tick(_x(part / 4), f"{len(plan) * part // 4}h") for part in range(5)],
        y=[Tick(_y(part / 2), f"{top * part / 2:.2f}") for part in range(3)],
        rows=rows,
    )


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def as_csv(ad: AdCampaign) -> Iterator[bytes]:
    """What came of a campaign, a row an hour, creative and placement; streamed."""
    head = (
        _("Hour (UTC)"), _("Creative"), pgettext("ads", "Placement"), _("Impressions"), _("Clicks"),
        _("Conversions"), _("Cost"), pgettext("money", "Value"), _("Currency"),
    )  # fmt: skip
    yield "\ufeff".encode() + _line(head)
    rows = (
        AdHour.objects.filter(ad=ad)
        .order_by("hour", "creative_id", "placement_id")
        .values_list(
            "hour", "creative__key", "placement__key", "impressions", "clicks", "conversions",
            "cost", "value",
        )
    )  # fmt: skip
    for hour, *rest in rows.iterator(chunk_size=2_000):
        yield _line([f"{hour:%Y-%m-%d %H:00}", *rest, ad.currency])


def _line(cells: Any) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()
