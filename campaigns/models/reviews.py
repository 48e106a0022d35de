"""What is looked at before a campaign goes out: by a second person, and its links by a worker."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from marketing.core.models import User


class Approval(models.Model):
    """Somebody asked for a second look, and what the second person said.

    `digest` is of what was looked at: audience, mails and settings. It holds for nothing else.
    """

    class Said(models.TextChoices):
        ASKED = "asked", _("Asked for")
        YES = "yes", _("Approved")
        NO = "no", _("Declined")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="approvals")
    digest = models.CharField(max_length=64)
    said = models.CharField(max_length=5, choices=Said.choices, default=Said.ASKED)
    comment = models.CharField(max_length=500, blank=True)
    asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by=None) | Q(asked_by=None) | ~Q(decided_by=F("asked_by")),
                name="approval_by_another",
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.said}"


class LinkCheck(models.Model):
    """What answered when the links and pictures of a campaign's mails were last called.

    `found`: [{"url", "what": "link" or "picture", "state", "text"}]. `digest` is of the mails.
    """

    campaign = models.OneToOneField(
        Campaign, primary_key=True, on_delete=models.CASCADE, related_name="link_check"
    )
    digest = models.CharField(max_length=64)
    found = models.JSONField(default=list)
    checked_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.campaign_id}: {len(self.found)}"
