"""Ads: what is shown where, what came of it, what it cost, and who was handed to a network."""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from campaigns.models.segments import Segment
from ingestion.models import Customer
from marketing.core.models import Job, User


class AdPlacement(models.Model):
    """A place where ads are shown: a slot of one's own site, or one of a network's."""

    key = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    network = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class AdCampaign(models.Model):
    """What is advertised, where, from when to when, and for how much money.

    `price` is the most that a thousand impressions or one click may cost. `pace` is what the
    controller decided last: {"chance", "bid", "planned", "spent", "cap", "at"}.
    """

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        ENDED = "ended", _("Ended")

    class Goal(models.TextChoices):
        CLICK = "click", _("Clicks")
        CONVERSION = "conversion", _("Conversions")

    class Pricing(models.TextChoices):
        IMPRESSIONS = "cpm", _("A thousand impressions")
        CLICK = "cpc", _("A click")

    class Mode(models.TextChoices):
        FIXED = "fixed", _("Fixed shares")
        BANDIT = "bandit", _("Shares follow the answers")
        PERSON = "person", _("What suits each person")

    key = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=7, choices=State.choices, default=State.DRAFT)
    goal = models.CharField(max_length=10, choices=Goal.choices, default=Goal.CLICK)
    budget = models.DecimalField(max_digits=14, decimal_places=2)
    # No day costs more, whatever is left of the budget.
    daily_cap = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    pricing = models.CharField(max_length=3, choices=Pricing.choices, default=Pricing.IMPRESSIONS)
    price = models.DecimalField(max_digits=12, decimal_places=4)
    currency = models.CharField(max_length=3)
    starts_on = models.DateField()
    ends_on = models.DateField()
    timezone = models.CharField(max_length=64, default="UTC")
    mode = models.CharField(max_length=6, choices=Mode.choices, default=Mode.FIXED)
    # No creative of a bandit is shown in fewer cases than this.
    floor_percent = models.FloatField(default=5)
    placements = models.ManyToManyField(AdPlacement, related_name="ads", blank=True)
    pace = models.JSONField(default=dict, blank=True)
    is_demo = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_on__gte=models.F("starts_on")), name="ad_days"),
            models.CheckConstraint(condition=Q(budget__gt=0, price__gt=0), name="ad_money"),
        ]

    def __str__(self) -> str:
        return self.name


class AdCreative(models.Model):
    """One of several ads of a campaign. `weight` is its share while shares are fixed."""

    ad = models.ForeignKey(AdCampaign, on_delete=models.CASCADE, related_name="creatives")
    key = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    headline = models.CharField(max_length=200, blank=True)
    image_url = models.CharField(max_length=500, blank=True)
    url = models.CharField(max_length=500, blank=True)
    weight = models.PositiveSmallIntegerField(default=1)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["ad", "id"]

    def __str__(self) -> str:
        return self.name


class AdTouch(models.Model):
    """Of which ad, where, and for whom; many a second, so nothing here is checked or indexed."""

    ad = models.ForeignKey(
        AdCampaign, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    creative = models.ForeignKey(
        AdCreative, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    placement = models.ForeignKey(
        AdPlacement, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    customer = models.ForeignKey(
        Customer,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        abstract = True


class AdHit(AdTouch):
    """An impression, a click or a conversion, once. Written by COPY, so no keys are checked.

    `key` is a hash of the kind and the sender's id, `digest` one of all that was said. A person is
    kept only who agreed to ads. `country`, `device`, `recency` and `orders` are what was known when
    it came in: what is learned from it must not know what happened later. `chance` is by which the
    creative was chosen here; none where somebody else chose. A click or conversion has the moment
    of its impression or click in `cause_at`. `told_at` is when we were told of it, which is later
    than `at` where reports take their time.
    """

    IMPRESSION, CLICK, CONVERSION = 1, 2, 3

    key = models.UUIDField(primary_key=True)
    kind = models.SmallIntegerField()
    digest = models.BigIntegerField()
    at = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    cause = models.UUIDField(null=True)
    cause_at = models.DateTimeField(null=True)
    cost = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    value = models.DecimalField(max_digits=14, decimal_places=4, default=0)
    chance = models.FloatField(null=True)
    learnable = models.BooleanField(default=False)
    country = models.CharField(max_length=2, default="")
    device = models.SmallIntegerField(default=0)
    recency = models.SmallIntegerField(default=0)
    orders = models.SmallIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["cause"], name="ad_hit_cause", condition=Q(cause__isnull=False)),
            models.Index(
                fields=["customer"], name="ad_hit_person", condition=Q(customer__isnull=False)
            ),
            BrinIndex(fields=["at"], name="ad_hit_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class AdHour(models.Model):
    """What came in of a creative in a placement, an hour at a time.

    `clicks` and `conversions` are of this hour; `answered` and `turned` those that impressions and
    clicks of this hour led to, whenever they came.
    """

    pk = models.CompositePrimaryKey("ad", "hour", "creative", "placement")
    ad = models.ForeignKey(
        AdCampaign, on_delete=models.CASCADE, related_name="hours", db_index=False
    )
    hour = models.DateTimeField()
    creative = models.ForeignKey(
        AdCreative, on_delete=models.CASCADE, related_name="hours", db_index=False
    )
    placement = models.ForeignKey(
        AdPlacement, on_delete=models.CASCADE, related_name="hours", db_index=False
    )
    impressions = models.BigIntegerField(default=0)
    clicks = models.BigIntegerField(default=0)
    conversions = models.BigIntegerField(default=0)
    answered = models.BigIntegerField(default=0)
    turned = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    value = models.DecimalField(max_digits=18, decimal_places=4, default=0)

    def __str__(self) -> str:
        return f"{self.ad_id} {self.hour:%Y-%m-%d %H}h"


class AdDay(models.Model):
    """What a day of a campaign, by its own clock, may cost, has cost, and is promised already.

    What lies in purses counts as promised. `later` is the part of `spent` that nobody could plan
    for: clicks told of after the day's end, or that came a week after their impression.
    """

    pk = models.CompositePrimaryKey("ad", "day")
    ad = models.ForeignKey(
        AdCampaign, on_delete=models.CASCADE, related_name="days", db_index=False
    )
    day = models.DateField()
    cap = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    spent = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    promised = models.DecimalField(max_digits=18, decimal_places=6, default=0)
    later = models.DecimalField(max_digits=18, decimal_places=6, default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.ad_id} {self.day}"


class AdPurse(models.Model):
    """A part of a day's money that choices take their price from."""

    pk = models.CompositePrimaryKey("ad", "day", "slot")
    ad = models.ForeignKey(
        AdCampaign, on_delete=models.CASCADE, related_name="purses", db_index=False
    )
    day = models.DateField()
    slot = models.SmallIntegerField()
    money = models.DecimalField(max_digits=18, decimal_places=6, default=0)

    def __str__(self) -> str:
        return f"{self.ad_id} {self.day} {self.slot}"


class AdChoice(AdTouch):
    """A creative that was chosen here, by what chance, for what price at the most.

    `shown` once its impression came in; `freed` once the price is not kept for it any more: from
    the impression on, or from the click where that is paid for, and after an hour in any case.
    """

    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    at = models.DateTimeField()
    day = models.DateField()
    chance = models.FloatField()
    price = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    reason = models.CharField(max_length=10, blank=True)
    shown = models.BooleanField(default=False)
    freed = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["at"], name="ad_choice_open", condition=Q(freed=False)),
            models.Index(
                fields=["customer"], name="ad_choice_person", condition=Q(customer__isnull=False)
            ),
            BrinIndex(fields=["at"], name="ad_choice_at"),
        ]

    def __str__(self) -> str:
        return f"{self.creative_id} by {self.chance:.3f}"


class AdRound(models.Model):
    """By which shares the creatives of a campaign are shown from a moment on, and why.

    `shares` by creative's number; `seen` what each rests on: [tries, answers]; `values` what ways
    of choosing would have earned an impression, from the chances that were written down.
    """

    ad = models.ForeignKey(AdCampaign, on_delete=models.CASCADE, related_name="rounds")
    at = models.DateTimeField(default=now)
    shares = models.JSONField(default=dict)
    seen = models.JSONField(default=dict)
    values = models.JSONField(default=dict)
    reason = models.CharField(max_length=12)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["ad", "-at"], name="ad_round_newest")]

    def __str__(self) -> str:
        return f"{self.ad_id} {self.at:%Y-%m-%d %H:%M}"


class AdExport(models.Model):
    """A list of people handed out for an ad network: who took it, when, how many, who was left out.

    The file itself is kept for a day.
    """

    class Format(models.TextChoices):
        GOOGLE = "google", _("Google Customer Match")
        META = "meta", _("Meta Custom Audiences")
        TIKTOK = "tiktok", _("TikTok Customer File")

    class State(models.TextChoices):
        WRITING = "writing", _("Being written")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")
        GONE = "gone", _("File deleted")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True)
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    segment_name = models.CharField(max_length=120)
    format = models.CharField(max_length=6, choices=Format.choices)
    state = models.CharField(max_length=7, choices=State.choices, default=State.WRITING)
    meant = models.BigIntegerField(default=0)
    people = models.BigIntegerField(default=0)
    left_out = models.JSONField(default=dict)
    file = models.CharField(max_length=200, blank=True)
    size = models.BigIntegerField(default=0)
    downloads = models.IntegerField(default=0)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=now)
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.segment_name} ({self.format})"
