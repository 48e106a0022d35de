"""One offer for everybody: what each would get, who fits, how likely they take it, its worth."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _

from ingestion.models import Product
from marketing.core.errors import Invalid
from models_ml.columns import copied
from models_ml.models import ModelVersion, Prediction
from recommendations.knowledge import COLUMNS
from recommendations.knowledge import shelf as known_goods
from recommendations.models import OfferPlan
from recommendations.offers import chances, suitability
from recommendations.offers.chances import Level, Said
from recommendations.offers.people import Audience
from recommendations.offers.suitability import Judged
from recommendations.offers.terms import PICKS, PLACES, Offer
from recommendations.offers.worth import Reckoned, reckon

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Made:
    """One offer for everybody (n,): what it is for (`product`, -1: no product), what a sale leaves
    (`value`), the `discount`, who fits, and what comes of it."""

    offer: Offer
    product: Array
    value: Array
    discount: Array
    judged: Judged
    reckoned: Reckoned
    level: Level
    effect: Said | None
    rate: Array

    @property
    def measured(self) -> bool:
        """Whether its worth is what it adds."""
        return self.effect is not None


class Asking:
    """What the offers of one plan ask alike of everybody; each is asked once."""

    def __init__(self, row: OfferPlan, crowd: Audience, now: datetime) -> None:
        self.row, self.crowd, self.now = row, crowd, now
        self._said: dict[int, Said] = {}

    def said(self, key: str, *, kind: str, field: str) -> Said:
        """What a prediction says of them."""
        return self._of(*chances.find(key, kind=kind, field=field))

    @cached_property
    def buys(self) -> Said:
        """How likely each orders."""
        return self._of(*chances.of_ordering(self.row.buys))

    @cached_property
    def picks(self) -> tuple[chances.Places, Array, Array, Array, Array]:
        places, listed = _listed()
        return places, *_picks(self.row, places, listed, self.crowd.ids, self.now)

    def _of(self, asked: Prediction, version: ModelVersion) -> Said:
        if asked.pk not in self._said:
            self._said[asked.pk] = chances.said(asked, version, self.crowd.ids)
        return self._said[asked.pk]


def make(*, asking: Asking, offer: Offer) -> Made:
    """One offer of a plan for everybody it is for. Refuses what cannot be reckoned."""
    row, crowd, n = asking.row, asking.crowd, len(asking.crowd.ids)
    judged = suitability.judge(offer.rules, facts=crowd.facts, held=crowd.held, people=n)
    effect: Said | None = None
    rate = np.ones(n)
    if offer.source == PICKS:
        buys = asking.buys
        places, product, price, left, rate = asking.picks
        chance = buys.value * rate
        level = (buys.level[0] * places.level[0], buys.level[1] * places.level[1])
        if row.effect and offer.discounted:
            effect = asking.said(row.effect, kind=Prediction.Kind.EFFECT, field="effect")
    else:
        told = asking.said(offer.prediction, kind=Prediction.Kind.CHANCE, field="offers.prediction")
        chance, level = told.value, told.level
        product, price, left = _named(row, offer, n, asking.now)
    value = left if offer.value is None else np.full(n, offer.value)
    off = (
        np.nan_to_num(price) * offer.discount_percent / 100
        if offer.discount_percent
        else np.full(n, offer.discount)
    )
    reckoned = reckon(
        chance=np.where(judged.fits, chance, np.nan), value=value, discount=off,
        contact=float(row.contact_cost), effect=None if effect is None else effect.value * rate,
    )  # fmt: skip
    return Made(offer, product, value, off, judged, reckoned, level, effect, rate)


_PICKS = """
SELECT r.customer_id::int8, x.place, x.product_id
FROM recommendations_picklist r
CROSS JOIN LATERAL unnest(r.products[1:%(places)s]) WITH ORDINALITY AS x (product_id, place)
WHERE r.set_id = %(set)s
UNION ALL
SELECT 0, 0, s.id FROM recommendations_recommendationset s
WHERE s.id = %(set)s AND s.serving AND s.state = 'complete'
"""
_GOODS = f"""
SELECT {COLUMNS} FROM ingestion_product p
WHERE p.active AND (p.stock IS NULL OR p.stock > 0) AND p.price IS NOT NULL AND p.currency = %s
ORDER BY p.id
"""


def _listed() -> tuple[chances.Places, tuple[Array, Array, Array]]:
    """Everybody's first stored picks of the set that serves (person, place, product), and how often
    those of its engine were bought."""
    while True:
        places = chances.places()
        asked = {"set": places.number, "places": min(PLACES, len(places.rate))}
        with connection.cursor() as cursor:
            who, place, what = copied(cursor, _PICKS, asked, width=3)
        # A refresh drops a set with its picks at once: where its row is seen, all of them are.
        if (stands := place == 0).any():
            return places, (who[~stands], place[~stands], what[~stands])


def _picks(
    row: OfferPlan, places: chances.Places, listed: tuple[Array, Array, Array], ids: Array,
    now: datetime,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Of each person's listed picks the one of which most is expected: product, price, what a sale
    leaves, and its rate."""
    who, place, what = listed
    product, price, left, rate = (np.full(len(ids), fill) for fill in (-1, np.nan, np.nan, np.nan))
    product = product.astype(np.int64)
    with connection.cursor() as cursor:
        cursor.execute(_GOODS, [row.currency])
        goods = known_goods(cursor.fetchall(), now=now)
    there = goods.place(what)
    who, place, there = (one[there >= 0] for one in (who, place, there))
    if not len(who) or not len(ids):
        return product, price, left, rate
    likely = places.rate[place - 1]
    leaves = _left(goods.price, goods.margin, row.margin)[there]
    order = np.lexsort((-likely * leaves, who))
    best = order[np.unique(who[order], return_index=True)[1]]
    at = np.minimum(np.searchsorted(ids, who[best]), len(ids) - 1)
    known = ids[at] == who[best]
    at, best = at[known], best[known]
    product[at], price[at] = goods.ids[there[best]], goods.price[there[best]]  # type: ignore[index]
    left[at], rate[at] = leaves[best], likely[best]
    return product, price, left, rate


def _left(price: Any, margin: Any, otherwise: float) -> Array:
    return np.asarray(price * np.where(np.isfinite(margin), np.clip(margin, 0, 1), otherwise))


def _named(row: OfferPlan, offer: Offer, n: int, now: datetime) -> tuple[Array, Array, Array]:
    """The product that an offer names: for everybody, its price, and what a sale leaves."""
    nothing = np.full(n, np.nan)
    if not offer.sku:
        return np.full(n, -1, dtype=np.int64), nothing, nothing
    one = Product.objects.filter(sku=offer.sku, active=True).first()
    gone = one is None or (one.stock is not None and one.stock <= 0)
    if one is None or gone:
        raise Invalid(
            _("“%(name)s” names a product that is not on the shelf: %(sku)s.")
            % {"name": offer.name, "sku": offer.sku},
            code="product_gone",
            field="offers.sku",
            remedy=_("Name another product, or take the offer out. The last plan still stands."),
        )
    if offer.value is None and (one.price is None or one.currency != row.currency):
        raise Invalid(
            _("%(sku)s has no price in %(currency)s.")
            % {"sku": offer.sku, "currency": row.currency},
            code="no_price",
            field="offers.sku",
            remedy=_("Give it one, or say what a sale is worth."),
        )
    price = float(one.price or 0)
    attributes = one.attributes
    shelf = known_goods(
        [(one.pk, one.category, None, one.price, _text(attributes, "margin"),
          _text(attributes, "cost"), one.created_at, False)], now=now,
    )  # fmt: skip
    left = _left(np.array([price]), shelf.margin, row.margin)[0]
    return np.full(n, one.pk, dtype=np.int64), np.full(n, price), np.full(n, left)


def _text(attributes: dict[str, Any], name: str) -> str | None:
    value = attributes.get(name)
    return None if value is None else str(value)
