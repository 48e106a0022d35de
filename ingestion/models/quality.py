"""How good the facts are: what was measured each day, what is wrong, and who was told."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from marketing.core.models import User


class Measure(models.Model):
    """One figure of one day: of `total` rows, `bad` fail; `value` is the figure itself.

    `subject` is a table or `events:<type>`; an empty `source` means all of them together.
    """

    day = models.DateField()
    dimension = models.CharField(max_length=14)
    subject = models.CharField(max_length=120)
    field = models.CharField(max_length=220, blank=True, default="")
    source = models.CharField(max_length=100, blank=True, default="")
    total = models.BigIntegerField(default=0)
    bad = models.BigIntegerField(default=0)
    value = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "dimension", "subject", "field", "source"], name="measure_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["dimension", "subject", "field", "source", "day"], name="measure_trend"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.dimension} {self.subject}.{self.field}"


class DayScore(models.Model):
    """How good the data was on a day, from 0 to 100; an empty dimension is the whole."""

    day = models.DateField()
    dimension = models.CharField(max_length=14, blank=True, default="")
    score = models.FloatField()
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "dimension"], name="score_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.dimension or 'all'}: {self.score:.1f}"


class Severity(models.TextChoices):
    """How much a problem matters."""

    WARNING = "warning", _("Warning")
    CRITICAL = "critical", _("Critical")


class Expectation(models.Model):
    """Something that somebody wants to be true of the data, checked again and again."""

    class Hold(models.TextChoices):
        NOTHING = "", _("Only tell me")
        USERS = "users", _("Pause every campaign that uses the field")
        NAMED = "named", _("Pause the campaigns chosen here")

    name = models.CharField(max_length=200)
    subject = models.CharField(max_length=120)
    field = models.CharField(max_length=220, blank=True, default="")
    source = models.CharField(max_length=100, blank=True, default="")
    kind = models.CharField(max_length=20)
    params = models.JSONField(default=dict)
    threshold = models.FloatField(default=1.0)
    severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.WARNING)
    hold = models.CharField(max_length=10, choices=Hold.choices, blank=True, default="")
    held = models.JSONField(default=list)
    enabled = models.BooleanField(default=True)
    value = models.FloatField(null=True)
    met = models.BooleanField(null=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["subject", "field", "id"]

    def __str__(self) -> str:
        return self.name


class Problem(models.Model):
    """Something wrong with the data, from when it began until it ended."""

    key = models.CharField(max_length=500)
    dimension = models.CharField(max_length=14)
    subject = models.CharField(max_length=120)
    field = models.CharField(max_length=220, blank=True, default="")
    source = models.CharField(max_length=100, blank=True, default="")
    code = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=Severity.choices, default=Severity.WARNING)
    expectation = models.ForeignKey(
        Expectation, null=True, blank=True, on_delete=models.CASCADE, related_name="problems"
    )
    since = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    muted_until = models.DateTimeField(null=True, blank=True)
    rows = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    detail = models.JSONField(default=dict)
    examples = models.JSONField(default=list)

    class Meta:
        ordering = ["-severity", "-rows", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(ended_at=None), name="problem_open_once"
            )
        ]
        indexes = [models.Index(fields=["-since"], name="problem_since")]

    def __str__(self) -> str:
        return self.key


class AlertRule(models.Model):
    """Who is told of problems outside the platform; one row. The secret is kept encrypted."""

    emails = models.JSONField(default=list)
    webhook_url = models.CharField(max_length=500, blank=True, default="")
    webhook_secret = models.TextField(blank=True, default="")
    least = models.CharField(max_length=10, choices=Severity.choices, default=Severity.WARNING)
    updated_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{len(self.emails)} addresses, {self.webhook_url or 'no webhook'}"


class Alert(models.Model):
    """One message about one problem to one address: that it began, or that it ended."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Not delivered")

    problem = models.ForeignKey(Problem, on_delete=models.CASCADE, related_name="alerts")
    moment = models.CharField(max_length=6)
    channel = models.CharField(max_length=8)
    address = models.CharField(max_length=500)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["problem", "moment", "channel", "address"], name="alert_once"
            )
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="alert_waiting", condition=Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"{self.moment} {self.channel} {self.address}"
