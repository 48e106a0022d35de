"""Make the links between products anew: read, count, write, switch; all or nothing.

Only workers import this module: counting pairs loads SciPy.
"""

import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction

from ingestion.models import Product
from marketing.core.db import advisory_lock, copy_rows
from models_ml import queries
from recommendations import candidates, novelties, pairs
from recommendations.models import LinkSet, Placement, ProductLink
from recommendations.novelties import Catalogue
from recommendations.pairs import Array, Pairs
from recommendations.rules import Rules
from recommendations.visits import LOOKED_AT

Kind = ProductLink.Kind
KEPT = 30  # links of a kind that each product keeps
AT_LEAST = 3  # units that must have a pair
LARGEST = 300  # products of an order beyond which it says nothing of what goes together
ORDERS_SINCE = timedelta(days=730)
EVENTS_SINCE = timedelta(days=90)
POPULAR_DAYS = (30, 90, 365)
POPULAR, POPULAR_OF_CATEGORY = 200, 30

Say = Callable[[str, int, int], None]

_LINES = """
COPY (
    SELECT l.order_id::int8, coalesce(l.customer_id, -l.order_id)::int8, l.product_id::int8,
        extract(epoch FROM l.placed_at)::int8
    FROM ingestion_orderline l JOIN ingestion_product p ON p.id = l.product_id AND p.is_goods
    WHERE l.kind = 'product' AND l.quantity > 0 AND l.placed_at >= %(since)s
        AND l.placed_at < %(until)s
) TO STDOUT (FORMAT binary)
"""
# A visit is a day of one person or device. People who said no to predictions are not looked at.
_VIEWS = """
COPY (
    SELECT hashtextextended(
            coalesce(e.customer_id::text, 'a:' || e.anonymous_id), extract(epoch FROM
            date_trunc('day', e.at))::int8)::int8,
        p.id::int8
    FROM ingestion_event e JOIN ingestion_product p ON p.sku = e.properties->>'sku' AND p.is_goods
    WHERE e.type = ANY(%(types)s) AND e.at >= %(since)s AND e.at < %(until)s
        AND (e.customer_id IS NOT NULL OR e.anonymous_id <> '')
        AND NOT EXISTS (SELECT FROM ingestion_consent c WHERE c.customer_id = e.customer_id
            AND c.purpose = 'profiling' AND c.current AND NOT c.granted)
) TO STDOUT (FORMAT binary)
"""
_HEADER, _TRAILER = 19, 2


def make(*, now: datetime, say: Say | None = None, catalogue: Catalogue | None = None) -> LinkSet:
    """Link all products by what was looked at and bought together, and to new ones that are like
    them; and note what is popular.

    `say(what, done, total)` hears of progress and may raise to stop; until the switch nothing is
    changed.
    """
    tell = say or (lambda what, done, total: None)
    as_of = queries.data_now(now=now)
    orders, people, items, moments = _read(
        _LINES, 4, since=as_of - ORDERS_SINCE, until=as_of + timedelta(seconds=1)
    )
    visits, seen = _read(
        _VIEWS, 2, since=as_of - EVENTS_SINCE, until=as_of + timedelta(seconds=1),
        types=list(LOOKED_AT),
    )  # fmt: skip
    found: dict[str, Pairs] = {}
    small = _within(orders, items, LARGEST)
    for number, (kind, count) in enumerate(
        (
            (Kind.SEEN, lambda: _together(visits, seen)),
            (Kind.BOUGHT, lambda: _together(people[people > 0], items[people > 0])),
            (Kind.TOGETHER, lambda: _together(orders[small], items[small])),
            (Kind.NEXT, lambda: _next(orders, people, items, moments)),
            (Kind.NEW, lambda: _to_new(people, items, moments, as_of, catalogue or Catalogue(now))),
        )
    ):
        tell(kind, number, 5)
        found[kind] = count()
    popular = _popular(people, items, moments, int(as_of.timestamp()), seen)
    # A product that only a new one is like goes with nothing yet.
    counted = [made.item for kind, made in found.items() if kind != Kind.NEW]
    metrics = {
        "links": {kind: len(made.item) for kind, made in found.items()},
        "products": len(np.unique(np.concatenate(counted))),
        "lines": len(items),
        "looks": len(seen),
        "as_of": as_of.isoformat(),
        "large_orders": len(np.unique(orders[~small])),
    }
    return _switch(found, popular, metrics, now)


def _read(statement: str, columns: int, **values: Any) -> list[Array]:
    buffer = io.BytesIO()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.copy_expert(cursor.mogrify(statement, values).decode(), buffer)
    row = np.dtype(
        [("fields", ">i2")]
        + [pair for n in range(columns) for pair in ((f"size{n}", ">i4"), (f"c{n}", ">i8"))]
    )
    rows = np.frombuffer(buffer.getbuffer()[_HEADER:-_TRAILER], dtype=row)
    return [rows[f"c{n}"].astype(np.int64) for n in range(columns)]


def _within(orders: Array, items: Array, most: int) -> Array:
    """Which lines are of orders with at most so many different products."""
    if not len(orders):
        return np.zeros(0, dtype=bool)
    both = np.unique(np.stack([orders, items]), axis=1)
    ids, sizes = np.unique(both[0], return_counts=True)
    return sizes[np.searchsorted(ids, orders)] <= most


def _together(unit: Array, item: Array) -> Pairs:
    return pairs.together(unit, item, k=KEPT, at_least=AT_LEAST)


def _next(orders: Array, people: Array, items: Array, moments: Array) -> Pairs:
    """Pairs of a person's order and their next one; a unit is one such step."""
    known = people > 0
    orders, people, items, moments = (c[known] for c in (orders, people, items, moments))
    numbers, first = np.unique(orders, return_index=True)
    order = np.lexsort((numbers, moments[first], people[first]))
    step_person = people[first][order]
    place = np.empty(len(numbers), dtype=np.int64)
    place[order] = np.arange(len(numbers))
    follows = np.r_[step_person[1:] == step_person[:-1], False] if len(order) else np.zeros(0, bool)
    at = place[np.searchsorted(numbers, orders)]
    has_next = follows[at]
    is_next = np.r_[False, follows[:-1]][at] if len(order) else has_next
    return pairs.after(
        at[has_next], items[has_next], at[is_next] - 1, items[is_next], k=KEPT, at_least=AT_LEAST
    )


def _to_new(
    people: Array, items: Array, moments: Array, as_of: datetime, catalogue: Catalogue
) -> Pairs:
    """Links to what is new, for as long as any placement calls it so."""
    terms = [Rules.of(one, 1) for one in Placement.objects.values_list("rules", flat=True)]
    days = max((one.fresh_days for one in terms if one.new_share), default=Rules().fresh_days)
    shelf = candidates.shelf(rules=Rules(), now=catalogue.now)
    until = int(as_of.timestamp())
    new = candidates.newest(shelf, people, items, moments, until=until, days=days)
    return novelties.link(new=new, others=shelf.ids, catalogue=catalogue)


def _popular(
    people: Array, items: Array, moments: Array, until: int, seen: Array
) -> dict[str, Any]:
    """The best sold products, by people, of the shortest time in which enough were sold."""
    days = 0
    for days in POPULAR_DAYS:
        here = moments >= until - days * 86_400
        if len(np.unique(items[here])) >= POPULAR:
            break
    both = np.unique(np.stack([people[here], items[here]]), axis=1)[1] if len(items) else seen
    ids, counts = np.unique(both, return_counts=True)
    ids = ids[np.lexsort((ids, -counts))]
    category = dict(Product.objects.filter(active=True).values_list("pk", "category"))
    sold: dict[str, list[int]] = {}
    for key in ids.tolist():
        name = category.get(key)
        if name:
            sold.setdefault(name, []).append(key)
    return {
        "days": days,
        "all": ids[:POPULAR].tolist(),
        "by_category": {name: keys[:POPULAR_OF_CATEGORY] for name, keys in sold.items()},
    }


def _switch(
    found: dict[str, Pairs], popular: dict[str, Any], metrics: dict[str, Any], now: datetime
) -> LinkSet:
    with advisory_lock("recommendations.links"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        made = LinkSet.objects.create(made_at=now, popular=popular, metrics=metrics)
        copy_rows(
            cursor,
            ProductLink._meta.db_table,
            ("set_id", "product_id", "kind", "rank", "other_id", "score", "count"),
            _rows(made.pk, found),
        )
        old = LinkSet.objects.exclude(pk=made.pk)
        ProductLink.objects.filter(set__in=old)._raw_delete(using="default")
        old.delete()
        made.complete = True
        made.save(update_fields=["complete"])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE recommendations_productlink")
    return made


def _rows(number: int, found: dict[str, Pairs]) -> Iterator[bytes]:
    for kind, made in found.items():
        columns = (made.item, made.rank, made.other, made.score, made.count)
        for begin in range(0, len(made.item), 10_000):
            part = [column[begin : begin + 10_000].tolist() for column in columns]
            yield "".join(
                f"{number}\t{item}\t{kind}\t{rank}\t{other}\t{score:.6g}\t{count}\n"
                for item, rank, other, score, count in zip(*part, strict=True)
            ).encode()
