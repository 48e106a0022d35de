"""Customers for integrators."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import consent, erasure, intake, people
from ingestion.api import batches, shapes
from ingestion.models import Customer
from marketing.core.api import View
from marketing.core.errors import Invalid, NotFound


def body_of(row: Customer) -> dict[str, Any]:
    """A person as an answer; `row` is annotated by `consent.mailable`."""
    rollup = getattr(row, "rollup", None)
    return {
        "id": row.pk,
        "external_id": row.external_id,
        "email": row.email,
        "phone": row.phone,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "country": row.country,
        "language": row.language,
        "timezone": row.timezone,
        "attributes": row.attributes,
        "first_seen_at": row.first_seen_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "may_mail": row.reason == "",  # type: ignore[attr-defined]
        "totals": rollup
        and {
            "orders": rollup.orders,
            "units": rollup.units,
            "revenue": rollup.revenue,
            "first_order_at": rollup.first_order_at,
            "last_order_at": rollup.last_order_at,
        },
    }


def _rows() -> Any:
    return consent.mailable(Customer.objects.select_related("rollup"))


class CustomerList(View):
    scope_noun = "customers"
    lists_people = True

    @extend_schema(
        operation_id="customers_list",
        responses=shapes.CustomerOut(many=True),
        parameters=[
            OpenApiParameter("limit", int),
            OpenApiParameter("email", str),
            OpenApiParameter("country", str),
        ],
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        rows = _rows()
        if email := request.query_params.get("email"):
            rows = rows.filter(email=email.strip().lower())
        if country := request.query_params.get("country"):
            rows = rows.filter(country=country.upper()[:2])
        return self.paginate(rows, body_of)

    @extend_schema(
        operation_id="customers_write",
        **shapes.batch("CustomersWritten", shapes.CustomerIn, shapes.CustomerOut),
    )
    def post(self, request: Request) -> Response:
        """Add or change one person or up to 1,000. Known by external_id, e-mail or phone."""
        now = timezone.now()
        items, many = batches.items_of(request.data)
        good, results = batches.read_all(items, lambda item: intake.customer(item, now=now))
        if not many:
            batches.refuse_single(results[0])
        done = people.upsert(items=list(good.values()), source=batches.SOURCE, now=now)
        for index, (customer_id, outcome) in zip(good, done, strict=True):
            results[index] |= {"status": outcome, "id": customer_id}
        if many:
            return batches.answer(results)
        if results[0]["id"] is None:
            raise Invalid(
                _("None of these names is one person's; nothing was stored."), code="name_refused"
            )
        status = 201 if results[0]["status"] == people.CREATED else 200
        return Response(body_of(_rows().get(pk=results[0]["id"])), status=status)


class CustomerDetail(View):
    scope_noun = "customers"

    def _get(self, external_id: str) -> Customer:
        row: Customer | None = _rows().filter(external_id=external_id).first()
        if row is None:
            raise NotFound(_("There is no customer of this number."), code="customer_unknown")
        return row

    @extend_schema(operation_id="customers_get", responses=shapes.CustomerOut)
    def get(self, request: Request, external_id: str) -> Response:
        return Response(body_of(self._get(external_id)))

    @extend_schema(
        operation_id="customers_put",
        request=shapes.CustomerIn,
        responses={200: shapes.CustomerOut, 201: shapes.CustomerOut},
    )
    def put(self, request: Request, external_id: str) -> Response:
        """Add the person of this number, or change them."""
        return self._write(request, external_id)

    @extend_schema(
        operation_id="customers_update", request=shapes.CustomerIn, responses=shapes.CustomerOut
    )
    def patch(self, request: Request, external_id: str) -> Response:
        """Change a person who is known; fields left out stay."""
        self._get(external_id)
        return self._write(request, external_id)

    @extend_schema(operation_id="customers_delete", responses={204: None})
    def delete(self, request: Request, external_id: str) -> Response:
        """Forget the person. Their orders stay, as orders of nobody."""
        actor: Any = request.auth or request.user
        erasure.forget(customer_id=self._get(external_id).pk, actor=actor)
        return Response(status=204)

    def _write(self, request: Request, external_id: str) -> Response:
        if not isinstance(request.data, dict):
            raise Invalid(_("Send a JSON object."), code="not_an_object")
        if request.data.get("external_id", external_id) != external_id:
            raise Invalid(
                _("The number in the body is not the one in the address."),
                code="id_mismatch",
                field="external_id",
            )
        now = timezone.now()
        item = intake.customer({**request.data, "external_id": external_id}, now=now)
        ((_customer_id, outcome),) = people.upsert(items=[item], source=batches.SOURCE, now=now)
        return Response(
            body_of(self._get(external_id)), status=201 if outcome == people.CREATED else 200
        )
