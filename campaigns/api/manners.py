"""Sending rules, and what was not sent and why, for integrators."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.manners import rules, unsent
from campaigns.models import Message, SendingRules
from marketing.core.api import View
from marketing.core.auth import ApiKey
from marketing.core.errors import Invalid
from marketing.core.forms import whole_number

DAYS, DAYS_MOST = 30, 366


class CapShape(serializers.Serializer):
    channel = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="email, sms, push or inbox; empty for all together",
    )
    days = serializers.IntegerField(min_value=1, max_value=rules.DAYS_MOST)
    most = serializers.IntegerField(min_value=1, max_value=rules.NUMBER_MOST)


class RulesWrite(serializers.Serializer):
    caps = CapShape(many=True)
    quiet = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2),
        help_text='by channel, such as {"sms": ["20:00", "09:00"]}, each person\'s own clock',
    )


class RulesShape(RulesWrite):
    updated_at = serializers.DateTimeField(allow_null=True)


class UnsentLine(serializers.Serializer):
    reason = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    remedy = serializers.CharField()
    on_purpose = serializers.BooleanField(help_text="held back for a measurement")
    total = serializers.IntegerField()
    channels = serializers.DictField(child=serializers.IntegerField())
    states = serializers.DictField(child=serializers.IntegerField())


class UnsentShape(serializers.Serializer):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    lines = UnsentLine(many=True)
    waiting = serializers.DictField(
        child=serializers.IntegerField(), help_text="waiting now because of the rules, by reason"
    )


class UnsentMessage(serializers.Serializer):
    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    campaign_id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField(help_text="of the campaign or journey")
    step = serializers.CharField(help_text="of the journey; empty for campaigns")
    channel = serializers.CharField()
    address = serializers.CharField()
    state = serializers.CharField()
    reason = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    error = serializers.CharField(allow_null=True)
    queued_at = serializers.DateTimeField()


def _body() -> dict[str, Any]:
    row = SendingRules.objects.filter(pk=1).first()
    if row is None:
        return {"caps": [], "quiet": {}, "updated_at": None}
    return {"caps": row.caps, "quiet": row.quiet, "updated_at": row.updated_at}


class Rules(View):
    scope_noun = "campaigns"

    @extend_schema(operation_id="sending_rules_get", responses=RulesShape)
    def get(self, request: Request) -> Response:
        """How often and at which hours anybody is written to; empty until somebody sets it."""
        return Response(_body())

    @extend_schema(operation_id="sending_rules_put", request=RulesWrite, responses=RulesShape)
    def put(self, request: Request) -> Response:
        """Replace the rules. They hold for whatever is sent from now on."""
        data: Any = request.data
        good = (
            isinstance(data, dict)
            and set(data) == {"caps", "quiet"}
            and isinstance(data["caps"], list)
            and all(isinstance(cap, dict) for cap in data["caps"])
            and isinstance(data["quiet"], dict)
            and all(isinstance(hours, list) for hours in data["quiet"].values())
        )
        if not good:
            raise Invalid(
                _("Send one object with caps, a list, and quiet, an object of lists."),
                code="bad_rules",
            )
        actor: Any = request.auth if isinstance(request.auth, ApiKey) else request.user
        rules.save(caps=data["caps"], quiet=data["quiet"], actor=actor, now=timezone.now())
        return Response(_body())


def _days(request: Request) -> int:
    text = request.query_params.get("days")
    days = DAYS if text is None else whole_number(text)
    if days is None or not 1 <= days <= DAYS_MOST:
        raise Invalid(_("Days are 1 to %(n)d.") % {"n": DAYS_MOST}, code="bad_days", field="days")
    return days


class Unsent(View):
    scope_noun = "campaigns"

    @extend_schema(
        operation_id="unsent_totals",
        parameters=[OpenApiParameter("days", int)],
        responses=UnsentShape,
    )
    def get(self, request: Request) -> Response:
        """What was to be sent in the last days and did not go out, by reason; most first."""
        until = timezone.now()
        since = until - timedelta(days=_days(request))
        lines = [
            {
                "reason": line.reason,
                "label": line.label,
                "remedy": line.remedy,
                "on_purpose": line.meant,
                "total": line.total,
                "channels": line.channels,
                "states": line.states,
            }
            for line in unsent.totals(since=since, until=until)
        ]
        return Response(
            {"since": since, "until": until, "lines": lines, "waiting": unsent.waiting()}
        )


class UnsentMessages(View):
    scope_noun = "campaigns"

    @extend_schema(
        operation_id="unsent_messages",
        parameters=[
            OpenApiParameter("days", int),
            OpenApiParameter("reason", str),
            OpenApiParameter("channel", str),
            OpenApiParameter("customer_id", int),
        ],
        responses=UnsentMessage(many=True),
    )
    def get(self, request: Request) -> Response:
        """The messages themselves: of one reason, channel or person if named."""
        asked = request.query_params
        customer = whole_number(asked.get("customer_id")) if "customer_id" in asked else None
        if "customer_id" in asked and customer is None:
            raise Invalid(_("This is not an id."), code="bad_id", field="customer_id")
        until = timezone.now()
        found = unsent.messages(
            since=until - timedelta(days=_days(request)),
            until=until,
            reason=asked.get("reason", "").replace("\0", "")[:40],
            channel=asked.get("channel", "").replace("\0", "")[:10],
            customer_id=customer,
        )
        return self.paginate(found.order_by(), _message)


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.pk,
        "customer_id": message.customer_id,
        "campaign_id": message.run.campaign_id,
        "name": message.run.title,
        "step": message.step,
        "channel": message.channel,
        "address": message.address,
        "state": message.state,
        "reason": message.reason,
        "label": unsent.label_of(message.reason),
        "error": message.error or None,
        "queued_at": message.queued_at,
    }
