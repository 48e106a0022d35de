"""Models and scores for integrators."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import queries as facts
from marketing.core.api import View
from marketing.core.errors import NotFound
from models_ml import queries
from models_ml.models import ModelVersion


class ModelShape(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    algorithm = serializers.CharField()
    params = serializers.DictField()
    metrics = serializers.DictField()
    baseline = serializers.DictField()
    data_from = serializers.DateTimeField(allow_null=True)
    data_until = serializers.DateTimeField(allow_null=True)
    rows = serializers.IntegerField()
    seed = serializers.IntegerField()
    trained_at = serializers.DateTimeField()
    reason = serializers.CharField()
    url = serializers.CharField()


SCORES = inline_serializer(
    "CustomerScores",
    {
        "customer_id": serializers.IntegerField(),
        "external_id": serializers.CharField(),
        "as_of": serializers.DateTimeField(),
        "numbers": serializers.DictField(child=serializers.FloatField(allow_null=True)),
        "repeat_90d": inline_serializer(
            "RepeatScore",
            {
                "chance": serializers.FloatField(allow_null=True),
                "low": serializers.FloatField(allow_null=True),
                "high": serializers.FloatField(allow_null=True),
                "model": serializers.CharField(),
                "reasons": serializers.ListField(child=serializers.DictField()),
            },
        ),
    },
)


def model_body(version: ModelVersion) -> dict[str, Any]:
    """How a model version looks to an integrator."""
    names = (
        "id", "name", "version", "state", "algorithm", "params", "metrics", "baseline",
        "data_from", "data_until", "rows", "seed", "trained_at",
    )  # fmt: skip
    body = {name: getattr(version, name) for name in names}
    address = reverse("api:model-detail", args=[version.pk])
    return body | {"reason": version.why, "url": address}


class ModelList(View):
    scope_noun = "models"

    @extend_schema(operation_id="models_list", responses=ModelShape(many=True))
    def get(self, request: Request) -> Response:
        """All versions, newest first; `?name=` and `?state=` narrow it down."""
        rows = ModelVersion.objects.defer("details")
        for field in ("name", "state"):
            if wanted := request.query_params.get(field):
                rows = rows.filter(**{field: wanted})
        return self.paginate(rows, model_body)


class ModelDetail(View):
    scope_noun = "models"

    @extend_schema(operation_id="models_get", responses=ModelShape)
    def get(self, request: Request, version_id: int) -> Response:
        """One version, with everything it was judged by in `details`."""
        version = ModelVersion.objects.filter(pk=version_id).first()
        if version is None:
            raise NotFound(_("There is no such model version."), code="model_unknown")
        return Response(model_body(version) | {"details": version.details})


class CustomerScores(View):
    scope_noun = "customers"

    @extend_schema(operation_id="customers_scores", responses=SCORES)
    def get(self, request: Request, external_id: str) -> Response:
        """A person's numbers, the chance to order again, and the questions that led to it."""
        customer_id = facts.customer_id(external_id=external_id)
        person = queries.for_customer(customer_id=customer_id)
        if person is None:
            raise NotFound(
                _("Nothing has been counted for this customer yet."),
                code="not_scored",
                remedy=_("Numbers are made after each import."),
            )
        return Response(
            {
                "customer_id": customer_id,
                "external_id": external_id,
                "as_of": person.as_of,
                "numbers": {n.name: n.value for n in person.numbers if not n.predicted},
                "repeat_90d": {
                    "chance": person.chance,
                    "low": person.low,
                    "high": person.high,
                    "model": person.model,
                    "reasons": [
                        {"field": r.field, "op": r.op, "threshold": r.threshold, "value": r.value}
                        for r in person.reasons
                    ],
                },
            }
        )
