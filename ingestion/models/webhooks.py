"""Addresses that shops deliver to, what was delivered, and what it says about each thing."""

import secrets

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ingestion.models.sources import ImportJob, Source


def make_token() -> str:
    """The public part of an address; it is no secret, but cannot be guessed either."""
    return secrets.token_urlsafe(24)


class WebhookEndpoint(models.Model):
    """One address. Secrets are sealed; the earlier one counts until it expires."""

    class Scheme(models.TextChoices):
        STANDARD = "standard", _("JSON with a mapping")
        SHOPIFY = "shopify", "Shopify"
        WOOCOMMERCE = "woocommerce", "WooCommerce"

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="webhook")
    scheme = models.CharField(max_length=12, choices=Scheme.choices, default=Scheme.STANDARD)
    token = models.CharField(max_length=40, unique=True, default=make_token, editable=False)
    secret = models.TextField(editable=False)
    earlier_secret = models.TextField(blank=True, default="", editable=False)
    earlier_until = models.DateTimeField(null=True, blank=True)
    kind = models.CharField(max_length=10, choices=ImportJob.Kind.choices, default="events")
    mapping = models.JSONField(default=dict)
    per_minute = models.PositiveIntegerField(default=600)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.source} ({self.get_scheme_display()})"


class WebhookReceipt(models.Model):
    """One delivery as it came. It ends as done, duplicate or quarantined, and in one of them."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Stored")
        DUPLICATE = "duplicate", pgettext_lazy("delivery", "Duplicate")
        QUARANTINED = "quarantined", _("Quarantined")

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="receipts")
    delivery_id = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    topic = models.CharField(max_length=100, blank=True)
    body = models.BinaryField()
    bytes = models.IntegerField()
    received_at = models.DateTimeField(default=now)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    code = models.CharField(max_length=40, blank=True, default="")
    message = models.CharField(max_length=400, blank=True, default="")
    remedy = models.CharField(max_length=400, blank=True, default="")
    result = models.JSONField(default=dict)
    names = ArrayField(models.CharField(max_length=254), default=list)  # whom it speaks of
    repeats = models.IntegerField(default=0)
    attempts = models.SmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "delivery_id"], name="webhook_once")
        ]
        indexes = [
            models.Index(
                fields=["id"], name="webhook_waiting", condition=models.Q(state="waiting")
            ),
            models.Index(fields=["endpoint", "-id"], name="webhook_recent"),
            models.Index(fields=["received_at"], name="webhook_received"),
            GinIndex(fields=["names"], name="webhook_names"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.delivery_id}"


class WebhookThing(models.Model):
    """The newest that a shop has said about one of its orders, refunds, people or products.

    Deliveries come late and out of order; what is stored follows from these rows alone.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10)
    external_id = models.CharField(max_length=100)
    parent = models.CharField(max_length=100, blank=True, default="")
    changed_at = models.DateTimeField()
    rank = models.SmallIntegerField(default=0)
    digest = models.CharField(max_length=64)
    gone = models.BooleanField(default=False)
    body = models.JSONField(default=dict)
    names = ArrayField(models.CharField(max_length=254), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "kind", "external_id"], name="webhook_thing_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["source", "parent"],
                name="webhook_thing_parent",
                condition=~models.Q(parent=""),
            ),
            GinIndex(fields=["names"], name="webhook_thing_names"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"
