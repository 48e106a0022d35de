"""Who changed, told to whoever keeps something that follows from facts: one list, many readers.

Most writes note themselves (see the migration of changes); what they cannot see is noted here, in
the writer's transaction. A reader's position is a snapshot of PostgreSQL: it is given every note
whose transaction was not over when it last looked, whatever the order in which they ended. Notes
say who, never what became of them: a reader looks at the facts, so to read twice does no harm.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection

# Who there is; what stands on their row; their orders, answers and events, and so on.
PEOPLE, PERSON, ORDERS, CONSENT, EVENT = "people", "person", "orders", "consent", "event"
PRODUCT, TRAITS, SCORE, LIST, MESSAGE = "product", "traits", "score", "list", "message"
# An erasure took these people out of the thing that `what` names.
ERASED = "erased"
KEPT = timedelta(days=2)
# More ids than this are not worth telling apart: everybody is looked at again.
MOST = 2_000_000

_READ = """
WITH at AS (
    SELECT pg_current_snapshot()::text AS now,
        pg_snapshot_xmax(%(seen)s::pg_snapshot) > pg_snapshot_xmax(pg_current_snapshot()) AS lost
), many AS (
    SELECT coalesce(sum(cardinality(people)), 0) AS ids FROM ingestion_change
    WHERE xid >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
      AND NOT pg_visible_in_snapshot(xid, %(seen)s::pg_snapshot)
)
SELECT at.now, at.lost OR many.ids > %(most)s, c.kind, c.what, c.people
FROM at CROSS JOIN many
LEFT JOIN ingestion_change c ON NOT at.lost AND many.ids <= %(most)s
    AND c.xid >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
    AND (NOT pg_visible_in_snapshot(c.xid, %(seen)s::pg_snapshot)
         OR c.xid = pg_current_xact_id_if_assigned())
"""


@dataclass(frozen=True)
class News:
    """What changed since a position, and the position after it.

    `people` by (kind, what); None stands for everybody. `lost` when the position can no longer be
    continued from: everything may have changed.
    """

    position: str
    people: Mapping[tuple[str, str], set[int] | None] = field(default_factory=dict)
    lost: bool = False

    def of(self, needs: Iterable[tuple[str, str]]) -> set[int] | None:
        """Whoever changed in one of these ways, everybody as None. "" as `what` means any."""
        found: set[int] = set()
        for kind, what in needs:
            for (its_kind, its_what), people in self.people.items():
                if its_kind == kind and ("" in (what, its_what) or what == its_what):
                    if people is None:
                        return None
                    found |= people
        return found


def note(*, kind: str, people: Iterable[int] | None, what: str = "") -> None:
    """Say that these people changed, or with None that everybody may have."""
    ids = None if people is None else sorted(set(people))
    if ids is not None and not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_change (kind, what, people) VALUES (%s, %s, %s::bigint[])",
            [kind, what, None if ids is None else _array(ids)],
        )


def note_events(people: Mapping[str, set[int]]) -> None:
    """Say whose events of which types were stored."""
    told = {what: ids for what, ids in people.items() if ids}
    if not told:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_change (kind, what, people)"
            " SELECT 'event', what, people::bigint[]"
            " FROM unnest(%s::text[], %s::text[]) AS n (what, people)",
            [list(told), [_array(ids) for ids in told.values()]],
        )


def note_addresses(*, channel: str, addresses: Iterable[str]) -> None:
    """Say that it changed whether these addresses may be written to."""
    wanted = list(addresses)
    by_mail, otherwise = (wanted, None) if channel == "email" else (None, wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_change (kind, people) SELECT 'consent', people"
            " FROM (SELECT ingestion_holders(%s::text[], %s::text[]) AS people) n"
            " WHERE people IS NOT NULL",
            [by_mail, otherwise],
        )


def _array(ids: Iterable[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


def position() -> str:
    """Where a reader stands that has seen all there is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def since(seen: str) -> News:
    """What was noted since a position."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"seen": seen, "most": MOST})
        rows = cursor.fetchall()
    if rows[0][1]:  # too much, or of another server: the database was restored from a dump
        return News(rows[0][0], lost=True)
    found: dict[tuple[str, str], set[int] | None] = {}
    for _now, _lost, kind, what, people in rows:
        if kind is None:
            continue
        known = found.setdefault((kind, what), set())
        if people is None:
            found[kind, what] = None
        elif known is not None:
            known.update(people)
    return News(rows[0][0], found)


def confirm(*, reader: str, position: str, now: datetime) -> None:
    """Say that a reader needs nothing from before this position any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_changereader (name, position, at) VALUES (%s, %s, %s)"
            " ON CONFLICT (name) DO UPDATE SET position = excluded.position, at = excluded.at",
            [reader, position, now],
        )


def tidy(*, now: datetime) -> int:
    """Remove what every reader has seen, and what is older than two days; how many notes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ingestion_change WHERE at < %s OR xid < ("
            "  SELECT min(pg_snapshot_xmin(position::pg_snapshot)::text::bigint)::text::xid8"
            "  FROM ingestion_changereader WHERE at >= %s)",
            [now - KEPT, now - KEPT],
        )
        return int(cursor.rowcount)
