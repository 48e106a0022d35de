"""For whom a plan is: the people of its group, and what its rules ask of them, in arrays."""

import io
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from django.db import connection, transaction
from pyarrow import csv

from models_ml.columns import copied
from recommendations import groups
from recommendations.models import OfferPlan
from recommendations.offers import terms
from recommendations.offers.suitability import Texts
from recommendations.offers.terms import Offer

Array = np.ndarray[Any, np.dtype[Any]]
_PEOPLE = "FROM ingestion_customer c WHERE c.merged_into_id IS NULL"
_OBJECT = """
SELECT customer_id::int8 FROM ingestion_consent
WHERE purpose = 'profiling' AND current AND NOT granted
"""
# A date of birth may stand under three names; what somebody holds besides what they bought here is
# a list of codes, the property `holdings`.
_BORN = """coalesce(c.attributes->>'date_of_birth', c.attributes->>'birth_date',
    c.attributes->>'birthday')"""
_HELD = """
SELECT DISTINCT l.customer_id::int8, (array_position(%(codes)s::text[], p.sku::text) - 1)::int8
FROM ingestion_orderline l JOIN ingestion_product p ON p.id = l.product_id
WHERE p.sku = ANY(%(codes)s) AND l.customer_id IS NOT NULL AND l.kind = 'product' AND l.quantity > 0
UNION ALL SELECT c.id::int8, (array_position(%(codes)s::text[], h.code) - 1)::int8
FROM ingestion_customer c, jsonb_array_elements_text(c.attributes->'holdings') AS h (code)
WHERE jsonb_typeof(c.attributes->'holdings') = 'array' AND h.code = ANY(%(codes)s)
"""
AGE, COUNTRY, OLDEST = "age", "country", 130
BORN = ""  # no rule asks of it by a name
# Each text is kept once, and what stands of everybody is its place.
_TEXT = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True)
class Audience:
    """Sorted ids (n,), what rules ask of them, what they hold by code; and who is left out before
    any rule: those who said no to profiling."""

    ids: Array
    facts: dict[str, Texts]
    held: dict[str, Array]
    objects: int


def read(*, plan: OfferPlan, offers: tuple[Offer, ...], now: datetime) -> Audience:
    """The people a plan is for, as they are known now."""
    fields, codes = terms.fields_of(offers), terms.holdings_of(offers)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        ids, facts = _known(cursor, fields, now.date())
        objects = np.isin(ids, copied(cursor, _OBJECT, {}, width=1)[0])
        pairs = copied(cursor, _HELD, {"codes": codes}, width=2) if codes else None
    keep = ~objects
    if plan.group:
        members = np.isin(ids, groups.of_people(keys=[plan.group])[plan.group])
        keep, objects = keep & members, objects & members
    if not keep.all():
        ids, facts = ids[keep], {name: known.take(keep) for name, known in facts.items()}
    return Audience(ids, facts, _held(ids, codes, pairs), int(objects.sum()))


def _known(cursor: Any, fields: list[str], today: date) -> tuple[Array, dict[str, Texts]]:
    """Everybody's id, in order, and what is known of them by field."""
    asked = [name for name in fields if name != COUNTRY]
    names = [*asked, *(n for n in (COUNTRY,) if n in fields), *([BORN] if AGE in fields else [])]
    if not names:
        return np.sort(copied(cursor, f"SELECT c.id::int8 {_PEOPLE}", {}, width=1)[0]), {}
    values = {f"field{n}": name for n, name in enumerate(asked)}
    columns = [f"c.attributes->>%({key})s" for key in values]
    columns += ["c.country"] if COUNTRY in fields else []
    columns += [_BORN] if AGE in fields else []
    statement = f"SELECT c.id, {', '.join(columns)} {_PEOPLE}"
    held = io.BytesIO()
    text = cursor.mogrify(f"COPY ({statement}) TO STDOUT (FORMAT csv)", values).decode()
    cursor.copy_expert(text, held)
    if not held.tell():
        nobody = np.zeros(0, dtype=np.int64)
        return nobody, {name: Texts(nobody, []) for name in fields}
    held.seek(0)
    columns = ["id", *(f"column{n}" for n in range(len(names)))]
    table = csv.read_csv(
        held,
        csv.ReadOptions(column_names=columns),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types={"id": pa.int64()} | dict.fromkeys(columns[1:], _TEXT),
            strings_can_be_null=False,
        ),
    )
    ids = table["id"].to_numpy()
    order = np.argsort(ids, kind="stable")
    known = {}
    for name, column in zip(names, columns[1:], strict=True):
        whole = table[column].unify_dictionaries().combine_chunks()
        at = whole.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        known[name] = Texts(at[order], whole.dictionary.to_pylist())
    if AGE in fields:
        known[AGE] = _ages(known[AGE], known.pop(BORN), today)
    return ids[order], known


def _ages(told: Texts, born: Texts, today: date) -> Texts:
    """Ages by the date of birth, and as somebody told them where there is none."""
    years = [age_of(text, today) for text in born.said]
    by_birth = np.array([-1 if age is None else age for age in years] + [-1])[born.at]
    as_told = np.where(told.at < 0, -1, told.at + OLDEST + 1)
    said = [*(str(age) for age in range(OLDEST + 1)), *told.said]
    return Texts(np.where(by_birth < 0, as_told, by_birth), said)


def _held(ids: Array, codes: list[str], pairs: tuple[Array, ...] | None) -> dict[str, Array]:
    """Who holds what, by stock code."""
    table = np.zeros((len(codes), len(ids)), dtype=bool)
    if pairs is not None and len(ids):
        person, code = pairs
        at = np.minimum(np.searchsorted(ids, person), len(ids) - 1)
        there = ids[at] == person
        table[code[there], at[there]] = True
    return dict(zip(codes, table, strict=True))


def age_of(born: str | None, today: date) -> int | None:
    """Full years since a date of birth; None for what is no past date."""
    try:
        day = date.fromisoformat((born or "")[:10])
    except ValueError:
        return None
    years = today.year - day.year - ((today.month, today.day) < (day.month, day.day))
    return years if 0 <= years <= OLDEST else None
