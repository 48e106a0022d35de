"""Who gets what, written at once: the former choices of a plan go in the same transaction."""

import io
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection

from marketing.core.db import COPY_HEAD, COPY_TAIL, advisory_lock
from models_ml.columns import copied
from recommendations.models import OfferChoice, OfferPlan

Array = np.ndarray[Any, np.dtype[Any]]
TABLE = "recommendations_offerchoice"
_KINDS = {
    "plan": ">i8", "customer": ">i8", "offer": ">i2", "product": ">i8", "chance": ">f8",
    "worth": ">f8", "cost": ">f8",
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """A row a person (n,): which offer, of what product (-1: of none), its chance, worth, cost."""

    customer: Array
    offer: Array
    product: Array
    chance: Array
    worth: Array
    cost: Array

    def __len__(self) -> int:
        return len(self.customer)

    def take(self, keep: Array) -> "Rows":
        return Rows(*(getattr(self, one.name)[keep] for one in fields(self)))


def replace(*, row: OfferPlan, rows: Rows, result: dict[str, Any], now: datetime) -> None:
    """Let these choices stand in place of the plan's former ones."""
    with advisory_lock(f"offers:{row.pk}"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        OfferChoice.objects.filter(plan=row)._raw_delete(using="default")
        # Whoever was taken out while it was reckoned gets no row that nothing would ever remove.
        there = copied(cursor, "SELECT id::int8 FROM ingestion_customer", {}, width=1)[0]
        rows = rows.take(np.isin(rows.customer, there))
        for part in (rows.take(rows.product >= 0), rows.take(rows.product < 0)):
            if len(part):
                write(cursor, TABLE, plan=row.pk, rows=part)
        OfferPlan.objects.filter(pk=row.pk).update(result=result, planned_at=now)


def write(cursor: Any, table: str, *, plan: int, rows: Rows) -> None:
    """Copy rows that all have a product, or all have none."""
    names = [name for name in _KINDS if name != "product" or (rows.product >= 0).all()]
    columns = ", ".join(f"{n}_id" if n in ("plan", "customer", "product") else n for n in names)
    cursor.copy_expert(
        f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)", encode(names, plan, rows), 1 << 20
    )


def encode(names: list[str], plan: int, rows: Rows) -> io.BytesIO:
    """Rows in COPY's binary form."""
    cells: list[tuple[str, str]] = [("width", ">i2")]
    for name in names:
        cells += [(f"{name}_size", ">i4"), (name, _KINDS[name])]
    body = np.empty(len(rows), dtype=np.dtype(cells))
    body["width"] = len(names)
    for name in names:
        body[f"{name}_size"] = np.dtype(_KINDS[name]).itemsize
        body[name] = plan if name == "plan" else getattr(rows, name)
    return io.BytesIO(COPY_HEAD + body.tobytes() + COPY_TAIL)
