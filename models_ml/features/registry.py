"""Every number and category about a person that a prediction may learn from, and whose it is.

`sql` is an aggregate over the rows of its source, for one person and one moment `m.cut`:

orders  `o`, an order or credit note before the moment: at (NULL for a credit note), next_at, gap
        (days since the order before), units, gross, revenue, returned
goods   `g`, a product with the moment it was first bought
events  `e`, an event within `window_days` before the moment: type, at
people  `c`, the person's row. It has no history, see `compiler.steady`.

A number is cut to its `decimals` in the database (None: it is whole by nature), so that a threshold
chosen on it and a comparison made on a stored copy agree exactly.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

Source = Literal["orders", "goods", "events", "people"]
NUMBER, CATEGORY = "number", "category"
DAY = 86_400

VISITS = ("page", "screen")
VIEWS = ("view", "list_view", "click")
CARTS = ("cart", "cart_view", "checkout")
SEARCHES = ("search",)
MAILS, OPENS, CLICKS = ("email_sent",), ("email_opened",), ("email_clicked",)
# Opened or followed by a mail gateway, not by a person.
MACHINES = OPENS + CLICKS


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing known of a person at a moment. `empty` is its value for somebody without rows.

    `window_days` is how far back it looks (None: all the way); `params` are values its SQL names.
    """

    name: str
    meaning: str | Promise
    unit: str
    source: Source
    sql: str
    decimals: int | None = None
    empty: str = "NULL"
    window_days: int | None = None
    owner: str = "models_ml"
    kind: str = NUMBER
    types: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def nullable(self) -> bool:
        return self.empty == "NULL"


def _since(days: int, row: str = "o.at") -> str:
    return f"{row} >= m.cut - interval '{days} days'"


def _days_to(moment: str) -> str:
    return f"floor(date_part('epoch', m.cut - {moment}) / {DAY})"


ORDERS = (
    Feature("recency_days", _("days since last order"), "days", "orders", _days_to("max(o.at)")),
    Feature("orders", _("number of orders"), "count", "orders", "count(o.at)", empty="0"),
    Feature("units", _("units bought"), "count", "orders", "sum(o.units)", empty="0"),
    Feature("revenue", _("money spent"), "money", "orders", "sum(o.revenue)", 2, empty="0"),
    Feature(
        "avg_order_value",
        _("average order value"),
        "money",
        "orders",
        "sum(o.gross) / nullif(count(o.at), 0)",
        2,
    ),
    Feature("tenure_days", _("days since first order"), "days", "orders", _days_to("min(o.at)")),
    Feature(
        "interval_days_mean", _("average days between orders"), "days", "orders", "avg(o.gap)", 1
    ),
    Feature(
        "interval_days_std",
        _("spread of the days between orders"),
        "days",
        "orders",
        "stddev_samp(o.gap)",
        1,
    ),
    Feature("products", _("different products bought"), "count", "goods", "count(*)", empty="0"),
    Feature(
        "return_rate",
        _("share of units returned"),
        "share",
        "orders",
        "least(sum(o.returned)::double precision / nullif(sum(o.units), 0), 1)",
        3,
        empty="0",
    ),
    Feature(
        "trend",
        _("change in orders over 90 days"),
        "count",
        "orders",
        f"count(*) FILTER (WHERE {_since(90)})"
        f" - count(*) FILTER (WHERE {_since(180)} AND NOT {_since(90)})",
        empty="0",
        window_days=180,
    ),
    *(
        Feature(
            f"orders_{days}d",
            label,
            "count",
            "orders",
            f"count(*) FILTER (WHERE {_since(days)})",
            empty="0",
            window_days=days,
        )
        for days, label in (
            (30, _("orders in the last 30 days")),
            (90, _("orders in the last 90 days")),
            (365, _("orders in the last year")),
        )
    ),
    *(
        Feature(
            f"revenue_{days}d",
            label,
            "money",
            "orders",
            f"sum(o.revenue) FILTER (WHERE {_since(days, 'o.moment')})",
            2,
            empty="0",
            window_days=days,
        )
        for days, label in (
            (90, _("money spent in the last 90 days")),
            (365, _("money spent in the last year")),
        )
    ),
    Feature(
        "last_order_value",
        _("value of the last order"),
        "money",
        "orders",
        "max(o.gross) FILTER"
        " (WHERE o.at IS NOT NULL AND (o.next_at IS NULL OR o.next_at >= m.cut))",
        2,
    ),
    Feature(
        "overdue",
        _("days since last order, as a multiple of the usual interval"),
        "ratio",
        "orders",
        f"date_part('epoch', m.cut - max(o.at)) / {DAY} / nullif(avg(o.gap), 0)",
        3,
    ),
)


def _count(name: str, meaning: str | Promise, types: tuple[str, ...], days: int) -> Feature:
    quoted = ", ".join(f"'{name}'" for name in types)
    return Feature(
        f"{name}_{days}d",
        meaning,
        "count",
        "events",
        f"count(*) FILTER (WHERE e.type IN ({quoted}) AND {_since(days, 'e.at')})",
        empty="0",
        window_days=days,
        types=types,
    )


EVENTS = (
    _count("visits", _("page views in the last 30 days"), VISITS, 30),
    _count("visits", _("page views in the last 90 days"), VISITS, 90),
    Feature(
        "visit_days",
        _("days since last page view, within 90 days"),
        "days",
        "events",
        _days_to("max(e.at) FILTER (WHERE e.type IN ('page', 'screen'))"),
        window_days=90,
        types=VISITS,
    ),
    _count("views", _("products looked at in the last 30 days"), VIEWS, 30),
    _count("views", _("products looked at in the last 90 days"), VIEWS, 90),
    _count("carts", _("times at the cart in the last 30 days"), CARTS, 30),
    _count("carts", _("times at the cart in the last 90 days"), CARTS, 90),
    _count("searches", _("searches in the last 90 days"), SEARCHES, 90),
    _count("mails", _("mails received in the last 90 days"), MAILS, 90),
    _count("opens", _("mails opened in the last 90 days"), OPENS, 90),
    _count("clicks", _("mails clicked in the last 90 days"), CLICKS, 90),
)
FEATURES: tuple[Feature, ...] = ORDERS + EVENTS
BY_NAME = {feature.name: feature for feature in FEATURES}
# Of the person's row: offered by name, as they say nothing about when they were learned.
COLUMNS = {"country": _("country"), "language": _("language")}


def of_event(*, name: str, number: int) -> tuple[Feature, ...]:
    """What is known of how often somebody did one kind of event before, for a target about it."""
    key = f"event_{number}"
    did = f"e.type = %({key})s"
    counts = [
        Feature(
            f"{key}_{days}d",
            gettext("“%(event)s” in the last %(days)d days") % {"event": name, "days": days},
            "count",
            "events",
            f"count(*) FILTER (WHERE {did} AND {_since(days, 'e.at')})",
            empty="0",
            window_days=days,
            types=(name,),
            params={key: name},
        )
        for days in (30, 90)
    ]
    last = Feature(
        f"{key}_days",
        gettext("days since last “%(event)s”, within a year") % {"event": name},
        "days",
        "events",
        _days_to(f"max(e.at) FILTER (WHERE {did})"),
        window_days=365,
        types=(name,),
        params={key: name},
    )
    return (*counts, last)


def of_person(*, name: str, kind: str, number: int) -> Feature:
    """A property of the person's row: `country`, `language`, or one of their attributes."""
    if name in COLUMNS:
        return Feature(
            name, COLUMNS[name], "", "people", f"nullif(c.{name}, '')", kind=CATEGORY,
            owner="ingestion",
        )  # fmt: skip
    key = f"attribute_{number}"
    text = f"(c.attributes ->> %({key})s)"
    number_sql = (
        f"CASE WHEN jsonb_typeof(c.attributes -> %({key})s) = 'number' AND length({text}) <= 300"
        f" OR {text} ~ '^\\s*-?[0-9]{{1,15}}(\\.[0-9]{{1,15}})?\\s*$'"
        f" THEN {text}::double precision END"
    )
    return Feature(
        key,
        name,
        "",
        "people",
        number_sql if kind == NUMBER else f"nullif(left({text}, 100), '')",
        kind=kind,
        owner="ingestion",
        params={key: name},
    )
