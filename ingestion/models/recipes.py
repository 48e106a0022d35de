"""Recipes and their versions, what currencies were worth, and files run again."""

import uuid

from django.db import models
from django.utils.timezone import now

from ingestion.models.sources import ImportJob, Source
from marketing.core.models import Job, User


class Recipe(models.Model):
    """The rules for one kind of rows of one source. `current` is the number of its version."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="recipes")
    kind = models.CharField(max_length=10, choices=ImportJob.Kind.choices)
    current = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "kind"], name="recipe_once")]

    def __str__(self) -> str:
        return f"{self.source} · {self.get_kind_display()}"


class RecipeVersion(models.Model):
    """One saved state of a recipe; never changed. `statistics` are the latest file's figures."""

    recipe = models.ForeignKey(Recipe, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField()
    body = models.JSONField(default=dict)
    statistics = models.JSONField(default=dict)
    made_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    made_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["recipe", "number"], name="recipe_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.recipe} v{self.number}"


class ExchangeRate(models.Model):
    """What one unit of a currency was worth in another from a day on, for one source."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="rates")
    currency = models.CharField(max_length=3)
    into = models.CharField(max_length=3)
    day = models.DateField()
    rate = models.DecimalField(max_digits=20, decimal_places=10)

    class Meta:
        ordering = ["currency", "into", "-day"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "currency", "into", "day"], name="exchange_rate_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.currency}/{self.into} {self.rate}"


class RecipeRun(models.Model):
    """A stored file cleaned again with another version; `offset` is how far it has come."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    import_job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="recipe_runs")
    before = models.ForeignKey(
        RecipeVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    after = models.ForeignKey(
        RecipeVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    offset = models.BigIntegerField(default=0)
    report = models.JSONField(default=dict)
    frozen = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["import_job"],
                condition=models.Q(finished_at__isnull=True),
                name="recipe_run_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.import_job} again"
