"""Many names for a person → one customer. The only place that makes customers.

Names are tried in the order external id, e-mail, phone, anonymous id; the first that is known
decides. Names that are new are added to the person they came with; a name that already belongs to
somebody else stays where it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection, transaction

from marketing.core.db import advisory_lock

EXTERNAL, EMAIL, PHONE = "external", "email", "phone"
DEVICE, ANONYMOUS = "device", "anonymous"
Name = tuple[str, str]


@dataclass(frozen=True)
class Person:
    """Who something is about, as a file or a caller names them. Texts are normalised already."""

    external_id: str = ""
    email: str = ""
    phone: str = ""
    anonymous_id: str = ""
    first_name: str = ""
    last_name: str = ""
    country: str = ""
    language: str = ""
    timezone: str = ""
    attributes: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)
    device_id: str = ""
    previous_id: str = ""
    at: datetime | None = None

    @property
    def names(self) -> list[Name]:
        """The person's names, strongest first."""
        all_names = [
            (EXTERNAL, self.external_id),
            (EMAIL, self.email),
            (PHONE, self.phone),
            (DEVICE, self.device_id),
            (ANONYMOUS, self.anonymous_id),
        ]
        return [name for name in all_names if name[1]]


class Found(NamedTuple):
    """Whose something is: our customer id, and the name (Identity id) that says so."""

    customer_id: int | None
    identity_id: int | None


def locate(
    *, people: Sequence[Person], source: str, now: datetime, is_demo: bool = False
) -> list[Found]:
    """The person of each, made where there was none, and the name by which they were found.

    (None, None) for somebody with no name, or with an anonymous id alone that belongs to nobody
    yet. Runs inside the caller's transaction if there is one.
    """
    ids = resolve(people=people, source=source, now=now, is_demo=is_demo)
    names = {name for person in people for name in person.names}
    by_name: dict[Name, int] = {}
    if names:
        kinds, values = zip(*names, strict=True)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT i.kind, i.value, i.id FROM ingestion_identity i"
                " JOIN unnest(%s::text[], %s::text[]) AS n (kind, value) USING (kind, value)",
                [list(kinds), list(values)],
            )
            by_name = {(kind, value): pk for kind, value, pk in cursor.fetchall()}
    return [
        Found(found, next((by_name[n] for n in person.names if n in by_name), None))
        for found, person in zip(ids, people, strict=True)
    ]


def resolve(
    *, people: Sequence[Person], source: str, now: datetime, is_demo: bool = False
) -> list[int | None]:
    """The customer id of each person, made where there was none.

    None for somebody with no name, or with an anonymous id alone that belongs to nobody yet. Runs
    inside the caller's transaction if there is one.
    """
    with transaction.atomic(savepoint=False):
        names = {name for person in people for name in person.names}
        known = _known(names)
        if any(_is_new(person, known) for person in people):
            with advisory_lock("ingestion.identify"):
                known = _known(names)
                return _settle(people, known, source, now, is_demo)
        return _settle(people, known, source, now, is_demo)


def _is_new(person: Person, known: dict[Name, int]) -> bool:
    names = person.names
    return any(name not in known for name in names) and any(
        n[0] not in (DEVICE, ANONYMOUS) for n in names
    )


def _known(names: Iterable[Name]) -> dict[Name, int]:
    kinds, values = zip(*names, strict=True) if names else ((), ())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.kind, i.value, i.customer_id FROM ingestion_identity i"
            " JOIN unnest(%s::text[], %s::text[]) AS n (kind, value) USING (kind, value)",
            [list(kinds), list(values)],
        )
        return {(kind, value): customer_id for kind, value, customer_id in cursor.fetchall()}


def _settle(
    people: Sequence[Person], known: dict[Name, int], source: str, now: datetime, is_demo: bool
) -> list[int | None]:
    """Give everybody an id, insert the new ones, and add names that were not known."""
    ids: list[int | None] = []
    fresh: dict[int, Person] = {}
    added: dict[Name, int] = {}
    spare = _spare_ids(sum(_is_new(person, known) for person in people))
    for person in people:
        names = person.names
        found = next((known[name] for name in names if name in known), None)
        if found is None and any(kind not in (DEVICE, ANONYMOUS) for kind, _ in names):
            found = next(spare)
            fresh[found] = person
        ids.append(found)
        if found is None:
            continue
        for name in names:
            if name not in known:
                known[name] = added[name] = found
    if fresh:
        _insert(fresh, added, now, is_demo)
    if added:
        _add_names(added, set(fresh), source, now)
    return ids


def _spare_ids(count: int) -> Any:
    if not count:
        return iter(())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('ingestion_customer', 'id'))"
            " FROM generate_series(1, %s)",
            [count],
        )
        return iter([row[0] for row in cursor.fetchall()])


def _insert(fresh: dict[int, Person], added: dict[Name, int], now: datetime, is_demo: bool) -> None:
    """New customers. A name goes on the row only if this person is the one who owns it."""

    def own(kind: str, value: str, owner: int) -> str | None:
        return value if value and added.get((kind, value)) == owner else None

    rows = list(fresh.items())
    columns: list[Any] = [
        [i for i, _ in rows],
        [own(EXTERNAL, p.external_id, i) for i, p in rows],
        [own(EMAIL, p.email, i) for i, p in rows],
        *(
            [getattr(p, name) for _, p in rows]
            for name in ("phone", "first_name", "last_name", "country", "language", "timezone")
        ),
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_customer (id, external_id, email, phone, first_name, last_name,"
            " country, language, timezone, attributes, is_demo, first_seen_at, created_at,"
            " updated_at) SELECT *, '{}', %s, NULL, %s, %s FROM unnest(%s::bigint[], %s::text[],"
            " %s::text[],"
            " %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])",
            [is_demo, now, now, *columns],
        )


def _add_names(added: dict[Name, int], fresh: set[int], source: str, now: datetime) -> None:
    rows = [(kind, value, owner) for (kind, value), owner in added.items()]
    kinds, values, owners = (list(column) for column in zip(*rows, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_identity (kind, value, customer_id, source, at)"
            " SELECT *, %s, %s FROM unnest(%s::text[], %s::text[], %s::bigint[])"
            " ON CONFLICT DO NOTHING",
            [source[:100], now, kinds, values, owners],
        )
        late = [(kind, value, owner) for kind, value, owner in rows if owner not in fresh]
        for kind, column in ((EXTERNAL, "external_id"), (EMAIL, "email"), (PHONE, "phone")):
            mine = [(owner, value) for k, value, owner in late if k == kind]
            if not mine:
                continue
            empty = "c.phone = ''" if kind == PHONE else f"c.{column} IS NULL"
            cursor.execute(
                f"UPDATE ingestion_customer c SET {column} = n.value, updated_at = %s"
                " FROM (SELECT DISTINCT ON (id) id, value FROM"
                "       unnest(%s::bigint[], %s::text[]) AS u (id, value)) n"
                f" WHERE c.id = n.id AND {empty}",
                [now, [owner for owner, _ in mine], [value for _, value in mine]],
            )


def enrich(*, people: Sequence[tuple[int, Person]], now: datetime, overwrite: bool) -> int:
    """Write what is known about existing people into their rows; how many rows changed.

    Empty values never replace anything. Without `overwrite` only empty columns are filled. Of
    several rows for one person the last that says something counts. An e-mail address replaces the
    one on the row only if it is known to be this person's.
    """
    columns = ("first_name", "last_name", "country", "language", "timezone", "phone")
    merged: dict[int, dict[str, Any]] = {}
    for customer_id, person in people:
        row = merged.setdefault(customer_id, {"attributes": {}})
        row.update(
            {name: value for name in (*columns, "email") if (value := getattr(person, name))}
        )
        row["attributes"] = {**row["attributes"], **person.attributes}
    merged = {key: row for key, row in merged.items() if len(row) > 1 or row["attributes"]}
    if not merged:
        return 0
    wins = "n.{0} <> ''" if overwrite else "n.{0} <> '' AND c.{0} = ''"
    sets = [f"{c} = CASE WHEN {wins.format(c)} THEN n.{c} ELSE c.{c} END" for c in columns]
    differs = [f"({wins.format(c)} AND n.{c} <> c.{c})" for c in columns]
    if overwrite:
        sets += [
            "email = coalesce(own.value, c.email)",
            "attributes = c.attributes || n.attributes",
        ]
        differs += ["own.value IS DISTINCT FROM coalesce(c.email, own.value)"]
        differs += [
            "(own.value IS NOT NULL AND c.email IS NULL)",
            "NOT c.attributes @> n.attributes",
        ]
    names = (*columns, "email")
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE ingestion_customer c SET {', '.join(sets)}, updated_at = %s FROM"
            f" unnest(%s::bigint[], {', '.join(['%s::text[]'] * len(names))}, %s::jsonb[])"
            f" AS n (id, {', '.join(names)}, attributes)"
            " LEFT JOIN ingestion_identity own ON own.kind = 'email' AND own.value = n.email"
            " AND own.customer_id = n.id"
            f" WHERE c.id = n.id AND ({' OR '.join(differs)})",
            [
                now,
                list(merged),
                *([row.get(name, "") for row in merged.values()] for name in names),
                [orjson.dumps(row["attributes"]).decode() for row in merged.values()],
            ],
        )
        return int(cursor.rowcount)
