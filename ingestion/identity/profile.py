"""Profiles: per property the latest saying counts, in whatever order sayings arrive.

What is said is kept under the name it was said of (`Statement`), and the outcome on the person.
When a name changes hands, the outcome is made again from the statements of the names.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from ingestion.identity import traits
from ingestion.identity.traits import COLUMNS, Said

_COLUMN_LIST = ", ".join(COLUMNS)
_TEXTS = ", ".join(["%s::text[]"] * len(COLUMNS))


class Change(NamedTuple):
    """What was said of one person at a moment: `key` breaks ties, None as a value unsets.

    `identity_id` is the name it was said under; without one it was said of our own id.
    """

    customer_id: int
    at: datetime
    key: str
    traits: Mapping[str, Any]
    identity_id: int | None = None


class Row:
    """One person's columns, attributes and times, as stored."""

    __slots__ = ("attributes", "columns", "customer_id", "times")

    def __init__(self, customer_id: int, values: Sequence[Any]) -> None:
        self.customer_id = customer_id
        self.columns: dict[str, str] = {
            name: value or "" for name, value in zip(COLUMNS, values, strict=False)
        }
        self.attributes: dict[str, Any] = values[len(COLUMNS)]
        self.times: dict[str, list[Any]] = values[len(COLUMNS) + 1]

    def take(self, news: Said) -> bool:
        """Take over what is later than what is known; whether anything changed."""
        changed = False
        for name, (at, tie, value) in news.items():
            before = self.times.get(name)
            if before is not None and (before[0], before[1]) >= (at, tie):
                continue
            self.times[name] = [at, tie, value] if name in ("email", "phone") else [at, tie]
            if name in self.columns:
                self.columns[name] = value or ""
            elif value is None:
                self.attributes.pop(name, None)
            else:
                self.attributes[name] = value
            changed = True
        return changed


def apply(*, changes: Sequence[Change], now: datetime) -> set[int]:
    """Take in what was said; the people whose profile changed. Any order gives the same profile."""
    by_name: dict[tuple[str, int], Said] = {}
    for change in changes:
        said = traits.say(traits.read(change.traits), change.at, change.key)
        if said:
            about = (
                ("customer", change.customer_id)
                if change.identity_id is None
                else ("identity", change.identity_id)
            )
            traits.fold(by_name.setdefault(about, {}), said)
    if not by_name:
        return set()
    with transaction.atomic():
        current = _current({change.customer_id for change in changes})
        by_person: dict[int, Said] = {}
        for change in changes:
            about = (
                ("customer", change.customer_id)
                if change.identity_id is None
                else ("identity", change.identity_id)
            )
            if about in by_name:
                person = by_person.setdefault(current.get(change.customer_id, 0), {})
                traits.fold(person, by_name[about])
        by_person.pop(0, None)
        rows = lock(by_person)
        for kind in ("customer", "identity"):
            _store(kind, {key: said for (k, key), said in by_name.items() if k == kind})
        changed = [rows[key] for key in sorted(rows) if rows[key].take(by_person[key])]
        write(changed, now)
    return {row.customer_id for row in changed}


def _current(ids: Iterable[int]) -> dict[int, int]:
    """Whom each id stands for today: itself, or the person it was merged into."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, coalesce(merged_into_id, id) FROM ingestion_customer WHERE id = ANY(%s)",
            [list(ids)],
        )
        return dict(cursor.fetchall())


def lock(ids: Iterable[int]) -> dict[int, Row]:
    """The rows of these people, locked in order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {_COLUMN_LIST}, attributes::text, attribute_times::text"
            " FROM ingestion_customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [sorted(ids)],
        )
        return {
            pk: Row(pk, [*values, orjson.loads(attributes), orjson.loads(times)])
            for pk, *values, attributes, times in cursor.fetchall()
        }


def _store(kind: str, sayings: Mapping[int, Said]) -> None:
    """Add to what was said under these names."""
    if not sayings:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {kind}_id, said::text FROM ingestion_statement WHERE {kind}_id = ANY(%s)"
            f" ORDER BY {kind}_id FOR UPDATE",
            [sorted(sayings)],
        )
        merged = {}
        known = {key: orjson.loads(said) for key, said in cursor.fetchall()}
        for key in sorted(sayings):
            said = known.get(key, {})
            if traits.fold(said, sayings[key]):
                merged[key] = said
        if merged:
            cursor.execute(
                f"INSERT INTO ingestion_statement ({kind}_id, said)"
                " SELECT * FROM unnest(%s::bigint[], %s::jsonb[])"
                f" ON CONFLICT ({kind}_id) DO UPDATE SET said = excluded.said",
                [list(merged), [orjson.dumps(said).decode() for said in merged.values()]],
            )


def write(rows: Sequence[Row], now: datetime) -> None:
    """Store profiles. An e-mail address goes on the row only if it is this person's name."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE ingestion_customer c SET {', '.join(f'{c} = n.{c}' for c in COLUMNS[:5])},"
            " email = CASE WHEN n.email = '' AND n.stated THEN NULL"
            "              ELSE coalesce(own.value, c.email) END,"
            " phone = n.phone, attributes = n.attributes, attribute_times = n.times,"
            " updated_at = %s"
            f" FROM unnest(%s::bigint[], {_TEXTS}, %s::jsonb[], %s::jsonb[], %s::boolean[])"
            f" AS n (id, {_COLUMN_LIST}, attributes, times, stated)"
            " LEFT JOIN ingestion_identity own ON own.kind = 'email' AND own.value = n.email"
            " AND own.customer_id = n.id"
            " WHERE c.id = n.id",
            [
                now,
                [row.customer_id for row in rows],
                *([row.columns[name] for row in rows] for name in COLUMNS),
                [orjson.dumps(row.attributes).decode() for row in rows],
                [orjson.dumps(row.times).decode() for row in rows],
                ["email" in row.times for row in rows],
            ],
        )
