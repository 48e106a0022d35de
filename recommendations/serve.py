"""Picks as others show them: reads only, a few questions to the database however many people."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from ingestion.models import Customer, Product
from marketing.core.errors import Invalid
from models_ml import catalog
from recommendations import placements, reasons
from recommendations.models import (
    Placement,
    RecommendationSet,
    Visitor,
)

PLACEMENT = "email"
# A stored pick and its product, in the order of `Pick`, then what its reason is told by.
COLUMNS = """x.rank, g.id, g.sku, g.name, g.price, g.currency, g.url, g.image_url, x.score, x.why,
    a.id AS anchor_id, coalesce(nullif(a.name, ''), a.sku) AS anchor"""
WIDTH = 12
# A row a pick that is still on the shelf.
ROWS = """FROM recommendations_picklist r
    CROSS JOIN LATERAL unnest(r.products, r.scores, r.whys, r.anchors)
        WITH ORDINALITY AS x (product_id, score, why, anchor_id, rank)
    JOIN ingestion_product g ON g.id = x.product_id AND g.active
        AND (g.stock IS NULL OR g.stock > 0)
    LEFT JOIN ingestion_product a ON a.id = x.anchor_id"""
PROFILED = """NOT EXISTS (SELECT FROM ingestion_consent k WHERE k.customer_id = r.customer_id
        AND k.purpose = 'profiling' AND k.current AND NOT k.granted)"""


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
    mind_engine(engine)
    return rows.filter(engine=engine).first()


def mind_engine(engine: str | None) -> None:
    """Invalid for an engine there is not."""
    if engine and engine not in catalog.BY_ENGINE:
        raise Invalid(
            _("There is no engine named %(name)s.") % {"name": engine},
            code="engine_unknown",
            field="engine",
            remedy=_("Choose one of: %(names)s.") % {"names": ", ".join(catalog.BY_ENGINE)},
        )


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
    asked = engine is not None or current is not None
    current = current or current_set(placement=placement, engine=engine)
    if current is None:
        return {key: [] for key in ids}
    while True:
        chosen = {} if asked else _sides(current.placement, ids)
        sets = {current.pk, *(number for number, _shows in chosen.values() if number)}
        found, standing = _read(sets, ids)
        if standing == sets:
            break
        # A refresh put others in their place since they were looked up, perhaps between the two.
        newer = current_set(placement=current.placement.slug, engine=engine)
        if newer is None:
            break
        current = newer
    newcomers = None
    picks = {}
    for key in ids:
        number, shows = chosen.get(key, (current.pk, True))
        picks[key] = found.get((number or current.pk, key), []) if shows and number != 0 else []
        if not picks[key] and shows:
            newcomers = _newcomers(current) if newcomers is None else newcomers
            picks[key] = newcomers
    return picks


def _sides(row: Placement, ids: Collection[int]) -> dict[int, tuple[int | None, bool]]:
    """Of a placement whose visitors are shared out: each person's set (0: what is popular, None:
    the serving one), and whether anything is shown. Empty where all get the serving set."""
    if not (row.rival_percent or row.holdout_percent or row.engine):
        return {}
    place = placements.look().places.get(row.slug)
    if place is None:
        return {}
    now = {key: key for key in ids}
    merged = Customer.every.filter(merged_into_id__in=list(ids))
    now |= dict(merged.values_list("id", "merged_into_id"))
    rows = Visitor.objects.filter(placement_id=place.pk, unit__in=[f"c:{key}" for key in now])
    kept: dict[int, str] = {}
    for unit, arm in rows.order_by("first_at").values_list("unit", "arm"):
        kept.setdefault(now[int(unit[2:])], arm)
    found: dict[int, tuple[int | None, bool]] = {}
    for key in ids:
        arm = place.arm(f"c:{key}", kept.get(key, ""))
        if arm == placements.HOLDOUT:
            found[key] = (0, place.holdout_shows != Placement.Holdout.NOTHING)
        else:
            found[key] = (place.sets.get(arm), True)
    return found


def by_engine(
    *, customer_id: int, placement: str = PLACEMENT
) -> list[tuple[RecommendationSet, list[Pick]]]:
    """One person's picks in every complete set of a placement."""
    complete = RecommendationSet.objects.filter(
        placement__slug=placement, state=RecommendationSet.State.COMPLETE
    )
    while True:
        sets = list(complete.all())
        found, standing = _read([row.pk for row in sets], [customer_id])
        if len(standing) == len(sets):
            break
    newcomers = _newcomers(sets[0]) if sets and len(found) < len(sets) else []
    return [(row, found.get((row.pk, customer_id), newcomers)) for row in sets]


def _read(
    sets: Collection[int], ids: Collection[int]
) -> tuple[dict[tuple[int, int], list[Pick]], set[int]]:
    """Picks by set and person, best first, of products that are still on the shelf; and which of
    the sets there are. A refresh replaces all sets of a placement with their picks at once: where
    all are seen, they are of one refresh and whole.

    No picks for people who said no to profiling, whatever was built before they did.
    """
    found: dict[tuple[int, int], list[Pick]] = {}
    standing = set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.set_id, r.customer_id, {COLUMNS} {ROWS}"
            f" WHERE r.set_id = ANY(%s) AND r.customer_id = ANY(%s) AND {PROFILED}"
            f" UNION ALL SELECT s.id, NULL{', NULL' * WIDTH}"
            " FROM recommendations_recommendationset s WHERE s.id = ANY(%s) ORDER BY 1, 2, 3",
            [list(sets), list(ids), list(sets)],
        )
        for set_id, customer_id, *values in cursor.fetchall():
            if customer_id is None:
                standing.add(set_id)
            else:
                found.setdefault((set_id, customer_id), []).append(picked(values))
    return found, standing


def picked(values: Sequence[Any]) -> Pick:
    """The pick of a row of COLUMNS."""
    *shown, why, anchor_id, anchor = values
    told = reasons.told(why, anchor_id, anchor)
    return Pick(*shown, told["code"], reasons.sentence(told))  # type: ignore[call-arg]


def _newcomers(current: RecommendationSet) -> list[Pick]:
    ids = current.metrics.get("newcomers", [])
    there = Product.objects.filter(active=True, pk__in=ids).exclude(stock__lte=0)
    goods = {row.pk: row for row in there}
    return [
        _popular(rank, goods[key])
        for rank, key in enumerate((key for key in ids if key in goods), start=1)
    ]


def _popular(rank: int, product: Product) -> Pick:
    return Pick(
        rank=rank,
        product_id=product.pk,
        sku=product.sku,
        name=product.name,
        price=product.price,
        currency=product.currency,
        url=product.url,
        image_url=product.image_url,
        score=0.0,
        code="popular",
        reason=reasons.sentence({"code": "popular"}),
    )
