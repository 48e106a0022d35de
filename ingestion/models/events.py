"""What happened, what was taken already, what waits to be stored, and what was refused."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

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
    # The name by which the person was found, so that an event can follow it to somebody else.
    identity_id = models.BigIntegerField(null=True)
    anonymous_id = models.CharField(max_length=100, blank=True, default="")
    type = models.CharField(max_length=100)
    properties = models.JSONField(default=dict)
    context = models.JSONField(null=True)
    source = models.CharField(max_length=100)
    message_id = models.CharField(max_length=100)
    flags = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        managed = False
        db_table = "ingestion_event"

    def __str__(self) -> str:
        return f"{self.type} {self.at:%Y-%m-%d %H:%M}"


class EventKey(models.Model):
    """Ledger of message ids already taken, as hashes: exact, and narrow enough to stay in memory.

    `key` is a hash of source and message id, `digest` one of the content. There is no index on
    `at`: one costs a tenth of every claim, and old ids are found by walking the table.
    """

    key = models.UUIDField(primary_key=True)
    digest = models.BigIntegerField()
    at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return str(self.key)


class Door(models.TextChoices):
    """How something came in."""

    API = "api", _("API")
    TRACKING = "tracking", _("Website or app")
    WEBHOOK = "webhook", _("Webhook")
    FILE = "file", _("File")
    OWN = "own", _("This platform")


class Inbox(models.Model):
    """One request's accepted events, durable and waiting to be stored. Gone once they are.

    `payload` is a JSON list as `events.inbox` writes it, `skipped` the places in it that the ledger
    held already, `refused` what could not be read at all.
    """

    source = models.CharField(max_length=100)
    door = models.CharField(max_length=10, choices=Door.choices)
    received_at = models.DateTimeField()
    items = models.IntegerField()
    skipped = ArrayField(models.IntegerField(), null=True)
    payload = models.TextField()
    refused = models.TextField(blank=True, default="")

    class Meta:
        verbose_name_plural = "inbox"

    def __str__(self) -> str:
        return f"{self.source}: {self.items}"


class EventTally(models.Model):
    """What became of events that came in. Rows are added; older ones are merged by the hour."""

    source = models.CharField(max_length=100)
    door = models.CharField(max_length=10, choices=Door.choices)
    at = models.DateTimeField()
    received = models.BigIntegerField(default=0)
    stored = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["source", "at"], name="event_tally_source_at")]
        verbose_name_plural = "event tallies"

    def __str__(self) -> str:
        return f"{self.source} {self.at:%Y-%m-%d %H:%M}: {self.received}"


class Refusal(models.Model):
    """One call that was not stored, kept as it came, with what is wrong and how to mend it."""

    class State(models.TextChoices):
        OPEN = "open", pgettext_lazy("state", "Open")
        RETRIED = "retried", _("Sent again")
        DISCARDED = "discarded", _("Discarded")

    source = models.CharField(max_length=100)
    door = models.CharField(max_length=10, choices=Door.choices)
    message_id = models.CharField(max_length=200, blank=True)
    type = models.CharField(max_length=100, blank=True)
    received_at = models.DateTimeField(default=now)
    code = models.CharField(max_length=40)
    field = models.CharField(max_length=100, blank=True)
    message = models.CharField(max_length=300)
    remedy = models.CharField(max_length=300, blank=True)
    raw = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)

    class Meta:
        indexes = [
            models.Index(fields=["state", "-id"], name="refusal_state"),
            models.Index(fields=["source", "-id"], name="refusal_source"),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"
