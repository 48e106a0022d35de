"""Tables of picks: a set is complete or invisible."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion.models import Customer, Product
from models_ml.models import ModelVersion


class Placement(models.Model):
    """A place where picks are shown, and the shop's rules for it."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    size = models.IntegerField(default=10)
    rules = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class RecommendationSet(models.Model):
    """Everybody's picks by one engine, made at one moment."""

    class State(models.TextChoices):
        BUILDING = "building", _("Being made")
        COMPLETE = "complete", _("Complete")
        RETIRED = "retired", _("Replaced")

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="sets")
    engine = models.CharField(max_length=20)
    model_version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.BUILDING)
    serving = models.BooleanField(default=False)
    metrics = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["placement"], condition=Q(serving=True), name="placement_one_serving"
            ),
            models.UniqueConstraint(
                fields=["placement", "engine"],
                condition=Q(state="complete"),
                name="placement_engine_one_complete",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.placement_id} {self.engine}"


class Recommendation(models.Model):
    """One product for one person.

    Derived and replaced as a whole, a million rows at a time: the database checks no foreign keys
    here, which was three quarters of the time to write. The statement that writes joins people and
    products, and deleting one of them through the ORM takes its rows along.
    """

    set = models.ForeignKey(
        RecommendationSet,
        on_delete=models.CASCADE,
        related_name="picks",
        db_index=False,
        db_constraint=False,
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    rank = models.SmallIntegerField()
    product = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    score = models.FloatField()
    reason = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "set", "rank"], name="pick_once")
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} #{self.rank}: {self.product_id}"
