import uuid

from django.db import models
from django.db.models import Q, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion.models import Customer
from marketing.core.models import User


class Channel(models.Model):
    """A way to reach people: a provider with its settings, and how fast it may be used.

    `settings` holds what may be shown; `secrets` holds sealed texts by field name and is never
    shown. `failing_since` is the first failure after the last success.
    """

    class Kind(models.TextChoices):
        EMAIL = "email", _("E-mail")
        SMS = "sms", _("SMS")
        PUSH = "push", _("Web push")
        WEBHOOK = "webhook", _("Webhook")
        INBOX = "inbox", _("In-app inbox")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    provider = models.CharField(max_length=40)
    settings = models.JSONField(default=dict)
    secrets = models.JSONField(default=dict, editable=False)
    from_name = models.CharField(max_length=100, blank=True, default="")
    from_address = models.CharField(max_length=254, blank=True, default="")
    rate_per_second = models.FloatField(null=True, blank=True)
    warmup_per_day = models.PositiveIntegerField(null=True, blank=True)
    warmup_since = models.DateField(null=True, blank=True)
    # Messages a second by recipients' domain; "*" is for each of the other domains.
    domain_rates = models.JSONField(
        default=dict, db_default=Value({}, output_field=models.JSONField()), blank=True
    )
    enabled = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=500, blank=True, default="")
    is_default = models.BooleanField(default=False)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "-is_default", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(is_default=True), name="channel_default_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Domain(models.Model):
    """A domain that mails come from: its keys for signing, and what its DNS says.

    `keys` holds, by algorithm, the selector, the public half and the sealed private half.
    `findings` holds, by record, what was found when it was last looked up.
    """

    name = models.CharField(max_length=253, unique=True)
    keys = models.JSONField(default=dict, editable=False)
    findings = models.JSONField(default=dict)
    signs_since = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PushSubscription(models.Model):
    """A browser that lets us notify it. Whose it is: a person's, or whoever has its visitor's id.

    A subscription that its push service ended stays for the record, with nothing to send to.
    """

    customer = models.ForeignKey(
        Customer, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    anonymous_id = models.CharField(max_length=254, blank=True, default="")
    endpoint = models.CharField(max_length=1000, unique=True)
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=40)
    language = models.CharField(max_length=10, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(
                fields=["anonymous_id"],
                name="push_visitor",
                condition=~Q(anonymous_id="") & Q(ended_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.endpoint[:60]


class InboxItem(models.Model):
    """A message in a person's inbox on one's own site or app. `key` is the message's own id."""

    key = models.CharField(max_length=64, unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=300)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=2000, blank=True, default="")
    icon = models.CharField(max_length=2000, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["customer", "-id"], name="inbox_newest")]

    def __str__(self) -> str:
        return self.title
