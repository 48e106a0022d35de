"""Tables of facts: where they came from, people, goods, orders and events."""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from marketing.core.models import Job, User


class Source(models.Model):
    """Where rows come from; order numbers and message ids are unique within one."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, default="file")
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name


class ImportJob(models.Model):
    """One file on its way in. received = stored + duplicate + quarantined, to the row."""

    class Kind(models.TextChoices):
        ORDERS = "orders", _("Orders")
        CUSTOMERS = "customers", _("People")
        PRODUCTS = "products", _("Products")
        EVENTS = "events", _("Events")

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Needs columns")
        MAPPED = "mapped", _("Ready")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Stopped")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="imports")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.ORDERS)
    path = models.CharField(max_length=500)
    original_name = models.CharField(max_length=255)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    options = models.JSONField(default=dict)
    mapping = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    received = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    offset = models.BigIntegerField(default=0)
    report = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.original_name


class Reject(models.Model):
    """One quarantined line: kept raw, with what is wrong and how to mend it."""

    import_job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="rejects")
    line = models.BigIntegerField()
    raw = models.TextField()
    code = models.CharField(max_length=40)
    field = models.CharField(max_length=60, blank=True)
    message = models.CharField(max_length=300)
    remedy = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["import_job", "line"], name="reject_once")]

    def __str__(self) -> str:
        return f"{self.line}: {self.message}"


class ImportTouch(models.Model):
    """People whose orders an unfinished import has touched: its last step adds them up again."""

    import_job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="+")
    customer = models.ForeignKey(
        "Customer", on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["import_job", "customer"], name="import_touch_once")
        ]

    def __str__(self) -> str:
        return f"{self.import_job_id}: {self.customer_id}"


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


class Consent(models.Model):
    """One answer to one question. Rows are only added; `current` marks the latest answer."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=10, default="email")
    purpose = models.CharField(max_length=20, default="marketing")
    granted = models.BooleanField()
    at = models.DateTimeField(default=now)
    source = models.CharField(max_length=100)
    proof = models.JSONField(default=dict)
    current = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "channel", "purpose"],
                condition=Q(current=True),
                name="consent_current_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.purpose}: {self.granted}"


class Suppression(models.Model):
    """An address nothing may be sent to, whoever holds it and whatever they agreed to."""

    channel = models.CharField(max_length=10, default="email")
    address = models.CharField(max_length=254)
    reason = models.CharField(max_length=20)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "address"], name="suppression_once")
        ]

    def __str__(self) -> str:
        return f"{self.address} ({self.reason})"


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


class Event(models.Model):
    """Something that happened. The table is split by month (see the migration)."""

    pk = models.CompositePrimaryKey("id", "at")
    id = models.BigIntegerField()
    at = models.DateTimeField()
    received_at = models.DateTimeField(default=now)
    customer = models.ForeignKey(
        Customer, null=True, on_delete=models.DO_NOTHING, related_name="events", db_constraint=False
    )
    anonymous_id = models.CharField(max_length=100, blank=True, default="")
    type = models.CharField(max_length=100)
    properties = models.JSONField(default=dict)
    source = models.CharField(max_length=100)
    message_id = models.CharField(max_length=100)

    class Meta:
        managed = False
        db_table = "ingestion_event"

    def __str__(self) -> str:
        return f"{self.type} {self.at:%Y-%m-%d %H:%M}"


class EventKey(models.Model):
    """Ledger of message ids already taken: the same id with another body is refused."""

    source = models.CharField(max_length=100)
    message_id = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "message_id"], name="event_once")]
        indexes = [BrinIndex(fields=["at"], name="event_key_at")]

    def __str__(self) -> str:
        return self.message_id
