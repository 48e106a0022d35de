"""What happened, and the ledger of what was taken already."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.timezone import now

from ingestion.models.people import Customer


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
