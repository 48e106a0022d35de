"""Where rows come from, and files on their way in."""

import uuid

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from marketing.core.models import Job, User


class Source(models.Model):
    """Where rows come from; order numbers and message ids are unique within one."""

    class Kind(models.TextChoices):
        UPLOAD = "upload", _("Files")
        API = "api", _("API")
        TRACKING = "tracking", _("Website or app")
        CONNECTOR = "connector", _("Connector")
        WEBHOOK = "webhook", _("Webhook")
        DEMO = "demo", _("Demo")

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.UPLOAD)
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    # Not a secret: it stands in the shop's pages and only lets events in.
    write_key = models.CharField(max_length=40, unique=True, null=True, blank=True, editable=False)
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.name


class ImportJob(models.Model):
    """One file on its way in. received = stored + duplicate + quarantined + left out."""

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
    left_out = models.BigIntegerField(default=0)  # by a rule of the recipe
    recipe_version = models.ForeignKey(
        "RecipeVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    offset = models.BigIntegerField(default=0)
    report = models.JSONField(default=dict)
    signature = models.CharField(max_length=64, blank=True, db_index=True)  # of the column names
    trial = models.JSONField(default=dict)  # what a dry run came to
    trial_job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    mends = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="menders"
    )
    packed_at = models.DateTimeField(null=True, blank=True)
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
    mended_by = models.ForeignKey(
        ImportJob, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

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
