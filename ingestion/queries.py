"""What others may ask about facts: who bought what, what happened to a person, how the shop does.

Reads only. Figures count what was sold: lines of kind product, less what came back (kind return);
fees, vouchers and stock corrections are in an order's total but not in these.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Min, Model, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _

from ingestion import consent
from ingestion.models import Customer, Event, EventKey, Order, OrderLine, Product, Reject
from marketing.core.errors import NotFound

Purchase = tuple[int, int, datetime, int, float]
# Rows up to which a page counts them one by one.
COUNTED = 2_000_000
_KNOWN = "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass"
# What `about_people` says, for whoever reads a row anyway.
ABOUT_PEOPLE = RawSQL(_KNOWN, [Customer._meta.db_table])


def purchases(*, until: datetime, since: datetime | None = None) -> list[Purchase]:
    """(customer_id, product_id, placed_at, quantity, revenue) of every line sold before `until`.

    Oldest first; lines of guests and of things that are no goods are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, product_id, placed_at, quantity, total::float8"
            " FROM ingestion_orderline WHERE kind = 'product' AND customer_id IS NOT NULL"
            " AND product_id IS NOT NULL AND placed_at < %s"
            " AND (%s::timestamptz IS NULL OR placed_at >= %s)"
            " ORDER BY placed_at, id",
            [until, since, since],
        )
        return list(cursor.fetchall())


@dataclass(frozen=True)
class Moment:
    """Something that happened to a person: an order, a return, or an event."""

    at: datetime
    kind: str
    title: str
    amount: Decimal | None = None
    currency: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def orders_of(
    *, customer_id: int, limit: int = 50, before: datetime | None = None
) -> QuerySet[Order]:
    """The newest `limit` orders of a person before a time, with their `units` and `goods`."""
    orders = Order.objects.filter(customer_id=customer_id).annotate(
        units=Sum("lines__quantity", filter=Q(lines__kind=OrderLine.Kind.PRODUCT)),
        goods=Count("lines", filter=Q(lines__kind=OrderLine.Kind.PRODUCT)),
    )
    if before is not None:
        orders = orders.filter(placed_at__lt=before)
    return orders.order_by("-placed_at", "-id")[:limit]


def timeline(
    *,
    customer_id: int,
    limit: int = 50,
    before: datetime | None = None,
    orders: Iterable[Any] | None = None,
) -> list[Moment]:
    """The newest `limit` moments of a person before a time, newest first.

    Whoever has read `orders_of` with the same limit and time already gives them as `orders`.
    """
    known: Iterable[Any] = (
        orders_of(customer_id=customer_id, limit=limit, before=before) if orders is None else orders
    )
    events = Event.objects.filter(customer_id=customer_id)
    if before is not None:
        events = events.filter(at__lt=before)
    moments = [
        Moment(
            order.placed_at,
            "return" if order.status == Order.Status.CANCELLED else "order",
            order.external_id,
            order.total,
            order.currency,
            {"status": order.status, "units": order.units or 0, "products": order.goods},
        )
        for order in known
    ]
    moments += [
        Moment(event.at, "event", event.type, detail=event.properties)
        for event in events.order_by("-at")[:limit]
    ]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:limit]


@dataclass(frozen=True)
class Overview:
    """How much there is, and from when to when. `exact`: lines and events were counted one by one,
    not told by what the database knows of its tables."""

    customers: int
    with_email: int
    mailable: int
    orders: int
    lines: int
    products: int
    events: int
    rejects: int
    first_order_at: datetime | None
    last_order_at: datetime | None
    exact: bool = True

    @property
    def is_empty(self) -> bool:
        return not (self.customers or self.orders or self.products)


def overview() -> Overview:
    """Counts of everything, in few questions."""
    # By reason rather than a filter on it: so everybody's consents are read in one sweep.
    judged: Any = consent.mailable(Customer.objects.all()).order_by()
    people = list(judged.values("reason").annotate(n=Count("id"), mail=Count("email")))
    span = Order.objects.aggregate(n=Count("id"), first=Min("placed_at"), last=Max("placed_at"))
    lines, events = _many(OrderLine), _many(EventKey)
    return Overview(
        customers=sum(part["n"] for part in people),
        with_email=sum(part["mail"] for part in people),
        mailable=sum(part["n"] for part in people if not part["reason"]),
        orders=span["n"],
        lines=lines if lines is not None else OrderLine.objects.count(),
        products=Product.objects.count(),
        events=events if events is not None else EventKey.objects.count(),
        rejects=Reject.objects.count(),
        first_order_at=span["first"],
        last_order_at=span["last"],
        exact=lines is None and events is None,
    )


def about_people() -> int:
    """About how many people there are, as the database knows it without counting them."""
    return _about(Customer)


def _many(model: type[Model]) -> int | None:
    """About how many rows there are, of a table too large to count while somebody waits."""
    known = _about(model)
    return known if known > COUNTED else None


def _about(model: type[Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [model._meta.db_table])
        return int(cursor.fetchone()[0])


def customer_id(*, external_id: str) -> int:
    """Our id of the person whom the shop knows by this number. Raises NotFound."""
    found: int | None = (
        Customer.objects.filter(external_id=external_id).values_list("id", flat=True).first()
    )
    if found is None:
        raise NotFound(_("There is no customer of this number."), code="customer_unknown")
    return found
