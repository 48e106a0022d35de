"""Ways of sorting people into groups that are alike, and who is in which group."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion.models import Customer
from marketing.core.models import User


class Clustering(models.Model):
    """Groups of people who are alike by some facts, found anew when people have changed.

    Versions found for it are the `ModelVersion` rows named `clusters:<key>`. `facts` are names of
    the feature registry, which stay as they are. `newest` is the highest number a group ever had:
    numbers are never used again, so that a rule naming one keeps its meaning. `names` are those
    that somebody gave, by number. `sizes` says who is in each group now: {"version", "as_of",
    "people", "groups": {number: people}}. `trouble` says why the last finding ended without a
    version: {"code", "message", "remedy", "at"}.
    """

    class Method(models.TextChoices):
        KMEANS = "kmeans", _("K-means")
        MIXTURE = "mixture", _("Gaussian mixture")

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        ARCHIVED = "archived", _("Archived")

    key = models.SlugField(max_length=50, unique=True)
    title = models.CharField(max_length=120)
    method = models.CharField(max_length=8, choices=Method.choices, default=Method.KMEANS)
    facts = models.JSONField(default=list)
    population = models.JSONField(default=dict, blank=True)
    wanted = models.SmallIntegerField(null=True, blank=True)
    newest = models.SmallIntegerField(default=0)
    names = models.JSONField(default=dict, blank=True)
    sizes = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
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
                condition=Q(wanted__isnull=True) | Q(wanted__gte=2, wanted__lte=10),
                name="clustering_wanted",
            )
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def name(self) -> str:
        """The name of its versions, and of what tells that people changed groups."""
        return f"clusters:{self.key}"


class ClusterMember(models.Model):
    """Which group a person is in; `chance` that it is that one, 1 where the method knows none.

    All rows are derived and written by COPY, so the database checks no foreign keys.
    """

    pk = models.CompositePrimaryKey("clustering", "customer")
    clustering = models.ForeignKey(
        Clustering,
        on_delete=models.CASCADE,
        related_name="members",
        db_index=False,
        db_constraint=False,
    )
    customer = models.ForeignKey(
        Customer,
        on_delete=models.CASCADE,
        related_name="clusters",
        db_index=False,
        db_constraint=False,
    )
    number = models.SmallIntegerField()
    chance = models.FloatField(default=1.0)

    class Meta:
        indexes = [models.Index("customer", name="cluster_member_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} in {self.number} of {self.clustering_id}"
