"""People, the names they go by, what was said of them, and who was found to be whom."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Now
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from marketing.core.models import User


class PresentPeople(models.Manager["Customer"]):
    """Everybody but those who were found to be somebody else."""

    def get_queryset(self) -> models.QuerySet["Customer"]:
        return super().get_queryset().filter(merged_into=None)


class Customer(models.Model):
    """One person. `objects` leaves out rows that were merged into another; `every` has them.

    A merged row stays, without names, so that a merge can be undone and an old address answers.
    `attribute_times` says for each property since when it holds: [microseconds, tie-break].
    `anchor` is the name for whose sake a merged row follows another person.
    """

    external_id = models.CharField(max_length=100, unique=True, null=True, blank=True)
    email = models.CharField(max_length=254, unique=True, null=True, blank=True)
    phone = models.CharField(max_length=20, blank=True, default="")
    first_name = models.CharField(max_length=100, blank=True, default="")
    last_name = models.CharField(max_length=100, blank=True, default="")
    country = models.CharField(max_length=2, blank=True, default="")
    language = models.CharField(max_length=10, blank=True, default="")
    timezone = models.CharField(max_length=64, blank=True, default="")
    attributes = models.JSONField(default=dict)
    attribute_times = models.JSONField(
        default=dict, db_default=Value({}, output_field=models.JSONField())
    )
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="former",
        db_index=False,
    )
    anchor = models.ForeignKey(
        "Identity",
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    is_demo = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(default=now)

    objects = PresentPeople()
    every = models.Manager["Customer"]()

    class Meta:
        indexes = [
            # All that most counts ask of a person, so that they need not read the row.
            models.Index(
                fields=["country", "id"],
                include=["email"],
                condition=Q(merged_into__isnull=True),
                name="customer_present",
            ),
            models.Index(
                fields=["merged_into"],
                name="customer_merged",
                condition=Q(merged_into__isnull=False),
            ),
        ]

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


_NO_MOMENTS = Value([], output_field=ArrayField(models.DateTimeField()))


class CustomerRollup(models.Model):
    """Running totals of a person's orders, kept by whoever stores orders.

    `recent_orders` are the moments of the newest five, newest first: whether somebody ordered so
    often since a moment is one comparison.
    """

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
    recent_orders = ArrayField(models.DateTimeField(), default=list, db_default=_NO_MOMENTS)

    class Meta:
        indexes = [
            models.Index(fields=["last_order_at", "orders"], name="rollup_recent"),
            models.Index(fields=["-revenue"], name="rollup_revenue"),
        ]

    def __str__(self) -> str:
        return f"{self.orders} orders, {self.revenue}"


class Identity(models.Model):
    """One name under which a person is known; of nobody yet for a device without a person.

    `parent` is the stronger name that claimed this one first, at `linked_at`. A name without a
    parent stands for a person of its own, or for a device nobody has signed in on. `anchored`
    names are joined to others of their rank by somebody's word, so no claim moves them. A refused
    name finds and joins nobody any more (see RefusedName).
    """

    customer = models.ForeignKey(
        Customer, null=True, on_delete=models.CASCADE, related_name="identities"
    )
    kind = models.CharField(max_length=10)
    value = models.CharField(max_length=254)
    parent = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="children",
        db_constraint=False,
        db_index=False,
    )
    linked_at = models.DateTimeField(null=True)
    anchored = models.BooleanField(default=False, db_default=False)
    refused = models.BooleanField(default=False, db_default=False)
    source = models.CharField(max_length=100, blank=True)
    at = models.DateTimeField(default=now)
    joined_at = models.DateTimeField(default=now, db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="identity_once")]
        indexes = [
            BrinIndex(fields=["joined_at"], name="identity_joined_at"),
            models.Index(
                fields=["parent"], name="identity_of_nobody", condition=Q(customer__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class IdentityLink(models.Model):
    """What was said of two names and is not the reason why the weaker one has its person.

    `waiting`: an earlier claim won. `joined`: both are one person by alias or by somebody's word.
    `refused`: somebody said that this is not so, which holds for good. One row a pair.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        JOINED = "joined", _("Joined")
        REFUSED = "refused", _("Refused")

    stronger = models.ForeignKey(
        Identity, on_delete=models.CASCADE, related_name="claims", db_index=False
    )
    weaker = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="claimed_by")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    at = models.DateTimeField()
    source = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stronger", "weaker"], name="identity_link_once"),
        ]

    def __str__(self) -> str:
        return f"{self.stronger_id} → {self.weaker_id}: {self.state}"


class Statement(models.Model):
    """What was said under one name, or of one row by our own id: {property: [when, tie, value]}.

    A person's profile is the latest of what their names say, so it moves along with a name.
    """

    identity = models.OneToOneField(
        Identity, null=True, on_delete=models.CASCADE, related_name="statement"
    )
    customer = models.OneToOneField(
        Customer, null=True, on_delete=models.CASCADE, related_name="statement"
    )
    said = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(identity__isnull=True) ^ Q(customer__isnull=True),
                name="statement_of_one",
            )
        ]

    def __str__(self) -> str:
        return f"{self.identity_id or self.customer_id}: {', '.join(self.said)}"


class Merge(models.Model):
    """One time that two people were found to be one; kept when it is undone."""

    class Kind(models.TextChoices):
        CLAIM = "claim", _("Same name")
        ALIAS = "alias", _("Alias")
        PERSON = "person", _("By hand")
        SUGGESTED = "suggested", _("Suggested")

    kept = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="merges")
    gone = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="merged")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    stronger = models.ForeignKey(Identity, null=True, on_delete=models.SET_NULL, related_name="+")
    weaker = models.ForeignKey(Identity, null=True, on_delete=models.SET_NULL, related_name="+")
    source = models.CharField(max_length=100, blank=True)
    evidence = models.JSONField(default=dict)
    moved = models.JSONField(default=dict)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_label = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=now)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.gone_id} → {self.kept_id}"


class Twins(models.Model):
    """Two people who look like one: what speaks for it, and what somebody said about it."""

    class State(models.TextChoices):
        OPEN = "open", _("To decide")
        APART = "apart", _("Not the same")
        MERGED = "merged", _("Merged")

    left = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="twins_left", db_index=False
    )
    right = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="twins_right")
    score = models.SmallIntegerField()
    evidence = models.JSONField(default=list)
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    found_at = models.DateTimeField(default=now)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["left", "right"], name="twins_once"),
            models.CheckConstraint(condition=Q(left__lt=F("right")), name="twins_in_order"),
        ]
        indexes = [models.Index(fields=["state", "-score", "id"], name="twins_to_decide")]

    def __str__(self) -> str:
        return f"{self.left_id} = {self.right_id}? {self.score}"


class RefusedName(models.Model):
    """A name that joins nobody: it would glue strangers together. `allowed` overrules that."""

    class Reason(models.TextChoices):
        PLACEHOLDER = "placeholder", _("Stands for nobody")
        MANY_OWNERS = "many_owners", _("Claimed by many people")
        MANY_NAMES = "many_names", _("Holds too many names")

    kind = models.CharField(max_length=10)
    value = models.CharField(max_length=254)
    reason = models.CharField(max_length=12, choices=Reason.choices)
    people = models.IntegerField(default=0)
    times = models.BigIntegerField(default=0)
    source = models.CharField(max_length=100, blank=True)
    allowed = models.BooleanField(default=False)
    first_at = models.DateTimeField(default=now)
    last_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "value"], name="refused_name_once")]
        ordering = ["-last_at"]

    def __str__(self) -> str:
        return f"{self.kind}:{self.value} ({self.reason})"
