"""What happened: revenue, orders, people and mails of a period, beside the one before."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Max, Min
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Message
from ingestion.models import Order
from marketing.core import wording

PERIODS = (7, 28, 90)
QUIET = timedelta(days=7)
# The sums of more orders than this are kept for so long, since adding them up takes seconds.
MANY, KEPT_SECONDS = 200_000, 600


@dataclass(frozen=True)
class Figure:
    """One number of the strip: its value now and before, and both by day for the chart."""

    id: str
    label: str
    kind: str  # money, count
    value: float
    before: float
    days: list[date]
    now: list[float]
    prev: list[float]
    currency: str = ""
    note: str = ""

    @property
    def shown(self) -> str:
        return (
            wording.money0(self.value, self.currency)
            if self.kind == "money"
            else wording.comma(self.value)
        )

    @property
    def was(self) -> str:
        amount = (
            wording.money0(self.before, self.currency)
            if self.kind == "money"
            else wording.comma(self.before)
        )
        return self.note or _("was %(amount)s") % {"amount": amount}

    @property
    def sentence(self) -> str:
        """What the chart shows, for those who do not see it."""
        return _("Line chart of %(label)s per day, %(since)s to %(until)s, %(value)s in all.") % {
            "label": self.label,
            "since": wording.day(self.days[0]),
            "until": wording.day(self.days[-1]),
            "value": self.shown,
        }

    @property
    def change(self) -> float | None:
        """Growth against the period before, as a share; None when there was nothing before."""
        return (self.value - self.before) / self.before if self.before else None

    @property
    def direction(self) -> str:
        change = self.change
        if change is None or abs(change) < 0.0005:
            return ""
        return "up" if change > 0 else "down"

    @property
    def tone(self) -> str:
        return {"up": "good", "down": "bad"}.get(self.direction, "flat")

    @property
    def delta(self) -> str:
        change = self.change
        return "" if change is None else wording.pct(abs(change))

    @property
    def spark(self) -> list[float]:
        """The line without the noise of single days."""
        width = 3 if len(self.now) > 14 else 1
        return [
            sum(part) / len(part)
            for i in range(len(self.now))
            if (part := self.now[max(0, i - width + 1) : i + 1])
        ]


@dataclass(frozen=True)
class Happened:
    """What the shop did in a period that ends on the last day with orders."""

    since: date
    until: date
    figures: list[Figure]

    @property
    def is_past(self) -> bool:
        return self.until < timezone.localdate() - QUIET


def _range(start: date, days: int) -> list[date]:
    return [start + timedelta(days=n) for n in range(days)]


def happened(*, days: int, now: datetime) -> Happened | None:
    """Revenue, orders, buyers, average order and delivered mails; None before the first order."""
    bounds = Order.objects.aggregate(first=Min("placed_at"), last=Max("placed_at"))
    if bounds["last"] is None:
        return None
    zone = timezone.get_current_timezone()
    last = min(bounds["last"], now) if bounds["last"] > now - QUIET else bounds["last"]
    until = (
        max(last, now).astimezone(zone).date()
        if last > now - QUIET
        else last.astimezone(zone).date()
    )
    since = until - timedelta(days=days - 1)
    shop = _at_hand(since, days, str(zone))
    totals, by_day, currency = shop
    figures = [
        _figure("revenue", _("Revenue"), "money", "revenue", since, days, totals, by_day, currency),
        _figure("orders", _("Orders"), "count", "orders", since, days, totals, by_day),
        _figure("people", _("People who ordered"), "count", "people", since, days, totals, by_day),
        _figure(
            "average", _("Average order"), "money", "average", since, days, totals, by_day, currency
        ),
        _delivered(days, now),
    ]
    return Happened(since, until, figures)


Totals = dict[bool, dict[str, float]]
ByDay = dict[date, dict[str, float]]


def _at_hand(since: date, days: int, zone: str) -> tuple[Totals, ByDay, str]:
    """What `_orders` says, or said some minutes ago of very many orders."""
    key = f"home:orders:{since}:{days}:{zone}"
    with suppress(redis.RedisError, OSError):
        kept: tuple[Totals, ByDay, str] | None = cache.get(key)
        if kept is not None:
            return kept
    found = _orders(since, days, zone)
    if sum(sums["orders"] for sums in found[0].values()) > MANY:
        with suppress(redis.RedisError, OSError):
            cache.set(key, found, KEPT_SECONDS)
    return found


def _orders(since: date, days: int, zone: str) -> tuple[Totals, ByDay, str]:
    """Sums of this period (True) and the one before (False), sums by day, and the shop's currency.

    Amounts of other currencies are left out: they cannot be added.
    """
    start = since - timedelta(days=days)
    end = since + timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH buyers AS MATERIALIZED (
                SELECT currency, customer_id, (placed_at AT TIME ZONE %(zone)s)::date AS day,
                       sum(total) AS revenue, count(*) FILTER (WHERE total > 0) AS orders
                FROM ingestion_order
                WHERE placed_at >= (%(start)s::timestamp AT TIME ZONE %(zone)s)
                  AND placed_at < (%(end)s::timestamp AT TIME ZONE %(zone)s)
                GROUP BY 1, 2, 3
            )
            SELECT currency, day >= %(since)s, day, sum(revenue), sum(orders),
                   count(customer_id) FILTER (WHERE orders > 0)
            FROM buyers GROUP BY currency, day
            UNION ALL
            SELECT currency, this, NULL, sum(revenue), sum(orders),
                   count(customer_id) FILTER (WHERE orders > 0)
            FROM (SELECT currency, day >= %(since)s AS this, customer_id, sum(revenue) AS revenue,
                         sum(orders) AS orders FROM buyers GROUP BY 1, 2, 3) AS people
            GROUP BY 1, 2
            """,
            {"zone": zone, "start": start, "end": end, "since": since},
        )
        rows = cursor.fetchall()
    orders: dict[str, int] = {}
    for currency, _this, day, _revenue, count, _people in rows:
        if day is None:
            orders[currency] = orders.get(currency, 0) + int(count)
    main = max(orders, key=lambda code: orders[code], default=settings.DEFAULT_CURRENCY)
    by_day: ByDay = {}
    totals: Totals = {True: _sums(), False: _sums()}
    for currency, this, day, revenue, count, people in rows:
        if currency != main:
            continue
        sums = _sums(revenue, int(count), people)
        if day is None:
            totals[this] = sums
        else:
            by_day[day] = sums
    return totals, by_day, main


def _sums(revenue: Decimal | int = 0, orders: int = 0, people: int = 0) -> dict[str, float]:
    return {
        "revenue": float(revenue or 0),
        "orders": orders,
        "people": people,
        "average": float(revenue or 0) / orders if orders else 0.0,
    }


def _figure(
    key: str,
    label: str,
    kind: str,
    name: str,
    since: date,
    days: int,
    totals: Totals,
    by_day: ByDay,
    currency: str = "",
) -> Figure:
    this, before = _range(since, days), _range(since - timedelta(days=days), days)
    none = _sums()
    return Figure(
        key,
        label,
        kind,
        totals[True][name],
        totals[False][name],
        this,
        [round(by_day.get(day, none)[name], 2) for day in this],
        [round(by_day.get(day, none)[name], 2) for day in before],
        currency,
    )


def _delivered(days: int, now: datetime) -> Figure:
    """Mails handed to the mail server, by the real calendar: no history was mailed."""
    until = timezone.localdate(now)
    since = until - timedelta(days=days - 1)
    start = since - timedelta(days=days)
    rows = dict(
        Message.objects.filter(
            state=Message.State.SENT,
            run__started_at__gte=now - timedelta(days=2 * days + 2),
            sent_at__date__gte=start,
        )
        .order_by()
        .values_list(TruncDate("sent_at"))
        .annotate(Count("id"))
    )
    this, before = _range(since, days), _range(start, days)
    counts = [float(rows.get(day, 0)) for day in this]
    earlier = [float(rows.get(day, 0)) for day in before]
    return Figure(
        "delivered",
        _("Mails delivered"),
        "count",
        sum(counts),
        sum(earlier),
        this,
        counts,
        earlier,
        note=_("up to today"),
    )


def chart(seen: Happened) -> dict[str, Any]:
    """The figures for the script that draws them."""
    return {
        figure.id: {
            "label": figure.label,
            "sentence": figure.sentence,
            "kind": figure.kind,
            "symbol": wording.SYMBOLS.get(figure.currency, f"{figure.currency} "),
            "days": [day.isoformat() for day in figure.days],
            "now": figure.now,
            "prev": figure.prev,
        }
        for figure in seen.figures
    }
