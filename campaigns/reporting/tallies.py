"""Sums per side of a send, or of everybody: one pass over people and over orders.

Everybody whom a send meant is counted on the side that the hash put them on, whether or not the
mail arrived and whatever they asked for since. Otherwise the sides would differ by more than luck.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.experiments import Sums, holdout_ceiling
from campaigns.models import GlobalHoldout, Run
from campaigns.recipients import audience

WINDOW = timedelta(days=14)
HELD = "holdout"
# People of later rounds: their variant was not drawn by the first shares.
LATER = "+"
KEPT, OTHERS = "kept", "others"
# As long whenever one looks: what is planned for by it must not move with the looks.
_PAST = timedelta(days=90)


@dataclass(frozen=True)
class Tally:
    """One side. `ordered`: who ordered after the start, or did what the campaign is judged by;
    `before`: money in a time before it.
    """

    people: int = 0
    sent: int = 0
    opened: int = 0
    clicked: int = 0
    ordered: int = 0
    money: float = 0.0
    squares: float = 0.0
    cubes: float = 0.0
    before: float = 0.0
    before_squares: float = 0.0
    cross: float = 0.0
    earlier: int = 0
    both: int = 0
    buyers: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def of_money(self) -> Sums:
        """Money after with money before."""
        return Sums(
            self.people, self.money, self.squares, self.before, self.before_squares, self.cross,
            self.cubes,
        )  # fmt: skip

    @property
    def of_orders(self) -> Sums:
        """Whether they ordered, with whether they had before."""
        return Sums(
            self.people, self.ordered, self.ordered, self.earlier, self.earlier, self.both
        )  # fmt: skip

    def as_json(self) -> dict[str, float]:
        return asdict(self)


Arms = Mapping[str, Tally]

_SUMS = """
    , spent AS (
        SELECT o.customer_id AS id,
               coalesce(sum(o.total::float8) FILTER (WHERE o.placed_at >= %(start)s), 0) AS x,
               coalesce(sum(o.total::float8) FILTER (WHERE o.placed_at < %(start)s), 0) AS y,
               coalesce(bool_or(o.placed_at >= %(start)s AND o.total >= 0), false)::int AS did,
               coalesce(bool_or(o.placed_at < %(start)s AND o.total >= 0), false)::int AS had
        FROM ingestion_order AS o
        WHERE o.placed_at >= %(past)s AND o.placed_at < %(until)s AND o.status <> 'cancelled'
          AND o.customer_id IS NOT NULL
        GROUP BY o.customer_id)
    {acts}
    SELECT arm, count(*), sum(sent), sum(opened), sum(clicked), coalesce(sum({of}.did), 0),
           coalesce(sum(x), 0), coalesce(sum(x * x), 0), coalesce(sum(x * x * x), 0),
           coalesce(sum(y), 0), coalesce(sum(y * y), 0), coalesce(sum(x * y), 0),
           coalesce(sum({of}.had), 0), coalesce(sum({of}.did * {of}.had), 0),
           coalesce(sum(spent.did), 0)
    FROM meant LEFT JOIN spent USING (id) {joined} GROUP BY arm"""
# Instead of who ordered: who did what the campaign was for.
_ACTS = """
    , acts AS (
        SELECT e.customer_id AS id, bool_or(e.at >= %(start)s)::int AS did,
               bool_or(e.at < %(start)s)::int AS had
        FROM ingestion_event AS e
        WHERE e.type = %(goal)s AND e.at >= %(past)s AND e.at < %(until)s
          AND e.customer_id IS NOT NULL
        GROUP BY e.customer_id)"""
_OF_RUN = """
    WITH meant AS (
        SELECT m.customer_id AS id,
               CASE WHEN m.reason = 'holdout' THEN 'holdout'
                    ELSE m.variant || CASE WHEN {slot} > 0 THEN '+' ELSE '' END END AS arm,
               (m.state = 'sent')::int AS sent, (m.opened_at IS NOT NULL)::int AS opened,
               (m.clicked_at IS NOT NULL)::int AS clicked
        FROM campaigns_message AS m
        WHERE m.run_id = %(run)s
          AND (m.reason = 'holdout' OR m.state <> 'skipped' OR m.message_id IS NOT NULL))"""
_OF_SETS = """
    WITH meant AS (
        SELECT m.customer_id AS id,
               m.reach || '/' || CASE WHEN m.reason = 'holdout' THEN 'holdout'
                                      ELSE m.variant END AS arm,
               (m.state = 'sent')::int AS sent, (m.opened_at IS NOT NULL)::int AS opened,
               (m.clicked_at IS NOT NULL)::int AS clicked
        FROM campaigns_message AS m
        WHERE m.run_id = %(run)s AND (m.reason = 'holdout' OR {slot} = 0)
          AND (m.reason = 'holdout' OR m.state <> 'skipped' OR m.message_id IS NOT NULL))"""
_OF_EVERYBODY = """
    WITH meant AS (
        SELECT c.id, CASE WHEN {bucket} < %(ceiling)s THEN 'kept' ELSE 'others' END AS arm,
               0 AS sent, 0 AS opened, 0 AS clicked
        FROM ingestion_customer AS c WHERE c.merged_into_id IS NULL)"""


def of_run(*, run: Run, until: datetime) -> dict[str, Tally]:
    """Sides of a send: 'holdout', and each variant, with '+' for people of later rounds."""
    kept = run.snapshot.get("draw")
    draw = audience.Draw.of_json(kept) if kept else audience.Draw(key="")
    # Whose hash it was when the send began, where two people have become one since.
    slot, of_slot = audience.slot_sql("coalesce(m.first_customer_id, m.customer_id)", draw)
    named = {f"slot{i}": value for i, value in enumerate(of_slot)}
    meant = _OF_RUN.format(slot=slot % tuple(f"%({name})s" for name in named))
    goal = run.snapshot.get("goal") or ""
    past = run.started_at - WINDOW
    values = {"run": run.pk, "start": run.started_at, "past": past, "until": until, **named}
    found = _read(meant, {**values, "goal": goal})
    for side in (HELD, "gone"):
        if erased := _erased(run.erased, side):
            found[side] = found.get(side, Tally()) + erased
    return found


def of_sets(*, run: Run, until: datetime) -> dict[tuple[str, str], Tally]:
    """Sides of the first shares of a send by several channels, as (channels that reach, side)."""
    draw = audience.Draw.of_json(run.snapshot["draw"])
    slot, of_slot = audience.slot_sql("coalesce(m.first_customer_id, m.customer_id)", draw)
    named = {f"slot{i}": value for i, value in enumerate(of_slot)}
    meant = _OF_SETS.format(slot=slot % tuple(f"%({name})s" for name in named))
    values = {
        "run": run.pk,
        "start": run.started_at,
        "past": run.started_at - WINDOW,
        "until": until,
        "goal": run.snapshot.get("goal") or "",
        **named,
    }
    found = {}
    for arm, tally in _read(meant, values).items():
        reach, _mark, side = arm.rpartition("/")
        found[reach, side] = tally
    return found


def of_everybody(*, holdout: GlobalHoldout, until: datetime) -> dict[str, Tally]:
    """'kept' and 'others' since the global hold-out began."""
    past = holdout.since - _PAST
    bucket = audience.hash_sql("c.id") % "%(key)s"
    values = {
        "key": audience.kept_key(holdout),
        "ceiling": holdout_ceiling(holdout.percent),
        "start": holdout.since,
        "past": past,
        "until": until,
    }
    return _read(_OF_EVERYBODY.format(bucket=bucket), values)


def _read(meant: str, values: Mapping[str, Any]) -> dict[str, Tally]:
    goal = bool(values.get("goal"))
    sql = meant + _SUMS.format(
        acts=_ACTS if goal else "",
        joined="LEFT JOIN acts USING (id)" if goal else "",
        of="acts" if goal else "spent",
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return {arm: Tally(*numbers) for arm, *numbers in cursor.fetchall()}


def _erased(sums: Mapping[str, Any], side: str) -> Tally | None:
    """What people who were erased since had done."""
    names = {"holdout": "held", "gone": "mailed"}
    prefix = names[side]
    if not sums.get(prefix):
        return None
    known = {f.name: sums.get(f"{prefix}_{f.name}", 0) for f in fields(Tally)}
    return Tally(**{**known, "people": sums[prefix]})
