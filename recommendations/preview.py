"""What rules would change: the picks of sample people before and after, and what that costs."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection

from recommendations import gathering, live, placements
from recommendations.live import Shown
from recommendations.models import Placement
from recommendations.placements import Place
from recommendations.rules import NOTHING, Rules, costs
from recommendations.visits import Visit

SAMPLE = 6
RAW = Rules(size=60, drop_owned=False, min_stock=0, new_share=0.0)

# The busiest people of the last year, with what they bought last as what they look at now.
_PEOPLE = """
SELECT c.id, trim(c.first_name || ' ' || c.last_name), c.external_id, c.email,
    (SELECT array_agg(sku) FROM (SELECT l.sku FROM ingestion_orderline l
        WHERE l.customer_id = c.id AND l.kind = 'product' ORDER BY l.placed_at DESC LIMIT 3) AS s)
FROM ingestion_customerrollup r JOIN ingestion_customer c ON c.id = r.customer_id
WHERE c.merged_into_id IS NULL ORDER BY r.orders DESC, c.id LIMIT %(n)s
"""
_PRODUCTS = """
SELECT p.sku, p.name FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS u (id, n)
JOIN ingestion_product p ON p.id = u.id ORDER BY u.n LIMIT %(n)s
"""


@dataclass(frozen=True)
class Case:
    """A person or a product page, and what is shown there; `new` and `gone` are stock codes."""

    label: str
    before: list[Shown]
    after: list[Shown]
    new: frozenset[str]
    gone: frozenset[str]


@dataclass(frozen=True)
class Effect:
    """All cases; picks in all and how many are others; the engine's own gain that is left."""

    cases: list[Case]
    picks: int
    changed: int
    kept_before: float
    kept_after: float

    @property
    def cost(self) -> float:
        """What the new rules cost of the engine's own NDCG against those that stand."""
        return self.kept_before - self.kept_after


def effect(*, place: Place, rules: Rules, now: datetime) -> Effect:
    """Put rules beside those that stand, for a few people (or products) who matter most."""
    cases: list[Case] = []
    raw: list[list[int]] = []
    before: list[list[int]] = []
    after: list[list[int]] = []
    for label, visit, product in _sample(place):
        found = gathering.gather(
            place=place, visit=visit, side=place.arms[0], product=product, now=now
        )
        sides = [live.shown(found, terms=terms, now=now) for terms in (RAW, place.rules, rules)]
        old, new = ({one.sku for one in side} for side in sides[1:])
        cases.append(Case(label, sides[1], sides[2], frozenset(new - old), frozenset(old - new)))
        for rows, side, size in zip(
            (raw, before, after), sides, (RAW.size, place.size, rules.size), strict=True
        ):
            rows.append(_row(side, size))
    if not cases:
        return Effect([], 0, 0, 1.0, 1.0)
    one, two, three = np.array(raw), np.array(before), np.array(after)
    return Effect(
        cases,
        int((three >= 0).sum()),
        costs.changed(two, three),
        costs.kept(one, two),
        costs.kept(one, three),
    )


def _row(side: list[Shown], size: int) -> list[int]:
    ids = [one.product_id for one in side][:size]
    return ids + [NOTHING] * (size - len(ids))


def _sample(place: Place) -> list[tuple[str, Visit, str]]:
    with connection.cursor() as cursor:
        if place.sort.asks:
            ids = list(placements.known().popular)
            cursor.execute(_PRODUCTS, {"ids": ids, "n": SAMPLE})
            return [(name or sku, Visit(), sku) for sku, name in cursor.fetchall()]
        cursor.execute(_PEOPLE, {"n": SAMPLE})
        return [
            (name or number or email or str(key), Visit(customer_id=key, skus=skus or ()), "")
            for key, name, number, email, skus in cursor.fetchall()
        ]


def placed(row: Placement) -> Place | None:
    """A placement as answers need it; None while it is turned off."""
    return placements.look().places.get(row.slug)
