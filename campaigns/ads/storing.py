"""Hits → rows, each once; sums by hour and by day change in the same statement.

A batch costs the same few statements whatever its size: names are looked up by sets, rows go in by
COPY, and what was new among them is added to the sums as it is stored. A repeat adds nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from campaigns.ads import permission, purses, reading
from campaigns.ads.reading import Hit
from campaigns.models import AdChoice, AdCreative, AdHit, AdPlacement
from ingestion.identity import identify
from marketing.core.db import copy_rows
from marketing.core.errors import Invalid

STORED, DUPLICATE, CONFLICT = "stored", "duplicate", "conflict"
# What is known of a person in steps, the same where a creative is chosen and where a hit is kept.
RECENCY = """CASE WHEN t.recency_days IS NULL THEN 0 WHEN t.recency_days <= 30 THEN 1
    WHEN t.recency_days <= 90 THEN 2 WHEN t.recency_days <= 365 THEN 3 ELSE 4 END"""
ORDERS = """CASE WHEN t.customer_id IS NULL THEN 0 WHEN t.orders = 0 THEN 1
    WHEN t.orders = 1 THEN 2 WHEN t.orders < 5 THEN 3 ELSE 4 END"""
# Whoever tells of impressions as they happen would tell of clicks so; a history that is brought in
# afterwards says nothing of how long reports take.
IN_TIME = "interval '1 hour'"
_STAGING = """
CREATE TEMP TABLE IF NOT EXISTS ad_incoming (
    key uuid, kind smallint, digest bigint, at timestamptz, ad_id bigint, creative_id bigint,
    placement_id bigint, customer_id bigint, cause uuid, cause_at timestamptz, cost numeric,
    value numeric, chance double precision, learnable boolean, country text, device smallint
) ON COMMIT DELETE ROWS
"""
_COLUMNS = (
    "key", "kind", "digest", "at", "ad_id", "creative_id", "placement_id", "customer_id", "cause",
    "cause_at", "cost", "value", "chance", "learnable", "country", "device",
)  # fmt: skip
# In the order of their keys everywhere, so that two writers never wait for each other in a ring.
_STORE = f"""
WITH new AS (
    INSERT INTO campaigns_adhit (key, kind, digest, at, told_at, ad_id, creative_id, placement_id,
        customer_id, cause, cause_at, cost, value, chance, learnable, country, device, recency,
        orders)
    SELECT n.key, n.kind, n.digest, n.at, %(now)s, n.ad_id, n.creative_id, n.placement_id,
        n.customer_id, n.cause, n.cause_at, n.cost, n.value, n.chance, n.learnable,
        coalesce(nullif(n.country, ''), c.country, ''), n.device, {RECENCY}, {ORDERS}
    FROM ad_incoming n
    LEFT JOIN ingestion_customer c ON c.id = n.customer_id
    LEFT JOIN models_ml_traits t ON t.customer_id = n.customer_id
    ORDER BY n.key ON CONFLICT (key) DO NOTHING
    RETURNING key, kind, at, ad_id, creative_id, placement_id, cause, cause_at, cost, value),
told AS (
    SELECT ad_id, date_trunc('hour', at) AS hour, creative_id, placement_id,
        (kind = 1)::int AS impressions, (kind = 2)::int AS clicks, (kind = 3)::int AS conversions,
        0 AS answered, 0 AS turned, cost, value FROM new
    UNION ALL
    SELECT ad_id, date_trunc('hour', coalesce(cause_at, at)), creative_id, placement_id,
        0, 0, 0, (kind = 2)::int, (kind = 3)::int, 0, 0 FROM new WHERE kind > 1),
hours AS (
    INSERT INTO campaigns_adhour AS h (ad_id, hour, creative_id, placement_id, impressions, clicks,
        conversions, answered, turned, cost, value)
    SELECT ad_id, hour, creative_id, placement_id, sum(impressions), sum(clicks),
        sum(conversions), sum(answered), sum(turned), sum(cost), sum(value)
    FROM told GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (ad_id, hour, creative_id, placement_id) DO UPDATE SET
        impressions = h.impressions + excluded.impressions, clicks = h.clicks + excluded.clicks,
        conversions = h.conversions + excluded.conversions,
        answered = h.answered + excluded.answered, turned = h.turned + excluded.turned,
        cost = h.cost + excluded.cost, value = h.value + excluded.value),
seen AS (
    SELECT key, cause FROM new WHERE kind = 1
    UNION ALL SELECT h.key, h.cause FROM new n JOIN campaigns_adhit h ON h.key = n.cause
    WHERE n.kind = 2 AND h.kind = 1),
reached AS (
    SELECT n.cause AS key, a.pricing <> 'cpc' AS done
    FROM new n JOIN campaigns_adcampaign a ON a.id = n.ad_id WHERE n.kind = 1
    UNION ALL SELECT i.cause, true FROM new n JOIN seen i ON i.key = n.cause WHERE n.kind = 2),
freed AS (
    UPDATE campaigns_adchoice c SET shown = true, freed = r.done
    FROM (SELECT key, bool_or(done) AS done FROM reached WHERE key IS NOT NULL GROUP BY 1) r
    WHERE c.key = r.key AND NOT c.freed
    RETURNING c.ad_id, c.day, CASE WHEN r.done THEN c.price ELSE 0 END AS price),
money AS (
    SELECT n.ad_id, (n.at AT TIME ZONE a.timezone)::date AS day, n.cost, 0::numeric AS price,
        CASE WHEN i.told_at < i.at + {IN_TIME} AND (n.at >= i.at + interval '7 days'
            OR (%(now)s AT TIME ZONE a.timezone)::date > (n.at AT TIME ZONE a.timezone)::date)
        THEN n.cost ELSE 0 END AS later
    FROM new n JOIN campaigns_adcampaign a ON a.id = n.ad_id
    LEFT JOIN campaigns_adhit i ON i.key = n.cause AND n.kind = 2 AND i.kind = 1
    WHERE n.cost > 0
    UNION ALL SELECT ad_id, day, 0, price, 0 FROM freed),
days AS (
    INSERT INTO campaigns_adday AS d (ad_id, day, spent, promised, later)
    SELECT ad_id, day, sum(cost), -sum(price), sum(later) FROM money GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (ad_id, day) DO UPDATE SET spent = d.spent + excluded.spent,
        later = d.later + excluded.later,
        promised = greatest(d.promised + excluded.promised, 0)
    RETURNING ad_id, day, spent + promised > cap AS over)
SELECT key, NULL::bigint, NULL::date FROM new
UNION ALL SELECT NULL, ad_id, day FROM days WHERE over"""


class _Cause(NamedTuple):
    """What a hit followed from, as far as it is known."""

    ad_id: int
    creative_id: int
    placement_id: int
    at: datetime
    chance: float | None
    customer_id: int | None
    learnable: bool


class _Placed(NamedTuple):
    """Of which ad a hit is, and whom and what of it may be kept."""

    ad_id: int
    creative_id: int
    placement_id: int
    cause_at: datetime | None
    chance: float | None
    customer_id: int | None
    learnable: bool


def store(*, batch: Mapping[int, Hit], now: datetime) -> tuple[dict[int, str], dict[int, Invalid]]:
    """An outcome or a fault for each, by its position. All in one transaction of its own."""
    with transaction.atomic():
        placed, faults = _placed(batch)
        if not placed:
            return {}, faults
        lines = [_line(batch[index], one) for index, one in placed.items()]
        with connection.cursor() as cursor:
            cursor.execute(_STAGING)
            cursor.execute("TRUNCATE ad_incoming")
            copy_rows(cursor, "ad_incoming", _COLUMNS, ["".join(lines).encode()])
            cursor.execute(_STORE, {"now": now})
            found = cursor.fetchall()
        for _key, ad, day in (row for row in found if row[0] is None):
            # Somebody paid more than was promised: no more is taken from purses.
            purses.gather(ad_id=ad, day=day)
        new = {row[0] for row in found if row[0] is not None}
    return _outcomes({i: batch[i] for i in placed}, new), faults


def _outcomes(batch: Mapping[int, Hit], new: set[UUID]) -> dict[int, str]:
    found: dict[int, str] = {}
    known: dict[UUID, int] = {}
    if len(new) < len(batch):
        keys = {hit.key for hit in batch.values()}
        known = dict(AdHit.objects.filter(key__in=keys).values_list("key", "digest"))
    for index, hit in batch.items():
        if hit.key in new:
            new.discard(hit.key)  # the second of its kind in a batch is a repeat
            found[index] = STORED
        else:
            found[index] = DUPLICATE if known.get(hit.key) == hit.digest else CONFLICT
    return found


def _placed(
    batch: Mapping[int, Hit],
) -> tuple[dict[int, _Placed], dict[int, Invalid]]:
    """Of which campaign, creative, placement and person each is; a fault where that is unknown."""
    creatives = {
        key: (pk, ad)
        for key, pk, ad in AdCreative.objects.filter(
            key__in={hit.creative for hit in batch.values()} - {""}
        ).values_list("key", "pk", "ad_id")
    }
    placements = dict(
        AdPlacement.objects.filter(
            key__in={hit.placement for hit in batch.values()} - {""}
        ).values_list("key", "pk")
    )
    causes = _causes(batch)
    named = _people(list(batch.values()))
    numbers = set(named.values()) | {cause.customer_id for cause in causes.values()}
    permitted = permission.among(number for number in numbers if number is not None)
    placed: dict[int, _Placed] = {}
    faults: dict[int, Invalid] = {}
    # Causes first: a click may stand before its impression in one batch.
    for index, hit in sorted(batch.items(), key=lambda pair: pair[1].kind):
        creative = creatives.get(hit.creative) if hit.creative else None
        placement = placements.get(hit.placement) if hit.placement else None
        cause = causes.get(hit.cause) if hit.cause else None
        wrong = ""
        if (hit.creative and creative is None) or (creative is None and cause is None):
            wrong = "creative" if hit.creative else "cause"
        elif (hit.placement and placement is None) or (placement is None and cause is None):
            wrong = "placement" if hit.placement else "cause"
        if wrong:
            faults[index] = reading.fault_unknown(wrong)
            continue
        follows = cause is not None and hit.kind > AdHit.IMPRESSION
        other = cause is not None and creative is not None and creative[0] != cause.creative_id
        person = named.get(hit.person) or (cause.customer_id if cause else None)
        refused = person is not None and person not in permitted
        made = _Placed(
            creative[1] if creative else cause.ad_id,  # type: ignore[union-attr]
            creative[0] if creative else cause.creative_id,  # type: ignore[union-attr]
            placement if placement else cause.placement_id,  # type: ignore[union-attr]
            min(cause.at, hit.at) if cause and follows else None,
            cause.chance if cause and not follows and not other else None,
            None if refused else person,
            not refused
            and (hit.consent or person is not None or bool(cause and follows and cause.learnable)),
        )
        placed[index] = made
        known = _Cause(*made[:3], hit.at, None, made.customer_id, made.learnable)
        causes.setdefault(hit.key, known)
    return placed, faults


def _causes(batch: Mapping[int, Hit]) -> dict[UUID, _Cause]:
    """What is stored of what these hits followed from."""
    found: dict[UUID, _Cause] = {}
    chosen = {h.cause for h in batch.values() if h.cause and h.kind == AdHit.IMPRESSION}
    if chosen:
        rows: Any = AdChoice.objects.filter(key__in=chosen).values_list(
            "key", "ad_id", "creative_id", "placement_id", "at", "chance", "customer_id"
        )
        found |= {
            key: _Cause(ad, creative, placement, at, chance, person, False)
            for key, ad, creative, placement, at, chance, person in rows
        }
    wanted = {h.cause for h in batch.values() if h.cause and h.kind != AdHit.IMPRESSION}
    if wanted:
        rows = AdHit.objects.filter(key__in=wanted).values_list(
            "key", "ad_id", "creative_id", "placement_id", "at", "customer_id", "learnable"
        )
        found |= {
            key: _Cause(ad, creative, placement, at, None, person, learnable)
            for key, ad, creative, placement, at, person, learnable in rows
        }
    return found


def _people(hits: Sequence[Hit]) -> dict[tuple[str, str, str], int]:
    """Whom each name that is known is of. Nobody is made known by an ad."""
    # The look-up keeps one place a name, so each different name is asked for once.
    order = list({hit.person for hit in hits if any(hit.person)})
    if not order:
        return {}
    names = [tuple(person[kind] for person in order) for kind in range(3)]
    found = identify.known_by_one(names=names)
    return {
        person: one.customer_id
        for person, one in zip(order, found, strict=True)
        if one is not None and one.customer_id is not None
    }


def _line(hit: Hit, placed: _Placed) -> str:
    """A row for COPY. Everything in it is a number, a hash, a moment or two letters."""
    cells = (
        hit.key, hit.kind, hit.digest, hit.at.isoformat(), placed.ad_id, placed.creative_id,
        placed.placement_id, _or_null(placed.customer_id), _or_null(hit.cause),
        _or_null(placed.cause_at and placed.cause_at.isoformat()), hit.cost, hit.value,
        _or_null(placed.chance), "t" if placed.learnable else "f", hit.country, hit.device,
    )  # fmt: skip
    return "\t".join(map(str, cells)) + "\n"


def _or_null(value: Any) -> Any:
    return "\\N" if value is None else value
