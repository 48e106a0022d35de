"""Versions of models: one row a trained folder, with the figures it was judged by."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from marketing.core.models import Job


class ModelVersion(models.Model):
    """One trained model: an immutable folder plus the figures it was judged by.

    A version in the shadow scores beside the live one and decides nothing. `forgotten` counts the
    people who were erased after they had been learned from.
    """

    class State(models.TextChoices):
        CANDIDATE = "candidate", _("Candidate")
        SHADOW = "shadow", _("In the shadow")
        LIVE = "live", _("Live")
        RETIRED = "retired", _("Retired")
        REFUSED = "refused", _("Not published")

    name = models.CharField(max_length=60)
    version = models.IntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.CANDIDATE)
    algorithm = models.CharField(max_length=60)
    folder = models.CharField(max_length=500, blank=True)
    params = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)
    baseline = models.JSONField(default=dict)
    details = models.JSONField(default=dict)
    data_from = models.DateTimeField(null=True, blank=True)
    data_until = models.DateTimeField(null=True, blank=True)
    rows = models.BigIntegerField(default=0)
    seed = models.IntegerField(default=0)
    seconds = models.FloatField(default=0)
    # Why it is not published, in the language of whoever trained it and in each that pages have.
    reason = models.TextField(blank=True)
    reasons = models.JSONField(
        default=dict, db_default=models.Value({}, output_field=models.JSONField())
    )
    forgotten = models.IntegerField(default=0, db_default=0)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    trained_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="model_version_once"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(state="live"), name="model_one_live"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def why(self) -> str:
        """Why it is not published, in the reader's language where it is kept in it."""
        return str(self.reasons.get(get_language() or "") or self.reason)

    def verdict(self) -> str:
        """How its training ended, in one sentence for the reader."""
        return self.why or gettext("%(version)s is live.") % {"version": self}
