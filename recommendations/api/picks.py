"""Stored picks and engines for integrators."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.api import doors
from marketing.core import jobs
from marketing.core.api import View, accepted
from marketing.core.errors import Conflict, Refused
from marketing.core.jobs_api import JobStarted
from marketing.core.models import Job, User
from models_ml import catalog
from recommendations import evaluate, placements, reasons, stored
from recommendations.evaluate import Judged
from recommendations.serve import Pick

REFRESH = "recommendations.refresh"


class PickedProduct(serializers.Serializer):
    id = serializers.IntegerField()
    sku = serializers.CharField()
    name = serializers.CharField()
    price = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    url = serializers.CharField()
    image_url = serializers.CharField()


class ReasonSchema(serializers.Serializer):
    code = serializers.ChoiceField(choices=reasons.ALL)
    text = serializers.CharField()


class PickSchema(serializers.Serializer):
    """Documents `pick_body`; answers are built without it."""

    rank = serializers.IntegerField()
    product = PickedProduct()
    score = serializers.FloatField()
    engine = serializers.CharField(help_text="Which engine gave it; new products: content")
    reason = ReasonSchema()


class PicksSchema(serializers.Serializer):
    customer_id = serializers.IntegerField()
    external_id = serializers.CharField()
    engine = serializers.CharField(allow_null=True)
    made_at = serializers.DateTimeField(allow_null=True)
    data = PickSchema(many=True)  # type: ignore[assignment]


class DifferenceSchema(serializers.Serializer):
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class EngineSchema(serializers.Serializer):
    """Documents `engine_body`."""

    engine = serializers.CharField()
    title = serializers.CharField()
    model = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.CharField()
    serves = serializers.BooleanField()
    ndcg_at_10 = serializers.FloatField()
    recall_at_10 = serializers.FloatField()
    ndcg_at_10_with_repeats = serializers.FloatField(allow_null=True)
    difference_to_popularity = DifferenceSchema(allow_null=True)
    people_judged = serializers.IntegerField()
    judged_from = serializers.DateTimeField(allow_null=True)
    judged_until = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    trained_at = serializers.DateTimeField()


class EnginesSchema(serializers.Serializer):
    verdict = serializers.CharField()
    data = EngineSchema(many=True)  # type: ignore[assignment]


def pick_body(pick: Pick, engine: str | None) -> dict[str, Any]:
    """A pick of a set made by this engine."""
    return {
        "rank": pick.rank,
        "product": {
            "id": pick.product_id,
            "sku": pick.sku,
            "name": pick.name,
            "price": None if pick.price is None else str(pick.price),
            "currency": pick.currency,
            "url": pick.url,
            "image_url": pick.image_url,
        },
        "score": pick.score,
        "engine": reasons.engine_of(pick.code, engine),
        "reason": {"code": pick.code, "text": pick.reason},
    }


def engine_body(row: Judged) -> dict[str, Any]:
    return {
        "engine": row.engine,
        "title": row.title,
        "model": row.name,
        "version": row.version,
        "state": row.state,
        "serves": row.serves,
        "ndcg_at_10": row.ndcg,
        "recall_at_10": row.recall,
        "ndcg_at_10_with_repeats": row.ndcg_with_repeats,
        "difference_to_popularity": row.difference,
        "people_judged": row.exam.get("people", 0),
        "judged_from": row.exam.get("test_from"),
        "judged_until": row.exam.get("until"),
        "reason": row.reason or None,
        "trained_at": row.trained_at,
    }


class CustomerRecommendations(View):
    scope_noun = "recommendations"

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        return doors.reading(
            super().as_view(**initkwargs), scope="recommendations:read", read=picks_of
        )

    @extend_schema(
        operation_id="customers_recommendations",
        responses=PicksSchema,
        parameters=[
            OpenApiParameter("engine", str, enum=list(catalog.BY_ENGINE)),
            OpenApiParameter("limit", int),
        ],
    )
    def get(self, request: Request, external_id: str) -> Response:
        """One person's picks, best first, with reasons; `?engine=` asks another engine than the
        one that serves."""
        return Response(picks_of(request.query_params, external_id=external_id))


def picks_of(asked: Mapping[str, str], *, external_id: str) -> dict[str, Any]:
    """One person's picks as they are answered."""
    found = stored.of(
        external_id=external_id,
        engine=asked.get("engine") or None,
        limit=_limit(asked.get("limit", "10")),
    )
    return {
        "customer_id": found.customer_id,
        "external_id": external_id,
        "engine": found.engine,
        "made_at": found.made_at,
        "data": [pick_body(pick, found.engine) for pick in found.picks],
    }


def _limit(raw: str) -> int:
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw[:9]) <= 100:
        raise Refused(
            _("limit must be a whole number from 1 to %(max)d.") % {"max": 100},
            code="bad_limit",
            field="limit",
        )
    return int(raw)


class EngineList(View):
    scope_noun = "recommendations"

    @extend_schema(operation_id="recommendations_engines", responses=EnginesSchema)
    def get(self, request: Request) -> Response:
        """Every engine as it was judged last, and which of them serves."""
        rows = evaluate.engines()
        return Response(
            {"verdict": evaluate.verdict(rows), "data": [engine_body(row) for row in rows]}
        )


class Refresh(View):
    scope_noun = "recommendations"

    @extend_schema(
        operation_id="recommendations_refresh", request=None, responses={202: JobStarted}
    )
    def post(self, request: Request) -> Response:
        """Choose products for everybody again; answers at once with the job's address."""
        if Job.objects.filter(kind=REFRESH, state__in=Job.OPEN).exists():
            raise Conflict(
                _("Products are being chosen already; nothing was started."),
                code="already_running",
                remedy=_("Wait for that job to end."),
            )
        user = request.user if isinstance(request.user, User) else None
        return accepted(
            jobs.start(
                kind=REFRESH,
                title=_("Choose products for each person"),
                user=user,
                steps=placements.REFRESH_STEPS,
            )
        )
