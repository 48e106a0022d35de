from datetime import time

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.content import Template
from campaigns.models.segments import Segment
from marketing.core.models import User


class Campaign(models.Model):
    """A mail for a segment, once."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SCHEDULED = "scheduled", _("Scheduled")
        RUNNING = "running", _("Sending")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Sent")
        CANCELLED = "cancelled", _("Cancelled")

    class Timing(models.TextChoices):
        ONCE = "once", _("Everybody at the same moment")
        LOCAL = "local", _("At the same hour where each person is")
        BEST = "best", _("At each person's own best hour")

    class Passed(models.TextChoices):
        WAIT = "wait", _("Send at that hour tomorrow")
        NOW = "now", _("Send at once")

    name = models.CharField(max_length=120)
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns"
    )
    # Whoever is in this one gets nothing, whatever the other says.
    exclude = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="excluded_by"
    )
    template = models.ForeignKey(
        Template, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    holdout_percent = models.PositiveSmallIntegerField(default=10)
    # The event by which it is judged; empty for orders. Money is always reported beside it.
    goal = models.CharField(max_length=200, blank=True, default="", db_default="")
    # What its links carry for web statistics instead of the usual words; {"off": true} is nothing.
    utm = models.JSONField(
        default=dict, blank=True, db_default=models.Value({}, output_field=models.JSONField())
    )
    from_name = models.CharField(max_length=120, blank=True)
    from_email = models.EmailField(blank=True)
    reply_to = models.EmailField(blank=True)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    # Why it was not sent at its time, until somebody decides what becomes of it.
    held_because = models.CharField(max_length=300, blank=True, default="", db_default="")
    timing = models.CharField(
        max_length=5, choices=Timing.choices, default=Timing.ONCE, db_default=Timing.ONCE
    )
    # The hour of `local`, and of whoever has no best hour of their own.
    local_time = models.TimeField(default=time(9), db_default=time(9))
    if_passed = models.CharField(
        max_length=4, choices=Passed.choices, default=Passed.WAIT, db_default=Passed.WAIT
    )
    # So long after its moment it may still be sent; without a number, caps may put it off for days.
    useful_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    # What cannot wait passes caps and quiet hours. It counts like everything else.
    urgent = models.BooleanField(default=False, db_default=False)
    # Out of the list since then; what it sent and caused is kept.
    archived_at = models.DateTimeField(null=True, blank=True)
    is_demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class Run(models.Model):
    """One sending of a campaign, or the standing sending of a version of a journey.

    What it sends is kept as it was when it began. A journey's run has no campaign and no end.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("Sending")
        PAUSED = "paused", _("Paused")
        FINISHED = "finished", _("Finished")
        CANCELLED = "cancelled", _("Cancelled")

    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.CASCADE, related_name="runs"
    )
    # What lists call it where no campaign names it.
    name = models.CharField(max_length=120, blank=True, default="", db_default="")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    audience = models.BigIntegerField(default=0)
    snapshot = models.JSONField(default=dict)
    # Sums over people who were erased since, so that the report goes on counting them.
    erased = models.JSONField(
        default=dict, db_default=models.Value({}, output_field=models.JSONField())
    )
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.campaign_id or self.name} {self.started_at:%Y-%m-%d}"

    @property
    def title(self) -> str:
        """What people know it by: the campaign's name, or the journey's."""
        return self.name if self.campaign is None else self.campaign.name
