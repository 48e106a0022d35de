"""Models that somebody asked for, what they say of each person, and how they are watched."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion.models import Customer
from marketing.core.models import User
from models_ml.models.versions import ModelVersion


class Prediction(models.Model):
    """Something to be known about each person: its target, the time it looks ahead, and for whom.

    The versions trained for it are the `ModelVersion` rows whose name is its key. `target` and
    `population` are JSON as `predictions.definitions` reads them. `scored_version` is the number of
    the version whose scores serve: after a roll back to scores that were not kept, not yet the one
    in use. `trouble` says why the last
    training ended without a version: {"code", "message", "remedy", "at", "known"}; `known` is what
    few people tell without a model (`predictions.engines.small`).
    """

    class Kind(models.TextChoices):
        CHANCE = "chance", _("Chance")
        AMOUNT = "amount", _("Amount")
        DATE = "date", _("Date")
        HOUR = "hour", _("Hour")
        DEGREE = "degree", _("Degree")
        EFFECT = "effect", _("Effect")

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        ARCHIVED = "archived", _("Archived")

    key = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    target = models.JSONField(default=dict)
    horizon_days = models.IntegerField()
    population = models.JSONField(default=dict, blank=True)
    settings = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    is_ready = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    scored_at = models.DateTimeField(null=True, blank=True)
    scored_as_of = models.DateTimeField(null=True, blank=True)
    scored_people = models.IntegerField(default=0)
    scored_version = models.IntegerField(null=True, blank=True)
    trouble = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["title", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(horizon_days__gte=1, horizon_days__lte=3650),
                name="prediction_horizon",
            )
        ]

    def __str__(self) -> str:
        return self.title


class Score(models.Model):
    """What one prediction says of one person; everybody's are replaced at once.

    `value` is a chance in [0, 1], an amount of money, a date in days since 1970-01-01 UTC (a
    fraction is the time of day), or an effect, which is a difference of chances in [-1, 1], an
    hour of their own day, or a degree in [0, 1]; `low` and `high` bound it where the model can
    tell. `percentile` is 1 to 100 by value among those scored: the top 10 % have more than 90.

    The table is split by prediction (see the migration). As every row is derived and written a
    million at a time, the database checks no foreign keys.
    """

    pk = models.CompositePrimaryKey("prediction", "customer")
    prediction = models.ForeignKey(
        Prediction,
        on_delete=models.CASCADE,
        related_name="scores",
        db_index=False,
        db_constraint=False,
    )
    customer = models.ForeignKey(
        Customer,
        on_delete=models.CASCADE,
        related_name="scores",
        db_index=False,
        db_constraint=False,
    )
    value = models.FloatField()
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    percentile = models.SmallIntegerField()
    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    def __str__(self) -> str:
        return f"{self.prediction_id} of {self.customer_id}: {self.value:.4g}"


class Watch(models.Model):
    """One look at a version in use: whether people or its hits moved since it was trained.

    `as_of` is the moment the people were looked at; a calibration is told from what was said then
    and what had come true a horizon later. `readings` are the figures, `level` their verdict.
    """

    class Kind(models.TextChoices):
        DRIFT = "drift", _("Drift")
        CALIBRATION = "calibration", _("Calibration")
        SHADOW = "shadow", _("Shadow")

    class Level(models.TextChoices):
        FINE = "fine", _("Fine")
        WATCH = "watch", _("Watch")
        ALARM = "alarm", _("Alarm")

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="watches")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="watches")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    level = models.CharField(max_length=6, choices=Level.choices, default=Level.FINE)
    as_of = models.DateTimeField()
    people = models.IntegerField(default=0)
    readings = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["prediction", "version", "kind", "as_of"], name="watch_once"
            )
        ]
        verbose_name_plural = "watches"

    def __str__(self) -> str:
        return f"{self.kind} of {self.version_id}: {self.level}"
