"""What comes back: openings and clicks on their way in, mail that was returned, and its boxes."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.messages import Message


class Hit(models.Model):
    """An opening or a click, taken down before it is looked at; a worker makes it a fact."""

    kind = models.CharField(max_length=5)
    key = models.CharField(max_length=32)
    at = models.DateTimeField()
    url = models.TextField(blank=True)
    agent = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class ReturnBox(models.Model):
    """A mailbox that bounces and complaints arrive in, read over IMAP."""

    class Security(models.TextChoices):
        TLS = "tls", _("TLS from the start")
        STARTTLS = "starttls", _("STARTTLS")
        NONE = "none", _("None, for a server on this machine")

    name = models.CharField(max_length=80)
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField(default=993)
    security = models.CharField(max_length=8, choices=Security.choices, default=Security.TLS)
    username = models.CharField(max_length=254)
    secret = models.TextField(editable=False, default="")
    folder = models.CharField(max_length=100, default="INBOX")
    enabled = models.BooleanField(default=True)
    # How far it was read: UIDs hold only as long as the box says the same validity.
    validity = models.BigIntegerField(default=0)
    last_uid = models.BigIntegerField(default=0)
    checked_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Returned(models.Model):
    """One piece of news about a message that was sent, whoever brought it; each once."""

    class Kind(models.TextChoices):
        DELIVERED = "delivered", _("Delivered")
        BOUNCE = "bounce", _("Bounced")
        DELAY = "delay", _("Delayed")
        COMPLAINT = "complaint", _("Complaint")
        AUTO_REPLY = "auto_reply", _("Automatic reply")
        STOP = "stop", _("Asked for no more")
        START = "start", _("Asked to hear again")
        OTHER = "other", _("Something else")

    class Cause(models.TextChoices):
        MAILBOX = "mailbox", _("The mailbox does not exist")
        FULL = "full", _("The mailbox is full")
        POLICY = "policy", _("Refused for how we send")
        CONTENT = "content", _("Refused for what the mail holds")
        TEMPORARY = "temporary", _("Could not be delivered in time")
        UNKNOWN = "unknown", _("No reason given")

    # Names the news itself, so that what is brought twice counts once.
    mark = models.CharField(max_length=64, unique=True)
    message = models.ForeignKey(
        Message, null=True, blank=True, on_delete=models.CASCADE, related_name="returned"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    cause = models.CharField(max_length=10, choices=Cause.choices, default=Cause.UNKNOWN)
    status = models.CharField(max_length=12, blank=True)
    text = models.CharField(max_length=400, blank=True)
    source = models.CharField(max_length=40)
    # The provider's name of a message that we did not know by it yet; empty once it is known.
    ref = models.CharField(max_length=200, blank=True, default="", db_default="")
    at = models.DateTimeField()
    # Until when a word that came by SMS is to be answered, once; empty when nothing is due.
    answer_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["at"], name="returned_at"),
            models.Index(
                fields=["answer_until"],
                name="returned_unanswered",
                condition=models.Q(answer_until__isnull=False),
            ),
            models.Index(fields=["ref"], name="returned_early", condition=~models.Q(ref="")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"
