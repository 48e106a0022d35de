"""Orders for integrators."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import intake, orders
from ingestion.api import batches, shapes
from ingestion.models import Order, OrderLine
from marketing.core import brand
from marketing.core.api import View
from marketing.core.errors import Invalid, NotFound


def body_of(row: Order, lines: list[OrderLine] | None = None) -> dict[str, Any]:
    body = {
        "id": row.pk,
        "source": row.source.name,
        "external_id": row.external_id,
        "customer": row.customer.external_id or row.customer.email if row.customer else None,
        "placed_at": row.placed_at,
        "currency": row.currency,
        "total": row.total,
        "status": row.status,
        "country": row.country,
    }
    if lines is not None:
        body["lines"] = [
            {
                "line_no": line.line_no,
                "sku": line.sku,
                "description": line.description,
                "quantity": line.quantity,
                "unit_price": line.unit_price,
                "total": line.total,
                "kind": line.kind,
            }
            for line in lines
        ]
    return body


def _source(item: Any) -> str:
    name = item.get("source", batches.SOURCE) if isinstance(item, dict) else batches.SOURCE
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 100:
        raise Invalid(
            _("The source is a text of up to 100 characters."), code="bad_source", field="source"
        )
    return name.strip()


class OrderList(View):
    scope_noun = "orders"

    @extend_schema(
        operation_id="orders_list",
        responses=shapes.OrderOut(many=True),
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("customer", str)],
    )
    def get(self, request: Request) -> Response:
        """Newest first; `?customer=` narrows to one external_id."""
        rows = Order.objects.select_related("source", "customer")
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer__external_id=customer)
        return self.paginate(rows, body_of)

    @extend_schema(
        operation_id="orders_write",
        **shapes.batch("OrdersWritten", shapes.OrderIn, shapes.OrderOut),
    )
    def post(self, request: Request) -> Response:
        """Store one order or up to 1,000, each once: a number that is known changes nothing."""
        now = timezone.now()
        items, many = batches.items_of(request.data)

        def read(item: Any) -> tuple[str, orders.Incoming]:
            source = _source(item)
            return source, intake.order(item, default_currency=brand.now().currency, now=now)

        good, results = batches.read_all(items, read)
        if not many:
            batches.refuse_single(results[0])
        by_source: dict[str, list[int]] = {}
        for index, (source, _order) in good.items():
            by_source.setdefault(source, []).append(index)
        for source, indexes in by_source.items():
            outcomes = orders.record(batch=[good[i][1] for i in indexes], source=source, now=now)
            for index, outcome in zip(indexes, outcomes, strict=True):
                results[index] |= {"status": outcome, "external_id": good[index][1].external_id}
                if outcome == orders.CONFLICT:
                    results[index]["error"] = {
                        "code": "conflict",
                        "message": _(
                            "This order number is known with other lines; nothing was changed."
                        ),
                        "field": "external_id",
                        "remedy": _(
                            "Send the change as an order of its own, with a negative quantity."
                        ),
                    }
        if many:
            return batches.answer(results)
        batches.refuse_single(results[0])
        source, order = good[0]
        row = Order.objects.select_related("source", "customer").get(
            source__name=source, external_id=order.external_id
        )
        lines = list(row.lines.order_by("line_no"))
        return Response(
            body_of(row, lines), status=201 if results[0]["status"] == orders.STORED else 200
        )


class OrderDetail(View):
    scope_noun = "orders"

    @extend_schema(
        operation_id="orders_get",
        responses=shapes.OrderOut,
        parameters=[OpenApiParameter("source", str)],
    )
    def get(self, request: Request, external_id: str) -> Response:
        """One order with its lines. `?source=` where two sources use the same number."""
        rows = Order.objects.select_related("source", "customer").filter(external_id=external_id)
        if source := request.query_params.get("source"):
            rows = rows.filter(source__name=source)
        row = rows.order_by("-id").first()
        if row is None:
            raise NotFound(_("There is no order of this number."), code="order_unknown")
        return Response(body_of(row, list(row.lines.order_by("line_no"))))
