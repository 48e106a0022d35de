"""What the API documents of ads; answers are built without these."""

from rest_framework import serializers

from campaigns.ads.reading import DEVICES, KINDS
from campaigns.models import AdCampaign
from ingestion.api.shapes import BatchOut, ItemResult

_DEVICES = [name for name in DEVICES if name]


class PlacementIn(serializers.Serializer):
    name = serializers.CharField(max_length=120, required=False)
    network = serializers.CharField(
        max_length=60, required=False, allow_blank=True, allow_null=True
    )


class PlacementOut(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    network = serializers.CharField()


class CreativeIn(serializers.Serializer):
    name = serializers.CharField(max_length=120, required=False)
    headline = serializers.CharField(max_length=200, required=False, allow_blank=True)
    image_url = serializers.CharField(max_length=500, required=False, allow_blank=True)
    url = serializers.CharField(max_length=500, required=False, allow_blank=True)
    weight = serializers.IntegerField(min_value=0, max_value=1000, required=False)
    active = serializers.BooleanField(required=False)


class CreativeOut(serializers.Serializer):
    key = serializers.CharField()
    ad = serializers.CharField(help_text="the campaign's key")
    name = serializers.CharField()
    headline = serializers.CharField()
    image_url = serializers.CharField()
    url = serializers.CharField()
    weight = serializers.IntegerField()
    active = serializers.BooleanField()


class AdIn(serializers.Serializer):
    name = serializers.CharField(max_length=120, required=False)
    goal = serializers.ChoiceField(choices=AdCampaign.Goal.choices, required=False)
    budget = serializers.DecimalField(max_digits=12, decimal_places=2, required=False)
    daily_cap = serializers.DecimalField(
        max_digits=12, decimal_places=2, required=False, allow_null=True
    )
    pricing = serializers.ChoiceField(choices=AdCampaign.Pricing.choices, required=False)
    price = serializers.DecimalField(
        max_digits=12,
        decimal_places=4,
        required=False,
        help_text="the most that a thousand impressions, or a click, may cost",
    )
    currency = serializers.CharField(max_length=3, required=False)
    starts_on = serializers.DateField(required=False)
    ends_on = serializers.DateField(required=False)
    timezone = serializers.CharField(max_length=64, required=False)
    mode = serializers.ChoiceField(choices=AdCampaign.Mode.choices, required=False)
    floor_percent = serializers.FloatField(min_value=0, max_value=50, required=False)
    placements = serializers.ListField(child=serializers.CharField(), required=False)


class AdOut(serializers.Serializer):
    key = serializers.CharField()
    name = serializers.CharField()
    state = serializers.CharField()
    goal = serializers.CharField()
    budget = serializers.CharField()
    daily_cap = serializers.CharField(allow_null=True)
    pricing = serializers.CharField()
    price = serializers.CharField()
    currency = serializers.CharField()
    starts_on = serializers.DateField()
    ends_on = serializers.DateField()
    timezone = serializers.CharField()
    mode = serializers.CharField()
    floor_percent = serializers.FloatField()
    placements = serializers.ListField(child=serializers.CharField())
    pace = serializers.DictField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.CharField()


class AdMoveIn(serializers.Serializer):
    to = serializers.ChoiceField(choices=["start", "pause", "end"])


class HitIn(serializers.Serializer):
    kind = serializers.ChoiceField(choices=list(KINDS))
    id = serializers.CharField(max_length=100, help_text="yours; each counts once per kind")
    at = serializers.DateTimeField(required=False)
    creative = serializers.CharField(max_length=60, required=False)
    placement = serializers.CharField(max_length=60, required=False)
    decision = serializers.UUIDField(
        required=False, help_text="of an impression: the decision that was answered here"
    )
    impression = serializers.CharField(
        max_length=100, required=False, help_text="of a click: the id of its impression"
    )
    click = serializers.CharField(
        max_length=100, required=False, help_text="of a conversion: the id of its click"
    )
    external_id = serializers.CharField(max_length=100, required=False)
    email = serializers.CharField(max_length=254, required=False)
    anonymous_id = serializers.CharField(max_length=100, required=False)
    consent = serializers.BooleanField(
        required=False, help_text="a visitor whom nobody knows agreed to ads that learn"
    )
    country = serializers.CharField(max_length=80, required=False)
    device = serializers.ChoiceField(choices=_DEVICES, required=False)
    cost = serializers.DecimalField(max_digits=12, decimal_places=6, required=False)
    value = serializers.DecimalField(max_digits=12, decimal_places=4, required=False)


class HitResult(ItemResult):
    status = serializers.ChoiceField(choices=["duplicate", "conflict", "invalid"])


class HitsOut(BatchOut):
    results = HitResult(many=True, help_text="of the items that were not stored now")


class ChoiceIn(serializers.Serializer):
    placement = serializers.CharField(max_length=60)
    external_id = serializers.CharField(max_length=100, required=False)
    email = serializers.CharField(max_length=254, required=False)
    anonymous_id = serializers.CharField(max_length=100, required=False)
    country = serializers.CharField(max_length=80, required=False)
    device = serializers.ChoiceField(choices=_DEVICES, required=False)


class ChoiceOut(serializers.Serializer):
    decision = serializers.UUIDField(allow_null=True)
    reason = serializers.ChoiceField(
        choices=["fixed", "shares", "person", "nothing", "paced", "spent"]
    )
    ad = serializers.CharField(allow_null=True)
    creative = CreativeOut(allow_null=True)
    chance = serializers.FloatField(
        allow_null=True, help_text="of this creative among those of its campaign"
    )
    price = serializers.CharField(allow_null=True, help_text="the most this impression may cost")
