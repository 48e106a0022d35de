"""A month of sends: what went out on each day with its numbers, and what is meant to."""

import calendar
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import get_format
from django.views.decorators.http import require_GET

from campaigns import reporting
from campaigns.models import Campaign, Run
from campaigns.reporting import Figures, responses
from marketing.core.auth import page

YEARS = range(2000, 2101)


@dataclass(frozen=True)
class Entry:
    """One send of a day. `figures` of what went out; `expected` people of what is meant to."""

    at: datetime
    campaign: Campaign
    state: str
    label: str
    figures: Figures | None = None
    expected: int | None = None
    clicked: int = 0


@dataclass
class Day:
    day: date
    within: bool
    today: bool
    entries: list[Entry] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return sum(entry.figures.sent for entry in self.entries if entry.figures)

    @property
    def expected(self) -> int:
        return sum(entry.expected or 0 for entry in self.entries)


def _first(text: str, today: date) -> date:
    """The first day of the month that was asked for; of this one for anything unreadable."""
    try:
        asked = date.fromisoformat(f"{text}-01") if len(text) == 7 else today
    except ValueError:
        asked = today
    return (asked if asked.year in YEARS else today).replace(day=1)


def _start(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time()))


def _entries(since: datetime, until: datetime) -> list[Entry]:
    begun = Run.objects.filter(
        campaign__isnull=False, started_at__gte=since, started_at__lt=until
    ).select_related("campaign")
    found = list(begun.order_by("started_at", "id"))
    numbers = reporting.figures(run_ids=[run.pk for run in found])
    did = responses.by_people(run_ids=[run.pk for run in found])
    entries = [
        Entry(
            run.started_at,
            run.campaign,
            run.campaign.state,
            run.campaign.get_state_display(),
            figures=numbers.get(run.pk, Figures()),
            clicked=did.get(run.pk, (0, 0))[1],
        )
        for run in found
        if run.campaign is not None
    ]
    meant = Campaign.objects.filter(
        state__in=(Campaign.State.DRAFT, Campaign.State.SCHEDULED),
        scheduled_at__gte=since,
        scheduled_at__lt=until,
    ).select_related("segment")
    for campaign in meant.order_by("scheduled_at", "id"):
        size = campaign.segment.size if campaign.segment else None
        kept = None if size is None else round(size * (1 - campaign.holdout_percent / 100))
        assert campaign.scheduled_at is not None
        entries.append(
            Entry(
                campaign.scheduled_at,
                campaign,
                campaign.state,
                campaign.get_state_display(),
                expected=kept,
            )
        )
    return entries


@page("view")
@require_GET
def month(request: HttpRequest) -> HttpResponse:
    """A month, by the reader's clock, in whole weeks."""
    today = timezone.localdate()
    first = _first(request.GET.get("month", ""), today)
    weekday = (int(get_format("FIRST_DAY_OF_WEEK")) - 1) % 7
    weeks = calendar.Calendar(weekday).monthdatescalendar(first.year, first.month)
    since, until = _start(weeks[0][0]), _start(weeks[-1][-1] + timedelta(days=1))
    of_day: dict[date, list[Entry]] = defaultdict(list)
    for entry in _entries(since, until):
        of_day[timezone.localdate(entry.at)].append(entry)
    shown = [
        [Day(day, day.month == first.month, day == today, of_day.get(day, [])) for day in week]
        for week in weeks
    ]
    days = [day for week in shown for day in week if day.within]
    context: dict[str, Any] = {
        "first": first,
        "weeks": shown,
        "before": (first - timedelta(days=1)).replace(day=1),
        "after": (first + timedelta(days=32)).replace(day=1),
        "now": today.replace(day=1) == first,
        "sends": sum(len(day.entries) for day in days),
        "sent": sum(day.sent for day in days),
        "expected": sum(day.expected for day in days),
    }
    return render(request, "campaigns/campaigns/calendar.html", context)
