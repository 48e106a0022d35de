"""What people bought, as conditions in SQL over their order lines."""

import math
from datetime import datetime
from typing import Any as Anything

from django.db.models import Count, FloatField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, Coalesce, NullIf

from campaigns.segments import moments
from campaigns.segments.acts import passes
from campaigns.segments.logic import always, compared, exact, times
from campaigns.segments.nodes import Bought, Ordered, When, Where
from campaigns.segments.nodes import Value as Given
from ingestion import rollups
from ingestion.models import OrderLine

_COLUMNS = {
    "sku": "sku",
    "category": "product__category",
    "name": "product__name",
    "price": "unit_price",
    "quantity": "quantity",
    "total": "total",
    "order_total": "order__total",
    "currency": "order__currency",
    "country": "order__country",
}
_LOOKUP = {
    "<": "lt",
    "<=": "lte",
    ">=": "gte",
    ">": "gt",
    "=": "exact",
    "in": "in",
    "contains": "icontains",
    "starts_with": "istartswith",
}
_PRODUCT = OrderLine.Kind.PRODUCT
_RECENT = "rollup__recent_orders"
_COUNTED = ("orders", "lines")


def bought(node: Bought, as_of: datetime, want: bool) -> Q:
    """So many orders. How many lately, or ever, is kept beside the person; else lines are asked."""
    if node.by == "any" and (kept := _kept(node, as_of, want)) is not None:
        return kept
    lines = _lines(node.days, node.when, as_of).filter(kind=_PRODUCT)
    if node.by == "sku":
        lines = lines.filter(sku=node.value)
    elif node.by == "category":
        lines = lines.filter(product__category=node.value)
    if node.at_least == 1 and node.at_most is None:
        return times(lines, 1, None, want)
    return times(_orders(lines), node.at_least, node.at_most, want)


def _kept(node: Bought, as_of: datetime, want: bool) -> Q | None:
    """The answer from the running totals, where they hold it."""
    since = moments.since(node.days, node.when, as_of=as_of)
    if since is None or (since is not moments.EVER and _beyond(node) > rollups.RECENT):
        return None

    def ordered(times: int, enough: bool) -> Q:
        column = "rollup__orders" if since is moments.EVER else f"{_RECENT}__{times - 1}"
        edge = times if since is moments.EVER else since
        if enough:
            return Q(**{f"{column}__gte": edge})
        return Q(**{f"{column}__lt": edge}) | Q(**{f"{column}__isnull": True})

    enough = None if node.at_least == 0 else ordered(node.at_least, want)
    too_many = None if node.at_most is None else ordered(node.at_most + 1, not want)
    if enough is None or too_many is None:
        return enough or too_many or always(want)
    return enough & too_many if want else enough | too_many


def _beyond(node: Bought) -> int:
    """The newest orders that have to be looked at."""
    return node.at_least if node.at_most is None else node.at_most + 1


def _lines(days: int | None, when: When, as_of: datetime) -> QuerySet[OrderLine]:
    return OrderLine.objects.filter(
        moments.during(days, when, as_of=as_of, column="placed_at", person=OuterRef),
        customer=OuterRef("pk"),
    )


def _orders(lines: QuerySet[OrderLine]) -> QuerySet[Anything, Anything]:
    return lines.values("order_id").distinct()


def ordered(node: Ordered, as_of: datetime, want: bool) -> Q:
    """A measure compared with a number. Orders and lines are counted no further than needed."""
    lines = _lines(node.days, node.when, as_of)
    for test in node.where:
        lines = lines.filter(line_passes(test))
    if node.measure not in _COUNTED:
        return compared(_measure(node.measure, lines), node.op, node.value, want)
    op = "=" if node.op == "!=" else node.op
    want = want == (op == node.op)
    least, most = _limits(op, node.value)
    if most is not None and most < least:
        return always(not want)
    if node.measure == "orders" and not node.where and (least or most is not None):
        return bought(Bought("any", None, least, node.days, most, node.when), as_of, want)
    lines = lines.filter(kind=_PRODUCT)
    return times(_orders(lines) if node.measure == "orders" else lines, least, most, want)


def _limits(op: str, value: Given) -> tuple[int, int | None]:
    """A comparison of a count as the least and the most it may be."""
    low, high = value if isinstance(value, tuple) else (value, value)
    if op in ("<", "<="):
        most = math.floor(high) if op == "<=" else math.ceil(high) - 1  # type: ignore[arg-type]
        return 0, most
    least = math.floor(low) + 1 if op == ">" else math.ceil(low)  # type: ignore[arg-type]
    return max(least, 0), None if op in (">", ">=") else math.floor(high)  # type: ignore[arg-type]


def _measure(name: str, lines: QuerySet[OrderLine]) -> Anything:
    kinds = [_PRODUCT, OrderLine.Kind.RETURN] if name == "money" else [_PRODUCT]
    value: Anything = {
        "money": Sum("total"),  # less what came back
        "units": Sum("quantity"),
        "products": Count("product_id", distinct=True),
        "average": Cast(Sum("total"), FloatField()) / NullIf(Count("order_id", distinct=True), 0),
    }[name]
    one = lines.filter(kind__in=kinds).order_by().values("customer_id")
    found = Subquery(
        one.annotate(n=Cast(value, FloatField())).values("n"), output_field=FloatField()
    )
    return found if name == "average" else Coalesce(found, 0.0)


def line_passes(test: Where) -> Q:
    """A test on one order line. What is not known passes no test."""
    if test.property.startswith("product."):
        inner = Where(test.property.removeprefix("product."), test.op, test.value)
        return passes(inner, "product__attributes")
    column = _COLUMNS[test.property]
    value = test.value
    if test.op == "between" and isinstance(value, tuple):
        low, high = (exact(float(v)) for v in value)
        return Q(**{f"{column}__gte": low, f"{column}__lte": high})
    if isinstance(value, int | float):
        given = exact(value)
        if test.op in ("<", "<=", ">=", ">"):
            return Q(**{f"{column}__{_LOOKUP[test.op]}": given})
        same = Q(**{f"{column}__gte": given, f"{column}__lte": given})
        other = Q(**{f"{column}__lt": given}) | Q(**{f"{column}__gt": given})
        return same if test.op == "=" else other
    known = Q(**{f"{column}__isnull": False}) & ~Q(**{column: ""})
    op = {"!=": "=", "not_in": "in"}.get(test.op, test.op)
    given_text = list(value) if isinstance(value, tuple) else value
    same = Q(**{f"{column}__{_LOOKUP[op]}": given_text})
    return known & (same if op == test.op else ~same)
