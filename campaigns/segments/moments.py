"""The time that a rule asks about, as conditions in SQL.

Stretches of the calendar are the person's own: in their time zone, in that of their country where
it is not known, and else in the shop's. As that is worked out row by row, a wider stretch that
holds for every zone on earth comes first.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any as Anything

from django.db.models import CharField, DateField, DateTimeField, F, Func, Q, Value
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import GreaterThanOrEqual, LessThan

from campaigns.segments.nodes import Ago, Calendar, Dates, Last, Span, When
from campaigns.segments.terms import SECONDS
from marketing.core import brand

Column = Callable[[str], Anything]

# The unit of a stretch, and how many of it after the present one it begins.
_STRETCHES = {
    "today": ("day", 0),
    "yesterday": ("day", -1),
    "this_week": ("week", 0),
    "last_week": ("week", -1),
    "this_month": ("month", 0),
    "last_month": ("month", -1),
    "this_year": ("year", 0),
    "last_year": ("year", -1),
}
EVER = datetime.min.replace(tzinfo=UTC)
_EAST, _WEST = timedelta(hours=14), timedelta(hours=-12)


class _AtZone(Func):
    """A moment as a clock in the zone shows it; or the moment at which it shows that."""

    template = "(%(expressions)s)"
    arg_joiner = " AT TIME ZONE "
    output_field = DateTimeField()


class _Shifted(Func):
    template = "(%(expressions)s + interval '%(shift)s')"
    output_field = DateTimeField()


def delta(span: Span) -> timedelta:
    return timedelta(seconds=span.number * SECONDS[span.unit])


def zone(person: Column = F) -> Coalesce:
    """The name of a person's time zone; `person` leads to a column of their row."""
    known = Func(
        person("timezone"), person("country"), function="campaigns_zone", output_field=CharField()
    )
    return Coalesce(known, Value(brand.now().timezone))


def today(as_of: datetime, person: Column = F) -> Cast:
    """The day that it is for a person."""
    return Cast(_AtZone(Value(as_of, DateTimeField()), zone(person)), DateField())


def day_of(moment: Anything, person: Column = F) -> Cast:
    """The day on which something was, for a person."""
    return Cast(_AtZone(moment, zone(person)), DateField())


def edge(name: str, as_of: datetime, person: Column = F, *, end: bool = False) -> Func:
    """The moment at which a stretch of a person's calendar begins, or ends."""
    return _AtZone(edge_shown(name, as_of, person, end=end), zone(person))


def edge_shown(name: str, as_of: datetime, person: Column = F, *, end: bool = False) -> Func:
    """The same as the person's clock shows it."""
    unit, shift = _STRETCHES[name]
    local = _AtZone(Value(as_of, DateTimeField()), zone(person))
    begun = Func(Value(unit), local, function="date_trunc", output_field=DateTimeField())
    return _Shifted(begun, shift=f"{shift + end} {unit}")


def outer(name: str, as_of: datetime) -> tuple[datetime, datetime]:
    """Moments between which the stretch lies, whatever the zone."""
    clocks = [as_of.astimezone(UTC) + offset for offset in (_EAST, _WEST)]
    begins = min(_stretch(name, clock)[0] for clock in clocks)
    ends = max(_stretch(name, clock)[1] for clock in clocks)
    return begins - _EAST, ends - _WEST


def _stretch(name: str, clock: datetime) -> tuple[datetime, datetime]:
    unit, shift = _STRETCHES[name]
    day = clock.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "day":
        day += timedelta(days=shift)
        return day, day + timedelta(days=1)
    if unit == "week":
        day += timedelta(days=7 * shift - day.weekday())
        return day, day + timedelta(days=7)
    if unit == "year":
        year = day.replace(month=1, day=1, year=day.year + shift)
        return year, year.replace(year=year.year + 1)
    month = day.year * 12 + day.month - 1 + shift
    return (
        day.replace(year=month // 12, month=month % 12 + 1, day=1),
        day.replace(year=(month + 1) // 12, month=(month + 1) % 12 + 1, day=1),
    )


def day_begins(day: str, *, later: int = 0) -> datetime:
    """When a day of the shop begins, or one so many days later."""
    moment = date.fromisoformat(day)
    last = date.max - timedelta(days=1)
    return datetime.combine(
        min(moment, last - timedelta(days=later)) + timedelta(days=later),
        time(),
        brand.now().zone,
    )


def since(days: int | None, when: When, *, as_of: datetime) -> datetime | None:
    """The moment after which everything is in the time asked about: EVER for all the time, None
    where it ends, too, or is of the person's own calendar.
    """
    if days is not None:
        return as_of - timedelta(days=days)
    match when:
        case None:
            return EVER
        case Last(span):
            return as_of - delta(span)
        case Dates(first, None) if first is not None:
            return day_begins(first)
    return None


def during(days: int | None, when: When, *, as_of: datetime, column: str, person: Column) -> Q:
    """The rows of which `column` lies in the time asked about."""
    since = f"{column}__gte"
    if days is not None:
        return Q(**{since: as_of - timedelta(days=days)})
    match when:
        case Last(span):
            return Q(**{since: as_of - delta(span)})
        case Ago(start, end):
            return Q(
                **{
                    since: as_of - timedelta(days=start),
                    f"{column}__lt": as_of - timedelta(days=end),
                }
            )
        case Dates(first, last):
            found = Q() if first is None else Q(**{since: day_begins(first)})
            return (
                found if last is None else found & Q(**{f"{column}__lt": day_begins(last, later=1)})
            )
        case Calendar(name):
            return stretch(name, as_of=as_of, column=column, person=person)
    return Q()


def stretch(name: str, *, as_of: datetime, column: str, person: Column) -> Q:
    """The rows of which `column` lies in a stretch of the person's calendar."""
    begins, ends = outer(name, as_of)
    return (
        Q(**{f"{column}__gte": begins, f"{column}__lt": ends})
        & Q(GreaterThanOrEqual(F(column), edge(name, as_of, person)))
        & Q(LessThan(F(column), edge(name, as_of, person, end=True)))
    )
