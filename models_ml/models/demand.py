"""How much of each product will be sold, a row a product and stretch of time."""

from django.db import models

from ingestion.models import Product
from models_ml.models.versions import ModelVersion


class ProductDemand(models.Model):
    """Units of a product expected in `days` from `starts_at`, their bounds, and the baseline.

    A row of 28 days at the forecast's own moment is the sum of the next four weeks; its bounds are
    told for the sum. All rows are written whole by one version, so no keys are checked. `method`
    names what the product is forecast by.
    """

    SUM_DAYS = 28

    product = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    starts_at = models.DateTimeField()
    days = models.SmallIntegerField()
    mean = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    usual = models.FloatField()
    method = models.CharField(max_length=12)
    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "days", "starts_at"], name="demand_once")
        ]

    def __str__(self) -> str:
        return f"{self.mean:.1f} of {self.product_id} in {self.days} days"
