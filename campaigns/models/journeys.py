"""Journeys, their versions, and who is where in them."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Run
from ingestion.models import Customer
from marketing.core.models import User


class Journey(models.Model):
    """A journey by its name. `draft` is what is being drawn; versions are what people walk."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        LIVE = "live", _("Live")
        PAUSED = "paused", _("Paused")
        CLOSED = "closed", _("Closed")

    name = models.CharField(max_length=120)
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    draft = models.JSONField(default=dict)
    # Counts up with each saving, so that of two who draw at once the second is told.
    draft_number = models.PositiveIntegerField(default=1)
    draft_at = models.DateTimeField(default=timezone.now)
    origin = models.CharField(max_length=40, blank=True, default="")
    paused_reason = models.CharField(max_length=300, blank=True, default="")
    is_demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class JourneyVersion(models.Model):
    """A definition as it was published; never changed. `run` is the sending of its messages.

    New people enter the live version; whoever walks an older one goes on in it, or is moved.
    """

    class State(models.TextChoices):
        LIVE = "live", _("Live")
        ENDING = "ending", _("People finish it")
        CLOSED = "closed", _("Closed")

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    run = models.OneToOneField(Run, on_delete=models.PROTECT, related_name="journey_version")
    state = models.CharField(max_length=6, choices=State.choices, default=State.LIVE)
    published_at = models.DateTimeField()
    published_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["journey", "number"], name="journey_version_once"),
            models.UniqueConstraint(
                fields=["journey"], condition=Q(state="live"), name="journey_live_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.journey_id}.{self.number}"


class Enrollment(models.Model):
    """One stay of a person in a journey: where they are, and when to look again. Whoever is held
    out to measure it has a row that ended as it began.

    `key` names what brought them in, so that it brings them in once. `slot` is the value by which
    several stays at a time are told apart. `arrived_at` is when they came to the node, `heard_at`
    when what they wait for there happened. `context` holds the properties of the event that brought
    them in, `waited` those of the one that they waited for last. `steps` counts the lines of their
    log.
    """

    class Outcome(models.TextChoices):
        GOAL = "goal", _("Reached the goal")
        EXIT = "exit", _("Left")
        FINISHED = "finished", _("Came to the end")
        CLOSED = "closed", _("The journey was closed")
        STUCK = "stuck", _("Stopped: too many steps at once")
        MERGED = "merged", _("Was found to be somebody already inside")
        HELD = "held", _("Held out to measure the journey")
        TAKEN = "taken", _("Was taken out by hand")

    journey = models.ForeignKey(
        Journey, on_delete=models.CASCADE, related_name="enrollments", db_index=False
    )
    version = models.ForeignKey(
        JourneyVersion, on_delete=models.CASCADE, related_name="enrollments", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="enrollments")
    key = models.CharField(max_length=120)
    slot = models.CharField(max_length=200, blank=True, default="")
    node = models.CharField(max_length=40)
    arrived_at = models.DateTimeField()
    wake_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True)
    context = models.JSONField(default=dict)
    waited = models.JSONField(null=True, blank=True)
    steps = models.PositiveIntegerField(default=0)
    entered_at = models.DateTimeField()
    goal_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True, default="")
    # Why somebody took them out.
    note = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "key"], name="enrollment_once"),
            models.UniqueConstraint(
                fields=["journey", "customer", "slot"],
                condition=Q(ended_at__isnull=True),
                name="enrollment_open_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["version", "wake_at"],
                name="enrollment_wake",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(
                fields=["version", "node"],
                name="enrollment_at",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(fields=["journey", "customer", "entered_at"], name="enrollment_person"),
            models.Index(fields=["journey", "entered_at"], name="enrollment_entered"),
            models.Index(fields=["version", "outcome"], name="enrollment_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} at {self.node}"


class JourneyStep(models.Model):
    """A line of somebody's log: the node they left, when they were there, and by which way.

    `what` says how a step ended that was not simply passed, such as "goal" or "skipped".
    """

    pk = models.CompositePrimaryKey("enrollment", "n")
    enrollment = models.ForeignKey(
        Enrollment,
        on_delete=models.CASCADE,
        related_name="log",
        db_index=False,
        db_constraint=False,
    )
    n = models.PositiveIntegerField()
    version = models.ForeignKey(
        JourneyVersion,
        on_delete=models.CASCADE,
        related_name="log",
        db_index=False,
        db_constraint=False,
    )
    node = models.CharField(max_length=40)
    branch = models.CharField(max_length=20, blank=True, default="")
    what = models.CharField(max_length=12, blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["version", "node", "branch", "what"], name="journey_passed"),
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.branch}".strip()


class JourneyReading(models.Model):
    """The sums of one day of a journey that holds people out, of all versions under the same terms
    `since` the first of them. `day` counts from when the journey was made.
    """

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="readings")
    day = models.PositiveIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    arms = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "day"], name="journey_reading_once")
        ]

    def __str__(self) -> str:
        return f"{self.journey_id}: day {self.day}"


class JourneyTally(models.Model):
    """How many did not come in, by day of the shop and reason."""

    class Reason(models.TextChoices):
        CAPPED = "capped", _("So many had come in that day already")
        INSIDE = "inside", _("They were inside already")
        AGAIN = "again", _("They had been in before")
        RULE = "rule", _("They did not meet the condition")
        LATE = "late", _("What they did was told too late")

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, related_name="turned_away")
    day = models.DateField()
    reason = models.CharField(max_length=6, choices=Reason.choices)
    people = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journey", "day", "reason"], name="journey_tally_once")
        ]

    def __str__(self) -> str:
        return f"{self.journey_id} {self.day} {self.reason}: {self.people}"


class JourneyCursor(models.Model):
    """How far a stream of facts was looked at: its position as text, or its last number."""

    name = models.CharField(primary_key=True, max_length=40)
    position = models.TextField(blank=True, default="")
    number = models.BigIntegerField(default=0)
    at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


class JourneyHeard(models.Model):
    """An event that journeys were told of, by its number; kept while it may be read again."""

    event_id = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(fields=["at"], name="journey_heard_at")]

    def __str__(self) -> str:
        return str(self.event_id)
