"""Features → one statement that works them out at one moment or at many, in one pass over facts.

Serving asks for one moment, training for several (a grid: everyone at each) or for each person's
own (pairs, from the temporary table of `reading.ask`). The text is the same but for where moments
come from, so a value served is the value a model would have learned from. Rows of a source are
joined to the moments that lie after them; nothing at or after a moment can be seen at it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from models_ml.features.registry import CATEGORY, MACHINES, Feature

PAIRS = "models_ml_asked"


@dataclass(frozen=True, slots=True)
class Population:
    """Whom a question is about: buyers with enough orders before the moment, or everyone known.

    `share` takes a fixed sample of the people, the same one at every moment. `ordered_within_days`
    asks for an order that recently. People who refused profiling are never in.
    """

    who: str = "buyers"
    least_orders: int = 1
    ordered_within_days: int | None = None
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL giving (customer_id, moment in seconds, a float8 for each of `features`), no column null.

    Unknown numbers are NaN; a category is the place of its level in `levels`, -1 for unknown.
    """

    sql: str
    params: dict[str, Any]
    features: tuple[Feature, ...]


def compile(
    *,
    features: Sequence[Feature],
    population: Population,
    cuts: Sequence[datetime] = (),
    only: Sequence[int] | None = None,
    levels: dict[str, Sequence[str]] | None = None,
    first: datetime | None = None,
    last: datetime | None = None,
) -> Statement:
    """The statement for these features at `cuts`, or at each person's own moment without cuts.

    Pairs need to be told their `first` and `last` moment. `only` limits it to some people.
    """
    last, first = last or max(cuts), first or min(cuts)
    params: dict[str, Any] = {"cuts": list(cuts), "last": last, "only": list(only or ())}
    for feature in features:
        params |= feature.params
    ctes = [_moments(bool(cuts))]
    asks_orders = population.who == "buyers" or population.ordered_within_days is not None
    ctes += blocks(
        features=features,
        params=params,
        first=first,
        grid=bool(cuts),
        only=only is not None,
        with_orders=asks_orders,
    )
    ctes.append(_base(population, bool(cuts), only is not None, params))
    sources = {feature.source for feature in features}
    joins = "".join(
        f" LEFT JOIN f_{source} ON f_{source}.customer_id = base.customer_id"
        f" AND f_{source}.cut = base.cut"
        for source in ("orders", "goods", "events")
        if source in sources
    )
    if "people" in sources:
        joins += " JOIN ingestion_customer AS c ON c.id = base.customer_id"
    columns = []
    for number, feature in enumerate(features):
        value = feature.sql if feature.source == "people" else f"f_{feature.source}.{feature.name}"
        if feature.kind == CATEGORY:
            known = list((levels or {}).get(feature.name, ()))
            params[f"levels_{number}"] = known
            value = f"coalesce(array_position(%(levels_{number})s::text[], {value}) - 1, -1)"
            columns.append(f"{value}::double precision")
        else:
            empty = "'NaN'" if feature.nullable else feature.empty
            columns.append(f"coalesce({value}::double precision, {empty})")
    chosen_columns = "".join(f", {column}" for column in columns)
    sql = (
        f"WITH {', '.join(ctes)}"
        f" SELECT base.customer_id::int8, extract(epoch FROM base.cut)::int8{chosen_columns}"
        f" FROM base{joins}"
    )
    return Statement(sql, params, tuple(features))


def blocks(
    *,
    features: Sequence[Feature],
    params: dict[str, Any],
    first: datetime,
    grid: bool = True,
    only: bool = False,
    with_orders: bool = False,
) -> list[str]:
    """CTEs `f_orders`, `f_goods`, `f_events` as far as the features need them; adds to `params`.

    Each has a row a person and moment of the CTE `m`, with a column a feature.
    """
    parts = _Parts(grid, only)
    by_source: dict[str, list[Feature]] = {}
    for feature in features:
        by_source.setdefault(feature.source, []).append(feature)
    ctes: list[str] = []
    if "orders" in by_source or with_orders:
        ctes += parts.orders(by_source.get("orders", []))
    if "goods" in by_source:
        ctes += parts.goods(by_source["goods"])
    if chosen := by_source.get("events"):
        params["window"] = timedelta(days=max(f.window_days or 365 for f in chosen))
        params["events_from"] = first - params["window"]
        params["types"] = sorted({name for f in chosen for name in f.types})
        ctes += parts.events(chosen)
    return ctes


def rounded(feature: Feature) -> str:
    """The feature's aggregate, cut to its decimals."""
    if feature.decimals is None:
        return feature.sql
    return f"round(({feature.sql})::numeric, {feature.decimals})::double precision"


def _moments(grid: bool) -> str:
    if grid:
        return "m AS (SELECT unnest(%(cuts)s::timestamptz[]) AS cut)"
    return f"m AS (SELECT customer_id, cut FROM {PAIRS})"


@dataclass(frozen=True, slots=True)
class _Parts:
    """The blocks of the statement; each gives one row a person and moment."""

    grid: bool
    only: bool

    def orders(self, features: Sequence[Feature]) -> list[str]:
        values = "".join(f", {rounded(f)} AS {f.name}" for f in features)
        return [
            order_rows(only=self.only, ahead=any("o.next_at" in f.sql for f in features)),
            "f_orders AS (SELECT o.customer_id, m.cut, count(o.at) AS orders_before,"
            f" max(o.at) AS last_at{values} FROM spaced AS o"
            f" JOIN m ON {self._before('o.moment', 'o')}"
            " GROUP BY o.customer_id, m.cut HAVING count(o.at) > 0)",
        ]

    def goods(self, features: Sequence[Feature]) -> list[str]:
        values = "".join(f", {rounded(f)} AS {f.name}" for f in features)
        return [
            "firsts AS (SELECT customer_id, product_id, min(placed_at) AS at"
            " FROM ingestion_orderline WHERE customer_id IS NOT NULL AND placed_at < %(last)s"
            f" AND kind = 'product' AND product_id IS NOT NULL{self._only()}"
            " GROUP BY customer_id, product_id)",
            f"f_goods AS (SELECT g.customer_id, m.cut{values} FROM firsts AS g"
            f" JOIN m ON {self._before('g.at', 'g')} GROUP BY g.customer_id, m.cut)",
        ]

    def events(self, features: Sequence[Feature]) -> list[str]:
        values = "".join(f", {rounded(f)} AS {f.name}" for f in features)
        machines = ", ".join(f"'{name}'" for name in MACHINES)
        return [
            f"f_events AS (SELECT e.customer_id, m.cut{values} FROM ingestion_event AS e"
            f" JOIN m ON {self._before('e.at', 'e')} AND e.at >= m.cut - %(window)s"
            " WHERE e.customer_id IS NOT NULL AND e.at >= %(events_from)s AND e.at < %(last)s"
            f" AND e.type = ANY(%(types)s){self._only('e.')}"
            f" AND (e.type NOT IN ({machines})"
            " OR e.properties ->> 'machine' IS DISTINCT FROM 'true')"
            " GROUP BY e.customer_id, m.cut)"
        ]

    def _before(self, moment: str, row: str) -> str:
        own = "" if self.grid else f"{row}.customer_id = m.customer_id AND "
        return f"{own}{moment} < m.cut"

    def _only(self, row: str = "") -> str:
        return f" AND {row}customer_id = ANY(%(only)s)" if self.only else ""


def order_rows(*, only: bool = False, ahead: bool = False) -> str:
    """CTEs `lines`, `orders`, `spaced`: every order and credit note before `last`, with its gap.

    A returned line is a line of its own with its own moment, so a later return does not reach back.
    The moment is part of the key: lines of one order that came at two moments are two orders, and
    what came later stays unseen before it. `ahead` adds when the next order came.
    """
    after = ", lead(at) OVER w AS next_at" if ahead else ""
    some = " AND customer_id = ANY(%(only)s)" if only else ""
    return (
        "lines AS (SELECT customer_id, order_id, placed_at, kind, quantity,"
        " total::double precision AS total FROM ingestion_orderline"
        " WHERE customer_id IS NOT NULL AND placed_at < %(last)s"
        f" AND kind IN ('product', 'return'){some}),"
        " orders AS (SELECT customer_id, order_id, placed_at AS moment,"
        " CASE WHEN bool_or(kind = 'product') THEN placed_at END AS at,"
        " sum(quantity) FILTER (WHERE kind = 'product') AS units,"
        " coalesce(sum(total) FILTER (WHERE kind = 'product'), 0) AS gross,"
        " sum(total) AS revenue,"
        " coalesce(sum(abs(quantity)) FILTER (WHERE kind = 'return'), 0) AS returned"
        " FROM lines GROUP BY customer_id, order_id, placed_at),"
        f" spaced AS (SELECT *, date_part('epoch', at - lag(at) OVER w) / 86400 AS gap{after}"
        " FROM orders"
        " WINDOW w AS (PARTITION BY customer_id ORDER BY at, order_id))"
    )


def _base(population: Population, grid: bool, only: bool, params: dict[str, Any]) -> str:
    where = [
        "NOT EXISTS (SELECT FROM ingestion_consent AS x WHERE x.customer_id = p.customer_id"
        " AND x.purpose = 'profiling' AND x.current AND NOT x.granted)"
    ]
    if population.share < 1:
        # The same people at every moment and in every training.
        where.append("(hashint8extended(p.customer_id, 20111209) & 1048575) < %(sampled)s")
        params["sampled"] = int(population.share * 1048576)
    bought = population.who == "buyers" or population.ordered_within_days is not None
    if bought:
        rows = "SELECT customer_id, cut, orders_before, last_at FROM f_orders"
        where.append("p.orders_before >= %(least_orders)s")
        params["least_orders"] = max(population.least_orders, 1)
        if population.ordered_within_days is not None:
            where.append("p.last_at >= p.cut - %(ordered_within)s")
            params["ordered_within"] = timedelta(days=population.ordered_within_days)
        where.append(
            "NOT EXISTS (SELECT FROM ingestion_customer AS c WHERE c.id = p.customer_id"
            " AND c.merged_into_id IS NOT NULL)"
        )
    elif grid:
        some = " AND c.id = ANY(%(only)s)" if only else ""
        rows = (
            "SELECT c.id AS customer_id, m.cut FROM ingestion_customer AS c CROSS JOIN m"
            " WHERE c.merged_into_id IS NULL"
            f" AND least(c.first_seen_at, c.created_at) < m.cut{some}"
        )
    else:
        rows = (
            "SELECT m.customer_id, m.cut FROM m JOIN ingestion_customer AS c"
            " ON c.id = m.customer_id WHERE c.merged_into_id IS NULL"
        )
    return f"base AS (SELECT p.customer_id, p.cut FROM ({rows}) AS p WHERE {' AND '.join(where)})"
