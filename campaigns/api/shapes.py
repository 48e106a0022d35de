"""What campaign answers look like, for the API's description."""

from rest_framework import serializers

from campaigns.models import Campaign, Channel, Message
from campaigns.sending import late


class CampaignWrite(serializers.Serializer):
    name = serializers.CharField(max_length=120)
    segment_id = serializers.IntegerField(required=False, allow_null=True)
    exclude_id = serializers.IntegerField(
        required=False, allow_null=True, help_text="a segment whose people get nothing"
    )
    template_id = serializers.IntegerField(required=False, allow_null=True)
    holdout_percent = serializers.IntegerField(required=False, min_value=0, max_value=50)
    goal = serializers.CharField(
        required=False,
        max_length=120,
        allow_blank=True,
        help_text="the event by which it is judged; empty for orders",
    )
    utm = serializers.DictField(
        required=False,
        help_text="what links carry instead of the usual words: source, medium, campaign, content,"
        ' term; {"off": true} for nothing',
    )
    from_name = serializers.CharField(required=False, max_length=120)
    from_email = serializers.EmailField(required=False)
    reply_to = serializers.EmailField(required=False)
    timing = serializers.ChoiceField(
        choices=Campaign.Timing.choices,
        required=False,
        help_text="once: everybody at the same moment; local: at local_time by each person's own"
        " clock; best: at each person's best hour, local_time while nothing is known",
    )
    local_time = serializers.RegexField(
        r"^([01]\d|2[0-3]):[0-5]\d$", required=False, help_text="such as 09:30"
    )
    if_passed = serializers.ChoiceField(
        choices=Campaign.Passed.choices,
        required=False,
        help_text="for people whose hour has passed today",
    )
    useful_hours = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=720,
        help_text="not sent later than this after its moment; null for no end",
    )
    urgent = serializers.BooleanField(
        required=False, help_text="passes limits and quiet hours, and counts all the same"
    )


class ResumeWrite(serializers.Serializer):
    late = serializers.ChoiceField(
        choices=late.CHOICES,
        required=False,
        help_text="for people whose message lost its use during the pause: extend gives everybody"
        " the time of the pause back, drop goes on without them",
    )


class RunShape(serializers.Serializer):
    id = serializers.IntegerField()
    state = serializers.CharField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    total = serializers.IntegerField()
    percent = serializers.IntegerField()
    counts = serializers.DictField(child=serializers.IntegerField())
    reasons = serializers.DictField()
    too_late = serializers.IntegerField(
        help_text="of a paused run: how many its pause made too late until now"
    )


class ApprovalShape(serializers.Serializer):
    needed = serializers.BooleanField(help_text="whether the shop asks for a second person")
    state = serializers.ChoiceField(
        choices=["none", "asked", "yes", "no", "changed"],
        help_text="changed: something else was looked at than what stands now",
    )
    asked_by = serializers.CharField(allow_null=True, help_text="the person's name")
    asked_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    comment = serializers.CharField()


class ApprovalWrite(serializers.Serializer):
    approved = serializers.BooleanField()
    comment = serializers.CharField(required=False, max_length=500)


class ScheduleWrite(serializers.Serializer):
    at = serializers.DateTimeField(
        allow_null=True, help_text="null takes it back to a draft; a time needs its zone"
    )


class ArchiveWrite(serializers.Serializer):
    archived = serializers.BooleanField()


class CampaignShape(CampaignWrite):
    from_email = serializers.CharField()  # type: ignore[assignment]  # empty is no address
    reply_to = serializers.CharField()  # type: ignore[assignment]
    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Campaign.State.choices)
    scheduled_at = serializers.DateTimeField(allow_null=True)
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.CharField()
    run = RunShape(required=False, allow_null=True)
    approval = ApprovalShape(required=False)


class CampaignAnswer(serializers.Serializer):
    campaign = CampaignShape()


class WaiverWrite(serializers.Serializer):
    reason = serializers.CharField(min_length=10, max_length=2000)


class WaiverShape(WaiverWrite):
    id = serializers.IntegerField()
    campaign_id = serializers.IntegerField()
    groups = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="attribute and group of each that is chosen too seldom",
    )
    digest = serializers.CharField(help_text="of the rule, the versions and what is watched")
    given_at = serializers.DateTimeField()


class MessageShape(serializers.Serializer):
    id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    channel = serializers.ChoiceField(choices=Channel.Kind.choices)
    variant = serializers.CharField(help_text="holdout for people who are held out")
    reach = serializers.ListField(
        child=serializers.CharField(),
        help_text="of a send by several channels: those by which the person could be reached",
    )
    chance = serializers.FloatField(
        allow_null=True,
        help_text="by which they were given this variant, among those that reach them; 1 is no"
        " choice; null in a send by one channel",
    )
    address = serializers.CharField()
    state = serializers.ChoiceField(choices=Message.State.choices)
    reason = serializers.CharField(allow_null=True)
    by_channel = serializers.DictField(
        child=serializers.CharField(),
        help_text="why not, by channel, where none of several channels reaches them",
    )
    attempt = serializers.IntegerField()
    subject = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    queued_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    opened_at = serializers.DateTimeField(allow_null=True)
    clicked_at = serializers.DateTimeField(allow_null=True)
