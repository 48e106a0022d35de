"""Plans of offers made, changed and taken away; and who gets what of them, as others show it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q
from django.utils.text import slugify
from django.utils.translation import gettext as _

from ingestion import consent
from marketing.core import audit, jobs
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, Job, User
from models_ml.models import Prediction
from recommendations import groups
from recommendations.models import OfferChoice, OfferPlan
from recommendations.offers import chances, terms
from recommendations.offers.terms import PICKS

FIELDS = (
    "name", "kind", "group", "budget", "currency", "contact_cost", "margin", "buys", "effect",
    "offers",
)  # fmt: skip
PLAN = "recommendations.offers"
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,48}[a-z0-9]|[a-z0-9]")
Actor = User | ApiKey | None


def find(slug: str) -> OfferPlan:
    """The plan of this key. NotFound."""
    row = OfferPlan.objects.filter(slug=slug).first()
    if row is None:
        raise NotFound(_("There is no plan with this key."), code="unknown_plan")
    return row


def save(
    *, slug: str = "", values: Mapping[str, Any], actor: Actor, now: datetime
) -> tuple[OfferPlan, bool]:
    """Make the plan of this key, or change what is named of it; whether it is new."""
    row = OfferPlan.objects.filter(slug=slug).first() if slug else None
    made = row is None
    for name in values:
        if name not in FIELDS:
            raise _wrong(name[:60], _("There is no such field."))
    if row is None:
        row = OfferPlan(slug=slug or _free(str(values.get("name", ""))), created_at=now)
        if not _SLUG.fullmatch(row.slug):
            raise _wrong("key", _("A key has small letters, digits and hyphens, up to 50."))
        for needed in ("name", "budget", "currency", "offers"):
            if needed not in values:
                raise _wrong(needed, _("This is missing."))
    _take(row, values)
    offers = terms.read(row.offers, kind=row.kind)
    row.offers = [one.stored() for one in offers]
    _mind_predictions(row, offers)
    row.updated_at = now
    row.save()
    audit.record(actor=actor, action="offers.made" if made else "offers.changed", obj=row)
    return row, made


def remove(*, slug: str, actor: Actor) -> None:
    """Take a plan away with who gets what."""
    row = find(slug)
    audit.record(actor=actor, action="offers.removed", obj=row)
    OfferChoice.objects.filter(plan=row)._raw_delete(using="default")
    row.delete()


def start(*, slug: str, actor: Actor) -> Job:
    """Start planning; refuses while the plan is being made already."""
    row = find(slug)
    if Job.objects.filter(kind=PLAN, state__in=Job.OPEN, params__plan=row.pk).exists():
        raise Conflict(
            _("This plan is being made already; nothing was started."),
            code="already_running",
            remedy=_("Wait for that job to end."),
        )
    job = jobs.start(
        kind=PLAN, title=_("Plan offers: %(name)s") % {"name": row.name},
        user=actor if isinstance(actor, User) else None, params={"plan": row.pk}, steps=1,
    )  # fmt: skip
    audit.record(actor=actor, action="offers.planned", obj=row)
    return job


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(message, code="bad_plan", field=field)


def _free(name: str) -> str:
    base = slugify(name)[:40].strip("-") or "offers"
    taken = set(OfferPlan.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(
        key for key in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if key not in taken
    )


def _take(row: OfferPlan, values: Mapping[str, Any]) -> None:
    if "name" in values:
        row.name = " ".join(str(values["name"]).split())
        if not row.name or len(row.name) > 100 or "\0" in row.name:
            raise _wrong("name", _("Give the plan a name of up to 100 characters."))
    if "kind" in values:
        if values["kind"] not in OfferPlan.Kind.values:
            names = ", ".join(OfferPlan.Kind.values)
            raise _wrong("kind", _("Choose one of: %(names)s.") % {"names": names})
        row.kind = values["kind"]
    if "group" in values:
        row.group = str(values["group"] or "")
        if row.group and row.group not in groups.titles():
            raise _wrong("group", _("There is no such segment or list."))
    if "currency" in values:
        row.currency = str(values["currency"]).upper()
        if not re.fullmatch(r"[A-Z]{3}", row.currency):
            raise _wrong("currency", _("A currency has three letters, such as EUR."))
    if "budget" in values:
        row.budget = _money(values["budget"], "budget", Decimal(10) ** 11)
    if "contact_cost" in values:
        row.contact_cost = _money(values["contact_cost"], "contact_cost", Decimal(10) ** 5)
    if "margin" in values:
        margin = values["margin"]
        number = isinstance(margin, int | float) and not isinstance(margin, bool)
        if not number or not 0 < margin <= 1:
            raise _wrong("margin", _("A margin is a part of the price: above 0, at most 1."))
        row.margin = float(margin)
    for name in ("buys", "effect"):
        if name in values:
            setattr(row, name, str(values[name] or "")[:60])
    if "offers" in values:
        row.offers = values["offers"]


def _money(value: Any, field: str, most: Decimal) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("NaN")
    if isinstance(value, bool) or not found.is_finite() or not 0 <= found <= most:
        raise _wrong(
            field,
            _("This must be an amount from 0 to %(most)s.") % {"most": f"{most:,.0f}"},
        )
    return found


def _mind_predictions(row: OfferPlan, offers: tuple[terms.Offer, ...]) -> None:
    """What the plan asks must be there and published, so that planning is not refused later."""
    if any(one.source == PICKS for one in offers):
        if not row.buys:
            raise _wrong("buys", _("Picks need the chance to order within %(n)d days.") % {"n": 30})
        chances.of_ordering(row.buys)
    if row.effect:
        chances.find(row.effect, kind=Prediction.Kind.EFFECT, field="effect")
    for n, one in enumerate(offers):
        if one.prediction:
            at = f"offers[{n}].prediction"
            chances.find(one.prediction, kind=Prediction.Kind.CHANCE, field=at)


@dataclass(frozen=True, slots=True)
class Given:
    """An offer for somebody, ready to show."""

    plan: str
    name: str
    product: dict[str, Any] | None
    discount: float
    discount_percent: float
    currency: str
    chance: float
    worth: float
    cost: float
    planned_at: datetime


def titles() -> dict[str, str]:
    """What each plan is called, by its key."""
    return dict(OfferPlan.objects.order_by("name", "pk").values_list("slug", "name"))


def of_people(ids: Collection[int], *, plans: Collection[str] = ()) -> dict[int, list[Given]]:
    """What people are offered, by plan, the newest planned first; of all plans or of these.

    None for who said no to profiling since, and none of a product that left the shelf.
    """
    rows = (
        OfferChoice.objects.filter(customer_id__in=list(ids))
        .filter(~consent.objects_to_profiling("customer_id"))
        .filter(
            Q(product__isnull=True)
            | Q(product__active=True) & (Q(product__stock__isnull=True) | Q(product__stock__gt=0))
        )
        .select_related("plan", "product")
        .order_by("-plan__planned_at", "plan_id")
    )
    if plans:
        rows = rows.filter(plan__slug__in=list(plans))
    found: dict[int, list[Given]] = {}
    for row in rows:
        told = row.plan.result["offers"][row.offer]
        found.setdefault(row.customer_id, []).append(
            Given(
                row.plan.slug, told["name"], _product(row), told.get("discount", 0.0),
                told.get("discount_percent", 0.0), row.plan.currency, row.chance, row.worth,
                row.cost, row.plan.planned_at or row.plan.updated_at,
            )
        )  # fmt: skip
    return found


def _product(row: OfferChoice) -> dict[str, Any] | None:
    one = row.product
    if one is None:
        return None
    return {
        "sku": one.sku, "name": one.name or one.sku, "currency": one.currency, "url": one.url,
        "price": None if one.price is None else str(one.price), "image_url": one.image_url,
    }  # fmt: skip
