"""Running totals of a person are what adding up their order lines would give."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingestion import rollups
from ingestion.models import Customer, CustomerRollup, Order, OrderLine
from tests import factories

NOW = factories.NOW

pytestmark = pytest.mark.django_db


def order(buyer: Customer, *lines: tuple[str, float, str]) -> None:
    """An order of (sku, days ago, kind) lines of 2 pieces for 5 each."""
    number = Order.objects.count()
    made = Order.objects.create(
        source=factories.source(),
        external_id=f"r{number}",
        customer=buyer,
        placed_at=NOW - timedelta(days=min(days for _sku, days, _kind in lines)),
        currency="GBP",
    )
    for place, (sku, days, kind) in enumerate(lines):
        quantity = -2 if kind == "return" else 2
        OrderLine.objects.create(
            order=made, line_no=place, customer=buyer, product=factories.product(sku), sku=sku,
            placed_at=NOW - timedelta(days=days), quantity=quantity, unit_price=5,
            total=5 * quantity, kind=kind,
        )  # fmt: skip


def totals(buyer: Customer) -> dict[str, Any]:
    rollups.renew(customer_ids=[buyer.pk])
    row = CustomerRollup.objects.filter(customer=buyer).values().first() or {}
    return {name: value for name, value in row.items() if name != "customer_id"}


def ago(*days: float) -> list[datetime]:
    return [NOW - timedelta(days=n) for n in days]


def test_orders_lines_returns_and_products_add_up() -> None:
    ada = factories.customer("ada")
    order(ada, ("A", 9, "product"), ("B", 8, "product"), ("A", 9, "product"), ("F", 9, "fee"))
    order(ada, ("A", 3, "product"))
    order(ada, ("A", 1, "return"))
    assert totals(ada) == {
        "orders": 2,
        "units": 8,
        "revenue": Decimal("30.00"),
        "returns": 1,
        "products": 2,
        "first_order_at": ago(9)[0],
        "last_order_at": ago(3)[0],
        "recent_orders": ago(3, 8),
    }


def test_the_newest_five_orders_are_kept_newest_first() -> None:
    ada = factories.customer("ada")
    for days in (40, 3, 20, 11, 7, 60, 5):
        order(ada, ("A", days, "product"))
    assert totals(ada)["recent_orders"] == ago(3, 5, 7, 11, 20)


def test_somebody_who_only_returned_has_no_orders_and_somebody_with_no_lines_no_totals() -> None:
    ada = factories.customer("ada")
    order(ada, ("A", 1, "return"))
    found = totals(ada)
    assert (found["orders"], found["returns"], found["recent_orders"]) == (0, 1, [])
    assert found["last_order_at"] is None
    OrderLine.objects.all().delete()
    assert totals(ada) == {}
