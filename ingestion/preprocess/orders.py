"""Order lines: columns of text → clean rows, ready to be stored, and what was done to them.

Kinds, in this order: a code that is no goods → fee; a price of zero → adjustment; a negative
quantity → return; everything else → product. A negative price, a quantity of zero and anything that
cannot be read is refused. A row equal to an earlier one in every column is a duplicate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingestion.preprocess import codes, countries, titles, values
from ingestion.preprocess.columns import Column, Flags, Ints, Refusals, regroup
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.findings import EXAMPLES, Findings, example
from ingestion.preprocess.records import Batch

PRODUCT, FEE, RETURN, ADJUSTMENT = range(4)
KIND_NAMES = ("product", "fee", "return", "adjustment")
MAX_TOTAL = 10**15  # ten-thousandths of a unit of money


@dataclass(frozen=True)
class Options:
    """How to read one file of orders."""

    timezone: str = "UTC"
    date_style: str = "iso"
    decimal: str = "."
    currency: str = "GBP"
    cancel_prefix: str = "C"
    now: datetime | None = None


@dataclass
class Person:
    """Who placed an order, as the file names them."""

    external_id: str = ""
    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    country: str = ""

    @property
    def known(self) -> bool:
        return bool(self.external_id or self.email or self.phone)


@dataclass
class Clean:
    """Clean lines of one batch as aligned arrays; `*_of` index into lists of distinct things."""

    faults: list[Fault]
    duplicates: int
    findings: Findings
    line: Ints  # number of the row in the file
    order_of: Ints
    orders: list[str]
    person_of_order: Ints  # index into people, or -1 for a guest order
    people: list[Person]
    placed_of: Ints
    placed: list[datetime]
    order_placed: list[datetime]
    order_country: list[str]
    order_currency: list[str]
    order_cancelled: Flags
    sku_of: Ints
    skus: list[str]
    goods: Flags  # per distinct code
    text_of: Ints
    texts: list[str]
    quantity: Ints
    price: Ints  # ten-thousandths
    cents: Ints
    kind: Ints

    def __len__(self) -> int:
        return len(self.line)


def clean(batch: Batch, columns: Mapping[str, Column], options: Options) -> Clean:
    """Clean one batch. Rows are refused, dropped as duplicates, or kept; none is lost."""
    findings = Findings()
    blank = Column(np.zeros(len(batch.line), np.int64), [""] if len(batch.line) else [])

    def column(name: str) -> Column:
        return columns.get(name, blank)

    refused = Refusals(len(batch.line))
    order_ids = [" ".join(text.split()) for text in column("order_id").texts]
    refused.by_text(column("order_id"), [_fits(text, 100) for text in order_ids], "order_id")
    skus = [codes.unify(text) for text in column("sku").texts]
    refused.by_text(column("sku"), [_fits(text, 60) for text in skus], "sku")
    zone = ZoneInfo(options.timezone)
    moments, faults = column("placed_at").read(
        partial(values.moment, style=options.date_style, zone=zone, now=options.now)
    )
    refused.by_text(column("placed_at"), faults, "placed_at")
    quantities, faults = column("quantity").read(partial(values.integer, decimal=options.decimal))
    refused.by_text(column("quantity"), faults, "quantity")
    prices, faults = column("unit_price").read(partial(values.price, decimal=options.decimal))
    refused.by_text(column("unit_price"), faults, "unit_price")
    quantity = column("quantity").spread(quantities, np.int64)
    price = column("unit_price").spread(prices, np.int64)
    refused.by_row(quantity == 0, "zero_quantity", "quantity")
    negative = (price < 0) & ~refused.bad
    refused.by_row(price < 0, "negative_price", "unit_price")
    refused.by_row(
        np.abs(quantity.astype(float) * price) >= MAX_TOTAL, "number_too_large", "unit_price"
    )
    currencies, faults = column("currency").read(values.currency)
    refused.by_text(column("currency"), faults, "currency")

    sku_of, sku_list = regroup(column("sku"), skus)
    order_of, order_list = regroup(column("order_id"), order_ids)
    texts = [titles.tidy(text)[:300] for text in column("description").texts]
    text_of, text_list = regroup(column("description"), texts)
    people_of, people, country_of, country_list = _people(column)
    placed_of = column("placed_at").codes
    twice = pd.DataFrame(
        {
            "o": order_of,
            "s": sku_of,
            "t": text_of,
            "q": quantity,
            "p": price,
            "w": placed_of,
            "c": people_of,
            "n": country_of,
        }
    )[~refused.bad].duplicated()
    duplicate = np.zeros(len(batch.line), bool)
    duplicate[np.flatnonzero(~refused.bad)[twice.to_numpy()]] = True
    keep = np.flatnonzero(~refused.bad & ~duplicate)

    goods = _goods(sku_of[keep], sku_list, text_of[keep], text_list, price[keep])
    cancels = np.array([_is_credit(text, options.cancel_prefix) for text in order_list], bool)
    kind = np.full(len(keep), PRODUCT, np.int64)
    kind[quantity[keep] < 0] = RETURN
    kind[price[keep] == 0] = ADJUSTMENT
    kind[~goods[sku_of[keep]]] = FEE

    notes = _Notes(batch, columns, keep, findings)
    notes.tell_refused("negative_price", np.flatnonzero(negative))
    notes.tell_duplicates(duplicate)
    cancelled_row = cancels[order_of[keep]] & (quantity[keep] < 0)
    notes.tell("cancellations", cancelled_row, ("order_id", "quantity"), {"kind": "return"})
    notes.tell(
        "missing_customer",
        people_of[keep] < 0,
        ("order_id", "customer_id"),
        {"customer": "guest order"},
    )
    notes.tell(
        "zero_price", price[keep] == 0, ("order_id", "sku", "unit_price"), {"kind": "adjustment"}
    )
    notes.tell("not_goods", kind == FEE, ("sku", "description"), {"kind": "fee"})
    notes.tell(
        "stock_corrections",
        (quantity[keep] < 0) & ~cancels[order_of[keep]] & (price[keep] == 0),
        ("order_id", "quantity", "description"),
        {"kind": "adjustment"},
    )
    notes.tell_changed("code_case", "sku", skus)
    notes.tell_changed("description_tidied", "description", texts)
    if "description" in columns:
        empty = np.array([not text for text in text_list], bool)
        notes.tell(
            "description_missing", empty[text_of[keep]], ("sku", "description"), {"description": ""}
        )
    if "country" in columns:
        notes.tell_changed(
            "country_normalised",
            "country",
            [country_list[i] or "" for i in _codes_by_text(column("country"), country_of)],
            only_known=True,
        )
        unknown = np.array([not code for code in country_list], bool)
        notes.tell(
            "country_unknown", unknown[country_of[keep]], ("order_id", "country"), {"country": ""}
        )
    if options.timezone != "UTC":
        after = [value.strftime("%Y-%m-%d %H:%M UTC") if value else "" for value in moments]
        notes.tell_changed("time_zone", "placed_at", after)

    row = keep
    order_of, orders, first = _compact(order_of[row], order_list)
    placed = [value or datetime.max.replace(tzinfo=UTC) for value in moments]
    person_of_order = people_of[row][first]
    sku_kept, sku_names, _ = _compact(sku_of[row], sku_list)
    text_kept, text_names, _ = _compact(text_of[row], text_list)
    placed_kept, placed_list, _ = _compact(placed_of[row], placed)
    person_kept, people_list, _ = _compact(person_of_order[person_of_order >= 0], people)
    person_of_order = person_of_order.copy()
    person_of_order[person_of_order >= 0] = person_kept
    ten_thousandths = quantity[row] * price[row]
    return Clean(
        faults=sorted(
            [*batch.faults, *refused.faults(batch, columns)], key=lambda fault: fault.line
        ),
        duplicates=int(duplicate.sum()),
        findings=findings,
        line=batch.line[row],
        order_of=order_of,
        orders=orders,
        person_of_order=person_of_order,
        people=people_list,
        placed_of=placed_kept,
        placed=placed_list,
        order_placed=[placed[i] for i in placed_of[row][first]],
        order_country=[country_list[i] or "" for i in country_of[row][first]],
        order_currency=[
            currencies[i] or options.currency for i in column("currency").codes[row][first]
        ],
        order_cancelled=np.array([_is_credit(text, options.cancel_prefix) for text in orders], bool)
        & (np.bincount(order_of, quantity[row] > 0, len(orders)) == 0),
        sku_of=sku_kept,
        skus=sku_names,
        goods=goods[np.unique(sku_of[row])],
        text_of=text_kept,
        texts=text_names,
        quantity=quantity[row],
        price=price[row],
        cents=np.sign(ten_thousandths) * ((np.abs(ten_thousandths) + 50) // 100),
        kind=kind,
    )


def _goods(
    sku_of: Ints, skus: list[str], text_of: Ints, texts: list[str], price: Ints
) -> NDArray[np.bool_]:
    """Which codes are goods: not by their own word, nor by what most of their paid lines say."""
    service = np.array([codes.is_service(text) for text in texts], bool)[text_of]
    named = np.array([bool(text) for text in texts], bool)[text_of] & (price > 0)
    said = np.bincount(sku_of[named], 2 * service[named] - 1.0, len(skus))
    return np.array([codes.is_goods(sku) for sku in skus], bool) & (said <= 0)


def _fits(text: str, limit: int) -> str:
    return "missing" if not text else "text_too_long" if len(text) > limit else ""


def _is_credit(order_id: str, prefix: str) -> bool:
    """An order number such as C536379: the prefix, then a digit."""
    rest = order_id[len(prefix) :]
    return bool(prefix) and order_id.upper().startswith(prefix.upper()) and rest[:1].isdigit()


def _compact(index: Ints, items: list[Any]) -> tuple[Ints, list[Any], Ints]:
    """Index only what is used: new codes, the used items, and the first row of each."""
    used, first, codes_ = np.unique(index, return_index=True, return_inverse=True)
    return codes_.astype(np.int64), [items[i] for i in used], first


def _codes_by_text(column: Column, per_row: Ints) -> Ints:
    """Codes per row that depend on one column only → codes per distinct text of it."""
    out = np.zeros(len(column.texts), np.int64)
    out[column.codes] = per_row
    return out


def _people(column: Any) -> tuple[Ints, list[Person], Ints, list[str | None]]:
    """Per row an index of its person (-1: nobody named) and of its country code."""
    ids = [_tidy_id(text) for text in column("customer_id").texts]
    emails, _ = column("email").read(values.email)
    phones, _ = column("phone").read(values.phone)
    firsts = [titles.tidy(text)[:100] for text in column("first_name").texts]
    lasts = [titles.tidy(text)[:100] for text in column("last_name").texts]
    country_of, country_list = regroup(
        column("country"), [countries.code(text) for text in column("country").texts]
    )
    keys = pd.DataFrame(
        {"i": column("customer_id").codes, "e": column("email").codes, "p": column("phone").codes}
    )
    group = keys.groupby(["i", "e", "p"], sort=False).ngroup().to_numpy()
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    people: list[Person] = []
    where = np.full(len(first), -1, np.int64)
    for number, row in enumerate(first.tolist()):
        person = Person(
            ids[column("customer_id").codes[row]],
            emails[column("email").codes[row]],
            phones[column("phone").codes[row]],
            firsts[column("first_name").codes[row]],
            lasts[column("last_name").codes[row]],
            country_list[country_of[row]] or "",
        )
        if person.known:
            where[number] = len(people)
            people.append(person)
    return where[inverse].astype(np.int64), people, country_of, country_list


def _tidy_id(text: str) -> str:
    """Customer numbers that went through a spreadsheet come as 17850.0."""
    text = " ".join(text.split())[:100]
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


class _Notes:
    """Writes findings with examples from the raw texts of a batch."""

    def __init__(
        self, batch: Batch, columns: Mapping[str, Column], keep: Ints, findings: Findings
    ) -> None:
        self.batch, self.columns, self.keep, self.findings = batch, columns, keep, findings

    def _before(self, row: int, names: tuple[str, ...]) -> dict[str, str]:
        return {name: self.columns[name].text(row) for name in names if name in self.columns}

    def tell(
        self, rule: str, met: NDArray[np.bool_], names: tuple[str, ...], after: dict[str, str]
    ) -> None:
        """Kept rows that met a rule."""
        rows = self.keep[np.flatnonzero(met)]
        shown = [
            example(self.batch.line[r], self._before(r, names), after) for r in rows[:EXAMPLES]
        ]
        self.findings.add(rule, len(rows), shown)

    def tell_changed(
        self, rule: str, field: str, after: list[str], *, only_known: bool = False
    ) -> None:
        """Kept rows whose text of one column was rewritten."""
        if field not in self.columns:
            return
        column = self.columns[field]
        changed = column.spread(
            [
                old != new and (bool(new) or not only_known)
                for old, new in zip(column.texts, after, strict=True)
            ],
            bool,
        )
        rows = self.keep[np.flatnonzero(changed[self.keep])]
        seen: dict[int, int] = {}
        for row in rows[:20_000].tolist():
            seen.setdefault(int(column.codes[row]), row)
            if len(seen) == EXAMPLES:
                break
        shown = [
            example(self.batch.line[r], {field: column.text(r)}, {field: after[c]})
            for c, r in seen.items()
        ]
        self.findings.add(rule, len(rows), shown)

    def tell_refused(self, rule: str, rows: Ints) -> None:
        """Rows that were not kept."""
        names = ("order_id", "sku", "description", "unit_price")
        shown = [example(self.batch.line[r], self._before(r, names), {}) for r in rows[:EXAMPLES]]
        self.findings.add(rule, len(rows), shown)

    def tell_duplicates(self, duplicate: Flags) -> None:
        """Rows equal to an earlier one."""
        rows = np.flatnonzero(duplicate)
        names = ("order_id", "sku", "quantity", "placed_at")
        shown = [example(self.batch.line[r], self._before(r, names), {}) for r in rows[:EXAMPLES]]
        self.findings.add("exact_duplicates", len(rows), shown)
