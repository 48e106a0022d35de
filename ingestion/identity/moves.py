"""What follows names when they change hands: rows, events, orders, answers, profiles, totals.

An event or order knows the name by which its person was found. One that was stored for a person
directly has no name; when that person is merged it is marked with the negative id of their row,
so that every row finds its way back when the merge is undone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from ingestion import rollups
from ingestion.identity import answers, history, profile
from ingestion.identity.names import Node
from ingestion.models import Identity, Merge
from marketing.core import bus

if TYPE_CHECKING:
    from ingestion.identity.clusters import Crowd, Why


@dataclass(frozen=True)
class NameMove:
    """A name that belongs to another person from now on."""

    node: Node
    old: int | None
    new: int | None


@dataclass(frozen=True)
class SelfMove:
    """A row that another row stands for from now on, or that stands for itself again."""

    customer: int
    old: int
    new: int
    anchor: int | None


@dataclass
class Outcome:
    """What moved."""

    merged: list[SelfMove] = field(default_factory=list)
    parted: list[SelfMove] = field(default_factory=list)
    names: int = 0
    events: int = 0
    orders: int = 0


# Rows whose name or own row moved: (person so far, name or negative row, person from now on).
_EVENTS = """
WITH moved AS (
    UPDATE ingestion_event e SET customer_id = m.new,
           identity_id = coalesce(e.identity_id, -e.customer_id)
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS m (old, key, new)
    WHERE e.customer_id = m.old AND coalesce(e.identity_id, -e.customer_id) = m.key
    RETURNING m.old
)
SELECT old, count(*) FROM moved GROUP BY old
"""
_ORDERS = """
WITH moved AS (
    UPDATE ingestion_order o SET customer_id = m.new,
           identity_id = coalesce(o.identity_id, -o.customer_id)
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS m (old, key, new)
    WHERE o.customer_id = m.old AND coalesce(o.identity_id, -o.customer_id) = m.key
    RETURNING o.id, m.new, m.old
), lines AS (
    UPDATE ingestion_orderline l SET customer_id = moved.new FROM moved WHERE l.order_id = moved.id
)
SELECT old, count(*) FROM moved GROUP BY old
"""


def carry(
    changed: Sequence[Node],
    named: Sequence[NameMove],
    selves: Sequence[SelfMove],
    crowd: "Crowd",
    why: "Why",
    *,
    now: datetime,
) -> Outcome:
    """Move everything that hangs on these names and rows, and log who was merged."""
    outcome = Outcome(names=len(named))
    outcome.merged = [m for m in selves if m.old == m.customer]
    outcome.parted = [m for m in selves if m.new == m.customer]
    _store_names(changed, {move.node.id for move in named}, now)
    keys = [(move.old, move.node.id, move.new) for move in named if move.old is not None]
    keys += [(move.old, -move.customer, move.new) for move in selves]
    per_row: dict[int, dict[str, int]] = {}
    if keys:
        with connection.cursor() as cursor:
            columns = [list(column) for column in zip(*keys, strict=True)]
            cursor.execute(_EVENTS, columns)
            for old, events in cursor.fetchall():
                outcome.events += events
                _count(per_row, old, "events", events)
            cursor.execute(_ORDERS, columns)
            for old, orders in cursor.fetchall():
                outcome.orders += orders
                _count(per_row, old, "orders", orders)
    for move in named:
        if move.old is not None:
            _count(per_row, move.old, "names")
    touched = {key for move in selves for key in (move.customer, move.old, move.new)}
    touched |= {key for move in named for key in (move.old, move.new) if key is not None}
    _store_rows(selves, crowd, now)
    answers.follow(selves, now=now)
    if touched:
        profile.derive(sorted(touched), now)
        profile.name_columns(sorted(touched), now)
        rollups.renew(customer_ids=sorted(touched))
    history.join([move.node for move in named if move.old is None], now=now)
    _log(outcome, named, crowd, why, per_row, now)
    if selves:
        bus.announce("people.moved", customer_ids=sorted({m.customer for m in selves}))
    return outcome


def _count(per_row: dict[int, dict[str, int]], customer: int, what: str, by: int = 1) -> None:
    counts = per_row.setdefault(customer, {})
    counts[what] = counts.get(what, 0) + by


def _store_names(changed: Sequence[Node], moved: set[int], now: datetime) -> None:
    if not changed:
        return
    rows = sorted(changed, key=lambda node: node.id)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_identity i SET customer_id = n.customer_id, parent_id = n.parent_id,"
            " linked_at = n.linked_at, joined_at = CASE WHEN n.moved THEN %s ELSE i.joined_at END"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],"
            " %s::boolean[]) AS n (id, customer_id, parent_id, linked_at, moved)"
            " WHERE i.id = n.id",
            [
                now,
                [node.id for node in rows],
                [node.customer for node in rows],
                [node.parent for node in rows],
                [node.linked_at for node in rows],
                [node.id in moved for node in rows],
            ],
        )


def _store_rows(selves: Sequence[SelfMove], crowd: "Crowd", now: datetime) -> None:
    """Who stands for whom. A row that took in another keeps in mind what it began with."""
    if not selves:
        return
    into = {move.customer: None if move.new == move.customer else move.new for move in selves}
    for move in selves:
        into.setdefault(move.new, None)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_customer c SET merged_into_id = n.into_id, updated_at = %s,"
            " anchor_id = coalesce(c.anchor_id, n.anchor)"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS n (id, into_id, anchor)"
            " WHERE c.id = n.id",
            [now, list(into), list(into.values()), [crowd.anchors.get(key) for key in into]],
        )


def _log(
    outcome: Outcome,
    named: Sequence[NameMove],
    crowd: "Crowd",
    why: "Why",
    per_row: dict[int, dict[str, int]],
    now: datetime,
) -> None:
    if outcome.parted:
        Merge.objects.filter(
            gone_id__in=[move.customer for move in outcome.parted], undone_at=None
        ).update(undone_at=now, undone_by=_label(why))
    rows = []
    for move in outcome.merged:
        stronger, weaker = _reason(move, crowd, why)
        evidence: dict[str, Any] = dict(why.evidence)
        for role, node in (("stronger", stronger), ("weaker", weaker)):
            if node is not None:
                evidence[role] = [node.kind, node.value]
        if weaker is not None and weaker.linked_at is not None:
            evidence["at"] = weaker.linked_at.isoformat()
        rows.append(
            Merge(
                kept_id=move.new,
                gone_id=move.customer,
                kind=why.kind if weaker is None or weaker.firm else "claim",
                source=why.source[:100],
                evidence=evidence,
                moved=per_row.get(move.customer, {}),
                actor=why.actor,
                actor_label=_label(why),
                at=now,
            )
        )
        for role, node in (("stronger", stronger), ("weaker", weaker)):
            setattr(rows[-1], role, Identity(id=node.id) if node is not None else None)
    Merge.objects.bulk_create(rows, batch_size=2000)


def _label(why: "Why") -> str:
    return why.actor.display_name[:200] if why.actor is not None else ""


def _reason(move: SelfMove, crowd: "Crowd", why: "Why") -> tuple[Node | None, Node | None]:
    """The pair of names for whose sake a row was merged: (stronger, weaker)."""
    anchor = crowd.graph.get(move.anchor) if move.anchor is not None else None
    if anchor is None:
        return None, None
    if anchor.parent is not None and not anchor.firm:
        return crowd.graph.get(anchor.parent), anchor
    for a, b in sorted(crowd.joined):
        if anchor.id in (a, b):
            return crowd.graph.get(a), crowd.graph.get(b)
    return None, anchor
