"""Picks as others show them: reads only, two questions to the database however many people."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q
from django.utils.translation import gettext as _

from ingestion.models import Product
from marketing.core.errors import Invalid
from models_ml import catalog
from recommendations import reasons
from recommendations.models import Recommendation, RecommendationSet

PLACEMENT = "email"


@dataclass(frozen=True, slots=True)
class Pick:
    """A product for a person, ready to show; `reason` is a sentence in the active language."""

    rank: int
    product_id: int
    sku: str
    name: str
    price: Decimal | None
    currency: str
    url: str
    image_url: str
    score: float
    code: str
    reason: str


def current_set(
    *, placement: str = PLACEMENT, engine: str | None = None
) -> RecommendationSet | None:
    """The serving set of a placement, or the complete one of a named engine."""
    rows = RecommendationSet.objects.filter(
        placement__slug=placement, state=RecommendationSet.State.COMPLETE
    ).select_related("placement", "model_version")
    if engine is None:
        return rows.filter(serving=True).first()
    if engine not in catalog.BY_ENGINE:
        raise Invalid(
            _("There is no engine named %(name)s.") % {"name": engine},
            code="engine_unknown",
            field="engine",
            remedy=_("Choose one of: %(names)s.") % {"names": ", ".join(catalog.BY_ENGINE)},
        )
    return rows.filter(engine=engine).first()


def for_customers(
    ids: Collection[int], placement: str = PLACEMENT, engine: str | None = None
) -> dict[int, list[Pick]]:
    """Everyone's picks, best first; people the set does not know get what is popular.

    Products that were taken off the shelf since the set was made are left out.
    """
    current = current_set(placement=placement, engine=engine)
    if current is None:
        return {key: [] for key in ids}
    found: dict[int, list[Pick]] = {key: [] for key in ids}
    rows = (
        Recommendation.objects.filter(set=current, customer_id__in=list(ids))
        .filter(_on_shelf("product__"))
        .order_by("customer_id", "rank")
        .values_list(
            "customer_id", "rank", "product_id", "product__sku", "product__name", "product__price",
            "product__currency", "product__url", "product__image_url", "score", "reason",
        )
    )  # fmt: skip
    for customer, *values, reason in rows:
        found[customer].append(
            Pick(*values, code=reason.get("code", ""), reason=reasons.sentence(reason))
        )
    if not all(found.values()):
        popular = _newcomers(current)
        for key, picks in found.items():
            if not picks:
                found[key] = popular
    return found


def _newcomers(current: RecommendationSet) -> list[Pick]:
    ids = current.metrics.get("newcomers", [])
    products = {row.pk: row for row in Product.objects.filter(_on_shelf(""), pk__in=ids)}
    there = [products[key] for key in ids if key in products]
    return [
        Pick(
            rank, row.pk, row.sku, row.name, row.price, row.currency, row.url, row.image_url, 0.0,
            "popular", reasons.sentence({"code": "popular"}),
        )
        for rank, row in enumerate(there, start=1)
    ]  # fmt: skip


def _on_shelf(prefix: str) -> Q:
    return Q(**{f"{prefix}active": True}) & (
        Q(**{f"{prefix}stock__isnull": True}) | Q(**{f"{prefix}stock__gt": 0})
    )
