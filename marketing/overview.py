"""What the home page says: what happened, what is worth doing, what runs. Each part asks once."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Min, OuterRef, Q, Subquery
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Message, Run
from ingestion.models import Customer, CustomerRollup, ImportJob, Order
from marketing.core.templatetags import ui
from models_ml.models import ModelVersion
from models_ml.views import title as model_title

PERIODS = (7, 28, 90)
QUIET = timedelta(days=7)


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
            ui.money0(self.value, self.currency) if self.kind == "money" else ui.comma(self.value)
        )

    @property
    def was(self) -> str:
        amount = (
            ui.money0(self.before, self.currency) if self.kind == "money" else ui.comma(self.before)
        )
        return self.note or _("was %(amount)s") % {"amount": amount}

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
        return "" if change is None else ui.pct(abs(change))

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
    shop = _orders(since, days, str(zone))
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


def _orders(since: date, days: int, zone: str) -> tuple[Totals, ByDay, str]:
    """Sums of this period (True) and the one before (False), sums by day, and the shop's currency.

    Amounts of other currencies are left out: they cannot be added.
    """
    start = since - timedelta(days=days)
    end = since + timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH seen AS (
                SELECT currency, total, customer_id, (placed_at AT TIME ZONE %(zone)s)::date AS day
                FROM ingestion_order
                WHERE placed_at >= (%(start)s::timestamp AT TIME ZONE %(zone)s)
                  AND placed_at < (%(end)s::timestamp AT TIME ZONE %(zone)s)
            )
            SELECT currency, day >= %(since)s AS this, day, grouping(day) = 1 AS whole,
                   sum(total), count(*) FILTER (WHERE total > 0),
                   count(DISTINCT customer_id) FILTER (WHERE total > 0)
            FROM seen
            GROUP BY GROUPING SETS ((currency, day >= %(since)s, day), (currency, day >= %(since)s))
            """,
            {"zone": zone, "start": start, "end": end, "since": since},
        )
        rows = cursor.fetchall()
    orders: dict[str, int] = {}
    for currency, _this, _day, whole, _revenue, count, _people in rows:
        if whole:
            orders[currency] = orders.get(currency, 0) + count
    main = max(orders, key=lambda code: orders[code], default=settings.DEFAULT_CURRENCY)
    totals: Totals = {True: _sums(), False: _sums()}
    by_day: ByDay = {}
    for currency, this, day, whole, revenue, count, people in rows:
        if currency == main:
            sums = _sums(revenue, count, people)
            if whole:
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
            "kind": figure.kind,
            "symbol": ui.SYMBOLS.get(figure.currency, f"{figure.currency} "),
            "days": [day.isoformat() for day in figure.days],
            "now": figure.now,
            "prev": figure.prev,
        }
        for figure in seen.figures
    }


@dataclass(frozen=True)
class Health:
    """One model as the home page shows it."""

    label: str
    icon: str
    quality: str
    version: ModelVersion


def newest_models() -> list[ModelVersion]:
    """Each model's live version, or its newest one where none is live."""
    rows = (
        ModelVersion.objects.exclude(state=ModelVersion.State.RETIRED)
        .only(
            "name",
            "version",
            "state",
            "metrics",
            "baseline",
            "details",
            "reason",
            "trained_at",
            "rows",
        )
        .order_by("name", "-version")
    )
    found: dict[str, ModelVersion] = {}
    for row in rows:
        kept = found.get(row.name)
        if kept is None or (row.state == "live" and kept.state != "live"):
            found[row.name] = row
    return list(found.values())


def health(models: list[ModelVersion]) -> list[Health]:
    return [
        Health(
            model_title(row.name),
            "binary-tree-2" if row.name == "repeat_90d" else "shopping-bag",
            _quality(row),
            row,
        )
        for row in models
    ]


def _quality(row: ModelVersion) -> str:
    for key, label in (("auc", _("AUC")), ("ndcg@10", _("NDCG@10")), ("ndcg_at_10", _("NDCG@10"))):
        value, base = _figure_of(row.metrics, key), _figure_of(row.baseline, key)
        if value is not None and base is not None:
            return _("%(label)s %(value)s, baseline %(base)s") % {
                "label": label,
                "value": f"{value:.3f}",
                "base": f"{base:.3f}",
            }
        if value is not None:
            return f"{label} {value:.3f}"
    return _("trained on %(rows)s rows") % {"rows": ui.comma(row.rows)}


def _figure_of(figures: dict[str, Any], key: str) -> float | None:
    value = figures.get(key)
    if isinstance(value, dict):
        value = value.get("value")
    return float(value) if isinstance(value, (int, float)) else None


def lifecycle() -> list[dict[str, Any]]:
    """How far people have come: known, first order, second, loyal; with the share that goes on."""
    counts = CustomerRollup.objects.aggregate(
        first=Count("pk", filter=Q(orders__gte=1)),
        second=Count("pk", filter=Q(orders__gte=2)),
        fifth=Count("pk", filter=Q(orders__gte=5)),
        tenth=Count("pk", filter=Q(orders__gte=10)),
    )
    stages = [
        (_("Known"), Customer.objects.count()),
        (_("First order"), counts["first"]),
        (_("Second order"), counts["second"]),
        (_("Five orders"), counts["fifth"]),
        (_("Ten orders"), counts["tenth"]),
    ]
    top = stages[0][1]
    if not top:
        return []
    return [
        {
            "name": name,
            "n": n,
            "share": ui.of(n, top),
            "rate": ui.pct(n / stages[i - 1][1]) if i and stages[i - 1][1] else "",
        }
        for i, (name, n) in enumerate(stages)
    ]


def recent_campaigns() -> list[Campaign]:
    """The newest campaigns with the counts of their last run: `audience`, `sent`, `waiting`."""
    last = Run.objects.filter(campaign=OuterRef("pk")).order_by("-id")
    campaigns: list[Any] = list(
        Campaign.objects.select_related("segment")
        .only("name", "state", "created_at", "scheduled_at", "segment__name", "segment__size")
        .annotate(
            run_id=Subquery(last.values("id")[:1]), audience=Subquery(last.values("audience")[:1])
        )[:6]
    )
    runs = [c.run_id for c in campaigns if c.run_id]
    counts: dict[int, dict[str, int]] = {}
    if runs:
        rows = (
            Message.objects.filter(run__in=runs)
            .order_by()
            .values_list("run_id", "state")
            .annotate(Count("id"))
        )
        for run_id, state, n in rows:
            counts.setdefault(run_id, {})[state] = n
    for campaign in campaigns:
        seen = counts.get(campaign.run_id or 0, {})
        campaign.sent = seen.get("sent", 0)
        campaign.waiting = seen.get("queued", 0) + seen.get("sending", 0)
    return campaigns


def is_empty() -> bool:
    """Whether nothing was ever brought in: no people, orders or imports."""
    return not (ImportJob.objects.exists() or Customer.objects.exists() or Order.objects.exists())
