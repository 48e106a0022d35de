"""For whom a plan is: the people of its group, and what its rules ask of them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from django.db import connection

from recommendations import groups
from recommendations.models import OfferPlan
from recommendations.offers import terms
from recommendations.offers.terms import Offer

Array = np.ndarray[Any, np.dtype[Any]]
# A date of birth may stand under three names; what somebody holds besides what they bought here is
# a list of codes, the property `holdings`.
_ASK = """
SELECT c.id, EXISTS (SELECT FROM ingestion_consent k WHERE k.customer_id = c.id
        AND k.purpose = 'profiling' AND k.current AND NOT k.granted),
    c.country, coalesce(c.attributes->>'date_of_birth', c.attributes->>'birth_date',
        c.attributes->>'birthday'),
    ARRAY(SELECT c.attributes->>f FROM unnest(%(fields)s::text[]) WITH ORDINALITY AS a (f, n)
        ORDER BY n)
FROM ingestion_customer c WHERE c.merged_into_id IS NULL ORDER BY c.id
"""
_HELD = """
SELECT DISTINCT l.customer_id, p.sku FROM ingestion_orderline l
JOIN ingestion_product p ON p.id = l.product_id
WHERE p.sku = ANY(%(codes)s) AND l.customer_id IS NOT NULL AND l.kind = 'product' AND l.quantity > 0
UNION SELECT c.id, h.code FROM ingestion_customer c,
    jsonb_array_elements_text(c.attributes->'holdings') AS h (code)
WHERE jsonb_typeof(c.attributes->'holdings') = 'array' AND h.code = ANY(%(codes)s)
"""


@dataclass(frozen=True)
class Audience:
    """Sorted ids (n,), what rules ask of them, what they hold by code; and who is left out before
    any rule: those who said no to profiling."""

    ids: Array
    facts: dict[str, Array]
    held: dict[str, Array]
    objects: int


def read(*, plan: OfferPlan, offers: tuple[Offer, ...], now: datetime) -> Audience:
    """The people a plan is for, as they are known now."""
    fields, codes = terms.fields_of(offers), terms.holdings_of(offers)
    with connection.cursor() as cursor:
        cursor.execute(_ASK, {"fields": fields})
        rows = cursor.fetchall()
        held_rows: list[tuple[int, str]] = []
        if codes:
            cursor.execute(_HELD, {"codes": codes})
            held_rows = cursor.fetchall()
    if plan.group:
        members = set(groups.of_people(keys=[plan.group])[plan.group].tolist())
        rows = [row for row in rows if row[0] in members]
    there = [row for row in rows if not row[1]]
    ids = np.array([row[0] for row in there], dtype=np.int64)
    facts = {
        name: np.array([row[4][n] for row in there], dtype=object) for n, name in enumerate(fields)
    }
    if "country" in facts:
        facts["country"] = np.array([row[2] or None for row in there], dtype=object)
    if "age" in facts:
        told = facts["age"]
        born = [age_of(row[3], now.date()) for row in there]
        facts["age"] = np.array(
            [told[n] if age is None else age for n, age in enumerate(born)], dtype=object
        )
    held = {code: np.zeros(len(ids), dtype=bool) for code in codes}
    for person, code in held_rows:
        at = int(np.searchsorted(ids, person))
        if at < len(ids) and ids[at] == person:
            held[code][at] = True
    return Audience(ids, facts, held, len(rows) - len(there))


def age_of(born: str | None, today: date) -> int | None:
    """Full years since a date of birth; None for what is no past date."""
    try:
        day = date.fromisoformat((born or "")[:10])
    except ValueError:
        return None
    years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
    return years if 0 <= years <= 130 else None
