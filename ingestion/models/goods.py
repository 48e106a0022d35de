"""What is sold, and what was ordered."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from ingestion.models.people import Customer
from ingestion.models.sources import Source


class Product(models.Model):
    """Something that can be bought, or a fee that appears on orders."""

    sku = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=300, blank=True)
    category = models.CharField(max_length=100, blank=True)
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, default="GBP")
    url = models.CharField(max_length=500, blank=True)
    image_url = models.CharField(max_length=500, blank=True)
    stock = models.IntegerField(null=True, blank=True)
    active = models.BooleanField(default=True)
    is_goods = models.BooleanField(default=True)
    attributes = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name or self.sku


class Order(models.Model):
    """One order, or one credit note."""

    class Status(models.TextChoices):
        PLACED = "placed", _("Placed")
        CANCELLED = "cancelled", _("Cancelled")
        PART_RETURNED = "part_returned", _("Partly returned")
        RETURNED = "returned", _("Returned")

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+", db_index=False)
    external_id = models.CharField(max_length=100)
    customer = models.ForeignKey(
        Customer,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="orders",
        db_index=False,
    )
    identity_id = models.BigIntegerField(null=True, editable=False)  # the name that found them
    placed_at = models.DateTimeField()
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    status = models.CharField(max_length=14, choices=Status.choices, default=Status.PLACED)
    country = models.CharField(max_length=2, blank=True, default="")
    attributes = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "external_id"], name="order_once")]
        indexes = [
            models.Index(fields=["customer", "placed_at"], name="order_customer"),
            models.Index(fields=["placed_at"], name="order_placed"),
        ]

    def __str__(self) -> str:
        return self.external_id


class OrderLine(models.Model):
    """One line of an order. Customer and moment are copied here: every model reads lines.

    Its order is checked by the database. Customer and product are not: the check of each costs as
    much as writing the line, the customer is a copy of the order's, and products are never deleted.
    """

    class Kind(models.TextChoices):
        PRODUCT = "product", _("Product")
        FEE = "fee", _("Fee")
        RETURN = "return", _("Return")
        ADJUSTMENT = "adjustment", _("Adjustment")

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines", db_index=False)
    line_no = models.IntegerField()
    customer = models.ForeignKey(
        Customer,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="lines",
        db_index=False,
        db_constraint=False,
    )
    product = models.ForeignKey(
        Product,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    placed_at = models.DateTimeField()
    sku = models.CharField(max_length=60)
    description = models.CharField(max_length=300, blank=True, default="")
    quantity = models.IntegerField()
    unit_price = models.DecimalField(max_digits=12, decimal_places=4)
    total = models.DecimalField(max_digits=14, decimal_places=2)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PRODUCT)
    outlier = models.BooleanField(default=False)
    cancels = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "line_no"], name="line_once")]
        indexes = [
            models.Index(fields=["customer", "placed_at"], name="line_customer"),
            models.Index(fields=["product", "placed_at"], name="line_product"),
            models.Index(
                fields=["cancels"], name="line_cancels", condition=Q(cancels__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.description or self.sku}"
