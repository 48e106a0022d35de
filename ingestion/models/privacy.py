"""People's requests about their data and what was done: confirmations, copies, receipts, rules."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ingestion.models.consent import ConsentText
from ingestion.models.people import Customer
from marketing.core.models import Job, User


class Confirmation(models.Model):
    """Somebody asked to hear from us; their answer counts once they confirm it by mail.

    The address is kept until the link was used or ran out.
    """

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(
        Customer, null=True, blank=True, on_delete=models.CASCADE, related_name="confirmations"
    )
    address = models.CharField(max_length=254)
    purposes = ArrayField(models.CharField(max_length=20), default=list)
    language = models.CharField(max_length=10, default="en")
    text = models.ForeignKey(
        ConsentText, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    source = models.CharField(max_length=100)
    proof = models.JSONField(default=dict)
    asked_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    tries = models.SmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                name="confirmation_unsent",
                condition=Q(sent_at=None, confirmed_at=None),
            ),
            models.Index(fields=["address", "asked_at"], name="confirmation_address"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {', '.join(self.purposes)}"


class PrivacyRequest(models.Model):
    """What a person asked us to do about their data, and by when the law wants it done."""

    class Kind(models.TextChoices):
        ACCESS = "access", _("Copy of their data")
        ERASURE = "erasure", _("Erase")
        RECTIFICATION = "rectification", _("Correct")
        OBJECTION = "objection", _("Stop profiling")

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("state", "Open")
        DONE = "done", _("Done")
        DECLINED = "declined", _("Declined")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=15, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    customer = models.ForeignKey(
        Customer, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    came_by = models.CharField(max_length=40)
    note = models.TextField(blank=True)
    outcome = models.TextField(blank=True)
    received_at = models.DateTimeField(default=now)
    due_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    handled_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["state", "due_at"]
        indexes = [
            models.Index(fields=["due_at"], name="privacy_open", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.state}"


class PersonalExport(models.Model):
    """A copy of one person's data, to be fetched once within a few days."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    request = models.ForeignKey(
        PrivacyRequest, null=True, blank=True, on_delete=models.SET_NULL, related_name="exports"
    )
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    path = models.CharField(max_length=500, blank=True)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    counts = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    ready_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    fetched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return str(self.public_id)


class Erasure(models.Model):
    """The receipt of an erasure, without a name in it: what went from where, when, by whom.

    The keyed hashes of the person's names let an erasure be done again on a restored backup.
    """

    class Mode(models.TextChoices):
        ERASE = "erase", _("Erased")
        ANONYMISE = "anonymise", _("Orders kept as a guest's")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    customer_number = models.BigIntegerField()
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.ERASE)
    digests = ArrayField(models.CharField(max_length=64), default=list)
    counts = models.JSONField(default=dict)
    left = models.JSONField(default=dict)
    request = models.ForeignKey(
        PrivacyRequest, null=True, blank=True, on_delete=models.SET_NULL, related_name="erasures"
    )
    actor = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor_label = models.CharField(max_length=200, blank=True)
    replayed = models.BooleanField(default=False)
    # The names, sealed, for as long as files and texts are still looked through for them.
    sealed = models.TextField(blank=True, default="")
    at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.customer_number} {self.at:%Y-%m-%d}"


class RetentionRule(models.Model):
    """How long one kind of row is kept. `kind` names a table's class, `name` an event type."""

    kind = models.CharField(max_length=30)
    name = models.CharField(max_length=100, blank=True)
    days = models.IntegerField()
    updated_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    updated_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["kind", "name"]
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="retention_rule_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.days}"


class RetentionRun(models.Model):
    """What one night's retention removed."""

    at = models.DateTimeField(default=now)
    removed = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d}: {self.removed}"


class TableSize(models.Model):
    """How large one table was on one day."""

    table = models.CharField(max_length=100)
    day = models.DateField()
    bytes = models.BigIntegerField()
    rows = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["table", "day"], name="table_size_once")]

    def __str__(self) -> str:
        return f"{self.table} {self.day}"
