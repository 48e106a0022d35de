"""How well the facts are: whether every row is accounted for, and what is missing from them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Sum

from ingestion.models import Customer, ImportJob, Order, OrderLine, Product, Reject, Source


@dataclass(frozen=True)
class SourceLedger:
    """What one source has sent and what became of it, over all its imports."""

    name: str
    imports: int
    received: int
    stored: int
    duplicate: int
    quarantined: int
    left_out: int

    @property
    def adds_up(self) -> bool:
        parts = self.stored + self.duplicate + self.quarantined + self.left_out
        return self.received == parts


@dataclass(frozen=True)
class Share:
    """So many of so many rows lack something."""

    key: str
    count: int
    total: int

    @property
    def share(self) -> float:
        return self.count / self.total if self.total else 0.0


def ledgers() -> list[SourceLedger]:
    """One ledger per source that has imported anything."""
    rows = (
        Source.objects.annotate(
            n=Count("imports", filter=~Q(imports__state=ImportJob.State.UPLOADED)),
            received=Sum("imports__received", default=0),
            stored=Sum("imports__stored", default=0),
            duplicate=Sum("imports__duplicate", default=0),
            quarantined=Sum("imports__quarantined", default=0),
            left_out=Sum("imports__left_out", default=0),
        )
        .filter(n__gt=0)
        .order_by("name")
    )
    return [
        SourceLedger(s.name, s.n, s.received, s.stored, s.duplicate, s.quarantined, s.left_out)
        for s in rows
    ]


def shares() -> list[Share]:
    """What is missing or unusual, in four questions."""
    people = Customer.objects.aggregate(
        n=Count("id"),
        email=Count("id", filter=Q(email__isnull=True)),
        country=Count("id", filter=Q(country="")),
    )
    orders = Order.objects.aggregate(
        n=Count("id"), guest=Count("id", filter=Q(customer__isnull=True))
    )
    lines = OrderLine.objects.aggregate(
        n=Count("id"),
        returns=Count("id", filter=Q(kind=OrderLine.Kind.RETURN)),
        open=Count("id", filter=Q(kind=OrderLine.Kind.RETURN, cancels__isnull=True)),
        outlier=Count("id", filter=Q(outlier=True)),
    )
    goods = Product.objects.aggregate(
        n=Count("id"), name=Count("id", filter=Q(name="")), price=Count("id", filter=Q(price=None))
    )
    return [
        Share("people_without_email", people["email"], people["n"]),
        Share("people_without_country", people["country"], people["n"]),
        Share("guest_orders", orders["guest"], orders["n"]),
        Share("returns_without_order", lines["open"], lines["returns"]),
        Share("unusual_lines", lines["outlier"], lines["n"]),
        Share("products_without_name", goods["name"], goods["n"]),
        Share("products_without_price", goods["price"], goods["n"]),
    ]


def reject_reasons() -> list[dict[str, Any]]:
    """Quarantined lines by reason, most frequent first: {code, field, n, message, remedy}."""
    rows = (
        Reject.objects.values("code", "field", "remedy")
        .annotate(n=Count("id"), last=Count("import_job", distinct=True))
        .order_by("-n")[:20]
    )
    return [dict(row) for row in rows]
