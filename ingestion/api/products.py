"""Products for integrators."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import catalogue, intake
from ingestion.api import batches, shapes
from ingestion.models import Product
from ingestion.preprocess import codes
from marketing.core import brand
from marketing.core.api import View
from marketing.core.errors import Invalid, NotFound

FIELDS = (
    "id",
    "sku",
    "name",
    "category",
    "price",
    "currency",
    "url",
    "image_url",
    "stock",
    "active",
    "created_at",
)


def body_of(row: Product) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIELDS}


def _read(item: Any) -> catalogue.Item:
    return intake.product(item, default_currency=brand.now().currency)


def _one(sku: str) -> Product:
    row = Product.objects.filter(sku=codes.unify(sku)).first()
    if row is None:
        raise NotFound(_("There is no product of this code."), code="product_unknown")
    return row


class ProductList(View):
    scope_noun = "products"

    @extend_schema(
        operation_id="products_list",
        responses=shapes.ProductOut(many=True),
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("category", str)],
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        rows = Product.objects.all()
        if category := request.query_params.get("category"):
            rows = rows.filter(category=category)
        return self.paginate(rows, body_of)

    @extend_schema(
        operation_id="products_write",
        **shapes.batch("ProductsWritten", shapes.ProductIn, shapes.ProductOut),
    )
    def post(self, request: Request) -> Response:
        """Add or change one product or up to 1,000, by their code."""
        items, many = batches.items_of(request.data)
        good, results = batches.read_all(items, _read)
        if not many:
            batches.refuse_single(results[0])
        before = set(
            Product.objects.filter(sku__in=[item.sku for item in good.values()]).values_list(
                "sku", flat=True
            )
        )
        changed = catalogue.upsert(items=list(good.values()), now=timezone.now())
        for index, item in good.items():
            outcome = (
                "unchanged"
                if item.sku not in changed
                else "updated"
                if item.sku in before
                else "created"
            )
            results[index] |= {"status": outcome, "sku": item.sku}
        if many:
            return batches.answer(results)
        status = 201 if results[0]["status"] == "created" else 200
        return Response(body_of(_one(results[0]["sku"])), status=status)


class ProductDetail(View):
    scope_noun = "products"

    @extend_schema(operation_id="products_get", responses=shapes.ProductOut)
    def get(self, request: Request, sku: str) -> Response:
        return Response(body_of(_one(sku)))

    @extend_schema(
        operation_id="products_put",
        request=shapes.ProductPut,
        responses={200: shapes.ProductOut, 201: shapes.ProductOut},
    )
    def put(self, request: Request, sku: str) -> Response:
        """Add the product of this code, or change it."""
        return self._write(request, sku)

    @extend_schema(
        operation_id="products_update", request=shapes.ProductPut, responses=shapes.ProductOut
    )
    def patch(self, request: Request, sku: str) -> Response:
        """Change a product that is known; fields left out stay."""
        _one(sku)
        return self._write(request, sku)

    def _write(self, request: Request, sku: str) -> Response:
        if not isinstance(request.data, dict):
            raise Invalid(_("Send a JSON object."), code="not_an_object")
        said = request.data.get("sku", sku)
        if not isinstance(said, str) or codes.unify(said) != codes.unify(sku):
            raise Invalid(
                _("The code in the body is not the one in the address."),
                code="id_mismatch",
                field="sku",
            )
        known = Product.objects.filter(sku=codes.unify(sku)).exists()
        item = _read({**request.data, "sku": sku})
        catalogue.upsert(items=[item], now=timezone.now())
        return Response(body_of(_one(sku)), status=200 if known else 201)
