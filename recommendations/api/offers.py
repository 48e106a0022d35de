"""Offers under a budget, for integrators: plans, and who is offered what."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import queries
from marketing.core.api import View, accepted
from marketing.core.errors import Invalid
from marketing.core.jobs_api import JobStarted
from marketing.core.models import ApiKey
from recommendations.models import OfferChoice, OfferPlan
from recommendations.offers import keeping
from recommendations.offers.keeping import Given


class OfferPlanIn(serializers.Serializer):
    """What may be sent; `offers` as `docs/offers.md` tells."""

    name = serializers.CharField(required=False)
    kind = serializers.ChoiceField(choices=OfferPlan.Kind.choices, required=False)
    group = serializers.CharField(required=False, help_text="segment:7 or list:3; empty: everybody")
    budget = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)
    contact_cost = serializers.CharField(required=False)
    margin = serializers.FloatField(required=False)
    buys = serializers.CharField(required=False, help_text="Prediction of an order in 30 days")
    effect = serializers.CharField(required=False, help_text="Prediction of whom a mail moves")
    offers = serializers.ListField(child=serializers.DictField(), required=False)


class OfferPlanOut(OfferPlanIn):
    """Documents `body`."""

    key = serializers.CharField()
    planned_at = serializers.DateTimeField(allow_null=True)
    result = serializers.DictField()


class GivenOut(serializers.Serializer):
    """Documents `given_body`."""

    plan = serializers.CharField()
    name = serializers.CharField()
    product = serializers.DictField(allow_null=True)
    discount = serializers.FloatField()
    discount_percent = serializers.FloatField()
    currency = serializers.CharField()
    chance = serializers.FloatField()
    worth = serializers.FloatField()
    cost = serializers.FloatField()
    planned_at = serializers.DateTimeField()


class CustomerOffersOut(serializers.Serializer):
    customer_id = serializers.IntegerField()
    external_id = serializers.CharField()
    data = GivenOut(many=True)  # type: ignore[assignment]


class OfferChoiceOut(serializers.Serializer):
    """Documents `choice_body`."""

    customer_id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    offer = serializers.CharField()
    chance = serializers.FloatField()
    worth = serializers.FloatField()
    cost = serializers.FloatField()


def body(row: OfferPlan) -> dict[str, Any]:
    """How a plan looks to an integrator."""
    return {
        "key": row.slug, "name": row.name, "kind": row.kind, "group": row.group,
        "budget": str(row.budget), "currency": row.currency,
        "contact_cost": str(row.contact_cost), "margin": row.margin, "buys": row.buys,
        "effect": row.effect, "offers": row.offers, "planned_at": row.planned_at,
        "result": row.result,
    }  # fmt: skip


def given_body(one: Given) -> dict[str, Any]:
    """An offer to somebody as it is answered."""
    return {name: getattr(one, name) for name in Given.__slots__}


def choice_body(row: OfferChoice) -> dict[str, Any]:
    """Who gets what of a plan, as it is answered."""
    return {
        "customer_id": row.customer_id, "external_id": row.customer.external_id,
        "offer": row.plan.result["offers"][row.offer]["name"], "chance": row.chance,
        "worth": row.worth, "cost": row.cost,
    }  # fmt: skip


def _actor(request: Request) -> Any:
    return request.auth if isinstance(request.auth, ApiKey) else request.user


class OfferPlanList(View):
    scope_noun = "recommendations"

    @extend_schema(operation_id="offers_list", responses=OfferPlanOut(many=True))
    def get(self, request: Request) -> Response:
        """Every plan of offers with what came of its last planning."""
        return self.paginate(OfferPlan.objects.all(), body)


class OfferPlanDetail(View):
    scope_noun = "recommendations"

    @extend_schema(operation_id="offers_get", responses=OfferPlanOut)
    def get(self, request: Request, slug: str) -> Response:
        """One plan: its offers, its budget, and what came of its last planning."""
        return Response(body(keeping.find(slug)))

    @extend_schema(
        operation_id="offers_put",
        request=OfferPlanIn,
        responses={200: OfferPlanOut, 201: OfferPlanOut},
    )
    def put(self, request: Request, slug: str) -> Response:
        """Make the plan of this key, or change what is named of it; who gets what stays as it is
        until it is planned again."""
        if not isinstance(request.data, dict):
            raise Invalid(_("Send one JSON object."), code="not_an_object")
        row, made = keeping.save(
            slug=slug, values=request.data, actor=_actor(request), now=timezone.now()
        )
        return Response(body(row), status=201 if made else 200)

    @extend_schema(operation_id="offers_remove", responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Take a plan away with who gets what."""
        keeping.remove(slug=slug, actor=_actor(request))
        return Response(status=204)


class OfferPlanning(View):
    scope_noun = "recommendations"

    @extend_schema(operation_id="offers_plan", request=None, responses={202: JobStarted})
    def post(self, request: Request, slug: str) -> Response:
        """Decide anew who gets which offer; answers at once with the job's address."""
        return accepted(keeping.start(slug=slug, actor=_actor(request)))


class OfferChoiceList(View):
    scope_noun = "recommendations"

    @extend_schema(
        operation_id="offers_choices",
        responses=OfferChoiceOut(many=True),
        parameters=[OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, slug: str) -> Response:
        """Who gets which offer of a plan."""
        rows = OfferChoice.objects.filter(plan=keeping.find(slug)).select_related(
            "plan", "customer"
        )
        return self.paginate(rows, choice_body)


class CustomerOffers(View):
    scope_noun = "recommendations"

    @extend_schema(operation_id="customer_offers", responses=CustomerOffersOut)
    def get(self, request: Request, external_id: str) -> Response:
        """What one person is offered, by plan, the newest planned first."""
        customer_id = queries.customer_id(external_id=external_id)
        found = keeping.of_people([customer_id]).get(customer_id, [])
        return Response(
            {
                "customer_id": customer_id,
                "external_id": external_id,
                "data": [given_body(one) for one in found],
            }
        )
