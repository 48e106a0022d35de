"""What is expected to be sold, for integrators."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketing.core.api import View
from marketing.core.errors import NotFound
from models_ml.demand import reading
from models_ml.models import ProductDemand


class DemandShape(serializers.Serializer[Any]):
    sku = serializers.CharField()
    name = serializers.CharField()
    starts_at = serializers.DateTimeField()
    days = serializers.IntegerField()
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    baseline = serializers.FloatField()
    method = serializers.CharField()


PRODUCT = inline_serializer(
    "ProductDemand",
    {
        "sku": serializers.CharField(),
        "name": serializers.CharField(),
        "method": serializers.CharField(),
        "next_4_weeks": inline_serializer(
            "DemandSum",
            {name: serializers.FloatField() for name in ("mean", "low", "high", "baseline")},
        ),
        "periods": inline_serializer(
            "DemandPeriod",
            {
                "starts_at": serializers.DateTimeField(),
                "days": serializers.IntegerField(),
                **{name: serializers.FloatField() for name in ("mean", "low", "high", "baseline")},
            },
            many=True,
        ),
        "as_of": serializers.DateTimeField(),
        "version": serializers.IntegerField(allow_null=True),
    },
)


def numbers(row: ProductDemand) -> dict[str, float]:
    return {"mean": row.mean, "low": row.low, "high": row.high, "baseline": row.usual}


def body(row: ProductDemand) -> dict[str, Any]:
    return {
        "sku": row.product.sku,
        "name": row.product.name,
        "starts_at": row.starts_at,
        "days": row.days,
        **numbers(row),
        "method": row.method,
    }


class DemandList(View):
    scope_noun = "models"

    @extend_schema(operation_id="demand_list", responses=DemandShape(many=True))
    def get(self, request: Request) -> Response:
        """What each product is expected to sell in the next four weeks, with 80 % bounds."""
        return self.paginate(reading.sums(), body)


class DemandOfProduct(View):
    scope_noun = "models"

    @extend_schema(operation_id="demand_get", responses=PRODUCT)
    def get(self, request: Request, sku: str) -> Response:
        """One product's next four weeks and each period ahead; `baseline` as a season ago."""
        row = reading.sums().filter(product__sku=sku).first()
        if row is None:
            raise NotFound(
                _("There is no forecast for this product."),
                code="no_forecast",
                remedy=_("Forecasts are started on the page of demand."),
            )
        version = reading.live()
        ahead = reading.periods(products=[row.product_id])[row.product_id]
        return Response(
            {
                "sku": row.product.sku,
                "name": row.product.name,
                "method": row.method,
                "next_4_weeks": numbers(row),
                "periods": [
                    {"starts_at": one.starts_at, "days": one.days, **numbers(one)} for one in ahead
                ],
                "as_of": row.starts_at,
                "version": version.version if version else None,
            }
        )
