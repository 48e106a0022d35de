"""Who is in which segment, who came and went, and up to where each segment was brought."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.segments import Segment
from ingestion.models import Customer


class SegmentMember(models.Model):
    """A person in a segment, and since when.

    Written a million at a time from what the database knows, so no foreign key is checked.
    """

    pk = models.CompositePrimaryKey("segment", "customer")
    segment = models.ForeignKey(
        Segment,
        on_delete=models.CASCADE,
        related_name="members",
        db_index=False,
        db_constraint=False,
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="memberships", db_constraint=False
    )
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.customer_id}"


class SegmentMove(models.Model):
    """Somebody entered or left a segment. Numbers grow in the order in which moves were stored, so
    whoever acts on moves keeps the last number it has seen.

    `cause`: the segment was made or its rule changed, something about the person changed, time
    went by, or the person was erased. Of whoever was erased this last move alone is kept.
    """

    class Cause(models.TextChoices):
        RULE = "rule", _("Rule")
        CHANGE = "change", _("Change")
        TIME = "time", _("Time")
        ERASED = "erased", _("Erased")

    segment = models.ForeignKey(
        Segment,
        on_delete=models.CASCADE,
        related_name="moves",
        db_index=False,
        db_constraint=False,
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="segment_moves", db_constraint=False
    )
    entered = models.BooleanField()
    at = models.DateTimeField()
    cause = models.CharField(max_length=6, choices=Cause.choices)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["segment", "id"], name="segment_move"),
            # A new rule may move a million people at once, and no count of days asks for those.
            models.Index(
                fields=["segment", "at"],
                include=["entered"],
                condition=~models.Q(cause="rule"),
                name="segment_move_at",
            ),
            # Moves are stored as time goes by, so a few pages tell where the old ones end.
            BrinIndex(fields=["at"], pages_per_range=32, autosummarize=True, name="move_at"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {'entered' if self.entered else 'left'} {self.segment_id}"


class SegmentLevel(models.Model):
    """How far some segments were brought, all of them equally: they move on as one row.

    `position` stands for the last change that was looked at; `as_of` for the moment their days were
    counted back from; `looked_at` for the clock's time when time was last looked at, or for rules
    without any, when they were last made sure of.
    """

    position = models.TextField()
    as_of = models.DateTimeField()
    looked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.position} as of {self.as_of:%Y-%m-%d %H:%M}"


class SegmentUpkeep(models.Model):
    """How far the stored membership of a segment was brought, and by which rule.

    `signature` stands for the rule, with those of the segments it names. `fault` says why the rule
    cannot be followed.
    """

    segment = models.OneToOneField(
        Segment, primary_key=True, on_delete=models.CASCADE, related_name="upkeep"
    )
    level = models.ForeignKey(SegmentLevel, on_delete=models.PROTECT, related_name="upkeeps")
    signature = models.CharField(max_length=32)
    built_at = models.DateTimeField()
    people = models.BigIntegerField(default=0)
    fault = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "segment upkeep"

    def __str__(self) -> str:
        return f"{self.segment_id}, built at {self.built_at:%Y-%m-%d %H:%M}"
