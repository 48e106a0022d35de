"""What people agreed to, and addresses nothing may be sent to."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from ingestion.models.people import Customer


class Consent(models.Model):
    """One answer to one question. Rows are only added; `current` marks the latest answer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=10, default="email")
    purpose = models.CharField(max_length=20, default="marketing")
    granted = models.BooleanField()
    at = models.DateTimeField(default=now)
    source = models.CharField(max_length=100)
    proof = models.JSONField(default=dict)
    current = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "channel", "purpose"],
                condition=Q(current=True),
                name="consent_current_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose}: {self.granted}"


class Suppression(models.Model):
    """An address nothing may be sent to, whoever holds it and whatever they agreed to."""

    channel = models.CharField(max_length=10, default="email")
    address = models.CharField(max_length=254)
    reason = models.CharField(max_length=20)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "address"], name="suppression_once")
        ]

    def __str__(self) -> str:
        return f"{self.address} ({self.reason})"
