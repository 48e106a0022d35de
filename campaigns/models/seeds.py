"""Seed mailboxes, to see where mails land, and the copies that were sent to them."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.answers import ReturnBox
from campaigns.models.campaigns import Campaign
from campaigns.models.content import Template
from ingestion.models import Customer
from marketing.core.models import User


class SeedMailbox(models.Model):
    """A mailbox of one's own at a provider that readers use.

    Without a `host` nobody looks into it. `secret` is the sealed password. Folders are named as a
    person reads them; an empty `spam` is found out when the mailbox is opened.
    """

    label = models.CharField(max_length=80)
    address = models.EmailField(unique=True)
    host = models.CharField(max_length=253, blank=True, default="")
    port = models.PositiveIntegerField(default=993)
    security = models.CharField(
        max_length=8, choices=ReturnBox.Security.choices, default=ReturnBox.Security.TLS
    )
    username = models.CharField(max_length=254, blank=True, default="")
    secret = models.TextField(editable=False, default="")
    inbox = models.CharField(max_length=200, default="INBOX")
    spam = models.CharField(max_length=200, blank=True, default="")
    enabled = models.BooleanField(default=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["label", "id"]

    def __str__(self) -> str:
        return f"{self.label} · {self.address}"


class SeedTest(models.Model):
    """A mail that was sent to all seed mailboxes, as it was then and as one person would get it."""

    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.SET_NULL, related_name="seed_tests"
    )
    template = models.ForeignKey(
        Template, null=True, blank=True, on_delete=models.SET_NULL, related_name="seed_tests"
    )
    title = models.CharField(max_length=120)
    variant = models.CharField(max_length=10, blank=True, default="")
    # A content as runs keep it (`messaging.contents`).
    content = models.JSONField(default=dict)
    customer = models.ForeignKey(
        Customer, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.title


class SeedCopy(models.Model):
    """One copy on its way to one seed mailbox, where it was found, and what the receiver said."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waits to be sent")
        SENDING = "sending", _("Being sent")
        REFUSED = "refused", _("Not sent")
        LOOKING = "looking", _("Not there yet")
        FOUND = "found", _("Arrived")
        MISSING = "missing", _("Not found")
        UNSEEN = "unseen", _("Sent; nobody looks into this mailbox")

    OPEN = (State.QUEUED, State.SENDING, State.LOOKING)

    class Place(models.TextChoices):
        INBOX = "inbox", _("Inbox")
        SPAM = "spam", _("Spam")
        OTHER = "other", _("Another folder")

    test = models.ForeignKey(SeedTest, on_delete=models.CASCADE, related_name="copies")
    mailbox = models.ForeignKey(
        SeedMailbox, null=True, blank=True, on_delete=models.SET_NULL, related_name="copies"
    )
    label = models.CharField(max_length=80)
    address = models.CharField(max_length=254)
    # Its own id, in its Message-ID and links; no message has it, so nothing that is done counts.
    key = models.CharField(max_length=32, unique=True)
    message_id = models.CharField(max_length=300, blank=True, default="")
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    place = models.CharField(max_length=5, choices=Place.choices, blank=True, default="")
    folder = models.CharField(max_length=200, blank=True, default="")
    sent_at = models.DateTimeField(null=True, blank=True)
    arrived_at = models.DateTimeField(null=True, blank=True)
    # Results of the receiver's own checks, such as "pass"; empty where it wrote none.
    spf = models.CharField(max_length=12, blank=True, default="")
    dkim = models.CharField(max_length=12, blank=True, default="")
    dmarc = models.CharField(max_length=12, blank=True, default="")
    authentication = models.CharField(max_length=2000, blank=True, default="")
    looks = models.PositiveSmallIntegerField(default=0)
    looked_at = models.DateTimeField(null=True, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ["label", "id"]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                name="seedcopy_open",
                condition=Q(state__in=["queued", "sending", "looking"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.state}"
