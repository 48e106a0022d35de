"""What a campaign tries, for integrators: its variants, the channel of each, and what decides."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.campaigns import actor
from campaigns.locks import known
from campaigns.models import Campaign, Channel, Trial
from campaigns.recipients import routes
from campaigns.variants import trials
from marketing.core.api import View
from marketing.core.errors import Invalid

_PARTS = ("variants", "trial")


class CampaignVariantWrite(serializers.Serializer):
    name = serializers.CharField(required=False, max_length=80, allow_blank=True)
    template_id = serializers.IntegerField(
        required=False, allow_null=True, help_text="null: the campaign's own"
    )
    channel = serializers.ChoiceField(
        choices=Channel.Kind.choices,
        required=False,
        help_text="what its template is written for; refused where it is written for another",
    )
    weight = serializers.IntegerField(required=False, min_value=0, max_value=1000, default=1)
    hour = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=23,
        help_text="of people's own clocks; null: when the campaign goes out",
    )
    limit = serializers.DecimalField(
        14,
        2,
        required=False,
        allow_null=True,
        help_text="the most that its messages may cost; who is beyond it gets another variant",
    )


class CampaignTrialWrite(serializers.Serializer):
    mode = serializers.ChoiceField(choices=Trial.Mode.choices, required=False)
    metric = serializers.ChoiceField(choices=Trial.Metric.choices, required=False)
    hypothesis = serializers.CharField(required=False, max_length=300, allow_blank=True)
    first_percent = serializers.IntegerField(required=False, min_value=1, max_value=100)
    hours = serializers.IntegerField(
        required=False, min_value=1, max_value=240, help_text="between rounds"
    )
    rounds = serializers.IntegerField(required=False, min_value=1, max_value=48)
    win_percent = serializers.FloatField(required=False, min_value=60, max_value=99.9)
    floor_percent = serializers.FloatField(required=False, min_value=0, max_value=50)
    learner = serializers.ChoiceField(
        choices=Trial.Learner.choices,
        required=False,
        help_text="how doubt counts where mode is person",
    )
    budget = serializers.DecimalField(
        14, 2, required=False, allow_null=True, help_text="the most that its messages may cost"
    )


class CampaignVariantsWrite(serializers.Serializer):
    variants = CampaignVariantWrite(many=True, help_text="two to ten in their order, or none")
    trial = CampaignTrialWrite(required=False, help_text="what is not said is as in a new campaign")


class CampaignVariantShape(CampaignVariantWrite):
    key = serializers.CharField(help_text="a, b, c … in their order")
    share = serializers.FloatField(help_text="of people who can be reached by all channels")


class CampaignTrialShape(CampaignTrialWrite):
    """Every field, as it stands."""


class CampaignVariantsShape(serializers.Serializer):
    campaign_id = serializers.IntegerField()
    channels = serializers.ListField(
        child=serializers.ChoiceField(choices=Channel.Kind.choices),
        help_text="by which it goes; of several, nobody gets it by two",
    )
    variants = CampaignVariantShape(many=True)
    trial = CampaignTrialShape()


def _body(campaign: Campaign) -> dict[str, Any]:
    rows = list(campaign.variants.select_related("template", "campaign__template"))
    kinds = [trials.kind(campaign, row) for row in rows]
    weights = [(row.key, row.weight, kind) for row, kind in zip(rows, kinds, strict=True)]
    total = sum(row.weight for row in rows) or 1
    trial = Trial.objects.filter(campaign=campaign).first() or Trial(campaign=campaign)
    own = [campaign.template.kind] if campaign.template else []
    return {
        "campaign_id": campaign.pk,
        "channels": routes.channels(routes.of(weights)) or list(dict.fromkeys(kinds)) or own,
        "variants": [
            {
                "key": row.key,
                "name": row.name,
                "template_id": row.template_id,
                "channel": kind,
                "weight": row.weight,
                "share": row.weight / total,
                "hour": row.hour,
                "limit": row.limit,
            }
            for row, kind in zip(rows, kinds, strict=True)
        ],
        "trial": {name: getattr(trial, name) for name in trials.FIELDS},
    }


def _part(data: Any, name: str, kind: type, otherwise: Any) -> Any:
    value = data.get(name, otherwise)
    if not isinstance(value, kind):
        message = _("Send a list of objects.") if kind is list else _("Send one JSON object.")
        raise Invalid(message, code="not_a_list" if kind is list else "not_an_object", field=name)
    return value


class CampaignVariants(View):
    scope_noun = "campaigns"

    @extend_schema(operation_id="campaigns_variants", responses=CampaignVariantsShape)
    def get(self, request: Request, campaign_id: int) -> Response:
        """What is tried: variants with their shares, channels and hours, and what decides."""
        return Response(_body(known(campaign_id)))

    @extend_schema(
        operation_id="campaigns_set_variants",
        request=CampaignVariantsWrite,
        responses=CampaignVariantsShape,
    )
    def put(self, request: Request, campaign_id: int) -> Response:
        """Replace what is tried. Messages of different kinds go by their own channels."""
        data = request.data
        if not isinstance(data, dict) or "variants" not in data or set(data) - set(_PARTS):
            raise Invalid(
                _("Send one object with %(name)s.") % {"name": "variants"},
                code="not_an_object",
                field="variants",
                remedy=_("Fields: %(names)s.") % {"names": ", ".join(_PARTS)},
            )
        variants = _part(data, "variants", list, [])
        if len(variants) == 1:
            raise Invalid(
                _("One variant is nothing to compare."),
                code="too_few",
                field="variants",
                remedy=_("Send two or more, or none to send the campaign's own message alone."),
            )
        for n, one in enumerate(variants):
            if not isinstance(one, dict):
                raise Invalid(
                    _("Send a list of objects."), code="not_an_object", field=f"variants.{n}"
                )
        # What is not said is as it was before anybody said anything: a PUT says it all.
        new = Trial()
        plain = {name: getattr(new, name) for name in trials.FIELDS}
        trials.save(
            campaign_id=campaign_id,
            variants=variants,
            values=plain | _part(data, "trial", dict, {}),
            user=actor(request),
            now=timezone.now(),
        )
        return Response(_body(known(campaign_id)))
