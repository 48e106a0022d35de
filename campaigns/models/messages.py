from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Run
from ingestion.models import Customer


class Message(models.Model):
    """One message to one person: the row is the queue, the ledger and the answer to 'why not'."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        SENDING = "sending", _("Sending")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Not known")
        SKIPPED = "skipped", _("Not sent")

    OPEN = (State.QUEUED, State.SENDING)

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="messages", db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    # Whose it was before two people were found to be one; goes back when they are parted.
    first_customer_id = models.BigIntegerField(null=True, blank=True, editable=False)
    # Which time through a journey and which step of it; a campaign is one step, taken once.
    entry = models.BigIntegerField(default=0, db_default=0)
    step = models.CharField(max_length=40, blank=True, default="", db_default="")
    channel = models.CharField(max_length=10, default="email")
    address = models.CharField(max_length=254, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=40, blank=True)
    variant = models.CharField(max_length=10, default="a")
    # In a send by several channels: those by which this person could be reached, in the order of
    # the send or "none", and by which chance they were given theirs. In every other send `reach` is
    # empty, and the chance stands where the limit of a variant changed it.
    reach = models.CharField(max_length=40, blank=True, default="", db_default="")
    chance = models.FloatField(null=True, blank=True)
    attempt = models.SmallIntegerField(default=0)
    # How many senders in a row died while they held it: it may be what kills them.
    deaths = models.SmallIntegerField(default=0, db_default=0)
    fence = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # Not before this moment; empty when it may go at once.
    next_try_at = models.DateTimeField(null=True, blank=True)
    first_try_at = models.DateTimeField(null=True, blank=True)
    # The moment by which caps count it: when it was last taken to be sent.
    claimed_at = models.DateTimeField(null=True, blank=True)
    # The end of its useful life: it is not put off beyond this moment.
    expires_at = models.DateTimeField(null=True, blank=True)
    # Written before a message that may never go twice is handed to its provider.
    handed_at = models.DateTimeField(null=True, blank=True)
    message_id = models.CharField(max_length=200, unique=True, null=True, blank=True)
    # What the provider calls it, for what the provider tells us later.
    provider_ref = models.CharField(max_length=200, blank=True, default="", db_default="")
    subject = models.CharField(max_length=300, blank=True)
    error = models.CharField(max_length=500, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)
    # The highest probability so far that a person opened it or followed a link in it.
    opened_human = models.FloatField(null=True, blank=True)
    clicked_human = models.FloatField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    bounce = models.CharField(max_length=10, blank=True, default="", db_default="")
    complained_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "customer", "entry", "step", "channel"], name="message_once"
            ),
            # Nobody gets a second message of a send because there is a second channel.
            models.UniqueConstraint(
                fields=["run", "customer", "entry", "step"],
                name="message_by_one_channel",
                condition=~Q(reach=""),
            ),
        ]
        indexes = [
            # In the order in which they fall due, so that a claim never walks over later ones.
            models.Index(
                fields=["run", "next_try_at", "id"], name="message_due", condition=Q(state="queued")
            ),
            models.Index(
                fields=["first_try_at"],
                name="message_tried",
                condition=Q(state="queued", first_try_at__isnull=False),
            ),
            models.Index(
                fields=["run"],
                name="message_complained",
                condition=Q(complained_at__isnull=False),
            ),
            models.Index(
                fields=["provider_ref"], name="message_ref", condition=~Q(provider_ref="")
            ),
            models.Index(
                fields=["lease_until"], name="message_leased", condition=Q(state="sending")
            ),
            models.Index(fields=["run", "state"], name="message_state"),
            models.Index(fields=["customer", "claimed_at"], name="message_of_person"),
            # What did not go out in a period is counted without looking at what did.
            models.Index(
                fields=["queued_at", "reason", "channel", "state"],
                name="message_unsent",
                condition=Q(state__in=["skipped", "failed", "unknown"]),
            ),
            models.Index(
                fields=["first_customer_id"],
                name="message_first_customer",
                condition=Q(first_customer_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address or self.customer_id}: {self.state}"


class Untold(models.Model):
    """Messages that a sender took, until the event stream was told what became of them."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    messages = ArrayField(models.BigIntegerField())
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.run_id}: {len(self.messages)}"


class MailPieces(models.Model):
    """What messages of a content share, as they were packed with it. `number` is its checksum."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    number = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="pieces_of_run"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.number}"


class MessageBody(models.Model):
    """The message exactly as it was handed to its provider, compressed."""

    message = models.OneToOneField(
        Message, primary_key=True, on_delete=models.CASCADE, related_name="body"
    )
    mime = models.BinaryField()

    def __str__(self) -> str:
        return str(self.message_id)
