"""An order with its credit notes → tables, exactly as the newest that was said about it.

Everything follows from what is kept about the order and its refunds, so the order of deliveries
makes no difference and doing it again changes nothing. A credit note is an order of its own with
negative lines; each points at the line it takes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson
from django.db import connection

from ingestion import rollups
from ingestion.identity import identify
from ingestion.models import Order, OrderLine, Source, WebhookThing
from ingestion.preprocess import codes, countries, titles, values
from ingestion.webhooks import things

_CENT, _FINE = Decimal("0.01"), Decimal("0.0001")


@dataclass(frozen=True)
class Line:
    """One line as it is to stand in the table; `cancels` is the number of a line of the order."""

    sku: str
    name: str
    quantity: int
    price: Decimal
    total: Decimal
    kind: str
    cancels: int | None = None


@dataclass
class Note:
    """An order or credit note as it is to stand in the table."""

    number: str
    placed_at: datetime
    status: str
    lines: list[Line] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


def person_of(told: dict[str, Any]) -> identify.Person:
    """A person as a shop names them; what cannot be right is left empty."""
    country = countries.code(told.get("country", "")) or ""
    return identify.Person(
        external_id=told.get("external_id", ""),
        email=values.email(told.get("email", ""))[0],
        phone=values.phone(told.get("phone", ""))[0],
        first_name=titles.tidy(told.get("first_name", "")),
        last_name=titles.tidy(told.get("last_name", "")),
        country=country,
    )


def keep(*, source: Source, external_id: str, now: datetime) -> str:
    """Bring the tables of one order up to what is known of it: stored, unchanged, waiting, gone."""
    order, refunds = things.of_order(source_id=source.pk, external_id=external_id)
    if order is None:
        return "waiting"
    notes = [] if order.gone or order.body.get("unpaid") else _notes(order, refunds)
    known = list(
        Order.objects.filter(source=source)
        .filter(external_id__in=[external_id, *_numbers(external_id, refunds)])
        .order_by("id")
    )
    if not notes and not known:
        return "unpaid" if order.body.get("unpaid") else "gone"
    people = {row.customer_id for row in known}
    customer = None
    if notes:
        person = person_of(order.body["person"])
        customer = identify.resolve(people=[person], source=source.name, now=now)[0]
        if customer is not None:
            identify.enrich(people=[(customer, person)], now=now, overwrite=False)
    if _stands(known, notes, customer, order):
        return "unchanged"
    _clear(known)
    kept = {note.number for note in notes}
    Order.objects.filter(pk__in=[row.pk for row in known if row.external_id not in kept]).delete()
    if notes:
        _write(source, notes, customer, order, now)
    touched = sorted({i for i in (*people, customer) if i is not None})
    rollups.renew(customer_ids=touched)
    return "stored" if notes else "gone"


def _numbers(external_id: str, refunds: Sequence[WebhookThing]) -> list[str]:
    notes = [f"{external_id}-R{refund.external_id}"[:100] for refund in refunds]
    return [*notes, f"{external_id}-CANCEL"]


def _line(sku: str, name: str, quantity: int, price: Decimal, total: Decimal) -> Line:
    """A line with the kind that its code, price and quantity make it."""
    sku = codes.unify(sku)[:60] or "?"
    kind = "product" if quantity > 0 else "return"
    if not codes.is_goods(sku, name):
        kind = "fee"
    elif total == 0 and price == 0:
        kind = "adjustment"
    return Line(
        sku,
        titles.tidy(name)[:300],
        quantity,
        price.quantize(_FINE, ROUND_HALF_UP),
        total.quantize(_CENT, ROUND_HALF_UP),
        kind,
    )


def _fee(sku: str, name: str, total: Decimal) -> Line:
    sign = -1 if total < 0 else 1
    price = abs(total)
    return Line(codes.unify(sku), titles.tidy(name)[:300], sign, price, total, "fee")


def _notes(order: WebhookThing, refunds: Sequence[WebhookThing]) -> list[Note]:
    body = order.body
    place: dict[str, int] = {}
    main = Note(order.external_id, _at(body["placed_at"]), "placed")
    main.attributes = {**body.get("attributes", {}), "shop_order": True}
    for item in body["lines"]:
        if not item["quantity"]:
            continue
        place[item["id"]] = len(main.lines)
        main.lines.append(
            _line(
                item["sku"],
                item["name"],
                item["quantity"],
                Decimal(item["price"]),
                Decimal(item["total"]),
            )
        )
    main.lines += [
        _fee(fee["sku"], fee["name"], Decimal(fee["total"]).quantize(_CENT)) for fee in body["fees"]
    ]
    left = [(line.quantity, line.total) for line in main.lines]
    notes = [main]
    for refund in refunds:
        note = _credit(order, refund, main, place, left)
        if note.lines:
            notes.append(note)
    ended = body.get("cancelled_at") or body.get("returned_at")
    if ended:
        rest = Note(f"{order.external_id}-CANCEL", _at(ended), "cancelled")
        for number, (quantity, total) in enumerate(left):
            if quantity or total:
                rest.lines.append(_back(main.lines[number], number, quantity, total))
        paid = sum((line.total for note in notes[1:] for line in note.lines), Decimal(0))
        owed = sum((line.total for line in main.lines), Decimal(0)) + paid
        over = owed + sum((line.total for line in rest.lines), Decimal(0))
        if over:
            rest.lines.append(_fee("REFUND FEE", "", -over))
        if rest.lines:
            notes.append(rest)
    sold = [place_ for place_, line in enumerate(main.lines) if line.kind == "product"]
    back = sum(main.lines[i].quantity - left[i][0] for i in sold)
    if body.get("cancelled_at"):
        main.status = "cancelled"
    elif body.get("returned_at") or (sold and back == sum(main.lines[i].quantity for i in sold)):
        main.status = "returned"
    elif back:
        main.status = "part_returned"
    return notes


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _back(line: Line, number: int, quantity: int, total: Decimal) -> Line:
    kind = "return" if line.kind == "product" else line.kind
    if not quantity:
        return Line(line.sku, line.name, -1, abs(total), -total, kind, number + 1)
    return Line(line.sku, line.name, -quantity, line.price, -total, kind, number + 1)


def _credit(
    order: WebhookThing,
    refund: WebhookThing,
    main: Note,
    place: dict[str, int],
    left: list[tuple[int, Decimal]],
) -> Note:
    """A refund as a credit note. What was paid back beyond its lines is a fee line of its own."""
    body = refund.body
    note = Note(f"{order.external_id}-R{refund.external_id}"[:100], refund.changed_at, "cancelled")
    for item in body["lines"]:
        number = place.get(item["line_id"])
        if number is None or not item["quantity"]:
            continue
        quantity, total = left[number]
        units = min(item["quantity"], quantity)
        amount = Decimal(item["total"]).quantize(_CENT)
        if units <= 0:
            continue
        left[number] = (quantity - units, total - amount)
        note.lines.append(_back(main.lines[number], number, units, amount))
    told = sum((line.total for line in note.lines), Decimal(0))
    tax = Decimal(body["tax"]) if order.body.get("taxed_apart") else Decimal(0)
    paid = body.get("paid")
    rest = Decimal(paid) if paid is not None else -told + tax + Decimal(body["adjusted"])
    if rest + told:
        note.lines.append(_fee("REFUND FEE", "", -(rest + told).quantize(_CENT)))
    return note


def _stands(
    known: list[Order], notes: list[Note], customer: int | None, order: WebhookThing
) -> bool:
    """Whether the tables already say this."""
    if {row.external_id for row in known} != {note.number for note in notes}:
        return False
    rows = {row.external_id: row for row in known}
    stored: dict[int, list[tuple[Any, ...]]] = {}
    fields = ("sku", "description", "quantity", "unit_price", "total", "kind")
    for line in OrderLine.objects.filter(order__in=known).order_by("order_id", "line_no"):
        stored.setdefault(line.order_id, []).append(tuple(getattr(line, n) for n in fields))
    for note in notes:
        row = rows[note.number]
        lines = [(n.sku, n.name, n.quantity, n.price, n.total, n.kind) for n in note.lines]
        said = (customer, order.body["currency"], note.status, note.placed_at, note.attributes)
        if said != (row.customer_id, row.currency, row.status, row.placed_at, row.attributes):
            return False
        if row.country != _country(order):
            return False
        if lines != stored.get(row.pk, []):
            return False
    return True


def _country(order: WebhookThing) -> str:
    return countries.code(order.body.get("country", "")) or ""


def _clear(known: list[Order]) -> None:
    ids = [row.pk for row in known]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_orderline SET cancels_id = NULL WHERE cancels_id IN"
            " (SELECT id FROM ingestion_orderline WHERE order_id = ANY(%s))",
            [ids],
        )
        cursor.execute("DELETE FROM ingestion_orderline WHERE order_id = ANY(%s)", [ids])


def _write(
    source: Source,
    notes: list[Note],
    customer: int | None,
    order: WebhookThing,
    now: datetime,
) -> None:
    goods = {
        line.sku: line
        for note in notes
        for line in note.lines
        if line.kind in ("product", "return")
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_order (source_id, external_id, customer_id, placed_at, currency,"
            " total, status, country, attributes)"
            " SELECT %s, number, %s, placed_at, %s, total, status, %s, attributes FROM unnest("
            " %s::text[], %s::timestamptz[], %s::numeric[], %s::text[], %s::jsonb[])"
            " AS n (number, placed_at, total, status, attributes)"
            " ON CONFLICT (source_id, external_id) DO UPDATE SET customer_id ="
            " excluded.customer_id, placed_at = excluded.placed_at, currency = excluded.currency,"
            " total = excluded.total, status = excluded.status, country = excluded.country,"
            " attributes = excluded.attributes RETURNING external_id, id",
            [
                source.pk,
                customer,
                order.body["currency"],
                _country(order),
                [note.number for note in notes],
                [note.placed_at for note in notes],
                [sum((line.total for line in note.lines), Decimal(0)) for note in notes],
                [note.status for note in notes],
                [orjson.dumps(note.attributes).decode() for note in notes],
            ],
        )
        ids = dict(cursor.fetchall())
        cursor.execute(
            "INSERT INTO ingestion_product (sku, name, category, price, currency, url, image_url,"
            " active, is_goods, attributes, created_at)"
            " SELECT sku, name, '', price, %s, '', '', true, true, '{}', %s"
            " FROM unnest(%s::text[], %s::text[], %s::numeric[]) AS n (sku, name, price)"
            " ORDER BY sku ON CONFLICT (sku) DO NOTHING",
            [
                order.body["currency"],
                now,
                list(goods),
                [titles.sentence_case(line.name) for line in goods.values()],
                [line.price for line in goods.values()],
            ],
        )
        # The order's own lines come first: credit notes point at them.
        for first in (True, False):
            rows = [
                (ids[note.number], number, note.placed_at, line)
                for note in notes
                if (note is notes[0]) is first
                for number, line in enumerate(note.lines, 1)
            ]
            cursor.execute(
                "INSERT INTO ingestion_orderline (order_id, line_no, customer_id, product_id,"
                " placed_at, sku, description, quantity, unit_price, total, kind, outlier,"
                " cancels_id)"
                " SELECT n.order_id, n.line_no, %s, p.id, n.placed_at, n.sku, n.name, n.quantity,"
                " n.price, n.total, n.kind, false, c.id"
                " FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[], %s::text[], %s::text[],"
                " %s::int[], %s::numeric[], %s::numeric[], %s::text[], %s::int[])"
                " AS n (order_id, line_no, placed_at, sku, name, quantity, price, total, kind,"
                " cancels)"
                " LEFT JOIN ingestion_product p ON p.sku = n.sku"
                " AND n.kind NOT IN ('fee')"
                " LEFT JOIN ingestion_orderline c ON c.order_id = %s AND c.line_no = n.cancels",
                [
                    customer,
                    *([row[i] for row in rows] for i in range(3)),
                    *(
                        [getattr(row[3], name) for row in rows]
                        for name in ("sku", "name", "quantity", "price", "total", "kind", "cancels")
                    ),
                    ids[order.external_id],
                ],
            )
