"""What became of a campaign: counts from message rows, effect from orders against the hold-out."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from campaigns.experiments import Lift, difference
from campaigns.models import Message, Run

WINDOW = timedelta(days=14)


@dataclass(frozen=True)
class Figures:
    """Counts of one run, as lists show them."""

    people: int = 0
    sent: int = 0
    ended: int = 0
    opened: int = 0
    clicked: int = 0

    @property
    def percent(self) -> int:
        return int(100 * self.ended / self.people) if self.people else 0

    @property
    def open_rate(self) -> float | None:
        return self.opened / self.sent if self.sent else None

    @property
    def click_rate(self) -> float | None:
        return self.clicked / self.sent if self.sent else None


def figures(*, run_ids: Collection[int]) -> dict[int, Figures]:
    """Counts per run, in one query; the held out and the skipped are left out."""
    rows = (
        Message.objects.filter(run_id__in=run_ids)
        .exclude(state=Message.State.SKIPPED)
        .values("run_id")
        .annotate(
            people=Count("id"),
            sent=Count("id", filter=Q(state=Message.State.SENT)),
            ended=Count("id", filter=~Q(state__in=Message.OPEN)),
            opened=Count("opened_at"),
            clicked=Count("clicked_at"),
        )
        .order_by()
    )
    counted: dict[int, Any] = {row["run_id"]: row for row in rows}
    erased = Run.objects.filter(pk__in=run_ids).exclude(erased={}).values_list("pk", "erased")
    gone: dict[int, dict[str, int]] = dict(erased)
    return {
        run_id: Figures(
            *(
                counted.get(run_id, {}).get(name, 0) + gone.get(run_id, {}).get(name, 0)
                for name in ("people", "sent", "ended", "opened", "clicked")
            )
        )
        for run_id in {*counted, *gone}
    }


@dataclass(frozen=True)
class Effect:
    """Orders within the window by people who got the mail and by those held out."""

    mailed: int
    mailed_ordered: int
    held: int
    held_ordered: int
    until: datetime
    lift: Lift | None


def effect(*, run: Run) -> Effect | None:
    """The mail's effect on ordering; None when nobody was held out.

    Everybody the mail was meant for counts as mailed, whether or not it arrived, so that both
    sides were chosen by the hash alone.
    """
    until = run.started_at + WINDOW
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT m.reason = 'holdout', count(*), count(*) FILTER (WHERE EXISTS (
                SELECT 1 FROM ingestion_order o
                WHERE o.customer_id = m.customer_id AND o.placed_at >= %s AND o.placed_at < %s
                  AND o.status <> 'cancelled'))
            FROM campaigns_message m
            WHERE m.run_id = %s AND (m.state <> 'skipped' OR m.reason = 'holdout')
            GROUP BY 1""",
            [run.started_at, until, run.pk],
        )
        sides = {held: (people, ordered) for held, people, ordered in cursor.fetchall()}
    gone = run.erased.get
    held, held_ordered = sides.get(True, (0, 0))
    held, held_ordered = held + gone("held", 0), held_ordered + gone("held_ordered", 0)
    if not held:
        return None
    mailed, mailed_ordered = sides.get(False, (0, 0))
    mailed, mailed_ordered = mailed + gone("mailed", 0), mailed_ordered + gone("mailed_ordered", 0)
    lift = difference(
        treated=mailed,
        treated_converted=mailed_ordered,
        control=held,
        control_converted=held_ordered,
    )
    return Effect(mailed, mailed_ordered, held, held_ordered, until, lift)
