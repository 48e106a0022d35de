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

    __slots__ = ("attributes", "columns", "customer_id", "later", "times")

    def __init__(self, customer_id: int, values: Sequence[Any]) -> None:
        self.customer_id = customer_id
        self.columns: dict[str, str] = {
            name: value or "" for name, value in zip(COLUMNS, values, strict=False)
        }
        self.attributes: dict[str, Any] = values[len(COLUMNS)]
        self.times: dict[str, list[Any]] = values[len(COLUMNS) + 1]
        self.later = False  # whether a later moment was learned, be it for the same value

    def take(self, news: Said) -> bool:
        """Take over what is later than what is known; whether a value changed."""
        changed = False
        for name, (at, tie, value) in news.items():
            before = self.times.get(name)
            if before is not None and (before[0], before[1]) >= (at, tie):
                continue
            self.times[name] = [at, tie, value] if name in ("email", "phone") else [at, tie]
            self.later = True
            if name in self.columns:
                changed = changed or self.columns[name] != (value or "")
                self.columns[name] = value or ""
            elif value is None:
                changed = self.attributes.pop(name, None) is not None or changed
            else:
                changed = changed or self.attributes.get(name) != value
                self.attributes[name] = value
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
        current = standing_for({change.customer_id for change in changes})
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
        changed = {key for key in sorted(rows) if rows[key].take(by_person[key])}
        write([row for row in rows.values() if row.later], now)
    return changed


def standing_for(ids: Iterable[int]) -> dict[int, int]:
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


def fill(rows: Mapping[int, Mapping[str, str]], now: datetime) -> int:
    """Fill empty columns and nothing else; how many people changed.

    Filled columns have no date, so that whatever is said with one counts more.
    """
    names = COLUMNS[:5]
    wins = "n.{0} <> '' AND c.{0} = '' AND NOT c.attribute_times ? '{0}'"
    sets = [f"{c} = CASE WHEN {wins.format(c)} THEN n.{c} ELSE c.{c} END" for c in names]
    differs = [f"({wins.format(c)})" for c in names]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE ingestion_customer c SET {', '.join(sets)}, updated_at = %s"
            f" FROM unnest(%s::bigint[], {', '.join(['%s::text[]'] * len(names))})"
            f" AS n (id, {', '.join(names)}) WHERE c.id = n.id AND ({' OR '.join(differs)})",
            [now, list(rows), *([row.get(name, "") for row in rows.values()] for name in names)],
        )
        return int(cursor.rowcount)


_NAMES = """
SELECT c.id, c.external_id, c.email, c.phone,
    CASE WHEN c.merged_into_id IS NULL THEN coalesce(
        (SELECT i.value FROM ingestion_identity i
         WHERE i.customer_id = c.id AND i.kind = 'external'
         ORDER BY EXISTS (SELECT FROM ingestion_identitylink l
                          WHERE l.weaker_id = i.id AND l.state = 'joined'), i.value LIMIT 1),
        CASE WHEN NOT EXISTS (SELECT FROM ingestion_identity o WHERE o.kind = 'external'
                              AND o.value = c.external_id) THEN c.external_id END) END,
    CASE WHEN c.merged_into_id IS NOT NULL
           OR c.attribute_times #>> '{email,0}' IS NOT NULL
              AND c.attribute_times #>> '{email,2}' IS NULL THEN NULL
    ELSE coalesce(
        (SELECT i.value FROM ingestion_identity i WHERE i.customer_id = c.id AND i.kind = 'email'
         AND i.value = c.attribute_times #>> '{email,2}'),
        (SELECT i.value FROM ingestion_identity i WHERE i.customer_id = c.id AND i.kind = 'email'
         ORDER BY i.linked_at NULLS FIRST, i.value LIMIT 1),
        CASE WHEN NOT EXISTS (SELECT FROM ingestion_identity o WHERE o.kind = 'email'
                              AND o.value = c.email) THEN c.email END) END,
    CASE WHEN c.attribute_times ? 'phone' THEN coalesce(c.attribute_times #>> '{phone,2}', '')
    ELSE coalesce(
        (SELECT i.value FROM ingestion_identity i WHERE i.customer_id = c.id AND i.kind = 'phone'
         ORDER BY i.linked_at NULLS FIRST, i.value LIMIT 1),
        CASE WHEN NOT EXISTS (SELECT FROM ingestion_identity o WHERE o.kind = 'phone'
                              AND o.value = c.phone) THEN c.phone END, '') END
FROM ingestion_customer c WHERE c.id = ANY(%s) ORDER BY c.id
"""


def name_columns(ids: Sequence[int], now: datetime) -> None:
    """Write the names people have now into their rows: the number, an address and a phone.

    Of several numbers one that is nobody's previous one; of several addresses the one said last,
    else the one claimed first.
    """
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [list(ids)])
        rows = [(pk, *new) for pk, a, b, c, *new in cursor.fetchall() if [a, b, c] != new]
        if not rows:
            return
        keys, external, email, phone = (list(column) for column in zip(*rows, strict=True))
        for column, values in (("external_id", external), ("email", email)):
            # Unique values change places: nobody has them for a moment.
            cursor.execute(
                f"UPDATE ingestion_customer SET {column} = NULL"
                f" WHERE {column} IS NOT NULL AND (id = ANY(%s) OR {column} = ANY(%s))",
                [keys, [value for value in values if value]],
            )
        cursor.execute(
            "UPDATE ingestion_customer c SET external_id = n.external_id, email = n.email,"
            " phone = n.phone, updated_at = %s"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[])"
            " AS n (id, external_id, email, phone) WHERE c.id = n.id",
            [now, keys, external, email, phone],
        )


_SAID = """
SELECT i.customer_id, NULL, s.said::text FROM ingestion_statement s
JOIN ingestion_identity i ON i.id = s.identity_id WHERE i.customer_id = ANY(%(ids)s)
UNION ALL
SELECT coalesce(c.merged_into_id, c.id), c.id, s.said::text FROM ingestion_statement s
JOIN ingestion_customer c ON c.id = s.customer_id
WHERE c.id = ANY(%(ids)s) OR c.merged_into_id = ANY(%(ids)s)
"""


def derive(ids: Sequence[int], now: datetime) -> None:
    """Make these profiles again from what their names, and the rows merged into them, say.

    What a row held without a date is noted as said before anything else, so that it comes back
    when the merge is undone.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, merged_into_id FROM ingestion_customer"
            " WHERE id = ANY(%(ids)s) OR merged_into_id = ANY(%(ids)s)",
            {"ids": list(ids)},
        )
        into = dict(cursor.fetchall())
        rows = lock(into)
        undated = {pk: _undated(row) for pk, row in rows.items()}
        _note_undated({pk: said for pk, said in undated.items() if said})
        cursor.execute(_SAID, {"ids": list(ids)})
        said: dict[int, list[tuple[int | None, Said]]] = {}
        for owner, row_id, text in cursor.fetchall():
            said.setdefault(owner, []).append((row_id, orjson.loads(text)))
    changed = []
    for pk in ids:
        if pk not in rows or into[pk] is not None:
            continue
        row, sayings = rows[pk], said.get(pk, [])
        own: Said = next((news for row_id, news in sayings if row_id == pk), {})
        row.columns = {
            name: row.columns[name] if name in ("email", "phone") else "" for name in COLUMNS
        }
        row.attributes, row.times = {}, {}
        row.take(own)
        for row_id, news in sorted(sayings, key=lambda one: one[0] or 0):
            row.take(news if row_id is None else _without(news, own))
        if not any(owner == pk for owner in into.values()):
            row.times = {name: one for name, one in row.times.items() if one[0]}
        changed.append(row)
    _give_up_addresses([row.columns["email"] for row in changed if row.columns["email"]])
    write(changed, now)


def _give_up_addresses(addresses: Sequence[str]) -> None:
    """Take these addresses off the rows of whoever they no longer name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_customer c SET email = NULL FROM ingestion_identity own"
            " WHERE c.email = ANY(%s) AND own.kind = 'email' AND own.value = c.email"
            " AND own.customer_id <> c.id",
            [list(addresses)],
        )


def _note_undated(sayings: Mapping[int, Said]) -> None:
    """What rows hold without a date, as it is now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_statement (customer_id, said)"
            " SELECT * FROM unnest(%s::bigint[], %s::jsonb[]) ON CONFLICT (customer_id)"
            " DO UPDATE SET said = ingestion_statement.said || excluded.said",
            [list(sayings), [orjson.dumps(said).decode() for said in sayings.values()]],
        )


def _undated(row: Row) -> Said:
    """What a row holds of which nobody said when, but for names."""
    held = {name: value for name, value in row.columns.items() if name not in ("email", "phone")}
    return {
        name: [0, "", value]
        for name, value in (held | row.attributes).items()
        if name not in row.times and value not in ("", None)
    }


def _without(news: Said, own: Said) -> Said:
    """Undated sayings of a merged row never replace those of the row that stays."""
    return {name: one for name, one in news.items() if one[0] or name not in own}
