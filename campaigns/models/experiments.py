"""What is tried, on whom, what it cost, and what was seen of it day by day."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign, Run
from campaigns.models.content import Template
from ingestion.models import Customer
from marketing.core.models import User


class Trial(models.Model):
    """How a campaign's variants share its people. Without a row there is one variant."""

    class Mode(models.TextChoices):
        FIXED = "fixed", _("Fixed shares")
        WINNER = "winner", _("The winner gets the rest")
        BANDIT = "bandit", _("Shares follow the answers")
        PERSON = "person", _("Each person gets what suits people like them")

    class Metric(models.TextChoices):
        CLICKED = "clicked", _("Clicked")
        OPENED = "opened", _("Opened")
        ORDERED = "ordered", _("Ordered")

    class Learner(models.TextChoices):
        DRAWS = "lints", _("By draws (LinTS)")
        BOUND = "linucb", _("By the upper bound (LinUCB)")

    campaign = models.OneToOneField(
        Campaign, primary_key=True, on_delete=models.CASCADE, related_name="trial"
    )
    mode = models.CharField(max_length=6, choices=Mode.choices, default=Mode.FIXED)
    metric = models.CharField(max_length=7, choices=Metric.choices, default=Metric.CLICKED)
    hypothesis = models.CharField(max_length=300, blank=True)
    # Of everybody who gets it, the percentage that goes out at once, by the weights.
    first_percent = models.PositiveSmallIntegerField(default=20)
    # Hours until the rest is due; a bandit sends it in so many rounds, as long apart.
    hours = models.PositiveSmallIntegerField(default=4)
    rounds = models.PositiveSmallIntegerField(default=1)
    # The chance of being the best at which a variant wins before the hours are over.
    win_percent = models.FloatField(default=95)
    # No variant of a bandit gets a smaller share of a round than this.
    floor_percent = models.FloatField(default=5)
    # How doubt counts where it is chosen for each person.
    learner = models.CharField(
        max_length=6, choices=Learner.choices, default=Learner.DRAWS, db_default=Learner.DRAWS
    )
    # The most that its messages may cost together, at the prices for each that are written down.
    budget = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.mode}"


class Variant(models.Model):
    """One of several messages of a campaign, and at which hour of people's own clocks it goes out.

    It goes by the channel that its message is written for. `a` may stand without a template: the
    campaign's own. Without an hour it goes when the campaign does, and without a limit its messages
    may cost what they cost; what it may not cost goes to the others.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="variants")
    key = models.CharField(max_length=10)
    name = models.CharField(max_length=80, blank=True)
    template = models.ForeignKey(
        Template, null=True, blank=True, on_delete=models.PROTECT, related_name="variants"
    )
    weight = models.PositiveSmallIntegerField(default=1)
    hour = models.PositiveSmallIntegerField(null=True, blank=True)
    limit = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)

    class Meta:
        ordering = ["campaign", "key"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "key"], name="variant_once"),
            models.CheckConstraint(
                condition=Q(hour=None) | Q(hour__lt=24), name="variant_hour_of_a_day"
            ),
            models.CheckConstraint(
                condition=Q(limit=None) | Q(limit__gt=0), name="variant_limit_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.key


class Round(models.Model):
    """By which shares a part of the waiting people was given variants, and what was known then.

    `shares` are the exact chances: who looks back can reckon what another policy would have done.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveSmallIntegerField()
    shares = models.JSONField(default=dict)
    seen = models.JSONField(default=dict)
    # The same by the channels that people could be reached by, where a send has several.
    sets = models.JSONField(
        default=dict, db_default=models.Value({}, output_field=models.JSONField())
    )
    # What other ways of choosing would have earned so far, told from the chances written down.
    policies = models.JSONField(default=dict)
    # Variants whose limit was reached by this round.
    spent = models.JSONField(
        default=list, db_default=models.Value([], output_field=models.JSONField())
    )
    people = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=20, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["run", "number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="round_once")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.number}"


class Choice(models.Model):
    """Which variant a person was given in a round, by what chance, and what was known of them."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="choices", db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveSmallIntegerField()
    variant = models.CharField(max_length=10)
    chance = models.FloatField()
    # The same features in the same order for every choice of a run.
    known = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "customer"], name="choice_once")]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.customer_id} {self.variant}"


class GlobalHoldout(models.Model):
    """A share of all people whom no campaign writes to. One row stands; the others have ended.

    People are drawn by a hash with the salt: a larger share keeps whoever a smaller one kept.
    """

    percent = models.FloatField()
    salt = models.CharField(max_length=32)
    since = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-since", "-id"]
        constraints = [
            models.UniqueConstraint(
                models.Value(1), name="one_global_holdout", condition=Q(ended_at=None)
            ),
            models.CheckConstraint(
                condition=Q(percent__gt=0, percent__lte=20), name="global_holdout_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.percent}% since {self.since:%Y-%m-%d}"


class Spend(models.Model):
    """What a campaign cost: a sum, or a price for each message that was sent."""

    class Kind(models.TextChoices):
        SUM = "sum", _("In all")
        EACH = "each", _("For each message")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="spends")
    kind = models.CharField(max_length=4, choices=Kind.choices, default=Kind.SUM)
    amount = models.DecimalField(max_digits=14, decimal_places=4)
    # The channel whose messages cost so much each; empty is every channel.
    channel = models.CharField(max_length=10, blank=True, default="", db_default="")
    note = models.CharField(max_length=120, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="spend_positive")]

    def __str__(self) -> str:
        return f"{self.amount} {self.kind}"


class Reading(models.Model):
    """The sums of one day of a run, or of the global hold-out: what its report is made from."""

    run = models.ForeignKey(
        Run, null=True, blank=True, on_delete=models.CASCADE, related_name="readings"
    )
    holdout = models.ForeignKey(
        GlobalHoldout, null=True, blank=True, on_delete=models.CASCADE, related_name="readings"
    )
    day = models.PositiveSmallIntegerField()
    until = models.DateTimeField()
    arms = models.JSONField(default=dict)
    taken_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(fields=["run", "day"], name="reading_of_run_once"),
            models.UniqueConstraint(fields=["holdout", "day"], name="reading_of_holdout_once"),
            models.CheckConstraint(
                condition=Q(run=None, holdout__isnull=False) | Q(run__isnull=False, holdout=None),
                name="reading_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id or self.holdout_id}: day {self.day}"
