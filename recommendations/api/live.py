"""Picks for a visit within a request: for servers with an API key, for browsers with a write key.

The door for browsers proves nothing about who asks: it takes only the number of the device, tells
only what that device itself told us, and what was chosen for a person only where they agreed to it.
"""

import math
from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.api import doors
from ingestion.api.shapes import LEFT
from ingestion.events import bodies
from ingestion.preprocess import codes
from ingestion.tracking import keys
from ingestion.tracking.door import CORS, PREFLIGHT, TooOften, Unauthorized
from marketing.core import passing
from marketing.core.api import View, refusal
from marketing.core.errors import Invalid, Refused
from recommendations import live
from recommendations.api.picks import PickSchema
from recommendations.live import Answer
from recommendations.placements import HOLDOUT
from recommendations.visits import Names

ITEMS, TEXT, SIZE = 50, 100, 100
FIELDS = ("placement", "external_id", "email", "anonymous_id", "product", "items", "size")
PUBLIC = ("writeKey", "placement", "anonymousId", "product", "items", "size")


class LiveIn(serializers.Serializer):
    placement = serializers.CharField(help_text="its key")
    external_id = serializers.CharField(**LEFT)
    email = serializers.CharField(**LEFT)
    anonymous_id = serializers.CharField(**LEFT)
    product = serializers.CharField(help_text="Stock code of the page's product", **LEFT)
    items = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        max_length=ITEMS,
        help_text="Stock codes, newest last",
    )
    size = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=SIZE, help_text="how many picks"
    )


class LiveOut(serializers.Serializer):
    """Documents `body`."""

    placement = serializers.CharField()
    engine = serializers.CharField()
    set = serializers.CharField()
    held_out = serializers.BooleanField()
    why = serializers.CharField()
    data = PickSchema(many=True)  # type: ignore[assignment]


def body(answer: Answer) -> dict[str, Any]:
    """An answer as it is sent."""
    return {
        "placement": answer.placement,
        "engine": answer.arm,
        "set": answer.set,
        "held_out": answer.arm == HOLDOUT,
        "why": answer.why,
        "data": [
            {
                "rank": one.rank,
                "product": {
                    "id": one.product_id,
                    "sku": one.sku,
                    "name": one.name,
                    "price": None if one.price is None else str(one.price),
                    "currency": one.currency,
                    "url": one.url,
                    "image_url": one.image_url,
                },
                "score": round(one.score, 6),
                "engine": one.engine,
                "reason": {"code": one.code, "text": one.reason},
            }
            for one in answer.picks
        ],
    }


def take(given: Any) -> dict[str, Any]:
    """Picks for what an integrator's server asked."""
    asked = _asked(given, FIELDS)
    names = Names(
        _text(asked, "external_id"), _text(asked, "email").lower(), _text(asked, "anonymous_id")
    )
    return body(_pick(asked, names, public=False))


def _asked(given: Any, fields: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise Invalid(_("Send one JSON object."), code="not_an_object")
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise Invalid(
            _("There is no field %(name)s.") % {"name": unknown[0][:60]},
            code="unknown_field",
            field=unknown[0][:60],
            remedy=_("Use: %(names)s.") % {"names": ", ".join(fields)},
        )
    return given


def _pick(asked: Mapping[str, Any], names: Names, *, public: bool) -> Answer:
    items = asked.get("items", [])
    if not isinstance(items, list) or len(items) > ITEMS:
        raise Invalid(
            _("Give the products as a list of at most %(n)d.") % {"n": ITEMS},
            code="bad_items",
            field="items",
        )
    size = asked.get("size")
    if size is not None and (
        isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= SIZE
    ):
        raise Invalid(
            _("size must be a whole number from 1 to %(max)d.") % {"max": SIZE},
            code="bad_size",
            field="size",
        )
    slug = _text(asked, "placement")
    if not slug:
        raise Invalid(_("Name the placement."), code="missing", field="placement")
    return live.pick(
        placement=slug,
        names=names,
        product=codes.unify(_text(asked, "product")),
        items=[code for item in items if (code := codes.unify(_one(item, "items")))],
        size=size,
        now=timezone.now(),
        public=public,
    )


def _text(asked: Mapping[str, Any], name: str) -> str:
    return _one(asked.get(name, ""), name)


def _one(value: Any, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > TEXT * 3 or "\0" in value:
        raise Invalid(
            _("This must be a text of at most %(n)d characters.") % {"n": TEXT * 3},
            code="not_text",
            field=name,
        )
    return value.strip()


class Live(View):
    scope_noun = "recommendations"
    reads_only = True

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        return doors.beside(
            super().as_view(**initkwargs), scope="recommendations:read", take=_received
        )

    @extend_schema(operation_id="recommendations_live", request=LiveIn, responses=LiveOut)
    def post(self, request: Request) -> Response:
        """Picks for a visit, at once: links of what was just looked at, then what was chosen
        beforehand, then what is popular, under the rules of the placement.

        Name somebody by external_id, email or anonymous_id, or nobody. `product` is the stock code
        on the page; `items` those of the basket, the purchase or the visit, newest last.
        """
        return Response(take(request.data))


def _received(raw: bytes) -> tuple[int, Any]:
    return 200, take(bodies.parse(raw))


@csrf_exempt
def public(request: HttpRequest) -> HttpResponse:
    """Picks for a browser, which brings the write key of its shop."""
    if request.method == "OPTIONS":
        return _with(HttpResponse(status=204), PREFLIGHT)
    try:
        answer = HttpResponse(orjson.dumps(_for_browser(request)), content_type="application/json")
    except (Refused, OperationalError, InterfaceError) as fault:
        answer = refusal(fault)
        if isinstance(fault, TooOften):
            answer["Retry-After"] = fault.remedy or "1"
    return _with(answer, {})


def _for_browser(request: HttpRequest) -> dict[str, Any]:
    if request.method != "POST":
        raise _NotSo(_("Ask by POST."), code="method_not_allowed")
    asked = _asked(bodies.parse(bodies.read(request)), PUBLIC)
    key = asked.get("writeKey")
    source = keys.find(key) if isinstance(key, str) else None
    if source is None:
        raise Unauthorized(
            _("This write key is not known or was turned off."),
            code="bad_write_key",
            field="writeKey",
            remedy=_("Copy the key from Data, Sources."),
        )
    rate = float(settings.TRACKING_RATE)
    if seconds := passing.wait(f"picks:{source.source_id}", limits=(rate, rate)):
        raise TooOften(
            _("Too many requests from this source."),
            code="too_many_requests",
            remedy=str(math.ceil(seconds)),
        )
    names = Names(anonymous_id=_text(asked, "anonymousId"))
    return body(_pick(asked, names, public=True))


class _NotSo(Refused):
    status = 405


def _with(answer: HttpResponse, headers: Mapping[str, str]) -> HttpResponse:
    for name, value in {**CORS, **headers}.items():
        answer[name] = value
    return answer
