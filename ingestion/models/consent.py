"""What people agreed to and in which words, and addresses nothing may be sent to."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from ingestion.models.people import Customer
from marketing.core.models import User


class Purpose(models.Model):
    """A purpose that the shop added to the built-in ones."""

    slug = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    archived = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ConsentText(models.Model):
    """The words that people agree to. A version is never changed; new words are a new version."""

    purpose = models.CharField(max_length=20)
    language = models.CharField(max_length=10, default="en")
    version = models.IntegerField()
    text = models.TextField()
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["purpose", "language", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["purpose", "language", "version"], name="consent_text_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.language} v{self.version}"


class Consent(models.Model):
    """One answer to one question. Rows are only added; `current` marks the one that counts.

    `weight` is how firmly the answer is known: 2 said at a known moment, 1 said at some time
    unknown, 0 implied by what the person did. A heavier answer beats a lighter one of any date.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=10, default="email")
    purpose = models.CharField(max_length=20, default="marketing")
    granted = models.BooleanField()
    at = models.DateTimeField(default=now)
    received_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    method = models.CharField(max_length=20, blank=True, default="", db_default="")
    weight = models.SmallIntegerField(default=2, db_default=2)
    text = models.ForeignKey(
        ConsentText, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
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
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="consent_ends",
                condition=Q(expires_at__isnull=False, current=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose}: {self.granted}"


class Suppression(models.Model):
    """An address nothing may be sent to, whoever holds it and whatever they agreed to.

    `address` is the address itself; or a domain, "*.example.com" with all that is under it; or the
    SHA-256 of an address in hex, as lists are passed on; or "person:12" for one person, whatever
    their addresses. Channel "all" stands for every channel.
    """

    class Kind(models.TextChoices):
        ADDRESS = "address", _("Address")
        DOMAIN = "domain", _("Domain")
        HASH = "sha256", _("Hash of an address")
        PERSON = "person", _("Person")

    channel = models.CharField(max_length=10, default="email")
    address = models.CharField(max_length=254)
    kind = models.CharField(
        max_length=8, choices=Kind.choices, default=Kind.ADDRESS, db_default=Kind.ADDRESS
    )
    customer = models.ForeignKey(
        Customer, null=True, blank=True, on_delete=models.CASCADE, related_name="suppressions"
    )
    reason = models.CharField(max_length=20)
    # Where it came from, in words, and how we know.
    source = models.CharField(max_length=100, blank=True, default="", db_default="")
    note = models.CharField(max_length=300, blank=True, default="", db_default="")
    added_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "address"], name="suppression_once")
        ]
        indexes = [
            # Few rows or none: whether there are any is asked before anybody is compared.
            models.Index(fields=["channel"], name="suppression_wider", condition=~Q(kind="address"))
        ]

    def __str__(self) -> str:
        return f"{self.address} ({self.reason})"


class SuppressedDigest(models.Model):
    """The same for somebody who was erased: a keyed hash of the address, and nothing else."""

    channel = models.CharField(max_length=10, default="email")
    digest = models.BinaryField(max_length=32)
    reason = models.CharField(max_length=20)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "digest"], name="suppressed_digest_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel} {bytes(self.digest).hex()[:12]} ({self.reason})"
