"""Campaigns that somebody lets start although a model chose groups of people unequally."""

from django.db import models
from django.utils import timezone

from campaigns.models.campaigns import Campaign
from marketing.core.models import User


class Waiver(models.Model):
    """Who answers for it, and why. It holds for what was looked at then and for nothing else.

    `digest` is of the audience's rule, of the versions that scored and of what was watched.
    `groups` are those that were flagged: [attribute, group].
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="waivers")
    digest = models.CharField(max_length=64)
    groups = models.JSONField(default=list)
    reason = models.TextField()
    given_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    given_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.reason[:80]
