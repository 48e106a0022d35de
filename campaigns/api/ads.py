"""Ads for integrators: campaigns, creatives, placements, what happened, and what to show now."""

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.ads import choosing, defining, reading, storing
from campaigns.api import ad_shapes as shapes
from campaigns.models import AdCampaign, AdCreative, AdPlacement
from ingestion.api import batches, doors
from ingestion.events import bodies
from ingestion.intake import fields
from marketing.core.api import View
from marketing.core.auth import ApiKey
from marketing.core.errors import Invalid, NotFound, TooLarge

LIMIT = 10_000
CHOICE_FIELDS = ("placement", "external_id", "email", "anonymous_id", "country", "device")


def _actor(request: Request) -> Any:
    return request.auth if isinstance(request.auth, ApiKey) else request.user


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Invalid(_("Send one JSON object."), code="not_an_object")
    return data


def placement_body(row: AdPlacement) -> dict[str, Any]:
    return {"key": row.key, "name": row.name, "network": row.network}


def creative_body(row: AdCreative) -> dict[str, Any]:
    return {
        "key": row.key, "ad": row.ad.key, "name": row.name, "headline": row.headline,
        "image_url": row.image_url, "url": row.url, "weight": row.weight, "active": row.active,
    }  # fmt: skip


def ad_body(row: AdCampaign) -> dict[str, Any]:
    """How a campaign of ads looks to an integrator."""
    plain = (
        "key", "name", "state", "goal", "pricing", "currency", "starts_on", "ends_on", "timezone",
        "mode", "floor_percent", "pace", "created_at", "updated_at",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in plain},
        "budget": str(row.budget),
        "daily_cap": None if row.daily_cap is None else str(row.daily_cap),
        "price": str(row.price),
        "placements": [one.key for one in row.placements.all()],
        "url": reverse("api:ad-detail", args=[row.key]),
    }


class AdList(View):
    scope_noun = "ads"

    @extend_schema(operation_id="ads_list", responses=shapes.AdOut(many=True))
    def get(self, request: Request) -> Response:
        """All campaigns of ads, newest first."""
        return self.paginate(AdCampaign.objects.prefetch_related("placements"), ad_body)


class AdDetail(View):
    scope_noun = "ads"

    @extend_schema(operation_id="ads_get", responses=shapes.AdOut)
    def get(self, request: Request, key: str) -> Response:
        """One campaign with its pace."""
        row = AdCampaign.objects.filter(key=key).first()
        if row is None:
            raise NotFound(_("There is no campaign with this key."), code="ad_unknown")
        return Response(ad_body(row))

    @extend_schema(
        operation_id="ads_put",
        request=shapes.AdIn,
        responses={200: shapes.AdOut, 201: shapes.AdOut},
    )
    def put(self, request: Request, key: str) -> Response:
        """Make the campaign of this key, or change what is named. It starts by a call of its own.

        A new one needs a name, a budget, a price, and its first and last day.
        """
        row, made = defining.save(
            key=key, values=_object(request.data), actor=_actor(request), now=timezone.now()
        )
        return Response(ad_body(row), status=201 if made else 200)


class AdMove(View):
    scope_noun = "ads"

    @extend_schema(operation_id="ads_move", request=shapes.AdMoveIn, responses=shapes.AdOut)
    def post(self, request: Request, key: str) -> Response:
        """Start, pause or end a campaign."""
        to = _object(request.data).get("to")
        row = defining.move(
            key=key,
            to=to if isinstance(to, str) else "",
            actor=_actor(request),
            now=timezone.now(),
        )
        return Response(ad_body(row))


class CreativeList(View):
    scope_noun = "ads"

    @extend_schema(operation_id="ads_creatives", responses=shapes.CreativeOut(many=True))
    def get(self, request: Request, key: str) -> Response:
        """The creatives of a campaign."""
        rows = AdCreative.objects.filter(ad__key=key).select_related("ad")
        return self.paginate(rows, creative_body, ordering="id")


class CreativeDetail(View):
    scope_noun = "ads"

    @extend_schema(
        operation_id="ads_put_creative",
        request=shapes.CreativeIn,
        responses={200: shapes.CreativeOut, 201: shapes.CreativeOut},
    )
    def put(self, request: Request, key: str, creative: str) -> Response:
        """Add the creative of this key to a campaign, or change what is named."""
        row, made = defining.save_creative(
            ad_key=key,
            key=creative,
            values=_object(request.data),
            actor=_actor(request),
            now=timezone.now(),
        )
        return Response(creative_body(row), status=201 if made else 200)


class PlacementList(View):
    scope_noun = "ads"

    @extend_schema(operation_id="ads_placements", responses=shapes.PlacementOut(many=True))
    def get(self, request: Request) -> Response:
        """Every place where ads are shown."""
        return self.paginate(AdPlacement.objects.all(), placement_body, ordering="id")


class PlacementDetail(View):
    scope_noun = "ads"

    @extend_schema(
        operation_id="ads_put_placement",
        request=shapes.PlacementIn,
        responses={200: shapes.PlacementOut, 201: shapes.PlacementOut},
    )
    def put(self, request: Request, key: str) -> Response:
        """Name a place where ads are shown, or change what is named."""
        row, made = defining.save_placement(
            key=key, values=_object(request.data), actor=_actor(request), now=timezone.now()
        )
        return Response(placement_body(row), status=201 if made else 200)


def _beside(framed: Any, take: Callable[[Any], dict[str, Any]]) -> Any:
    return doors.beside(
        framed, scope="ads:write", take=lambda body: (200, take(bodies.parse(body)))
    )


class HitList(View):
    scope_noun = "ads"

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        return _beside(super().as_view(**initkwargs), cls.take)

    @extend_schema(
        operation_id="ads_hits",
        request=shapes.HitIn(many=True),
        responses=shapes.HitsOut,
        extensions={"x-most-items": LIMIT},
    )
    def post(self, request: Request) -> Response:
        """Take up to 10,000 impressions, clicks and conversions, each once by its kind and id.

        A body is at most 2 MB, plain or gzipped. The answer counts what was stored and names only
        the items that were not: repeats, conflicts and those with a fault.
        """
        return Response(self.take(request.data))

    @staticmethod
    def take(body: Any) -> dict[str, Any]:
        if isinstance(body, dict):
            body = [body]
        if not isinstance(body, list) or not body:
            raise Invalid(_("Send a list of JSON objects."), code="not_a_list")
        if len(body) > LIMIT:
            raise TooLarge(
                _("%(n)d items came; one request takes at most %(max)d. Nothing was stored.")
                % {"n": len(body), "max": LIMIT},
                code="too_many_items",
                remedy=_("Send them in several requests."),
            )
        return take_hits(body)


def take_hits(items: list[Any]) -> dict[str, Any]:
    """Read and store; the answer with whatever was not stored."""
    now = timezone.now()
    good: dict[int, reading.Hit] = {}
    faults: dict[int, Invalid] = {}
    read = reading.hit
    for index, item in enumerate(items):
        try:
            good[index] = read(item, now=now)
        except Invalid as wrong:
            faults[index] = wrong
    outcomes, unplaced = storing.store(batch=good, now=now)
    faults |= unplaced
    counts: dict[str, int] = {}
    results: list[dict[str, Any]] = []
    for index, status in outcomes.items():
        counts[status] = counts.get(status, 0) + 1
        if status == storing.DUPLICATE:
            results.append({"index": index, "status": status})
        elif status == storing.CONFLICT:
            error = {
                "code": "conflict",
                "message": _("The same id came before with other content; that one is kept."),
                "field": "id",
                "remedy": _("Send a change under an id of its own."),
            }
            results.append({"index": index, "status": status, "error": error})
    for index, fault in faults.items():
        counts["invalid"] = counts.get("invalid", 0) + 1
        error = batches.error_of(fault)
        results.append({"index": index, "status": "invalid", "error": error})
    results.sort(key=lambda result: result["index"])
    return {"received": len(items), "counts": counts, "results": results}


class ChoiceDoor(View):
    scope_noun = "ads"

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        return _beside(super().as_view(**initkwargs), cls.take)

    @extend_schema(operation_id="ads_choose", request=shapes.ChoiceIn, responses=shapes.ChoiceOut)
    def post(self, request: Request) -> Response:
        """Which creative to show in this placement to this person now.

        The chance by which it was chosen is written down. Send the decision with the impression; if
        none comes within an hour, the money kept for it is free again.
        """
        return Response(self.take(request.data))

    @staticmethod
    def take(body: Any) -> dict[str, Any]:
        now = timezone.now()
        body = fields.an_object(body, CHOICE_FIELDS)
        placement = fields.text(body, "placement", 60, required=True)
        device = reading.device_of(body)
        who = choosing.viewer(
            external_id=fields.text(body, "external_id", 100),
            email=fields.email(body),
            anonymous_id=fields.text(body, "anonymous_id", 100),
            now=now,
        )
        found = choosing.choose(
            placement=placement,
            who=who,
            device=device,
            country=fields.country(body) if body.get("country") else "",
            now=now,
        )
        return {
            "decision": str(found.decision) if found.decision else None,
            "reason": found.reason,
            "ad": found.offer.ad.key if found.offer else None,
            "creative": creative_body(found.creative) if found.creative else None,
            "chance": found.chance if found.decision else None,
            "price": str(found.offer.price) if found.offer else None,
        }
