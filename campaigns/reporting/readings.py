"""Sums of sends and of the global hold-out, kept day by day.

A page about few people asks the database when it is opened; about many it shows the newest reading,
which a worker renews every ten minutes. A day that nobody read is read afterwards, from the orders.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from campaigns.models import GlobalHoldout, Reading, Run
from campaigns.reporting import tallies
from campaigns.reporting.tallies import WINDOW, Tally

LIVE_PEOPLE = 200_000
DAY = timedelta(days=1)
# Orders still come in after the last day: returns, late imports.
_AFTER = timedelta(days=30)
_LONGEST = 366 * 3


@dataclass(frozen=True)
class Read:
    """Sums per side until a moment."""

    until: datetime
    arms: Mapping[str, Tally]

    def sent(self, run: Run) -> dict[str, int]:
        """Messages that went out, by channel; those of people who were erased are of none."""
        kept, found = run.snapshot.get("contents") or {}, Counter[str]()
        for arm, tally in self.arms.items():
            content = kept.get(arm.removesuffix(tallies.LATER)) or {}
            found[content.get("channel", "")] += tally.sent
        return dict(found)


def latest(*, run: Run, now: datetime) -> Read:
    """The newest sums of a send."""
    if run.audience > LIVE_PEOPLE and (kept := run.readings.order_by("-day").first()):
        return of_row(kept)
    until = _until(run, now)
    return Read(until, tallies.of_run(run=run, until=until))


def history(*, run: Run) -> list[Read]:
    """The sums of each day that was read, oldest first."""
    return [of_row(row) for row in run.readings.order_by("day")]


def take(*, run: Run, now: datetime) -> int:
    """Read every day that is over and was not read, and today; how many were read."""
    last = _until(run, now)
    days = _whole_days(run.started_at, last)
    whole = {run.started_at + day * DAY: day for day in range(1, days)}
    known = run.readings.filter(until__in=whole).values_list("until", flat=True)
    for day in sorted(set(range(1, days + 1)) - {whole[until] for until in known}):
        _keep(run=run, day=day, until=run.started_at + day * DAY, now=now)
    if days * DAY < last - run.started_at:
        _keep(run=run, day=days + 1, until=last, now=now)
    return days + 1 - len(known)


def take_all(*, now: datetime) -> int:
    """Read every send whose days are not long over, and the global hold-out; how many readings."""
    found = 0
    recent = Run.objects.filter(
        campaign__isnull=False, started_at__lte=now, started_at__gt=now - WINDOW - _AFTER
    )
    for run in recent.order_by("id"):
        found += take(run=run, now=now)
    holdout = GlobalHoldout.objects.filter(ended_at=None, since__lt=now).first()
    if holdout is not None:
        take_everybody(holdout=holdout, now=now)
        found += 1
    return found


def take_everybody(*, holdout: GlobalHoldout, now: datetime) -> Read:
    """Read the global hold-out as of now."""
    day = min(_whole_days(holdout.since, now) + 1, _LONGEST)
    arms = tallies.of_everybody(holdout=holdout, until=now)
    Reading.objects.update_or_create(
        holdout=holdout, day=day, defaults=_values(arms, until=now, now=now)
    )
    return Read(now, arms)


def of_everybody(*, holdout: GlobalHoldout) -> Read | None:
    """The newest sums of the global hold-out; None before the first."""
    kept = holdout.readings.order_by("-day").first()
    return of_row(kept) if kept else None


def _until(run: Run, now: datetime) -> datetime:
    return max(min(now, run.started_at + WINDOW), run.started_at)


def _whole_days(start: datetime, until: datetime) -> int:
    return int((until - start) // DAY)


def _keep(*, run: Run, day: int, until: datetime, now: datetime) -> None:
    arms = tallies.of_run(run=run, until=until)
    Reading.objects.update_or_create(run=run, day=day, defaults=_values(arms, until=until, now=now))


def _values(arms: Mapping[str, Tally], *, until: datetime, now: datetime) -> dict[str, Any]:
    sums = {arm: tally.as_json() for arm, tally in arms.items()}
    return {"until": until, "arms": sums, "taken_at": now}


def of_row(row: Reading) -> Read:
    """A reading as it was kept."""
    return Read(row.until, {arm: Tally(**sums) for arm, sums in row.arms.items()})
