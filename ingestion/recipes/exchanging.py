"""What a repeated row changes in the tables: by order line, person, product code, message id.

Each function takes the rows of one batch as the earlier version cleaned them and as the later one
does, and leaves the tables as if the later one had been used at once. Done twice it changes
nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Q

from ingestion.events import claims, clock
from ingestion.identity import identify, names
from ingestion.imports import customers as customer_rows
from ingestion.imports import events as event_rows
from ingestion.imports import orders as order_rows
from ingestion.imports import products as product_rows
from ingestion.imports.outcome import Stored
from ingestion.models import ImportJob, Reject

_PEOPLE = ("first_name", "last_name", "country", "language", "timezone")
_NAMES = {"external_id": names.EXTERNAL, "email": names.EMAIL}
_GOODS = ("name", "category", "url", "image_url")


@dataclass
class Exchanged:
    """Rows that are new, gone, changed or the same, and what storing told."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    same: int = 0
    stored: Stored = field(default_factory=Stored)
    customer_ids: set[int] = field(default_factory=set)
    examples: list[dict[str, Any]] = field(default_factory=list)
    judged_anew: list[int] = field(default_factory=list)  # lines whose refusal counts no more


def _compare(
    before: dict[int, Any], after: dict[int, Any], show: Callable[[Any], dict[str, str]]
) -> tuple[Exchanged, list[int], list[int]]:
    """Counts, the lines whose old row goes, and the lines whose new row comes."""
    told = Exchanged()
    gone, come = [], []
    for line, row in before.items():
        if line not in after:
            told.removed += 1
            gone.append(line)
        elif after[line] != row:
            told.changed += 1
            gone.append(line)
            come.append(line)
            if len(told.examples) < 5:
                old, new = show(row), show(after[line])
                fields = [name for name in new if old[name] != new[name]]
                told.examples.append(
                    {
                        "line": line,
                        "before": {name: old[name] for name in fields},
                        "after": {name: new[name] for name in fields},
                    }
                )
        else:
            told.same += 1
    fresh = [line for line in after if line not in before]
    told.added = len(fresh)
    return told, gone, [*come, *fresh]


def _order_lines(clean: Any) -> dict[int, tuple[Any, ...]]:
    """Line of the file → everything that is stored of it."""
    found = {}
    for row, line in enumerate(clean.line.tolist()):
        order = int(clean.order_of[row])
        who = int(clean.person_of_order[order])
        person = clean.people[who] if who >= 0 else None
        found[line] = (
            clean.orders[order],
            clean.skus[clean.sku_of[row]],
            clean.texts[clean.text_of[row]],
            int(clean.quantity[row]),
            int(clean.price[row]),
            clean.placed[clean.placed_of[row]],
            clean.order_currency[order],
            clean.order_country[order],
            None if person is None else tuple(vars(person).values()),
        )
    return found


def _show_line(row: tuple[Any, ...]) -> dict[str, str]:
    fields = ("order_id", "sku", "description", "quantity", "unit_price", "placed_at", "currency")
    shown = {name: str(value) for name, value in zip(fields, row, strict=False)}
    return (
        shown
        | {"unit_price": f"{row[4] / 10_000:.2f}", "country": row[7]}
        | {"customer": next((name for name in row[8] or () if name), "")}
    )


def exchange_orders(*, before: Any, after: Any, record: ImportJob, now: datetime) -> Exchanged:
    """Lines that changed are taken out and stored anew; orders keep their number."""
    old, new = _order_lines(before), _order_lines(after)
    told, gone, come = _compare(old, new, _show_line)
    if not gone and not come:
        return told
    told.customer_ids |= _take_lines(record.source_id, [old[line] for line in gone])
    if come:
        wanted = np.isin(after.line, come)
        told.stored = order_rows.store_chunk(clean=_part(after, wanted), record=record, now=now)
        told.customer_ids |= set(told.stored.customer_ids)
    numbers = sorted({old[line][0] for line in gone} | {new[line][0] for line in come})
    coming = set(come)
    heads = {row[0]: row for line, row in new.items() if line in coming}
    told.customer_ids |= _mend_orders(record, heads, numbers, now)
    return told


def _part(clean: Any, wanted: Any) -> Any:
    """The rows of a clean batch that are wanted; lists of distinct things stay as they are."""
    rows = {
        name: getattr(clean, name)[wanted]
        for name in (
            "line",
            "order_of",
            "placed_of",
            "sku_of",
            "text_of",
            "quantity",
            "price",
            "cents",
            "kind",
        )
    }
    orders, order_of = np.unique(rows["order_of"], return_inverse=True)
    kept = orders.tolist()
    rows |= {
        "order_of": order_of.astype(np.int64),
        "orders": [clean.orders[i] for i in kept],
        "person_of_order": clean.person_of_order[orders],
        "order_placed": [clean.order_placed[i] for i in kept],
        "order_country": [clean.order_country[i] for i in kept],
        "order_currency": [clean.order_currency[i] for i in kept],
        "order_cancelled": clean.order_cancelled[orders],
    }
    return type(clean)(**{**vars(clean), **rows})


def _take_lines(source_id: int, lines: list[tuple[Any, ...]]) -> set[int]:
    """Delete these lines by their content; whose they were."""
    if not lines:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE IF NOT EXISTS lines_gone (id bigint PRIMARY KEY, customer_id bigint)"
            " ON COMMIT DELETE ROWS; TRUNCATE lines_gone;"
            "INSERT INTO lines_gone SELECT DISTINCT ON (l.id) l.id, l.customer_id"
            " FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::bigint[],"
            " %s::timestamptz[]) AS n (number, sku, description, quantity, price, placed_at)"
            " JOIN ingestion_order o ON o.source_id = %s AND o.external_id = n.number"
            " JOIN ingestion_orderline l ON l.order_id = o.id AND l.sku = n.sku"
            " AND l.description = n.description AND l.quantity = n.quantity"
            " AND l.unit_price = n.price / 10000.0 AND l.placed_at = n.placed_at",
            [*([line[i] for line in lines] for i in range(6)), source_id],
        )
        cursor.execute(
            "UPDATE ingestion_orderline SET cancels_id = NULL"
            " WHERE cancels_id IN (SELECT id FROM lines_gone)"
        )
        cursor.execute("DELETE FROM ingestion_orderline WHERE id IN (SELECT id FROM lines_gone)")
        cursor.execute("SELECT DISTINCT customer_id FROM lines_gone WHERE customer_id IS NOT NULL")
        return {row[0] for row in cursor.fetchall()}


def _mend_orders(
    record: ImportJob, heads: dict[str, tuple[Any, ...]], numbers: list[str], now: datetime
) -> set[int]:
    """Orders as their rows now say: currency, country, whose, total; without lines they go."""
    people = [
        identify.Person(
            **dict(
                zip(
                    ("external_id", "email", "phone", "first_name", "last_name", "country"),
                    row[8] or ("",) * 6,
                    strict=True,
                )
            )
        )
        for row in heads.values()
    ]
    found = identify.locate(people=people, source=record.source.name, now=now)
    ids = [one.customer_id for one in found]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_order o SET currency = n.currency, country = n.country,"
            " customer_id = n.customer_id, identity_id = n.identity_id FROM unnest(%s::text[],"
            " %s::text[], %s::text[], %s::bigint[], %s::bigint[])"
            " AS n (number, currency, country, customer_id, identity_id)"
            " WHERE o.source_id = %s AND o.external_id = n.number",
            [
                list(heads),
                [row[6] for row in heads.values()],
                [row[7] for row in heads.values()],
                ids,
                [one.identity_id for one in found],
                record.source_id,
            ],
        )
        cursor.execute(
            "UPDATE ingestion_orderline l SET customer_id = o.customer_id FROM ingestion_order o"
            " WHERE o.source_id = %s AND o.external_id = ANY(%s) AND l.order_id = o.id"
            " AND l.customer_id IS DISTINCT FROM o.customer_id",
            [record.source_id, list(heads)],
        )
        cursor.execute(
            "UPDATE ingestion_order o SET total = t.total FROM ("
            " SELECT o.id, coalesce(sum(l.total), 0) AS total FROM ingestion_order o"
            " LEFT JOIN ingestion_orderline l ON l.order_id = o.id"
            " WHERE o.source_id = %s AND o.external_id = ANY(%s) GROUP BY o.id) t"
            " WHERE t.id = o.id",
            [record.source_id, numbers],
        )
        cursor.execute(
            "DELETE FROM ingestion_order o WHERE o.source_id = %s AND o.external_id = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM ingestion_orderline l WHERE l.order_id = o.id)",
            [record.source_id, numbers],
        )
    return {i for i in ids if i is not None}


_STATUS = """
UPDATE ingestion_order o SET status = n.status FROM (
    SELECT l.order_id, CASE WHEN coalesce(sum(b.units), 0) = 0 THEN 'placed'
        WHEN sum(b.units) = sum(l.quantity) THEN 'returned' ELSE 'part_returned' END AS status
    FROM ingestion_orderline l
    LEFT JOIN LATERAL (
        SELECT -sum(x.quantity) AS units FROM ingestion_orderline x WHERE x.cancels_id = l.id
    ) b ON true
    WHERE l.kind = 'product' AND l.customer_id = ANY(%s)
    GROUP BY l.order_id
) n WHERE o.id = n.order_id AND o.status <> n.status AND o.status <> 'cancelled'
"""


def mend_status(*, customer_ids: list[int]) -> None:
    """Say of each order of these people how much of it came back."""
    with connection.cursor() as cursor:
        cursor.execute(_STATUS, [customer_ids])


def _by_line(rows: list[Any]) -> dict[int, Any]:
    return {row.line: row for row in rows}


def exchange_customers(*, before: Any, after: Any, record: ImportJob, now: datetime) -> Exchanged:
    """People keep their place when a name is spelled anew; nobody is deleted by a recipe."""
    old, new = _by_line(before.rows), _by_line(after.rows)
    told, _gone, come = _compare(
        old, new, lambda row: {name: str(getattr(row, name)) for name in (*_NAMES, *_PEOPLE)}
    )
    pairs = [(old[line], new[line]) for line in come if line in old]
    for name in _NAMES:
        _respell(name, [(getattr(a, name), getattr(b, name)) for a, b in pairs])
    coming = set(come)
    after.rows = [row for row in after.rows if row.line in coming]
    told.stored = customer_rows.store_chunk(clean=after, record=record, now=now)
    for name in _PEOPLE:
        emptied = [
            (b.external_id, b.email, getattr(a, name))
            for a, b in pairs
            if getattr(a, name) and not getattr(b, name)
        ]
        if emptied:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE ingestion_customer c SET {name} = '' FROM unnest(%s::text[],"
                    " %s::text[], %s::text[]) AS n (external_id, email, value)"
                    f" WHERE c.{name} = n.value"
                    " AND (c.external_id = nullif(n.external_id, '')"
                    " OR c.email = nullif(n.email, ''))",
                    [list(part) for part in zip(*emptied, strict=True)],
                )
    return told


def _respell(name: str, pairs: list[tuple[str, str]]) -> None:
    """Write a name anew for the person who has it, where nobody has the new one."""
    changed = sorted({(old, new) for old, new in pairs if old and new and old != new})
    if not changed:
        return
    parts = [list(part) for part in zip(*changed, strict=True)]
    with connection.cursor() as cursor:
        for table, column, extra in (
            ("ingestion_identity", "value", f"AND t.kind = '{_NAMES[name]}'"),
            ("ingestion_customer", name, ""),
        ):
            cursor.execute(
                f"UPDATE {table} t SET {column} = n.new FROM (SELECT DISTINCT ON (new) old, new"
                " FROM unnest(%s::text[], %s::text[]) AS p (old, new) ORDER BY new, old) n"
                f" WHERE t.{column} = n.old {extra} AND NOT EXISTS"
                f" (SELECT 1 FROM {table} t WHERE t.{column} = n.new {extra})",
                parts,
            )


def exchange_products(*, before: Any, after: Any, record: ImportJob, now: datetime) -> Exchanged:
    """Products by code: spelled anew, changed, or no longer on sale when their row is gone."""
    old = {row.sku: row for row in before.rows}
    new = {row.sku: row for row in after.rows}
    told = Exchanged(
        added=sum(sku not in old for sku in new),
        removed=sum(sku not in new for sku in old),
        changed=sum(sku in old and old[sku] != row for sku, row in new.items()),
        same=sum(old.get(sku) == row for sku, row in new.items()),
    )
    changed = {sku: (old[sku], row) for sku, row in new.items() if sku in old and old[sku] != row}
    for a, b in list(changed.values())[:5]:
        fields = [name for name in vars(a) if getattr(a, name) != getattr(b, name)]
        told.examples.append(
            {
                "before": {"sku": a.sku} | {name: str(getattr(a, name)) for name in fields},
                "after": {name: str(getattr(b, name)) for name in fields},
            }
        )
    after.rows = [row for row in after.rows if old.get(row.sku) != row]
    told.stored = product_rows.store_chunk(clean=after, record=record, now=now)
    with connection.cursor() as cursor:
        for name in _GOODS:
            emptied = [
                a.sku for a, b in changed.values() if getattr(a, name) and not getattr(b, name)
            ]
            cursor.execute(
                f"UPDATE ingestion_product SET {name} = '' WHERE sku = ANY(%s)", [emptied]
            )
        cursor.execute(
            "UPDATE ingestion_product SET active = false WHERE sku = ANY(%s)",
            [[sku for sku in old if sku not in new]],
        )
    return told


def exchange_events(*, before: Any, after: Any, record: ImportJob, now: datetime) -> Exchanged:
    """Events by message id; one that came without a number is known by what it said before.

    A line that was in conflict or kept out by the plan stored nothing: it comes as new.
    """
    old, new = _by_line(before.rows), _by_line(after.rows)
    kept_out = _refused_while_storing(record, list(old))
    old = {line: row for line, row in old.items() if line not in kept_out}
    told, gone, come = _compare(
        {line: row[2:] for line, row in old.items()},
        {line: row[2:] for line, row in new.items()},
        lambda row: dict(
            zip(
                ("type", "at", "message_id", "customer_id", "email", "anonymous_id", "properties"),
                (part.decode() if isinstance(part, bytes) else str(part) for part in row),
                strict=True,
            )
        ),
    )
    source = record.source.name
    named = [(old[line], event_rows.message_id_of(old[line])) for line in gone]
    if named:
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ingestion_event e USING unnest(%s::text[], %s::timestamptz[])"
                " AS n (message_id, at) WHERE e.source = %s AND e.message_id = n.message_id"
                # An event from ahead of our clock is kept at the moment of its receipt.
                " AND e.at BETWEEN n.at - interval '1 day' AND n.at"
                " AND (e.at = n.at OR e.flags = %s)",
                [
                    [name for _, name in named],
                    [row.at for row, _ in named],
                    source,
                    clock.CLAMPED,
                ],
            )
        claims.release(named=[(source, name) for _, name in named])
    wanted = set(come)
    after.rows = [row for row in after.rows if row.line in wanted]
    told.stored = event_rows.store_chunk(clean=after, record=record, now=now)
    told.added -= sum(fault.line not in old for fault in told.stored.faults)
    told.judged_anew = sorted(kept_out)
    return told


def _refused_while_storing(record: ImportJob, lines: list[int]) -> set[int]:
    """Those clean lines whose number was another event's, or that the plan kept out."""
    if not lines:
        return set()
    why = Q(code="conflict") | Q(code__startswith="plan_")
    refused = Reject.objects.filter(why, import_job=record)
    found = refused.filter(line__range=(min(lines), max(lines))).values_list("line", flat=True)
    return set(found)


EXCHANGES: dict[str, Callable[..., Exchanged]] = {
    ImportJob.Kind.ORDERS: exchange_orders,
    ImportJob.Kind.CUSTOMERS: exchange_customers,
    ImportJob.Kind.PRODUCTS: exchange_products,
    ImportJob.Kind.EVENTS: exchange_events,
}
