"""What others may ask about numbers: which there are, one person's and why, as of when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ingestion import consent
from ingestion.models import Order, OrderLine
from models_ml.models import ModelVersion, Traits

# A shop that sells has an order within a month. Without one its history has ended, whether a file
# of it came late or the shop has closed: everything is then looked at as on its last day,
# the numbers of people and the days that rules count back alike, so that both speak of one moment.
OVER = timedelta(days=30)
REPEAT = "repeat_90d"


@dataclass(frozen=True, slots=True)
class TraitField:
    """A number about a person: column, label, what it counts in, the decimals it is kept in."""

    name: str
    label: str | Promise
    unit: str
    decimals: int = 0
    predicted: bool = False


TRAITS = (
    TraitField("recency_days", _("days since last order"), "days"),
    TraitField("orders", _("number of orders"), "count"),
    TraitField("units", _("units bought"), "count"),
    TraitField("revenue", _("money spent"), "money", 2),
    TraitField("avg_order_value", _("average order value"), "money", 2),
    TraitField("tenure_days", _("days since first order"), "days"),
    TraitField("interval_days_mean", _("average days between orders"), "days", 1),
    TraitField("interval_days_std", _("spread of the days between orders"), "days", 1),
    TraitField("products", _("different products bought"), "count"),
    TraitField("return_rate", _("share of units returned"), "share", 3),
    TraitField("trend", _("change in orders over 90 days"), "count"),
    TraitField("repeat_90d", _("chance to order again within 90 days"), "share", 4, predicted=True),
    TraitField("r_score", _("recency score, 5 the most recent"), "score"),
    TraitField("f_score", _("frequency score, 5 the most orders"), "score"),
    TraitField("m_score", _("money score, 5 the most spent"), "score"),
)
BY_NAME = {field.name: field for field in TRAITS}


def data_now(*, now: datetime | None = None) -> datetime:
    """The moment numbers are made for: now, or just after the newest order of a history that ended.

    A history that ended years ago would otherwise say of everyone that they left; this way it is
    looked at as on its last day. A shop that still sells gets the clock.
    """
    now = now or timezone.now()
    newest: datetime | None = Order.objects.aggregate(newest=Max("placed_at"))["newest"]
    if newest is not None and not is_over(newest=newest, now=now):
        return now  # without a look at every line
    newest = OrderLine.objects.aggregate(newest=Max("placed_at"))["newest"]
    if newest is None or not is_over(newest=newest, now=now):
        return now
    return newest + timedelta(seconds=1)


def is_over(*, newest: datetime, now: datetime) -> bool:
    """Whether a history whose newest order is of that moment has ended."""
    return now - newest > OVER


def as_of(*, now: datetime | None = None) -> datetime:
    """The moment that the stored numbers describe; rules count their days back from it."""
    stored = Traits.objects.order_by("customer_id").values_list("as_of", flat=True).first()
    return stored or data_now(now=now)


def live(name: str = REPEAT) -> ModelVersion | None:
    """The live version's row, without its folder."""
    return ModelVersion.objects.filter(name=name, state=ModelVersion.State.LIVE).first()


@dataclass(frozen=True, slots=True)
class Number:
    """One number of one person, ready to show."""

    name: str
    label: str
    value: float | None
    unit: str
    decimals: int
    predicted: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """A question of the tree and this person's answer: `field op threshold`, and the value they
    have.
    """

    field: str
    label: str
    op: str
    threshold: float
    value: float | None
    decimals: int


@dataclass(frozen=True, slots=True)
class Person:
    """A person's numbers as of a moment; `chance`, its 95% interval and the reasons when a live
    tree scored them.
    """

    as_of: datetime
    numbers: list[Number]
    chance: float | None = None
    low: float | None = None
    high: float | None = None
    people: int | None = None
    reasons: tuple[Reason, ...] = ()
    model: str = ""


def for_customer(*, customer_id: int) -> Person | None:
    """A person's numbers with labels, and why the tree says what it says; None when nothing was
    counted yet.
    """
    traits = (
        Traits.objects.filter(pk=customer_id)
        .annotate(objects_to_profiling=consent.objects_to_profiling("pk"))
        .first()
    )
    if traits is None:
        return None
    profiled = not traits.objects_to_profiling
    numbers = [
        Number(f.name, str(f.label), getattr(traits, f.name), f.unit, f.decimals, f.predicted)
        for f in TRAITS
        if profiled or not f.predicted
    ]
    if not profiled:  # said since the last scoring
        return Person(traits.as_of, numbers)
    version = live() if traits.repeat_90d_leaf is not None else None
    leaf = leaf_of(version, traits.repeat_90d_leaf) if version else None
    if version is None or leaf is None:
        return Person(traits.as_of, numbers)
    reasons = tuple(
        Reason(
            c["feature"],
            str(BY_NAME[c["feature"]].label),
            c["op"],
            c["threshold"],
            getattr(traits, c["feature"]),
            BY_NAME[c["feature"]].decimals,
        )
        for c in leaf["conditions"]
    )
    return Person(
        traits.as_of,
        numbers,
        traits.repeat_90d,
        leaf["rate"]["low"],
        leaf["rate"]["high"],
        leaf["people"],
        reasons,
        str(version),
    )


def leaf_of(version: ModelVersion, leaf: int | None) -> dict[str, Any] | None:
    """A leaf of a stored tree by its number, as training wrote it into the version's details."""
    leaves: list[dict[str, Any]] = version.details.get("leaves", [])
    return next((item for item in leaves if item["id"] == leaf), None)
