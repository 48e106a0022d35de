from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketing.core.models import User


class Segment(models.Model):
    """A rule, and so whoever meets it right now. `origin` remembers a tree leaf it came from."""

    class State(models.TextChoices):
        LIVE = "live", _("Live")
        ARCHIVED = "archived", _("Archived")

    name = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    rule = models.JSONField(default=dict)
    origin = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.LIVE)
    size = models.BigIntegerField(null=True, blank=True)
    counted_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class SegmentSize(models.Model):
    """How many people were in a segment at a moment."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="sizes")
    at = models.DateTimeField(default=timezone.now)
    size = models.BigIntegerField()

    class Meta:
        ordering = ["at"]
        indexes = [models.Index(fields=["segment", "at"], name="segment_size_at")]

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.size}"
