"""Picks on their way into the database: a row a person by COPY, and the sums over a set."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from marketing.core.db import COPY_HEAD, COPY_TAIL
from recommendations import reasons
from recommendations.rules import Shelf

Array = np.ndarray[Any, np.dtype[Any]]

_COPY = """
COPY recommendations_picklist (set_id, customer_id, products, scores, whys, anchors)
FROM STDIN WITH (FORMAT binary)
"""
# The columns that are arrays: their elements' bytes, and PostgreSQL's number of their type.
_ARRAYS = {"picks": ("i8", 20), "scores": ("f4", 700), "why": ("i2", 21), "anchor": ("i8", 20)}
_COLUMNS = 2 + len(_ARRAYS)


@dataclass(frozen=True)
class Picked:
    """Final picks of people: (n, size) products, best first and -1 behind them, with scores, codes
    of reasons and the products those name (-1: none)."""

    picks: Array
    scores: Array
    why: Array
    anchor: Array


def write(*, set_id: int, people: Array, picked: Picked) -> None:
    """Append the lists of people (n,) to a set; whoever has no picks gets no row."""
    raw = lines(set_id=set_id, people=people, picked=picked)
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.copy_expert(_COPY, io.BytesIO(b"".join((COPY_HEAD, raw, COPY_TAIL))), 1 << 18)


def lines(*, set_id: int, people: Array, picked: Picked) -> bytes:
    """Rows of COPY's binary form, in the order of the people."""
    count = (picked.picks >= 0).sum(axis=1)
    sizes = np.unique(count[count > 0]).tolist()
    kinds = {size: _row(size) for size in sizes}
    length = np.zeros(picked.picks.shape[1] + 1, dtype=np.int64)
    length[sizes] = [kind.itemsize for kind in kinds.values()]
    buffer = np.empty(int(length[count].sum()), dtype=np.uint8)
    for size, kind in kinds.items():
        rows = np.flatnonzero(count == size)
        out = np.empty(len(rows), dtype=kind)
        out["columns"] = _COLUMNS
        for name, value in (("set", set_id), ("customer", people[rows])):
            out[name]["bytes"], out[name]["value"] = 8, value
        for name, (cell, oid) in _ARRAYS.items():
            each = int(cell[1])
            # Its bytes, then one dimension, no NULL, of what, how many, counted from 1.
            out[f"{name}_head"] = (20 + size * (4 + each), 1, 0, oid, size, 1)
            out[name]["bytes"], out[name]["value"] = each, getattr(picked, name)[rows, :size]
        if len(sizes) == 1:
            return out.tobytes()
        buffer[np.repeat(count == size, length[count])] = out.view(np.uint8)
    return buffer.tobytes()


def _row(size: int) -> np.dtype[Any]:
    one = [("bytes", ">i4"), ("value", ">i8")]
    cells: list[Any] = [("columns", ">i2"), ("set", one), ("customer", one)]
    for name, (cell, _oid) in _ARRAYS.items():
        several = [("bytes", ">i4"), ("value", f">{cell}")]
        cells += [(f"{name}_head", ">i4", (6,)), (name, several, (size,))]
    return np.dtype(cells)


class Tally:
    """Sums over a set that is written part by part."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.people = self.personal = 0
        self.shown, self.new = (np.zeros(len(shelf.ids), dtype=np.int64) for _ in range(2))

    def add(self, picked: Picked) -> None:
        """Count a part."""
        there = picked.picks >= 0
        self.people += int(there.any(axis=1).sum())
        self.personal += int(np.isin(picked.why, [reasons.BECAUSE, reasons.TASTE]).sum())
        self.shown += _count(self.shelf, picked.picks[there])
        self.new += _count(self.shelf, picked.picks[picked.why == reasons.NEW])

    def facts(self) -> dict[str, int]:
        """What the set is described by."""
        return {
            "people": self.people,
            "picks": int(self.shown.sum()),
            "products": int((self.shown > 0).sum()),
            "personal": self.personal,
            "new": int(self.new.sum()),
            "new_products": int((self.new > 0).sum()),
        }


def head(shelf: Shelf, picks: Array) -> list[int]:
    """As many products as each of the lists (n, size) has, those that stand in most of them."""
    count = _count(shelf, picks[picks >= 0])
    order = np.argsort(-count, kind="stable")[: picks.shape[1]]
    return [int(key) for key in shelf.ids[order[count[order] > 0]]]


def _count(shelf: Shelf, ids: Array) -> Array:
    return np.bincount(shelf.place(ids), minlength=len(shelf.ids))
