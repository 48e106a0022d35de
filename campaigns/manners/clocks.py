"""Moments by a person's own clock, right also where an hour is missing and where one comes twice.

A clock time that a day skips is taken as the moment at which the clock jumped over it; one that a
day shows twice is taken as the first. Pure: zones in, moments out.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_LOOK = timedelta(minutes=30)


@lru_cache(maxsize=1024)
def zone_called(name: str, otherwise: str = "UTC") -> ZoneInfo:
    """The zone of this name, or the other one where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo(otherwise)


@lru_cache(maxsize=4096)
def moment_of(zone: ZoneInfo, day: date, at: time) -> datetime:
    """When the clock shows this time on this day for the first time, or jumps over it."""
    shown = datetime.combine(day, at)
    found = shown.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == shown:
        return found
    # Skipped: with the offset from after the jump the same numbers lie before it.
    before = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change(zone, before, found)


def next_at(zone: ZoneInfo, at: time, since: datetime) -> datetime:
    """The first moment from `since` on at which the clock shows this time."""
    today = since.astimezone(zone).date()
    days = (moment_of(zone, today + n * _DAY, at) for n in range(-1, 4))
    return min(moment for moment in days if moment >= since)


def due(zone: ZoneInfo, at: time, since: datetime, *, at_once: bool = False) -> datetime:
    """The next time the clock shows `at`; or `since` itself if that was earlier the same day."""
    if at_once and moment_of(zone, since.astimezone(zone).date(), at) < since:
        return since
    return next_at(zone, at, since)


def is_within(shown: time, begins: time, ends: time) -> bool:
    """Whether a clock time lies in [begins, ends), which may go over midnight."""
    if begins <= ends:
        return begins <= shown < ends
    return shown >= begins or shown < ends


def allowed(zone: ZoneInfo, quiet: tuple[time, time], since: datetime) -> datetime:
    """The first moment from `since` on at which the clock shows no quiet time.

    The clock alone counts: where an hour comes twice, its quiet part is quiet twice.
    """
    begins, ends = quiet
    moment = since
    while is_within((shown := moment.astimezone(zone)).time(), begins, ends):
        now_at = datetime.combine(date.min, shown.time())
        left = (datetime.combine(date.min, ends) - now_at) % _DAY
        moment = _steady(zone, moment, moment + left)
    return moment


def _steady(zone: ZoneInfo, since: datetime, until: datetime) -> datetime:
    """`until`, or the moment before it at which the clock is changed."""
    known, moment = _offset(zone, since), since
    while moment < until:
        later = min(moment + _LOOK, until)
        if _offset(zone, later) != known:
            return _change(zone, moment, later)
        moment = later
    return until


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The moment after `before` and not after `after` from which the offset is that of `after`."""
    before, after = before.replace(microsecond=0), after.replace(microsecond=0)
    known = _offset(zone, after)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if _offset(zone, middle) == known:
            after = middle
        else:
            before = middle
    return after


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
