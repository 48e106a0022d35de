"""Picks as others show them: reads only, a few questions to the database however many people."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q
from django.utils.translation import gettext as _

from ingestion import consent
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
    ids: Collection[int],
    placement: str = PLACEMENT,
    engine: str | None = None,
    current: RecommendationSet | None = None,
) -> dict[int, list[Pick]]:
    """Everyone's picks, best first; people the set does not know get what is popular, and so does
    at once whoever said no to profiling.

    Products that were taken off the shelf since the set was made are left out. Whoever has read the
    set already gives it as `current`.
    """
    current = current or current_set(placement=placement, engine=engine)
    if current is None:
        return {key: [] for key in ids}
    found = _read([current.pk], ids)
    newcomers = None
    picks = {}
    for key in ids:
        picks[key] = found.get((current.pk, key), [])
        if not picks[key]:
            newcomers = _newcomers(current) if newcomers is None else newcomers
            picks[key] = newcomers
    return picks


def by_engine(
    *, customer_id: int, placement: str = PLACEMENT
) -> list[tuple[RecommendationSet, list[Pick]]]:
    """One person's picks in every complete set of a placement."""
    sets = list(
        RecommendationSet.objects.filter(
            placement__slug=placement, state=RecommendationSet.State.COMPLETE
        )
    )
    found = _read([row.pk for row in sets], [customer_id])
    newcomers = _newcomers(sets[0]) if sets and len(found) < len(sets) else []
    return [(row, found.get((row.pk, customer_id), newcomers)) for row in sets]


def _read(sets: Collection[int], ids: Collection[int]) -> dict[tuple[int, int], list[Pick]]:
    """Picks by set and person, best first, of products that are still on the shelf.

    None for people who said no to profiling, whatever was built before they did.
    """
    found: dict[tuple[int, int], list[Pick]] = {}
    rows = (
        Recommendation.objects.filter(set_id__in=list(sets), customer_id__in=list(ids))
        .filter(_on_shelf("product__"), ~consent.objects_to_profiling("customer_id"))
        .order_by("customer_id", "set_id", "rank")
        .values_list(
            "set_id",
            "customer_id",
            "rank",
            "product_id",
            "product__sku",
            "product__name",
            "product__price",
            "product__currency",
            "product__url",
            "product__image_url",
            "score",
            "reason",
        )
    )
    for set_id, customer_id, *values, reason in rows:
        pick = Pick(*values, reason.get("code", ""), reasons.sentence(reason))  # type: ignore[call-arg, arg-type]
        found.setdefault((set_id, customer_id), []).append(pick)
    return found


def _newcomers(current: RecommendationSet) -> list[Pick]:
    ids = current.metrics.get("newcomers", [])
    products = {row.pk: row for row in Product.objects.filter(_on_shelf(""), pk__in=ids)}
    there = [products[key] for key in ids if key in products]
    why = reasons.sentence({"code": "popular"})
    return [
        Pick(
            rank=rank,
            product_id=row.pk,
            sku=row.sku,
            name=row.name,
            price=row.price,
            currency=row.currency,
            url=row.url,
            image_url=row.image_url,
            score=0.0,
            code="popular",
            reason=why,
        )
        for rank, row in enumerate(there, start=1)
    ]


def _on_shelf(prefix: str) -> Q:
    return Q(**{f"{prefix}active": True}) & (
        Q(**{f"{prefix}stock__isnull": True}) | Q(**{f"{prefix}stock__gt": 0})
    )
