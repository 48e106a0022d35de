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
_COUNTED = ("orders", "lines")


def bought(node: Bought, as_of: datetime, want: bool) -> Q:
    lines = _lines(node.days, node.when, as_of).filter(kind=_PRODUCT)
    if node.by == "sku":
        lines = lines.filter(sku=node.value)
    elif node.by == "category":
        lines = lines.filter(product__category=node.value)
    if node.at_least == 1 and node.at_most is None:
        return times(lines, 1, None, want)
    return times(_orders(lines), node.at_least, node.at_most, want)


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
    lines = lines.filter(kind=_PRODUCT)
    rows = _orders(lines) if node.measure == "orders" else lines
    op = "=" if node.op == "!=" else node.op
    return _counted(rows, op, node.value, want == (op == node.op))


def _counted(rows: QuerySet[Anything, Anything], op: str, value: Given, want: bool) -> Q:
    low, high = value if isinstance(value, tuple) else (value, value)
    least, most = math.ceil(low), math.floor(high)  # type: ignore[arg-type]
    if op == ">":
        least = math.floor(low) + 1  # type: ignore[arg-type]
    if op == "<":
        most = math.ceil(high) - 1  # type: ignore[arg-type]
    least = 0 if op in ("<", "<=") else max(least, 0)
    ceiling = None if op in (">", ">=") else most
    if ceiling is not None and ceiling < least:
        return always(not want)
    return times(rows, least, ceiling, want)


def _measure(name: str, lines: QuerySet[OrderLine]) -> Anything:
    goods = Q(kind=_PRODUCT)
    orders = Count("order_id", distinct=True)
    if name == "money":  # less what came back
        lines, value = lines.filter(kind__in=(_PRODUCT, OrderLine.Kind.RETURN)), Sum("total")
    else:
        lines = lines.filter(goods)
        value = {
            "units": Sum("quantity"),
            "products": Count("product_id", distinct=True),
            "average": Cast(Sum("total"), FloatField()) / NullIf(orders, 0),
        }[name]
    one = lines.order_by().values("customer_id").annotate(n=Cast(value, FloatField())).values("n")
    found = Subquery(one, output_field=FloatField())
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
