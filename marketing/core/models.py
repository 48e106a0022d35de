"""Tables of the floor."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketing.core.wording import log_line


class User(AbstractUser):
    """Somebody who signs in. Rights come from the groups admin, marketer, analyst, integrator."""

    class Theme(models.TextChoices):
        AUTO = "auto", _("Like my device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    language = models.CharField(max_length=10, default="en")
    timezone = models.CharField(max_length=64, default="UTC")
    theme = models.CharField(max_length=5, choices=Theme.choices, default=Theme.AUTO)

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username


class ApiKey(models.Model):
    """A key of an integrator: only its digest is kept, so it can be shown once and never again."""

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    # A key ends with its maker's account: without a maker it would be bound to nobody's rights.
    created_by = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Brand(models.Model):
    """What the business is called and looks like: one row, once somebody has saved it."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    name = models.CharField(max_length=100)
    site_url = models.CharField(max_length=500, blank=True)
    postal_address = models.CharField(max_length=300, blank=True)
    sender_name = models.CharField(max_length=100, blank=True)
    sender_email = models.CharField(max_length=254, blank=True)
    # The picture itself: every host that serves it reads this table, and so does every backup.
    logo = models.BinaryField(null=True)
    logo_kind = models.CharField(max_length=4, blank=True)
    logo_digest = models.CharField(max_length=16, blank=True)
    logo_width = models.IntegerField(default=0)
    logo_height = models.IntegerField(default=0)
    color = models.CharField(max_length=7, blank=True)
    currency = models.CharField(max_length=3)
    timezone = models.CharField(max_length=64)
    language = models.CharField(max_length=10)
    cancel_prefix = models.CharField(max_length=8, blank=True)
    updated_at = models.DateTimeField()
    updated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="brand_one")]

    def __str__(self) -> str:
        return self.name


class SecondFactor(models.Model):
    """What a person needs beside the password; it counts once `confirmed_at` is set.

    `counter` is the newest step of 30 s whose code was taken, `recovery` digests of unused codes.
    `tries` since `tries_from` were wrong, in whatever sessions.
    """

    user = models.OneToOneField(
        User, primary_key=True, on_delete=models.CASCADE, related_name="second_factor"
    )
    secret = models.CharField(max_length=200)
    made_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    counter = models.BigIntegerField(default=0)
    recovery = ArrayField(models.CharField(max_length=64), default=list)
    tries = models.PositiveSmallIntegerField(default=0)
    tries_from = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.user)


class AuditEntry(models.Model):
    """Who did what, when. Rows are only ever added: a trigger refuses anything else.

    The exceptions are told to it: an erasure blackens texts and leaves `erased_at`, retention
    removes what is old.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_label = models.CharField(max_length=200)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60, blank=True)
    object_id = models.CharField(max_length=60, blank=True)
    object_label = models.CharField(max_length=300, blank=True)
    detail = models.JSONField(default=dict)
    erased_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["action", "actor", "at"], name="audit_deeds"),
            models.Index(
                fields=["erased_at"], name="audit_erased", condition=Q(erased_at__isnull=False)
            ),
        ]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor_label} {self.action} {self.object_label}"


class AuditSeal(models.Model):
    """One link of the chain over the trail. `marketing.core.sealing` says what is digested.

    `deed` covers what never changes in an entry, `told` what an erasure may blacken; `chain`
    covers both, the number and the link before. `key` names the key of the digests, `erased_at`
    is what the entry said when it was sealed: after an erasure it is sealed once more.
    """

    n = models.BigIntegerField(primary_key=True)
    entry = models.BigIntegerField(db_index=True)
    at = models.DateTimeField()
    deed = models.BinaryField(max_length=32)
    told = models.BinaryField(max_length=32)
    chain = models.BinaryField(max_length=32)
    key = models.CharField(max_length=8)
    erased_at = models.DateTimeField(null=True)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering = ["n"]

    def __str__(self) -> str:
        return f"{self.n}: {self.entry}"


class AuditCheck(models.Model):
    """What the latest look over the whole trail found: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    at = models.DateTimeField()
    since = models.DateTimeField(null=True)
    links = models.BigIntegerField(default=0)
    waiting = models.BigIntegerField(default=0)
    erased = models.BigIntegerField(default=0)
    let_go = models.BigIntegerField(default=0)
    head = models.CharField(max_length=90, blank=True)
    fault = models.CharField(max_length=20, blank=True)
    fault_entry = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="audit_check_one")]

    def __str__(self) -> str:
        return self.fault or "whole"


class RefusedSignIn(models.Model):
    """Tries of one account from one address that were refused, until the trail has told them all.

    No account: no such one exists. No address: further ones than are told apart. `told` of the
    `tries` stand in the trail. `marketing.core.refusals` says when a row begins and ends.
    """

    account = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=50, blank=True)
    why = models.CharField(max_length=10)
    since = models.DateTimeField()
    until = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)
    told = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "address", "why"],
                name="refused_sign_in_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.why} {self.tries}"


class Job(models.Model):
    """One piece of long work: a leased row with a heartbeat, so a killed worker is noticed."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        CANCELLING = "cancelling", _("Stopping")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        STOPPED = "stopped", _("Stopped")

    OPEN = (State.QUEUED, State.RUNNING, State.CANCELLING)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=300)
    queue = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    params = models.JSONField(default=dict)
    step = models.IntegerField(default=0)
    steps = models.IntegerField(default=1)
    step_label = models.CharField(max_length=200, blank=True)
    # The same in each language that pages have; beside the log, which lists leave out.
    step_labels = models.JSONField(
        default=dict, db_default=models.Value({}, output_field=models.JSONField())
    )
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=20, default="rows")
    log = models.JSONField(default=list)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    result_url = models.CharField(max_length=300, blank=True)
    attempt = models.IntegerField(default=0)
    max_attempts = models.IntegerField(default=3)
    cancel_requested = models.BooleanField(default=False)
    owner = models.CharField(max_length=120, blank=True)
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    step_started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state", "lease_until"],
                name="job_open",
                condition=Q(state__in=["queued", "running", "cancelling"]),
            ),
            models.Index(fields=["kind", "-id"], name="job_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @property
    def doing(self) -> str:
        """What its step is called, in the reader's language where it is kept in it."""
        return log_line({"text": self.step_label, "texts": self.step_labels})

    @property
    def percent(self) -> int | None:
        """Whole percent of the job: finished steps and the part of this one; None if unknown."""
        if self.state == self.State.DONE:
            return 100
        if self.total:
            part = min(self.done / self.total, 1.0)
        elif self.steps > 1:
            part = 0.0
        else:
            return None
        return int(100 * (max(self.step - 1, 0) + part) / max(self.steps, self.step, 1))

    @property
    def seconds_left(self) -> int | None:
        """Seconds left in this step at the rate so far; None in the first 5% and when unknown."""
        if self.state != self.State.RUNNING or not self.total or not self.step_started_at:
            return None
        part = self.done / self.total
        if part < 0.05:
            return None
        passed = (timezone.now() - self.step_started_at).total_seconds()
        return max(int(passed * (1 - part) / part), 0)


class Slot(models.Model):
    """One periodic run of one task: the unique key makes a second scheduler harmless."""

    job = models.CharField(max_length=100)
    slot = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="slot_once")]

    def __str__(self) -> str:
        return f"{self.job} {self.slot}"


class IdempotencyKey(models.Model):
    """The first answer given to a POST with an Idempotency-Key, replayed to its repeats."""

    owner = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    digest = models.CharField(max_length=64)
    status = models.IntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="idempotency_once")]

    def __str__(self) -> str:
        return self.key


class WorkerBeat(models.Model):
    """A sign of life that each worker writes through its own queue."""

    queue = models.CharField(max_length=20, primary_key=True)
    worker = models.CharField(max_length=120)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.queue} {self.at:%H:%M:%S}"
