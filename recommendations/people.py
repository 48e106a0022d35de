"""One person for the page: found by what was typed, and every engine's picks side by side."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Value
from django.db.models.functions import Concat

from ingestion.models import Customer, OrderLine
from recommendations import serve
from recommendations.evaluate import Judged
from recommendations.serve import Pick

FOUND, BOUGHT = 8, 8


@dataclass(frozen=True)
class Side:
    """One engine's picks for the person."""

    engine: str
    title: str
    serves: bool
    picks: list[Pick]


def search(typed: str) -> list[Customer]:
    """People whose number, e-mail or name begins so; busiest customers when nothing was typed."""
    rows = Customer.objects.select_related("rollup")
    if not typed:
        return list(rows.filter(rollup__isnull=False).order_by("-rollup__orders", "id")[:FOUND])
    return list(
        rows.annotate(full_name=Concat("first_name", Value(" "), "last_name"))
        .filter(
            Q(external_id__startswith=typed)
            | Q(email__startswith=typed.lower())
            | Q(full_name__istartswith=typed)
            | Q(last_name__istartswith=typed)
        )
        .order_by("id")[:FOUND]
    )


def bought(customer: Customer) -> list[Any]:
    """What the person buys most: product, in how many lines, newest first among equals."""
    return list(
        OrderLine.objects.filter(
            customer=customer, kind=OrderLine.Kind.PRODUCT, product__is_goods=True
        )
        .values("product_id", "product__name", "product__sku")
        .annotate(times=Count("order_id", distinct=True))
        .order_by("-times", "product_id")[:BOUGHT]
    )


def sides(customer: Customer, rows: list[Judged]) -> list[Side]:
    """The picks of every engine that has a complete set, in the order of the comparison."""
    found = {made.engine: (made, picks) for made, picks in serve.by_engine(customer_id=customer.pk)}
    return [
        Side(engine=row.engine, title=row.title, serves=made.serving, picks=picks)
        for row in rows
        if row.engine in found
        for made, picks in [found[row.engine]]
    ]
