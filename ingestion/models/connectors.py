"""Sources that are fetched from: how, when, how far, and each time it was done."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from ingestion.models.sources import ImportJob, Source
from marketing.core.models import Job, User


class Connector(models.Model):
    """How a source is fetched from, and how far that has come.

    `config` holds what may be shown; `secrets` holds sealed texts by field name and is never shown.
    """

    class Kind(models.TextChoices):
        SQL = "sql", _("Database")
        FOLDER = "folder", _("Folder or bucket")
        HTTP_JSON = "http_json", _("HTTP API")
        FEED = "feed", _("Feed")

    class State(models.TextChoices):
        DRAFT = "draft", _("Needs columns")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="connector")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    config = models.JSONField(default=dict)
    secrets = models.JSONField(default=dict, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    every_minutes = models.PositiveIntegerField(null=True, blank=True)
    daily_at = models.TimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    cursor = models.JSONField(default=dict)
    failures = models.PositiveIntegerField(default=0)  # in a row
    last_error = models.CharField(max_length=600, blank=True, default="")
    paused_reason = models.CharField(max_length=600, blank=True, default="")
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], name="connector_due", condition=Q(state="active"))
        ]

    def __str__(self) -> str:
        return self.source.name


class Pull(models.Model):
    """One fetch. While it is open no second one of its connector can begin."""

    class State(models.TextChoices):
        OPEN = "open", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        STOPPED = "stopped", _("Stopped")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="pulls")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    by_hand = models.BooleanField(default=False)
    cursor = models.JSONField(default=dict)  # how far the spooled rows reach
    path = models.CharField(max_length=500, blank=True, default="")
    steps = models.IntegerField(default=0)  # batches committed; whoever lost count may not write
    rows = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)  # of the spool file that are committed
    received = models.BigIntegerField(default=0)  # of rows stored without an import
    stored = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    error = models.CharField(max_length=600, blank=True, default="")
    imports = models.ManyToManyField(ImportJob, related_name="pulls")
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connector"], condition=Q(state="open"), name="pull_open_once"
            )
        ]
        indexes = [models.Index(fields=["connector", "-created_at"], name="pull_newest")]

    def __str__(self) -> str:
        return f"{self.connector_id}: {self.created_at:%Y-%m-%d %H:%M}"


class PulledFile(models.Model):
    """One version of a file in a folder that was taken already."""

    connector = models.ForeignKey(Connector, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=700)
    version = models.CharField(max_length=200)
    import_job = models.ForeignKey(
        ImportJob, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    problem = models.CharField(max_length=600, blank=True, default="")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connector", "name", "version"], name="pulled_file_once"
            )
        ]

    def __str__(self) -> str:
        return self.name
