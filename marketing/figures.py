"""What happened: revenue, orders, people and mails of a period, beside the one before."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Message
from marketing import turnover
from marketing.core import wording
from marketing.turnover import ByDay, Totals


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


def _range(start: date, days: int) -> list[date]:
    return [start + timedelta(days=n) for n in range(days)]


def happened(*, days: int, now: datetime) -> Happened | None:
    """Revenue, orders, buyers, average order and delivered mails; None before the first order."""
    until = turnover.last_day(now=now)
    if until is None:
        return None
    since = until - timedelta(days=days - 1)
    totals, by_day, currency = turnover.at_hand(since=since, days=days)
    figures = [
        _figure("revenue", _("Revenue"), "money", "revenue", since, days, totals, by_day, currency),
        _figure("orders", _("Orders"), "count", "orders", since, days, totals, by_day),
        _figure("people", _("People who ordered"), "count", "people", since, days, totals, by_day),
        _figure(
            "average", _("Average order"), "money", "average", since, days, totals, by_day, currency
        ),
        _delivered(days, now, until),
    ]
    return Happened(since, until, figures)


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
    none = turnover.sums()
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


def _delivered(days: int, now: datetime, until: date) -> Figure:
    """Mails handed to the mail server: in the days of the other numbers, or up to today where some
    went out lately, though the shop's own history has ended.
    """
    today = timezone.localdate(now)
    rows, note = _mails(today, days), _("up to today")
    if not rows and until < today:
        rows, note = _mails(until, days), ""
    else:
        until = today
    since = until - timedelta(days=days - 1)
    this, before = _range(since, days), _range(since - timedelta(days=days), days)
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
        note=note,
    )


def _mails(until: date, days: int) -> dict[date, int]:
    """How many were delivered by day, in twice so many days up to this one."""
    start = until - timedelta(days=2 * days - 1)
    return dict(
        Message.objects.filter(
            state=Message.State.SENT,
            run__started_at__date__gte=start - timedelta(days=2),
            sent_at__date__gte=start,
            sent_at__date__lte=until,
        )
        .order_by()
        .values_list(TruncDate("sent_at"))
        .annotate(Count("id"))
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
