"""Tables of numbers: versions of models, and what they and the features say of each person."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion.models import Customer
from marketing.core.models import Job


class ModelVersion(models.Model):
    """One trained model: an immutable folder plus the figures it was judged by."""

    class State(models.TextChoices):
        CANDIDATE = "candidate", _("Candidate")
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
    reason = models.TextField(blank=True)
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


class Traits(models.Model):
    """One row a person, a column a number, as of one moment. Segments compare these columns.

    No index but the key: every build rewrites every row, and indexed numbers would double its cost.
    """

    customer = models.OneToOneField(
        Customer, primary_key=True, on_delete=models.CASCADE, related_name="traits"
    )
    as_of = models.DateTimeField()
    recency_days = models.FloatField(null=True)
    orders = models.IntegerField(default=0)
    units = models.BigIntegerField(default=0)
    revenue = models.FloatField(default=0)
    avg_order_value = models.FloatField(null=True)
    tenure_days = models.FloatField(null=True)
    interval_days_mean = models.FloatField(null=True)
    interval_days_std = models.FloatField(null=True)
    products = models.IntegerField(default=0)
    return_rate = models.FloatField(default=0)
    trend = models.FloatField(default=0)
    repeat_90d = models.FloatField(null=True)
    repeat_90d_leaf = models.IntegerField(null=True)
    r_score = models.SmallIntegerField(null=True)
    f_score = models.SmallIntegerField(null=True)
    m_score = models.SmallIntegerField(null=True)

    class Meta:
        verbose_name_plural = "traits"

    def __str__(self) -> str:
        return f"{self.customer_id} as of {self.as_of:%Y-%m-%d}"
