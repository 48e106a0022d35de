"""The numbers of each person, a column each, as of one moment."""

from django.db import models

from ingestion.models import Customer


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
    stage = models.CharField(max_length=13, db_default="never_ordered")

    class Meta:
        verbose_name_plural = "traits"

    def __str__(self) -> str:
        return f"{self.customer_id} as of {self.as_of:%Y-%m-%d}"
