"""People, the names they go by, and the running totals of their orders."""

from django.db import models
from django.utils.timezone import now


class Customer(models.Model):
    """One person."""

    external_id = models.CharField(max_length=100, unique=True, null=True, blank=True)
    email = models.CharField(max_length=254, unique=True, null=True, blank=True)
    phone = models.CharField(max_length=20, blank=True, default="")
    first_name = models.CharField(max_length=100, blank=True, default="")
    last_name = models.CharField(max_length=100, blank=True, default="")
    country = models.CharField(max_length=2, blank=True, default="")
    language = models.CharField(max_length=10, blank=True, default="")
    timezone = models.CharField(max_length=64, blank=True, default="")
    attributes = models.JSONField(default=dict)
    is_demo = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["country"], name="customer_country")]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return (
            f"{self.first_name} {self.last_name}".strip()
            or self.email
            or self.external_id
            or f"#{self.pk}"
        )


class CustomerRollup(models.Model):
    """Running totals of a person's orders, kept by whoever stores orders."""

    customer = models.OneToOneField(
        Customer, primary_key=True, on_delete=models.CASCADE, related_name="rollup"
    )
    orders = models.IntegerField(default=0)
    units = models.BigIntegerField(default=0)
    revenue = models.DecimalField(max_digits=16, decimal_places=2, default=0)
    returns = models.IntegerField(default=0)
    products = models.IntegerField(default=0)
    first_order_at = models.DateTimeField(null=True)
    last_order_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["last_order_at", "orders"], name="rollup_recent"),
            models.Index(fields=["-revenue"], name="rollup_revenue"),
        ]

    def __str__(self) -> str:
        return f"{self.orders} orders, {self.revenue}"


class Identity(models.Model):
    """One name under which a person is known."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="identities")
    kind = models.CharField(max_length=10)
    value = models.CharField(max_length=254)
    source = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"
