"""Tables of picks: a set is complete or invisible."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ingestion.models import Customer, Product
from models_ml.models import ModelVersion


class Placement(models.Model):
    """A place where picks are shown: which, by which engine, under which rules of the shop.

    An `engine` of "" means the best judged. With a `rival_percent` that share of the visitors gets
    the `rival` instead; with a `holdout_percent` that share gets what everybody gets, or nothing.
    """

    class Kind(models.TextChoices):
        HOME = "home", _("Home page")
        SIMILAR = "similar", _("Product page: similar products")
        TOGETHER = "together", _("Product page: bought together")
        BASKET = "basket", _("Basket")
        MESSAGE = "message", _("Mails, texts and pushes")
        AFTER = "after", _("After a purchase")
        REPLENISH = "replenish", _("Time to buy again")

    class Holdout(models.TextChoices):
        POPULAR = "popular", _("what is popular")
        NOTHING = "nothing", _("nothing")

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MESSAGE)
    enabled = models.BooleanField(default=True)
    size = models.IntegerField(default=10)
    engine = models.CharField(max_length=20, blank=True, default="")
    rival = models.CharField(max_length=20, blank=True, default="")
    rival_percent = models.SmallIntegerField(default=0)
    holdout_percent = models.SmallIntegerField(default=0)
    holdout_shows = models.CharField(max_length=8, choices=Holdout.choices, default=Holdout.POPULAR)
    rules = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class RecommendationSet(models.Model):
    """Everybody's picks by one engine, made at one moment."""

    class State(models.TextChoices):
        BUILDING = "building", _("Being made")
        COMPLETE = "complete", _("Complete")
        RETIRED = "retired", _("Replaced")

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="sets")
    engine = models.CharField(max_length=20)
    model_version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.BUILDING)
    serving = models.BooleanField(default=False)
    metrics = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["placement"], condition=Q(serving=True), name="placement_one_serving"
            ),
            models.UniqueConstraint(
                fields=["placement", "engine"],
                condition=Q(state="complete"),
                name="placement_engine_one_complete",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.placement_id} {self.engine}"


class RealField(models.FloatField):
    """A number of single precision, as engines say them."""

    def db_type(self, connection: Any) -> str:
        return "real"


class PickList(models.Model):
    """What one set has for one person, best first: four aligned arrays.

    `whys` are the codes of `reasons.CODES`; `anchors` the product that a reason names, -1 where it
    names none. Derived and replaced as a whole, so the database checks no foreign keys. Products
    that vanished stay in the arrays and are left out by whoever reads; a person who is deleted
    takes the row along.
    """

    pk = models.CompositePrimaryKey("set_id", "customer_id")
    set = models.ForeignKey(
        RecommendationSet,
        on_delete=models.CASCADE,
        related_name="lists",
        db_index=False,
        db_constraint=False,
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    products = ArrayField(models.BigIntegerField())
    scores = ArrayField(RealField())
    whys = ArrayField(models.SmallIntegerField())
    anchors = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.products}"


# The numbers of all sets that lists are there of: a step through the key for each, however many
# people there are. PostgreSQL takes such steps by itself from release 18 on.
PICKED_SETS = """
WITH RECURSIVE each (id) AS (
    SELECT min(set_id) FROM recommendations_picklist
    UNION ALL
    SELECT (SELECT min(p.set_id) FROM recommendations_picklist p WHERE p.set_id > each.id)
    FROM each WHERE each.id IS NOT NULL
)
SELECT id FROM each WHERE id IS NOT NULL"""


class LinkSet(models.Model):
    """All links between products as of one moment, and what is popular; the newest complete counts.

    `popular`: the products most people bought lately, best first, in all and by category.
    """

    complete = models.BooleanField(default=False)
    made_at = models.DateTimeField()
    popular = models.JSONField(default=dict)
    metrics = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["complete"], condition=Q(complete=True), name="link_set_one_complete"
            )
        ]

    def __str__(self) -> str:
        return f"{self.made_at:%Y-%m-%d %H:%M}"


class ProductLink(models.Model):
    """Another product that goes with a product, how often that was seen, and how closely they go.

    `count` is a number of visits, people, orders or further orders, as `kind` says, and 0 for what
    is like in what is said of it. Derived and
    replaced as a whole, so the database checks no keys, as it does not for picks.
    """

    class Kind(models.TextChoices):
        SEEN = "seen", _("Looked at in the same visits")
        BOUGHT = "bought", _("Bought by the same people")
        TOGETHER = "together", _("Bought in the same orders")
        NEXT = "next", _("Bought in the next order")
        NEW = "new", _("New, and like it")

    set = models.ForeignKey(
        LinkSet, on_delete=models.CASCADE, related_name="links", db_index=False, db_constraint=False
    )
    product = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=8, choices=Kind.choices)
    rank = models.SmallIntegerField()
    other = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    score = models.FloatField()
    count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "kind", "set", "rank"], name="link_once")
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.kind} {self.other_id}: {self.count}"


class Visitor(models.Model):
    """Somebody to whom a placement was shown: by which engine first, how often, what they clicked.

    `unit` names a person (c:12) or a device that is nobody's yet (a:its number). `arm` is what they
    got when they first came, which they keep however the shares are changed later.
    """

    placement = models.ForeignKey(Placement, on_delete=models.CASCADE, related_name="visitors")
    unit = models.CharField(max_length=102)
    customer = models.ForeignKey(
        Customer, null=True, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    arm = models.CharField(max_length=20)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    shown = models.IntegerField(default=0)
    clicked = models.IntegerField(default=0)
    first_click_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["placement", "unit"], name="placement_visitor_once")
        ]
        indexes = [models.Index(fields=["placement", "first_at"], name="visitor_first")]

    def __str__(self) -> str:
        return f"{self.placement_id} {self.unit}: {self.arm}"


class VisitorMark(models.Model):
    """The last event that was counted among the visitors; one row."""

    event_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.event_id)


class OfferPlan(models.Model):
    """Some offers and a budget: to whom each is made.

    `offers` is a list as `offers.terms` reads it; `group` the people it is for ("": everybody).
    `buys` names the prediction that says how likely each orders, `effect` the one that says how
    much likelier the mail makes it ("": not measured). `margin` is the part of the price that stays
    where a product's own is not known. `result` tells what came of the last planning, with the
    offers as they were then: choices count their offers from those.
    """

    class Kind(models.TextChoices):
        RETAIL = "retail", _("Goods")
        FINANCIAL = "financial", _("Financial products")

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.RETAIL)
    group = models.CharField(max_length=100, blank=True, default="")
    budget = models.DecimalField(max_digits=14, decimal_places=2)
    currency = models.CharField(max_length=3)
    contact_cost = models.DecimalField(max_digits=10, decimal_places=4, default=0)
    margin = models.FloatField(default=1.0)
    buys = models.CharField(max_length=60, blank=True, default="")
    effect = models.CharField(max_length=60, blank=True, default="")
    offers = models.JSONField(default=list)
    result = models.JSONField(default=dict)
    planned_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class OfferChoice(models.Model):
    """An offer made to somebody: which of the plan's, with what chance, worth and cost.

    Derived and replaced as a whole, so the database checks no keys, as it does not for picks.
    """

    plan = models.ForeignKey(
        OfferPlan, on_delete=models.CASCADE, related_name="choices", db_constraint=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    offer = models.SmallIntegerField()
    product = models.ForeignKey(
        Product, null=True, on_delete=models.CASCADE, related_name="+", db_index=False,
        db_constraint=False,
    )  # fmt: skip
    chance = models.FloatField()
    worth = models.FloatField()
    cost = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "plan"], name="offer_once_a_plan")
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} → {self.customer_id}: {self.offer}"
