"""When a wait is over, as a person's own clock shows it.

An hour that comes twice in a night is its first time; one that is left out comes when the clock
jumps over it. So a day has each hour once, and nobody waits for one that never is.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.manners import clocks

_DAY = timedelta(days=1)


def at(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """The moment at which a clock in the zone shows this hour on this day."""
    return clocks.moment_of(zone, day, hour)


def next_hour(
    after: datetime, hour: time, zone: ZoneInfo, weekdays: tuple[int, ...] = ()
) -> datetime:
    """The first such hour that is not before `after`, on one of these days (0 is Monday)."""
    day = after.astimezone(zone).date()
    while at(day, hour, zone) < after or (weekdays and day.weekday() not in weekdays):
        day += _DAY
    return at(day, hour, zone)


def anniversary(born: date, year: int) -> date:
    """The day in a year; who was born on 29 February has it on the 28th in years without one."""
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def next_anniversary(
    after: datetime, born: date, hour: time, zone: ZoneInfo, days: int = 0
) -> datetime:
    """The first moment from `after` on that lies so many days after an anniversary."""
    year = after.astimezone(zone).year - 2
    while True:
        moment = at(anniversary(born, year) + timedelta(days=days), hour, zone)
        if moment >= after:
            return moment
        year += 1


def read_day(text: object) -> date | None:
    """The day that an attribute means; None where it means none."""
    if isinstance(text, str) and len(text) >= 10:
        try:
            return date.fromisoformat(text[:10])
        except ValueError:
            return None
    return None


def zone_of(name: str | None, default: ZoneInfo) -> ZoneInfo:
    """A zone by its name, and where nobody knows it the shop's."""
    if not name:
        return default
    return clocks.zone_called(name, str(default))
