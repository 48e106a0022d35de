"""Web push: the key browsers subscribe with, and their subscriptions, for the tracker's browser."""

import math
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.open_doors import OpenView
from campaigns.channels import browsers, tokens
from campaigns.messaging import providers, subscriptions
from ingestion.models import Customer
from ingestion.tracking import keys
from marketing.core import passing
from marketing.core.errors import Invalid, NotFound, Refused

WRITE_KEY = OpenApiParameter("writeKey", str, description="the web source's key")


class SubscriptionKeys(serializers.Serializer):
    p256dh = serializers.CharField()
    auth = serializers.CharField()


class BrowserSubscription(serializers.Serializer):
    endpoint = serializers.CharField()
    keys = SubscriptionKeys()


class SubscriptionWrite(serializers.Serializer):
    subscription = BrowserSubscription(help_text="what PushManager.subscribe() gave")
    anonymous_id = serializers.CharField(
        required=False, help_text="the visitor, as the tracker knows them; not with a token"
    )
    language = serializers.CharField(required=False)


class SubscriptionShape(serializers.Serializer):
    id = serializers.IntegerField()
    created = serializers.BooleanField()


class PushKey(serializers.Serializer):
    public_key = serializers.CharField(help_text="applicationServerKey for PushManager.subscribe()")


class EndpointWrite(serializers.Serializer):
    endpoint = serializers.CharField()


class EndedShape(serializers.Serializer):
    ended = serializers.IntegerField()


class _TooOften(Refused):
    status = 429


class PushSubscriptions(OpenView):
    """Either a person's token says who subscribes, or a write key lets a visitor's browser in."""

    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, Customer):
            return
        key = request.query_params.get("writeKey")
        source = keys.find(key) if isinstance(key, str) else None
        if source is None:
            raise tokens.NotKnown(
                _("Send a person's token, or the write key of a web source."),
                code="bad_write_key",
                field="writeKey",
                remedy=_("Copy the key from Data, Sources."),
            )
        rate = float(settings.TRACKING_RATE)
        if seconds := passing.wait(f"push:{source.source_id}", limits=(rate, rate)):
            raise _TooOften(
                _("Too many requests from this source; nothing was stored."),
                code="too_many_requests",
                remedy=str(math.ceil(seconds)),
            )

    @extend_schema(operation_id="push_key", parameters=[WRITE_KEY], responses=PushKey)
    def get(self, request: Request) -> Response:
        """The public key that a browser subscribes with."""
        channel = providers.find(kind="push")
        if channel is None or not channel.enabled:
            raise NotFound(_("No channel for notifications is set up."), code="no_channel")
        return Response({"public_key": channel.settings.get("public_key", "")})

    @extend_schema(
        operation_id="push_subscribe",
        parameters=[WRITE_KEY],
        request=SubscriptionWrite,
        responses={200: SubscriptionShape, 201: SubscriptionShape},
    )
    def post(self, request: Request) -> Response:
        """Keep a browser's subscription. Send it on every visit: that keeps it with its person."""
        data = self._object(request)
        person = request.auth if isinstance(request.auth, Customer) else None
        given = data.get("subscription")
        if not isinstance(given, dict):
            raise Invalid(
                _("Send what the browser gave, under subscription."),
                code="missing",
                field="subscription",
            )
        row, is_new = browsers.subscribe(
            given=given,
            person=person,
            anonymous_id="" if person else self._text(data, "anonymous_id", 254),
            language=self._text(data, "language", 10),
            now=timezone.now(),
        )
        return Response({"id": row.pk, "created": is_new}, status=201 if is_new else 200)

    @extend_schema(
        operation_id="push_unsubscribe",
        parameters=[WRITE_KEY],
        request=EndpointWrite,
        responses={200: EndedShape},
    )
    def delete(self, request: Request) -> Response:
        """Send to this browser no more."""
        endpoint = self._text(self._object(request), "endpoint", 1_000)
        return Response(
            {"ended": subscriptions.end_endpoint(endpoint=endpoint, now=timezone.now())}
        )

    def _object(self, request: Request) -> dict[str, Any]:
        if not isinstance(request.data, dict):
            raise Invalid(_("Send one JSON object."), code="not_an_object")
        return request.data

    def _text(self, data: dict[str, Any], name: str, limit: int) -> str:
        value = data.get(name) or ""
        if not isinstance(value, str) or len(value) > limit or "\0" in value:
            raise Invalid(
                _("This must be a text of up to %(n)d characters.") % {"n": limit},
                code="bad_text",
                field=name,
            )
        return value
