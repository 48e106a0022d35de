"""Picks within a request: links of what somebody just looked at, then what was chosen for them.

Three questions to the database: who it is and what they did lately, what goes with that (and what
was chosen beforehand), and what is known of those products now. The rules of the shop are kept on
what is found, so a product that sold out a second ago is not shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from recommendations import gathering, groups, knowledge, placements, reasons, rules, visits
from recommendations.gathering import Found
from recommendations.models import Placement
from recommendations.placements import HOLDOUT
from recommendations.rules import Limits, Owned, Rules
from recommendations.visits import Names

NOBODY = Names()
_USUAL = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY unit_price)::float8
FROM ingestion_orderline WHERE customer_id = %s AND kind = 'product' AND quantity > 0
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A product to show, why, and by which engine."""

    rank: int
    product_id: int
    sku: str
    name: str
    price: Decimal | None
    currency: str
    url: str
    image_url: str
    score: float
    engine: str
    why: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.why.get("code", ""))

    @property
    def reason(self) -> str:
        """The reason as a sentence in the active language."""
        return reasons.sentence(self.why)


@dataclass(frozen=True)
class Answer:
    """What to show in a placement. `arm`: what this visitor gets (an engine, or the hold-out);
    `set`: by which set and links; `seeds`: how many products of the visit counted."""

    placement: str
    arm: str
    set: str
    picks: list[Shown]
    seeds: int = 0
    sources: dict[str, int] = field(default_factory=dict)

    @property
    def why(self) -> str:
        """In a sentence: what the answer was made of."""
        if self.arm == HOLDOUT:
            return _("This visitor is in the hold-out of the placement.")
        parts = [
            f"{placements.title_of(name)}: {count}" for name, count in self.sources.items() if count
        ]
        if not parts:
            return _("Nothing was left after the rules.")
        if self.seeds:
            return ngettext(
                "By %(n)d product of this visit. %(parts)s",
                "By %(n)d products of this visit. %(parts)s",
                self.seeds,
            ) % {"n": self.seeds, "parts": ", ".join(parts)}
        return _("Nothing of this visit is known. %(parts)s") % {"parts": ", ".join(parts)}


def pick(
    *,
    placement: str,
    names: Names = NOBODY,
    product: str = "",
    items: Sequence[str] = (),
    size: int | None = None,
    now: datetime,
    public: bool = False,
    arm: str | None = None,
) -> Answer:
    """Picks for a placement now. NotFound for a placement there is not.

    `product` is the stock code on the page, `items` those of the basket, the purchase or the visit,
    newest last. `public`: nobody proved who they are, so only what the device itself told counts,
    and what was chosen for a person only where they agreed to it. `arm` asks for an engine rather
    than for what the visitor gets.
    """
    place = placements.find(placement)
    visit = visits.ask(names=names, placement_id=place.pk, now=now, own=public)
    found = gathering.gather(
        place=place,
        visit=visit,
        side=arm or place.arm(visit.unit, visit.arm),
        product=product,
        items=items,
        now=now,
        public=public,
    )
    return answer(found, terms=place.rules, size=size or place.size, now=now)


def answer(found: Found, *, terms: Rules, size: int, now: datetime) -> Answer:
    """What is shown of what was found under these rules."""
    picks = shown(found, terms=terms, now=now)[:size]
    sources: dict[str, int] = {}
    for one in picks:
        sources[one.engine] = sources.get(one.engine, 0) + 1
    return Answer(found.place.slug, found.side, found.set, picks, len(found.context.seeds), sources)


def shown(found: Found, *, terms: Rules, now: datetime) -> list[Shown]:
    """What the rules leave, ready to show, best first."""
    rows, context = found.rows, found.context
    known = [key for key in found.candidates if key in rows]
    if not known:
        return []
    new = {key for key in known if found.candidates[key].why.get("code") == gathering.NEW}
    order = np.array([[key for key in known if key not in new]], dtype=np.int64)
    there = [
        row
        for row in rows.values()
        if row[13]
        and (row[14] is None or row[14] >= terms.min_stock)
        and row[0] not in context.hidden
    ]
    shelf = knowledge.shelf(there, now=now).under(terms)
    again = found.place.kind == Placement.Kind.REPLENISH
    mine = np.array([row[0] for row in there if row[15] and not again], dtype=np.int64)
    owned = Owned(row=np.zeros(len(mine), dtype=np.int64), item=mine)
    limits = _limits(terms, found)
    picks, scores = rules.apply(
        order, np.zeros(order.shape), shelf=shelf, owned=owned, rules=terms, limits=limits
    )
    if new:
        # Newness is of this moment: what was new when links were counted may not be any more.
        assert shelf.age is not None
        young = set(shelf.ids[shelf.age <= terms.fresh_days].tolist())
        fresh = np.array([[key for key in known if key in new and key in young]], dtype=np.int64)
        picks, scores, _whence = rules.give_places(
            picks, scores, fresh, np.zeros(fresh.shape), shelf=shelf, owned=owned, rules=terms,
            limits=limits,
        )  # fmt: skip
    keys = [key for key in picks[0].tolist() if key >= 0]
    return [_shown(rank, key, found) for rank, key in enumerate(keys, start=1)]


def _shown(rank: int, key: int, found: Found) -> Shown:
    row, candidate, why = found.rows[key], found.candidates[key], found.candidates[key].why
    told = why.get("product_id") in found.context.seeds
    if why.get("code") == "because":
        why = {"code": "taste"} if found.hides else why
    elif why.get("code") == gathering.NEW and found.hides and not told:
        why = {"code": gathering.NEW}
    elif why.get("product_id") in found.rows:
        seed = found.rows[why["product_id"]]
        why = {**why, "name": seed[9] or seed[8]}
    return Shown(
        rank, key, row[8], row[9] or row[8], row[3], row[10], row[11], row[12],
        float(candidate.score), candidate.engine, why,
    )  # fmt: skip


def _limits(terms: Rules, found: Found) -> Limits | None:
    price = None
    if terms.price_from is not None or terms.price_to is not None:
        reference = found.rows.get(found.context.reference or 0)
        held = reference[3] if reference else None
        if held is None and found.customer is not None:
            with connection.cursor() as cursor:
                cursor.execute(_USUAL, [found.customer])
                held = cursor.fetchone()[0]
        price = np.array([np.nan if held is None else float(held)])
    members: tuple[Any, ...] = ()
    if terms.allow:
        wanted = [one.group for one in terms.allow]
        of = (
            groups.of_person(customer_id=found.customer, keys=wanted)
            if found.customer is not None
            else set()
        )
        members = tuple(np.array([key in of]) for key in wanted)
    return Limits(price, members) if price is not None or members else None
