"""Names of people as they are stored: strongest kinds first, each below the one that claimed it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

EXTERNAL, EMAIL, PHONE = "external", "email", "phone"
DEVICE, ANONYMOUS = "device", "anonymous"
ITSELF = "person"  # what a row without any name is called when it takes part in a merge
RANK = {ITSELF: 0, EXTERNAL: 0, EMAIL: 1, PHONE: 2, DEVICE: 3, ANONYMOUS: 4}
PEOPLE = (EXTERNAL, EMAIL, PHONE)  # kinds that stand for a person; the others for a machine
Name = tuple[str, str]


class Node:
    """One name. `customer` is None while nobody is known to use it."""

    __slots__ = (
        "anchored",
        "at",
        "customer",
        "id",
        "kind",
        "linked_at",
        "parent",
        "refused",
        "source",
        "value",
    )

    def __init__(
        self,
        id: int,
        kind: str,
        value: str,
        customer: int | None = None,
        parent: int | None = None,
        linked_at: datetime | None = None,
        anchored: bool = False,
        refused: bool = False,
        at: datetime | None = None,
        source: str = "",
    ) -> None:
        self.id = id
        self.kind = kind
        self.value = value
        self.customer = customer
        self.parent = parent
        self.linked_at = linked_at
        self.anchored = anchored
        self.refused = refused
        self.at = at
        self.source = source

    @property
    def name(self) -> Name:
        return self.kind, self.value

    @property
    def key(self) -> tuple[int, str, str]:
        """Orders names the same way whatever came in first."""
        return RANK[self.kind], self.kind, self.value

    @property
    def firm(self) -> bool:
        """Whether no claim by another name can move it."""
        return self.anchored or RANK[self.kind] == 0


_COLUMNS = "i.id, i.kind, i.value, i.customer_id, i.parent_id, i.linked_at, i.anchored, i.refused"


def _read(where: str, values: list[Any], more: str = "") -> list[Node]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_COLUMNS}{more} FROM ingestion_identity i {where}", values)
        return [Node(*row) for row in cursor.fetchall()]


def known(names: Iterable[Name]) -> dict[Name, Node]:
    """Those of the names that are stored."""
    wanted = list(names)
    if not wanted:
        return {}
    kinds, values = zip(*wanted, strict=True)
    rows = _read(
        "JOIN unnest(%s::text[], %s::text[]) AS n (kind, value) USING (kind, value)",
        [list(kinds), list(values)],
    )
    return {node.name: node for node in rows}


def by_id(ids: Iterable[int]) -> dict[int, Node]:
    """Names by their ids."""
    wanted = list(ids)
    return {n.id: n for n in _read("WHERE i.id = ANY(%s)", [wanted])} if wanted else {}


def of_customers(ids: Iterable[int]) -> dict[int, Node]:
    """Every name of these people."""
    wanted = list(ids)
    if not wanted:
        return {}
    return {n.id: n for n in _read("WHERE i.customer_id = ANY(%s)", [wanted], ", i.at")}


def of_nobody_below(ids: Iterable[int]) -> dict[int, Node]:
    """Names that nobody uses yet and that were claimed by these."""
    wanted = list(ids)
    if not wanted:
        return {}
    rows = _read("WHERE i.customer_id IS NULL AND i.parent_id = ANY(%s)", [wanted])
    return {node.id: node for node in rows}


def new_ids(table: str, count: int) -> list[int]:
    """Ids for rows that are about to be inserted."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH s AS MATERIALIZED (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name)"
            " SELECT nextval(s.name) FROM s, generate_series(1, %s)",
            [table, count],
        )
        return [row[0] for row in cursor.fetchall()]
