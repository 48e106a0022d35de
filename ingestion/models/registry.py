"""Which events and properties there are, what was agreed about them, and how they changed."""

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from marketing.core.models import User


class Policy(models.TextChoices):
    """What becomes of an event that breaks the plan."""

    ALLOW = "allow", _("Take it")
    WARN = "warn", _("Take it and warn")
    QUARANTINE = "quarantine", _("Set it aside")
    REFUSE = "refuse", _("Refuse it")


class Observation(models.Model):
    """What one stored batch of events looked like, waiting to be added up."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=100)
    at = models.DateTimeField(default=now)
    seen = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.source} {self.at:%Y-%m-%d %H:%M}"


class EventType(models.Model):
    """One kind of event that was seen."""

    name = models.CharField(max_length=100, unique=True)
    count = models.BigIntegerField(default=0)
    broken = models.BigIntegerField(default=0)
    other_properties = models.BigIntegerField(default=0)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-count", "name"]

    def __str__(self) -> str:
        return self.name


class EventProperty(models.Model):
    """One property of a kind of event. `kinds` counts each kind of value that was seen."""

    type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="properties")
    name = models.CharField(max_length=220)
    count = models.BigIntegerField(default=0)
    kinds = models.JSONField(default=dict)
    examples = models.JSONField(default=list)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-count", "name"]
        constraints = [models.UniqueConstraint(fields=["type", "name"], name="property_once")]

    def __str__(self) -> str:
        return self.name


class EventPropertyDay(models.Model):
    """How often a property had a value on one of the last days."""

    property = models.ForeignKey(EventProperty, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    filled = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["property", "day"], name="property_day_once")
        ]
        indexes = [models.Index(fields=["day"], name="property_day")]

    def __str__(self) -> str:
        return f"{self.property_id} {self.day}: {self.filled}"


class EventVolume(models.Model):
    """How many events of a type a source sent in an hour; days that lie back are one row."""

    at = models.DateTimeField()
    daily = models.BooleanField(default=False)
    type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="volumes")
    source = models.CharField(max_length=100)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["at", "daily", "type", "source"], name="volume_once")
        ]
        indexes = [models.Index(fields=["type", "at"], name="volume_type")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}: {self.count}"


class EventPlan(models.Model):
    """What was agreed about one kind of event.

    `properties`: {name: {type, required, values, min, max, description}}.
    """

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    owner = models.CharField(max_length=100, blank=True, default="")
    policy = models.CharField(max_length=10, choices=Policy.choices, default=Policy.WARN)
    closed = models.BooleanField(default=False)
    properties = models.JSONField(default=dict)
    version = models.IntegerField(default=1)
    updated_at = models.DateTimeField(default=now)
    updated_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return self.name


class PlanRules(models.Model):
    """What holds for all kinds of events; one row. `version` tells processes to read again."""

    unknown = models.CharField(max_length=10, choices=Policy.choices, default=Policy.ALLOW)
    version = models.BigIntegerField(default=1)
    other_types = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.unknown} ({self.version})"


class PlanBreach(models.Model):
    """How often one rule of a plan was broken on one day."""

    day = models.DateField()
    type = models.CharField(max_length=100)
    property = models.CharField(max_length=220, blank=True, default="")
    code = models.CharField(max_length=40)
    action = models.CharField(max_length=10, choices=Policy.choices)
    count = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["type", "day", "property", "code", "action"], name="breach_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.type}.{self.property} {self.code}: {self.count}"


class Drift(models.Model):
    """Something about the shape of the events that changed."""

    class Kind(models.TextChoices):
        NEW_TYPE = "new_type", _("New event")
        NEW_PROPERTY = "new_property", _("New property")
        TYPE_CHANGED = "type_changed", _("Another kind of value")
        DISAPPEARED = "disappeared", _("No longer sent")
        VOLUME = "volume", _("Unusual volume")

    at = models.DateTimeField()
    kind = models.CharField(max_length=14, choices=Kind.choices)
    type = models.ForeignKey(EventType, on_delete=models.CASCADE, related_name="drifts")
    property = models.CharField(max_length=220, blank=True, default="")
    day = models.DateField()
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["type", "property", "kind", "day"], name="drift_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.property}"
