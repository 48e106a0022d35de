"""Picks within a request: links of what somebody just looked at, then what was chosen for them.

Three questions to the database: who it is and what they did lately, what goes with that (and what
was chosen beforehand), and what is known of those products now. The rules of the shop are kept on
what is found, so a product that sold out a second ago is not shown.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _

from recommendations import groups, knowledge, placements, reasons, rules, visits
from recommendations.models import Placement
from recommendations.placements import HOLDOUT, LINKS, Known, Place
from recommendations.rules import Limits, Owned, Rules
from recommendations.visits import Names, Visit

NOBODY = Names()
SEEDS = 10  # products of a visit that links are followed from
FADE = 0.8  # how much less each earlier one counts
FIRST = 2.0  # how much more the product on the page counts
CANDIDATES = 120
FILL = 60
AGAIN_FROM, AGAIN_TO = 0.8, 3.0  # parts of the usual time between two purchases

_FIND = """
SELECT s.n, p.id, p.category, l.kind, l.other_id, l.score, l.count, NULL::jsonb
FROM unnest(%(skus)s::text[]) WITH ORDINALITY AS s (sku, n)
JOIN ingestion_product p ON p.sku = s.sku
LEFT JOIN recommendations_productlink l
    ON l.product_id = p.id AND l.set_id = %(links)s AND l.kind = ANY(%(kinds)s)
UNION ALL
SELECT 0, NULL, NULL, 'set', r.product_id, r.score, r.rank, r.reason
FROM recommendations_recommendation r
WHERE r.customer_id = %(customer)s AND r.set_id = %(set)s
"""
_KNOW = f"""
SELECT {knowledge.COLUMNS}, p.sku, p.name, p.currency, p.url, p.image_url,
    p.active AND p.is_goods AND (p.stock IS NULL OR p.stock >= %(stock)s),
    p.id IN (SELECT o.product_id FROM ingestion_orderline o
        WHERE o.customer_id = %(customer)s AND o.kind = 'product' AND o.quantity > 0)
FROM ingestion_product p WHERE p.id = ANY(%(ids)s) ORDER BY p.id
"""
_USUAL = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY unit_price)::float8
FROM ingestion_orderline WHERE customer_id = %s AND kind = 'product' AND quantity > 0
"""
# What somebody bought at least twice, and how far they are into the usual time between two.
_AGAIN = """
SELECT product_id, days, gone / days AS part FROM (
    SELECT product_id, count(DISTINCT order_id) AS times,
        extract(epoch FROM max(placed_at) - min(placed_at))::float8 / 86400
            / greatest(count(DISTINCT order_id) - 1, 1) AS days,
        extract(epoch FROM %(now)s - max(placed_at))::float8 / 86400 AS gone
    FROM ingestion_orderline
    WHERE customer_id = %(customer)s AND kind = 'product' AND quantity > 0
        AND placed_at <= %(now)s
    GROUP BY product_id
) AS each WHERE times >= 2 AND days >= 1
    AND gone / days BETWEEN %(least)s AND %(most)s
ORDER BY abs(gone / days - 1), product_id LIMIT 60
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
            return _("By %(n)d products of this visit. %(parts)s") % {
                "n": self.seeds,
                "parts": ", ".join(parts),
            }
        return _("Nothing of this visit is known. %(parts)s") % {"parts": ", ".join(parts)}


@dataclass(slots=True)
class _Candidate:
    score: float
    engine: str
    why: dict[str, Any]


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
    with_rules: Rules | None = None,
) -> Answer:
    """Picks for a placement now. NotFound for a placement there is not.

    `product` is the stock code on the page, `items` those of the basket, the purchase or the visit,
    newest last. `public`: nobody proved who they are, so only what the device itself told counts,
    and what was chosen for a person only where they agreed to it. `arm` asks for an engine rather
    than for what the visitor gets; `with_rules` tries other rules.
    """
    place = placements.find(placement)
    known = placements.known()
    visit = visits.ask(names=names, placement_id=place.pk, now=now, own=public)
    side = arm or place.arm(visit.unit, visit.arm)
    terms = with_rules or place.rules
    size = min(size or place.size, place.size if with_rules is None else terms.size)
    if side == HOLDOUT and place.holdout_shows == Placement.Holdout.NOTHING:
        return Answer(place.slug, side, "", [])
    known_to = None if visit.objects or (public and not visit.agrees) else visit.customer_id
    seeds = [] if side == HOLDOUT else _seeds(place, visit, product, items)
    found, context = _find(place, known, side, seeds, known_to, now)
    _fill(found, known, context.category if side != HOLDOUT else "", place)
    picks = _ruled(
        place, terms, found, context, known_to, size, now, hide=public and not visit.agrees
    )
    sources: dict[str, int] = {}
    for one in picks:
        sources[one.engine] = sources.get(one.engine, 0) + 1
    number = place.sets.get(_engine_of(place, side), 0)
    return Answer(
        place.slug,
        side,
        f"{known.links or 0}.{number}",
        picks,
        len(context.seeds),
        sources,
    )


@dataclass
class _Context:
    """What the request is about: seeds with their rows, and the product on the page."""

    seeds: dict[int, int] = field(default_factory=dict)
    category: str = ""
    hidden: set[int] = field(default_factory=set)
    reference: int | None = None


def _seeds(
    place: Place, visit: Visit, product: str, items: Sequence[str]
) -> list[tuple[str, float]]:
    """Stock codes and how much each counts, the product on the page first, then newest first."""
    weights: dict[str, float] = {}
    if product:
        weights[product] = FIRST
    for n, sku in enumerate(dict.fromkeys(reversed(items))):
        weights.setdefault(sku, 1.0 if place.sort.asks == "items" else FADE**n)
    # On a page about a product or a basket the rest of the visit would lead away from it.
    if not (place.sort.asks and weights) and not visit.objects:
        for n, sku in enumerate(dict.fromkeys(visit.skus)):
            weights.setdefault(sku, FADE ** (n + len(items)))
    return list(weights.items())[:SEEDS]


def _engine_of(place: Place, side: str) -> str:
    return place.serving if side == placements.BEST else side


def _find(
    place: Place,
    known: Known,
    side: str,
    seeds: list[tuple[str, float]],
    customer: int | None,
    now: datetime,
) -> tuple[dict[int, _Candidate], _Context]:
    """Candidates in the order of how well they fit, and what the request is about."""
    context = _Context()
    if place.kind == Placement.Kind.REPLENISH:
        return (_due(customer, now) if customer is not None and side != HOLDOUT else {}), context
    follows = side in (placements.BEST, LINKS) or bool(place.sort.asks)
    chosen = place.sets.get(_engine_of(place, side)) if side not in (LINKS, HOLDOUT) else None
    if not seeds and (customer is None or chosen is None):
        return {}, context
    with connection.cursor() as cursor:
        cursor.execute(
            _FIND,
            {
                "skus": [sku for sku, _weight in seeds],
                "links": known.links if follows else None,
                "kinds": list(place.sort.links),
                "customer": customer,
                "set": chosen,
            },
        )
        rows = cursor.fetchall()
    linked: dict[int, tuple[float, float, dict[str, Any]]] = {}
    picked: list[tuple[int, int, float, Any]] = []
    for n, key, category, kind, other, score, count, reason in rows:
        if kind == "set":
            picked.append((count, other, score, reason))
            continue
        context.seeds.setdefault(key, n)
        if n == 1:
            context.category, context.reference = category or "", key
        if kind is None:
            continue
        worth = seeds[n - 1][1] * place.sort.links[kind] * score
        total, best, why = linked.get(other, (0.0, 0.0, {}))
        if worth > best:
            best, why = worth, {"code": kind, "product_id": key, "count": count}
        linked[other] = (total + worth, best, why)
    context.hidden = set(context.seeds)
    found = {
        key: _Candidate(total, LINKS, why)
        for key, (total, _best, why) in sorted(
            linked.items(), key=lambda pair: (-pair[1][0], pair[0])
        )[:CANDIDATES]
    }
    engine = _engine_of(place, side)
    for _rank, key, score, reason in sorted(picked, key=lambda row: row[0]):
        found.setdefault(key, _Candidate(score, engine, _read(reason)))
    return found, context


def _read(reason: Any) -> dict[str, Any]:
    return dict(json.loads(reason) if isinstance(reason, str) else reason or {})


def _due(customer: int, now: datetime) -> dict[int, _Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(
            _AGAIN, {"customer": customer, "now": now, "least": AGAIN_FROM, "most": AGAIN_TO}
        )
        return {
            key: _Candidate(
                1 / (1 + abs(part - 1)), "again", {"code": "again", "count": round(days)}
            )
            for key, days, part in cursor.fetchall()
        }


def _fill(found: dict[int, _Candidate], known: Known, category: str, place: Place) -> None:
    """Append what is popular where the product is from, then what is popular at all."""
    if place.kind == Placement.Kind.REPLENISH:
        return
    for key in known.popular_in.get(category, ())[:FILL] if category else ():
        found.setdefault(key, _Candidate(0.0, "popular", {"code": "category", "name": category}))
    for key in known.popular[:FILL]:
        found.setdefault(key, _Candidate(0.0, "popular", {"code": "popular"}))


def _ruled(
    place: Place,
    terms: Rules,
    found: dict[int, _Candidate],
    context: _Context,
    customer: int | None,
    size: int,
    now: datetime,
    *,
    hide: bool,
) -> list[Shown]:
    """What the rules leave, ready to show."""
    if not found:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _KNOW,
            {
                "ids": [*found, *context.seeds], "customer": customer, "stock": terms.min_stock,
            },
        )  # fmt: skip
        rows = {row[0]: row for row in cursor.fetchall()}
        limits = _limits(cursor, terms, rows, context, customer)
    there = [row for row in rows.values() if row[13] and row[0] not in context.hidden]
    shelf = knowledge.shelf(there, now=now).under(terms)
    order = np.array([[key for key in found if key in rows]], dtype=np.int64)
    again = place.kind == Placement.Kind.REPLENISH
    mine = np.array([row[0] for row in there if row[14] and not again], dtype=np.int64)
    owned = Owned(row=np.zeros(len(mine), dtype=np.int64), item=mine)
    if not order.size:
        return []
    picks, _scores = rules.apply(
        order, np.zeros(order.shape), shelf=shelf, owned=owned, rules=terms, limits=limits
    )
    shown = []
    for rank, key in enumerate((k for k in picks[0].tolist() if k >= 0), start=1):
        if rank > size:
            break
        row, candidate = rows[key], found[key]
        why = candidate.why
        if why.get("product_id") in rows and why.get("code") != "because":
            seed = rows[why["product_id"]]
            why = {**why, "name": seed[9] or seed[8]}
        elif hide and why.get("code") == "because":
            why = {"code": "taste"}
        shown.append(
            Shown(
                rank, key, row[8], row[9] or row[8], row[3], row[10], row[11], row[12],
                float(candidate.score), candidate.engine, why,
            )
        )  # fmt: skip
    return shown


def _limits(
    cursor: Any, terms: Rules, rows: dict[int, Any], context: _Context, customer: int | None
) -> Limits | None:
    price = None
    if terms.price_from is not None or terms.price_to is not None:
        held = rows[context.reference][3] if context.reference in rows else None
        if held is None and customer is not None:
            cursor.execute(_USUAL, [customer])
            held = cursor.fetchone()[0]
        price = np.array([np.nan if held is None else float(held)])
    members: tuple[Any, ...] = ()
    if terms.allow:
        wanted = [one.group for one in terms.allow]
        of = groups.of_person(customer_id=customer, keys=wanted) if customer is not None else set()
        members = tuple(np.array([key in of]) for key in wanted)
    return Limits(price, members) if price is not None or members else None
