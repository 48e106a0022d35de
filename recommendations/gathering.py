"""What an engine has for a visit: links of what was looked at, what was chosen beforehand for the
person, and what is popular, with what is known of those products now. No rules are kept here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection

from marketing.core.prepared import Question
from recommendations import knowledge, placements, reasons
from recommendations.models import Placement, ProductLink
from recommendations.placements import HOLDOUT, LINKS, Known, Place
from recommendations.visits import Visit

SEEDS = 6  # products of a visit that links are followed from
DEPTH = 60  # links that are read of each kind, shared among the products
FADE = 0.8  # how much less each earlier one counts
FIRST = 2.0  # how much more the product on the page counts
CANDIDATES = 60
FILL = 40  # candidates below which what is popular is added
AGAIN_FROM, AGAIN_TO = 0.8, 3.0  # parts of the usual time between two purchases
NEW = ProductLink.Kind.NEW.value  # the kind of links, and the code of reasons, of new products

_FIND = Question(
    "links_of_visit",
    {
        "skus": "text[]", "links": "bigint", "kinds": "text[]", "depth": "integer",
        "customer": "bigint", "set": "bigint",
    },
    """
SELECT s.n, p.id, p.category, l.kind, l.other_id, l.score, l.count, NULL::smallint, NULL::bigint,
    NULL
FROM unnest(%(skus)s::text[]) WITH ORDINALITY AS s (sku, n)
JOIN ingestion_product p ON p.sku = s.sku
LEFT JOIN recommendations_productlink l
    ON l.product_id = p.id AND l.set_id = %(links)s AND l.kind = ANY(%(kinds)s)
        AND l.rank <= %(depth)s
UNION ALL
SELECT 0, NULL, NULL, 'set', x.product_id, x.score, x.rank, x.why, a.id,
    coalesce(nullif(a.name, ''), a.sku)
FROM recommendations_picklist r
CROSS JOIN LATERAL unnest(r.products, r.scores, r.whys, r.anchors)
    WITH ORDINALITY AS x (product_id, score, why, anchor_id, rank)
LEFT JOIN ingestion_product a ON a.id = x.anchor_id
WHERE r.customer_id = %(customer)s AND r.set_id = %(set)s
UNION ALL
SELECT 0, NULL, NULL, 'gone', NULL, NULL, NULL, NULL, NULL, NULL
WHERE (%(set)s IS NOT NULL AND NOT EXISTS (
        SELECT FROM recommendations_recommendationset s WHERE s.id = %(set)s))
    OR (%(links)s IS NOT NULL AND NOT EXISTS (
        SELECT FROM recommendations_linkset l WHERE l.id = %(links)s))
""",
)  # fmt: skip
_KNOW = Question(
    "products_of_visit",
    {"ids": "bigint[]", "customer": "bigint"},
    f"""
SELECT {knowledge.COLUMNS}, p.sku, p.name, p.currency, p.url, p.image_url,
    p.active AND p.is_goods, p.stock,
    p.id IN (SELECT o.product_id FROM ingestion_orderline o
        WHERE o.customer_id = %(customer)s AND o.kind = 'product' AND o.quantity > 0)
FROM ingestion_product p WHERE p.id = ANY(%(ids)s) ORDER BY p.id
""",
)
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


@dataclass(slots=True)
class Candidate:
    score: float
    engine: str
    why: dict[str, Any]


@dataclass
class Context:
    """What the request is about: seeds with their rows, and the product on the page."""

    seeds: dict[int, int] = field(default_factory=dict)
    category: str = ""
    hidden: set[int] = field(default_factory=set)
    reference: int | None = None


@dataclass
class Found:
    """What an engine has for a visit. `hides`: reasons must not tell what the person bought."""

    place: Place
    side: str
    set: str
    customer: int | None
    hides: bool
    candidates: dict[int, Candidate] = field(default_factory=dict)
    context: Context = field(default_factory=Context)
    rows: dict[int, Any] = field(default_factory=dict)


def gather(
    *,
    place: Place,
    visit: Visit,
    side: str,
    product: str = "",
    items: Sequence[str] = (),
    now: datetime,
    public: bool = False,
) -> Found:
    """Candidates of one engine for a visit, and what is known of them; no rules are kept yet.

    Sets and links are those known to this process, unless others took their place since.
    """
    seeds = [] if side == HOLDOUT else _seeds(place, visit, product, items)
    while True:
        try:
            return _gather(place, visit, side, seeds, now, public)
        except _Gone:
            placements.forget()
            newest = placements.find(place.slug)
            # With the rules that were given, which may be those of a draft.
            place = replace(place, sets=newest.sets, serving=newest.serving)


class _Gone(Exception):
    """The set or the links that were asked are no more: a refresh put others in their place."""


def _gather(
    place: Place,
    visit: Visit,
    side: str,
    seeds: list[tuple[str, float]],
    now: datetime,
    public: bool,
) -> Found:
    known = placements.known()
    customer = None if visit.objects or (public and not visit.agrees) else visit.customer_id
    number = place.sets.get(_engine_of(place, side), 0)
    found = Found(
        place, side, f"{known.links or 0}.{number}", customer, public and not visit.agrees
    )
    if side == HOLDOUT and place.holdout_shows == Placement.Holdout.NOTHING:
        return found
    found.candidates, found.context = _find(place, known, side, seeds, customer, now)
    category = found.context.category if side != HOLDOUT else ""
    _fill(found.candidates, known, category, place)
    if found.candidates:
        ids = [*found.candidates, *found.context.seeds]
        found.rows = {row[0]: row for row in _KNOW.rows(ids=ids, customer=customer)}
    return found


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
) -> tuple[dict[int, Candidate], Context]:
    """Candidates in the order of how well they fit, and what the request is about."""
    context = Context()
    if place.kind == Placement.Kind.REPLENISH:
        return (_due(customer, now) if customer is not None and side != HOLDOUT else {}), context
    follows = side in (placements.BEST, LINKS) or bool(place.sort.asks)
    chosen = place.sets.get(_engine_of(place, side)) if side not in (LINKS, HOLDOUT) else None
    if not seeds and (customer is None or chosen is None):
        return {}, context
    rows = _FIND.rows(
        skus=[sku for sku, _weight in seeds],
        links=known.links if follows else None,
        kinds=[*place.sort.links, *([NEW] if place.rules.new_share else [])],
        depth=DEPTH // max(len(seeds), 1),
        customer=customer,
        set=chosen,
    )
    linked: dict[int, tuple[float, float, dict[str, Any]]] = {}
    news: dict[int, Candidate] = {}
    picked: list[tuple[int, int, float, dict[str, Any]]] = []
    for n, key, category, kind, other, score, count, *reason in rows:
        if kind == "gone":
            raise _Gone
        if kind == "set":
            picked.append((count, other, score, reasons.told(*reason)))
            continue
        context.seeds.setdefault(key, n)
        if n == 1:
            context.category, context.reference = category or "", key
        if kind is None:
            continue
        if kind == NEW:
            worth = seeds[n - 1][1] * score
            if other not in news or news[other].score < worth:
                why = {"code": NEW, "product_id": key}
                news[other] = Candidate(worth, reasons.GIVES[NEW], why)
            continue
        worth = seeds[n - 1][1] * place.sort.links[kind] * score
        total, best, why = linked.get(other, (0.0, 0.0, {}))
        if worth > best:
            best, why = worth, {"code": kind, "product_id": key, "count": count}
        linked[other] = (total + worth, best, why)
    context.hidden = set(context.seeds)
    found = {
        key: Candidate(total, LINKS, why)
        for key, (total, _best, why) in sorted(
            linked.items(), key=lambda pair: (-pair[1][0], pair[0])
        )[:CANDIDATES]
    }
    engine = _engine_of(place, side)
    news = dict(sorted(news.items(), key=lambda pair: (-pair[1].score, pair[0])))
    for _rank, key, score, why in sorted(picked, key=lambda row: row[0]):
        to, name = (news, reasons.GIVES[NEW]) if why.get("code") == NEW else (found, engine)
        to.setdefault(key, Candidate(score, name, why))
    # What is new comes last, and never in place of what goes with the visit anyway.
    return found | {key: one for key, one in news.items() if key not in found}, context


def _due(customer: int, now: datetime) -> dict[int, Candidate]:
    with connection.cursor() as cursor:
        cursor.execute(
            _AGAIN, {"customer": customer, "now": now, "least": AGAIN_FROM, "most": AGAIN_TO}
        )
        return {
            key: Candidate(
                1 / (1 + abs(part - 1)), "again", {"code": "again", "count": round(days)}
            )
            for key, days, part in cursor.fetchall()
        }


def _fill(found: dict[int, Candidate], known: Known, category: str, place: Place) -> None:
    """Append what is popular where the product is from, then what is popular at all."""
    if place.kind == Placement.Kind.REPLENISH:
        return
    if category:
        why = {"code": "category", "name": category}
        for key in known.popular_in.get(category, ()):
            found.setdefault(key, Candidate(0.0, "popular", why))
    most = max(FILL, 4 * place.size) + len(found) // 2
    for key in known.popular:
        if len(found) >= most:
            break
        found.setdefault(key, Candidate(0.0, "popular", {"code": "popular"}))
