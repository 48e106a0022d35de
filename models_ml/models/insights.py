"""How people are measured, and where each stood with the shop at successive moments."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion.models import Customer
from marketing.core.models import User


class Yardstick(models.Model):
    """A version of how people are measured; the newest of its kind is in use.

    `body` is what somebody chose, as `bands` and `lifecycle` read it. `applied` says what it came
    to when numbers were last made with it: {"as_of", ...}; it is empty until then.
    """

    class Kind(models.TextChoices):
        BANDS = "bands", _("RFM bands")
        STAGES = "stages", _("Bounds of stages")

    kind = models.CharField(max_length=6, choices=Kind.choices)
    version = models.IntegerField()
    body = models.JSONField(default=dict)
    applied = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "-version"]
        constraints = [models.UniqueConstraint(fields=["kind", "version"], name="yardstick_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} v{self.version}"


class StagePath(models.Model):
    """A letter for each moment of `StageFlow.cuts`: the stage somebody was in then.

    Derived and replaced whole, a million at a time, so the database checks no foreign keys.
    """

    customer = models.OneToOneField(
        Customer,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="stage_path",
        db_constraint=False,
    )
    path = models.CharField(max_length=40)

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.path}"


class StageFlow(models.Model):
    """The moments that paths speak of, and how many people went from which stage to which.

    One row. `flows` holds for each pair of moments "0-3" the people by letters: {"na": 12, ...}.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    as_of = models.DateTimeField()
    cuts = models.JSONField(default=list)
    bounds = models.JSONField(default=dict)
    flows = models.JSONField(default=dict)
    people = models.IntegerField(default=0)
    seconds = models.FloatField(default=0)
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{len(self.cuts)} moments as of {self.as_of:%Y-%m-%d}"
