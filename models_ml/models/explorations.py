"""Questions that somebody had a decision tree find groups for."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketing.core.models import User


class Exploration(models.Model):
    """A question of yes or no about people, the time it looks ahead, and how a tree is grown.

    Trees grown for it are the `ModelVersion` rows named `tree:<key>`. `target`, `population` and
    `settings` are JSON as `explorer.questions` reads them. `sizes` says how many people each group
    of the shown version has now: {"version", "as_of", "people", "leaves": {id: people}}. `trouble`
    says why the last training ended without a version: {"code", "message", "remedy", "at"}.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        ARCHIVED = "archived", _("Archived")

    key = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=120)
    target = models.JSONField(default=dict)
    horizon_days = models.IntegerField()
    population = models.JSONField(default=dict, blank=True)
    settings = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    sizes = models.JSONField(default=dict, blank=True)
    trouble = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["title", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(horizon_days__gte=1, horizon_days__lte=3650),
                name="exploration_horizon",
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def name(self) -> str:
        """The name of its versions."""
        return f"tree:{self.key}"
