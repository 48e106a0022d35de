"""What became of a campaign's messages: counts of rows, as lists show them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from campaigns.models import Message, Run


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
