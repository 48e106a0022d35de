"""Where picks are shown, for integrators."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketing.core.api import View
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey
from recommendations import defining
from recommendations.models import Placement


class PickPlacementIn(serializers.ModelSerializer):
    class Meta:
        model = Placement
        fields = defining.FIELDS
        extra_kwargs = {name: {"required": False} for name in defining.FIELDS}


class PickPlacementOut(PickPlacementIn):
    """Documents `body`."""

    key = serializers.CharField()

    class Meta(PickPlacementIn.Meta):
        fields = ("key", *defining.FIELDS, "created_at", "updated_at")  # type: ignore[assignment]


def body(row: Placement) -> dict[str, Any]:
    """How a placement looks to an integrator."""
    names = (*defining.FIELDS, "created_at", "updated_at")
    return {"key": row.slug} | {name: getattr(row, name) for name in names}


def _actor(request: Request) -> Any:
    return request.auth if isinstance(request.auth, ApiKey) else request.user


class PlacementList(View):
    scope_noun = "recommendations"

    @extend_schema(operation_id="placements_list", responses=PickPlacementOut(many=True))
    def get(self, request: Request) -> Response:
        """Every place where picks are shown."""
        return self.paginate(Placement.objects.all(), body, ordering="id")


class PlacementDetail(View):
    scope_noun = "recommendations"

    @extend_schema(operation_id="placements_get", responses=PickPlacementOut)
    def get(self, request: Request, slug: str) -> Response:
        """One placement with its rules."""
        return Response(body(get_object_or_404(Placement, slug=slug)))

    @extend_schema(
        operation_id="placements_put",
        request=PickPlacementIn,
        responses={200: PickPlacementOut, 201: PickPlacementOut},
    )
    def put(self, request: Request, slug: str) -> Response:
        """Make the placement of this key, or change what is named of it."""
        if not isinstance(request.data, dict):
            raise Invalid(_("Send one JSON object."), code="not_an_object")
        row, made = defining.save(
            slug=slug, values=request.data, actor=_actor(request), now=timezone.now()
        )
        return Response(body(row), status=201 if made else 200)

    @extend_schema(operation_id="placements_delete", responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Take a placement away with what was counted of it."""
        defining.remove(slug=slug, actor=_actor(request))
        return Response(status=204)
