"""New names and new people, and what was claimed without effect: nothing here changes hands."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from ingestion.identity import guard, history, names, profile
from ingestion.identity.claims import Link, Plan
from ingestion.identity.names import ANONYMOUS, DEVICE, EMAIL, EXTERNAL, PEOPLE, PHONE, Name, Node
from marketing.core.db import copy_rows

_MANY = 500  # names from which COPY is worth that one stored meanwhile undoes the batch


def links(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Link]:
    """What is stored of these pairs (stronger, weaker), in either direction."""
    if not pairs:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.stronger_id, l.weaker_id, l.state, l.at FROM ingestion_identitylink l"
            " JOIN (SELECT a, b FROM unnest(%(a)s::bigint[], %(b)s::bigint[]) AS n (a, b)"
            "       UNION SELECT b, a FROM unnest(%(a)s::bigint[], %(b)s::bigint[]) AS n (a, b)) n"
            " ON l.stronger_id = n.a AND l.weaker_id = n.b",
            {"a": [a for a, _ in pairs], "b": [b for _, b in pairs]},
        )
        return {(a, b): Link(state, at) for a, b, state, at in cursor.fetchall()}


def check_room(plan: Plan, nodes: dict[Name, Node], source: str, now: datetime) -> None:
    """Leave out new names of people who have more of them than one person can have."""
    for kinds, most in (
        ((DEVICE, ANONYMOUS), settings.IDENTITY_MAX_NAMES),
        ((EMAIL, PHONE), settings.IDENTITY_MAX_OWNERS),
    ):
        by_id = {node.id: node for node in nodes.values()}
        new = [node for node in [*plan.fresh, *plan.moved] if node.kind in kinds]
        owner_of = {node.id: _owner_above(node, by_id) for node in new}
        full = guard.overfull((o for o in owner_of.values() if o is not None), kinds, most)
        if not full:
            continue
        barred = guard.refuse(full.values(), reason="many_names", source=source, now=now)
        closed = {customer for customer, (name, _count) in full.items() if name in barred}
        dropped = {key for key, owner in owner_of.items() if owner in closed}
        deleted = set()
        for node in [node for node in plan.fresh if node.id in dropped]:
            if node.kind in (DEVICE, ANONYMOUS):
                plan.fresh.remove(node)
                del nodes[node.name]
                deleted.add(node.id)
            else:
                node.parent = node.linked_at = None  # stands for somebody of its own
        plan.moved = [node for node in plan.moved if node.id not in dropped]
        plan.waiting = {
            (stronger, weaker): at
            for (stronger, weaker), at in plan.waiting.items()
            if weaker not in dropped and stronger not in deleted
        }


def _owner_above(node: Node, by_id: Mapping[int, Node]) -> int | None:
    """Whose a name is going to be by the names above it."""
    above = by_id.get(node.parent) if node.parent is not None else None
    return _owner(above, by_id) if above is not None else None


def _owner(node: Node, by_id: Mapping[int, Node]) -> int | None:
    """Whose a name is by the names above it; None while its root has no person."""
    while node.customer is None and node.parent is not None and node.parent in by_id:
        node = by_id[node.parent]
    return node.customer


def store(
    plan: Plan,
    nodes: Mapping[Name, Node],
    firsts: Mapping[Name, Any],
    source: str,
    now: datetime,
    is_demo: bool,
) -> bool:
    """Write the plan but for names that change hands; False if another batch was faster."""
    by_id = {node.id: node for node in nodes.values()}
    known_people = {node.customer for node in nodes.values() if node.customer is not None}
    founders = {
        node.customer: told
        for node in plan.fresh
        if node.parent is None and node.customer is not None and (told := firsts.get(node.name))
    }
    made = _new_people(plan.fresh, by_id)
    for node in plan.fresh:
        node.customer = _owner(node, by_id)
    if made:
        _insert_people(made, plan.fresh, firsts, now, is_demo)
    if plan.fresh and not _insert_names(plan.fresh, now):
        return False
    _note_earlier(plan.earlier)
    _note_waiting(plan.waiting, source)
    shared = guard.shared(plan.waiting)
    if shared:
        barred = guard.refuse(shared.items(), reason="many_owners", source=source, now=now)
        _bar([nodes[name].id for name in barred if name in nodes])
    late = {
        node.customer
        for node in plan.fresh
        if node.kind in PEOPLE and node.customer in known_people
    }
    profile.name_columns([key for key in late if key is not None], now)
    told_of = {k: {c: getattr(p, c) for c in _TOLD} for k, p in founders.items()}
    told_of = {key: said for key, said in told_of.items() if any(said.values())}
    if told_of:
        profile.fill(told_of, now)
    history.join([node for node in plan.fresh if node.kind in (DEVICE, ANONYMOUS)], now=now)
    return True


def _new_people(fresh: Sequence[Node], by_id: Mapping[int, Node]) -> list[Node]:
    """Names that stand for somebody never seen, each with a number for the person."""
    roots = [
        node
        for node in fresh
        if node.parent is None and node.customer is None and node.kind in PEOPLE
    ]
    for node, pk in zip(roots, names.new_ids("ingestion_customer", len(roots)), strict=True):
        node.customer = pk
    return roots


def _insert_people(
    roots: Sequence[Node],
    fresh: Sequence[Node],
    firsts: Mapping[Name, Any],
    now: datetime,
    is_demo: bool,
) -> None:
    """New customers with their names and what their first mention tells."""
    owned: dict[tuple[int, str], tuple[Any, str]] = {}
    for node in fresh:
        if node.kind in PEOPLE and node.customer is not None:
            place = (node.customer, node.kind)
            order = (node.linked_at is not None, node.linked_at, node.value)
            if place not in owned or order < owned[place]:
                owned[place] = order  # type: ignore[assignment]
    ending = f"\t{{}}\t{{}}\t{is_demo}\t{now.isoformat()}\t{now.isoformat()}\n"
    rows = []
    for root in sorted(roots, key=lambda node: node.name):  # one order, as for names
        first = firsts.get(root.name)
        key = root.customer
        values = {kind: owned.get((key, kind), (None, None, None))[-1] for kind in PEOPLE}  # type: ignore[arg-type]
        phone = values[PHONE] or ""
        told = [field(getattr(first, name, "") or "") for name in _TOLD]
        names_of = f"{field(values[EXTERNAL])}\t{field(values[EMAIL])}\t{field(phone)}"
        rows.append(f"{key}\t{names_of}\t{_TAB.join(told)}{ending}")
    copy_lines("ingestion_customer", PERSON_COLUMNS, rows)


def copy_lines(table: str, columns: Sequence[str], rows: Sequence[str]) -> None:
    """COPY lines. Raises IntegrityError where another transaction was faster."""
    with connection.wrap_database_errors, connection.cursor() as cursor:
        copy_rows(cursor, table, columns, ["".join(rows).encode()])


def field(text: str | None) -> str:
    """A text as a field of COPY."""
    if text is None:
        return "\\N"
    if not text or text.isalnum():
        return text
    return _ESCAPED.sub(lambda sign: _SIGNS[sign[0]], text)


_SIGNS = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPED = re.compile(r"[\\\t\n\r]")
_TAB = "\t"
_TOLD = ("first_name", "last_name", "country", "language", "timezone")
_DATED = ("created_at", "updated_at")
NAME_COLUMNS = (
    *("id", "customer_id", "kind", "value", "parent_id", "linked_at", "anchored"),
    *("refused", "source", "at", "joined_at"),
)
PERSON_COLUMNS = (
    *("id", "external_id", "email", "phone", *_TOLD),
    *("attributes", "attribute_times", "is_demo", *_DATED),
)


def _insert_names(fresh: Sequence[Node], now: datetime) -> bool:
    """Store new names; False if another transaction stored one of them meanwhile."""
    if len(fresh) >= _MANY:
        _copy_names(fresh, now)
        return True
    rows = sorted(fresh, key=lambda node: node.name)  # one order, so that batches never entangle
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_identity (id, customer_id, kind, value, parent_id, linked_at,"
            " anchored, refused, source, at, joined_at)"
            " SELECT id, customer_id, kind, value, parent_id, linked_at, false, false,"
            " left(source, 100), coalesce(linked_at, %s), %s FROM unnest(%s::bigint[],"
            " %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[])"
            " AS n (id, customer_id, kind, value, parent_id, linked_at, source)"
            " ON CONFLICT DO NOTHING",
            [
                now,
                now,
                [node.id for node in rows],
                [node.customer for node in rows],
                [node.kind for node in rows],
                [node.value for node in rows],
                [node.parent for node in rows],
                [node.linked_at for node in rows],
                [node.source for node in rows],
            ],
        )
        return int(cursor.rowcount) == len(rows)


def _copy_names(fresh: Sequence[Node], now: datetime) -> None:
    came, rows = now.isoformat(), []
    for n in sorted(fresh, key=lambda node: node.name):
        customer, parent = ("\\N" if i is None else i for i in (n.customer, n.parent))
        linked = n.linked_at.isoformat() if n.linked_at else None
        rows.append(
            f"{n.id}\t{customer}\t{n.kind}\t{field(n.value)}\t{parent}\t{field(linked)}"
            f"\tf\tf\t{field(n.source[:100])}\t{linked or came}\t{came}\n"
        )
    copy_lines("ingestion_identity", NAME_COLUMNS, rows)


def _note_earlier(nodes: Sequence[Node]) -> None:
    """The same claim of an earlier moment."""
    if not nodes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_identity i SET linked_at = n.at FROM (SELECT * FROM"
            " unnest(%s::bigint[], %s::timestamptz[]) AS u (id, at) ORDER BY id) n"
            " WHERE i.id = n.id AND i.linked_at > n.at",
            [[node.id for node in nodes], [node.linked_at for node in nodes]],
        )


def _note_waiting(waiting: Mapping[tuple[int, int], datetime], source: str) -> None:
    """Claims that came second: kept as evidence, and in case the first is taken back."""
    if not waiting:
        return
    rows = sorted(waiting)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_identitylink (stronger_id, weaker_id, state, at, source)"
            " SELECT s, w, 'waiting', at, %s FROM"
            " unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS n (s, w, at)"
            " ON CONFLICT (stronger_id, weaker_id) DO UPDATE SET at = excluded.at"
            " WHERE ingestion_identitylink.at > excluded.at",
            [
                source[:100],
                [s for s, _ in rows],
                [w for _, w in rows],
                [waiting[pair] for pair in rows],
            ],
        )


def _bar(ids: Iterable[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_identity SET refused = true WHERE id = ANY(%s)", [list(ids)]
        )


def note_joined(plan: Plan, nodes: Mapping[int, Node], source: str, now: datetime) -> None:
    """Store aliases. One that joins more customer numbers than one person has is refused."""
    if not plan.joined:
        return
    full = guard.overjoined(plan.joined, nodes)
    barred = guard.refuse(full.items(), reason="many_owners", source=source, now=now)
    refused = {
        pair
        for pair in plan.joined
        if nodes[pair[0]].name in barred or nodes[pair[1]].name in barred
    }
    rows = sorted(plan.joined)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_identitylink (stronger_id, weaker_id, state, at, source)"
            " SELECT s, w, state, at, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[],"
            " %s::timestamptz[]) AS n (s, w, state, at)"
            " ON CONFLICT (stronger_id, weaker_id) DO UPDATE SET state = excluded.state",
            [
                source[:100],
                [s for s, _ in rows],
                [w for _, w in rows],
                ["refused" if pair in refused else "joined" for pair in rows],
                [plan.joined[pair] for pair in rows],
            ],
        )
    for pair in refused:
        del plan.joined[pair]


def bare_people(count: int, now: datetime, is_demo: bool) -> list[int]:
    """Rows for people of whom nothing but names is known."""
    ids = names.new_ids("ingestion_customer", count)
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ingestion_customer (id, phone, first_name, last_name, country,"
                " language, timezone, attributes, attribute_times, is_demo, created_at, updated_at)"
                " SELECT id, '', '', '', '', '', '', '{}', '{}', %s, %s, %s"
                " FROM unnest(%s::bigint[]) AS n (id)",
                [is_demo, now, now, ids],
            )
    return ids
