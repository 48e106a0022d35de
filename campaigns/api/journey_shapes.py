"""What answers about journeys look like, for the API's description."""

from rest_framework import serializers

from campaigns.models import Enrollment, Journey, JourneyTally, JourneyVersion
from marketing.core.jobs_api import JobSchema


class JourneyWrite(serializers.Serializer):
    name = serializers.CharField(max_length=120)
    definition = serializers.DictField(
        required=False, allow_null=True, help_text="see the guide on journeys"
    )
    number = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="number of the draft that was changed: a newer one is not overwritten",
    )


class VersionShape(serializers.Serializer):
    id = serializers.IntegerField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=JourneyVersion.State.choices)
    published_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class FaultShape(serializers.Serializer):
    node = serializers.CharField(help_text="empty for the journey itself")
    field = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()
    serious = serializers.BooleanField(help_text="false for what may go live all the same")


class JourneyShape(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=Journey.State.choices)
    number = serializers.IntegerField(help_text="of the draft; counts up with each change")
    definition = serializers.DictField(help_text="the draft")
    versions = VersionShape(many=True, help_text="newest first")
    paused_reason = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.CharField()


class JourneyDetailShape(JourneyShape):
    faults = FaultShape(many=True, help_text="of the draft")


class CloseWrite(serializers.Serializer):
    finish = serializers.BooleanField(
        required=False, help_text="true: whoever is inside goes on to the end"
    )


class MoveWrite(serializers.Serializer):
    version_id = serializers.IntegerField(help_text="whose people are moved")
    to_version_id = serializers.IntegerField()
    mapping = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="for steps that the other version has not: the step to go to",
    )


class MovedShape(serializers.Serializer):
    moved = serializers.IntegerField()


class TriggerWrite(serializers.Serializer):
    customer_id = serializers.IntegerField(required=False)
    external_id = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    key = serializers.CharField(
        required=False,
        max_length=100,
        help_text="what brings them in, once; else the Idempotency-Key, else every call counts",
    )
    properties = serializers.DictField(required=False)


class TriggerShape(serializers.Serializer):
    entered = serializers.BooleanField()
    before = serializers.BooleanField(help_text="came in by the same key earlier")
    reason = serializers.ChoiceField(
        choices=[*JourneyTally.Reason.choices, ("held", "held out")],
        allow_null=True,
        help_text="why they did not come in",
    )


class FiguresShape(serializers.Serializer):
    node = serializers.CharField()
    waiting = serializers.IntegerField()
    passed = serializers.IntegerField()
    failed = serializers.IntegerField()
    ways = serializers.DictField(child=serializers.IntegerField())
    ended = serializers.DictField(child=serializers.IntegerField())
    queued = serializers.IntegerField()
    sent = serializers.IntegerField()
    skipped = serializers.IntegerField()
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()


class JourneyFiguresShape(serializers.Serializer):
    version = serializers.IntegerField(help_text="its number; null for all", allow_null=True)
    entered = serializers.IntegerField()
    held = serializers.IntegerField(help_text="held out to measure the journey")
    inside = serializers.IntegerField()
    goals = serializers.IntegerField()
    outcomes = serializers.DictField(child=serializers.IntegerField())
    turned_away = serializers.DictField(child=serializers.IntegerField())
    nodes = FiguresShape(many=True)


class StayShape(serializers.Serializer):
    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    version = serializers.IntegerField(help_text="its number")
    node = serializers.CharField()
    arrived_at = serializers.DateTimeField()
    wake_at = serializers.DateTimeField(allow_null=True)
    entered_at = serializers.DateTimeField()
    goal_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(choices=Enrollment.Outcome.choices, allow_null=True)


class ReplayWrite(serializers.Serializer):
    days = serializers.IntegerField(min_value=1, max_value=60)


class ReplayShape(serializers.Serializer):
    job = JobSchema()
