"""People who come in by the calendar: on a day of their own, or everyone of a segment at a time.

Looked at moment after moment: whoever's hour lies between the last look and now comes in. Their
cause names the day, so a look that is done twice, or by two workers, brings nobody in twice.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from campaigns.journeys import asked, clock, entering, graphs
from campaigns.journeys.entering import Candidate
from campaigns.journeys.graphs import Walked
from campaigns.models import JourneyCursor, Segment
from campaigns.segments import membership, moves
from marketing.core import brand

# After a standstill longer than this, hours that were missed are let go: nobody is congratulated
# a week late.
_LATEST = timedelta(hours=6)
_DAY = timedelta(days=1)
# Days are compared as text first, which needs no reading of what may be no day at all.
_BY_ATTRIBUTE = """
SELECT c.id, c.attributes ->> %(name)s, campaigns_zone(c.timezone, c.country)
FROM ingestion_customer c
WHERE c.merged_into_id IS NULL AND substr(c.attributes ->> %(name)s, %(from)s, %(long)s)
    = ANY(%(days)s)
"""
_BY_PREDICTION = """
SELECT c.id, s.value, campaigns_zone(c.timezone, c.country)
FROM models_ml_score s JOIN models_ml_prediction p ON p.id = s.prediction_id
JOIN ingestion_customer c ON c.id = s.customer_id
WHERE p.key = %(name)s AND s.value >= %(low)s AND s.value < %(high)s
"""


def look(*, now: datetime | None = None) -> int:
    """Let in whoever's hour has come since the last look; how many."""
    now = now or timezone.now()
    entered = 0
    for version in graphs.walked():
        trigger = version.graph.trigger
        if not version.open:
            continue
        if trigger.kind in ("date", "schedule"):
            with transaction.atomic():
                entered += _look(version, now)
        elif trigger.kind == "segment_enter" and trigger.settings["already"]:
            with transaction.atomic():
                entered += _let_in_members(version, now)
    return entered


def _let_in_members(version: Walked, now: datetime) -> int:
    """Once, whoever was in the segment when the journey went live."""
    name = f"members:{version.journey_id}"
    _row, fresh = JourneyCursor.objects.get_or_create(name=name, defaults={"at": now})
    if not fresh:
        return 0
    ids = moves.members(segment_id=version.graph.trigger.settings["segment"]).filter(
        since__lte=version.since
    )
    people = [
        Candidate(customer_id=person, key=f"member:{person}", at=version.since)
        for person in ids.order_by("customer_id").values_list("customer_id", flat=True)
    ]
    return entering.enter(version=version, candidates=people, now=now).entered


def _look(version: Walked, now: datetime) -> int:
    name = f"clock:{version.journey_id}"
    cursor, _fresh = JourneyCursor.objects.select_for_update().get_or_create(
        name=name, defaults={"at": version.since}
    )
    since = max(cursor.at or version.since, now - _LATEST)
    if since >= now:
        return 0
    if version.graph.trigger.kind == "date":
        people = list(dated(version, since, now))
    else:
        people = list(scheduled(version, since, now))
    JourneyCursor.objects.filter(pk=name).update(at=now)
    return entering.enter(version=version, candidates=people, now=now).entered


def dated(version: Walked, since: datetime, until: datetime) -> Iterator[Candidate]:
    """Whoever's day and hour lie in (since, until]."""
    said = version.graph.trigger.settings
    if not any_zone_shows(said["at"].minute, since, until):
        return
    yearly = said["every"] == "year"
    home = brand.now().zone
    for person, kept, name in _people_with(said, since, until):
        day = (
            clock.read_day(kept)
            if said["attribute"]
            else asked.predicted_moment(float(kept)).date()
        )
        if day is None:
            continue
        zone = clock.zone_of(name, home)
        if yearly:
            moment = clock.next_anniversary(
                since + timedelta(microseconds=1), day, said["at"], zone, said["days"]
            )
        else:
            moment = clock.at(day + timedelta(days=said["days"]), said["at"], zone)
        if since < moment <= until:
            local = moment.astimezone(zone).date().isoformat()
            yield Candidate(customer_id=person, key=f"day:{person}:{local}", at=moment)


def any_zone_shows(minute: int, since: datetime, until: datetime) -> bool:
    """Whether some clock on earth came to this minute of an hour; zones differ by quarters."""
    quarter = timedelta(minutes=15)
    first = since.astimezone(UTC).replace(minute=minute % 15, second=0, microsecond=0)
    while first <= since:
        first += quarter
    return first <= until


def _people_with(said: Any, since: datetime, until: datetime) -> list[tuple[int, Any, str]]:
    """People whose day may be meant: a day either side of it, whatever their zone."""
    shift = timedelta(days=said["days"])
    first = (since - shift).astimezone(UTC).date() - _DAY
    last = (until - shift).astimezone(UTC).date() + _DAY
    days = [first + n * _DAY for n in range((last - first).days + 1)]
    with connection.cursor() as cursor:
        if said["attribute"]:
            yearly = said["every"] == "year"
            wanted = {day.isoformat()[5:] if yearly else day.isoformat() for day in days}
            if yearly and any((day.month, day.day) == (2, 28) for day in days):
                wanted.add("02-29")
            cursor.execute(
                _BY_ATTRIBUTE,
                {
                    "name": said["attribute"],
                    "from": 6 if yearly else 1,
                    "long": 5 if yearly else 10,
                    "days": sorted(wanted),
                },
            )
        else:
            epoch = date(1970, 1, 1)
            cursor.execute(
                _BY_PREDICTION,
                {
                    "name": said["prediction"],
                    "low": (days[0] - epoch).days,
                    "high": (days[-1] - epoch).days + 1,
                },
            )
        return cursor.fetchall()


def scheduled(version: Walked, since: datetime, until: datetime) -> Iterator[Candidate]:
    """Everyone of the segment, at each moment of the schedule in (since, until]."""
    said = version.graph.trigger.settings
    moments = list(slots(said, since, until))
    if not moments:
        return
    segment = Segment.objects.filter(pk=said["segment"]).first()
    if segment is None:
        return
    ids = list(membership.people(segment.rule).values_list("pk", flat=True).order_by("pk"))
    for moment in moments:
        slot = moment.astimezone(UTC).strftime("%Y%m%dT%H%M")
        for person in ids:
            yield Candidate(customer_id=person, key=f"slot:{slot}:{person}", at=moment)


def slots(said: Any, since: datetime, until: datetime) -> Iterator[datetime]:
    """The moments of a schedule in (since, until], by the shop's clock."""
    zone = brand.now().zone
    day = since.astimezone(zone).date() - _DAY
    while day <= until.astimezone(zone).date():
        moment = clock.at(day, said["at"], zone)
        if since < moment <= until and _on(said, day):
            yield moment
        day += _DAY


def _on(said: Any, day: date) -> bool:
    match said["every"]:
        case "once":
            return day == said["on"]
        case "week":
            return day.weekday() in (said["weekdays"] or (0,))
        case "month":
            wanted = said["month_day"] or 1
            return day.day == min(wanted, monthrange(day.year, day.month)[1])
    return not said["weekdays"] or day.weekday() in said["weekdays"]
