"""Moments by people's own clocks hold in every zone, whatever its clock does that night."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.manners import clocks

ZONES = sorted(available_timezones() - {"localtime"})
NEW_YORK, LONDON, TOKYO = map(ZoneInfo, ("America/New_York", "Europe/London", "Asia/Tokyo"))
MINUTE = timedelta(minutes=1)


@cache
def changes(name: str) -> list[datetime]:
    """The moments from 2024 to 2027 at which this zone's clock is changed."""
    zone, found = ZoneInfo(name), []
    moment, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    while moment < end:
        later = moment + timedelta(days=5)
        if moment.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            found.append(clocks._change(zone, moment, later))
        moment = later
    return found


CHANGING = [name for name in ZONES if changes(name)]
times = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@st.composite
def places(draw) -> tuple[ZoneInfo, datetime]:
    """A zone, and a minute within a day and a half of one of its changes, if it has any."""
    name = draw(st.sampled_from(CHANGING if draw(st.booleans()) else ZONES))
    near = draw(st.sampled_from(changes(name) or [datetime(2026, 3, 29, 1, tzinfo=UTC)]))
    return ZoneInfo(name), near + MINUTE * draw(st.integers(-2160, 2160))


def shown(zone: ZoneInfo, moment: datetime) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


@given(places(), times)
def test_an_hour_comes_next_when_the_clock_shows_it_first_or_jumps_over_it(place, at) -> None:
    zone, since = place
    found = clocks.next_at(zone, at, since)
    assert since <= found <= since + timedelta(hours=49)
    clock = shown(zone, found)
    if clock.time() != at:  # it was skipped: the minute before showed less, this one more
        before = shown(zone, found - MINUTE)
        skipped = datetime.combine(clock.date(), at)
        skipped -= timedelta(days=1) if skipped > clock else timedelta()
        assert before < skipped < clock
    first = clocks.moment_of(zone, clock.date(), at)
    assert found == first or clock.time() != at


@given(places(), times)
def test_each_day_of_a_calendar_has_the_hour_once_and_they_follow_each_other(place, at) -> None:
    zone, since = place
    day = since.astimezone(zone).date()
    moments = [clocks.moment_of(zone, day + timedelta(days=n), at) for n in range(-2, 3)]
    assert moments == sorted(set(moments))
    following = clocks.next_at(zone, at, since)
    assert clocks.next_at(zone, at, following) == following
    assert clocks.next_at(zone, at, following + timedelta(seconds=1)) > following


@given(places(), times, times)
def test_quiet_hours_end_at_the_first_minute_that_the_clock_shows_as_allowed(
    place, begins, ends
) -> None:
    zone, since = place
    if begins == ends:
        return
    found = clocks.allowed(zone, (begins, ends), since)
    moment = since
    while clocks.is_within(shown(zone, moment).time(), begins, ends):
        moment += MINUTE
    assert found == moment


@pytest.mark.parametrize("at", [time(0, 0), time(1, 30), time(2, 30), time(9, 0), time(23, 59)])
def test_in_every_zone_on_earth_every_change_of_four_years_keeps_one_moment_a_day(at) -> None:
    for name in CHANGING:
        zone = ZoneInfo(name)
        for change in changes(name):
            day = change.astimezone(zone).date()
            moments = [clocks.moment_of(zone, day + timedelta(days=n), at) for n in (-1, 0, 1)]
            assert moments == sorted(set(moments)), name
            for moment, n in zip(moments, (-1, 0, 1), strict=True):
                clock = shown(zone, moment)
                exact = clock == datetime.combine(day + timedelta(days=n), at)
                assert exact or moment == change, name


def test_new_yorks_missing_half_past_two_is_three_and_its_first_half_past_one_counts() -> None:
    gap, fold = date(2026, 3, 8), date(2026, 11, 1)
    assert clocks.moment_of(NEW_YORK, gap, time(2, 30)) == datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert clocks.moment_of(NEW_YORK, fold, time(1, 30)) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_quiet_until_half_past_one_is_quiet_twice_in_the_night_that_has_the_hour_twice() -> None:
    quiet = (time(22), time(1, 30))
    again = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # ten past one for the second time
    assert clocks.allowed(NEW_YORK, quiet, again) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    midnight = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
    assert clocks.allowed(NEW_YORK, quiet, midnight) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_quiet_until_half_past_two_ends_at_three_where_the_hour_is_missing() -> None:
    night = datetime(2026, 3, 8, 5, 0, tzinfo=UTC)
    quiet = (time(21), time(2, 30))
    assert clocks.allowed(NEW_YORK, quiet, night) == datetime(2026, 3, 8, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "at_once", "expected"),
    [
        (datetime(2026, 6, 1, 6, tzinfo=UTC), False, datetime(2026, 6, 1, 8, tzinfo=UTC)),
        (datetime(2026, 6, 1, 8, tzinfo=UTC), False, datetime(2026, 6, 1, 8, tzinfo=UTC)),
        (datetime(2026, 6, 1, 9, tzinfo=UTC), False, datetime(2026, 6, 2, 8, tzinfo=UTC)),
        (datetime(2026, 6, 1, 9, tzinfo=UTC), True, datetime(2026, 6, 1, 9, tzinfo=UTC)),
        (datetime(2026, 6, 1, 6, tzinfo=UTC), True, datetime(2026, 6, 1, 8, tzinfo=UTC)),
    ],
)
def test_whose_hour_has_passed_today_waits_until_tomorrow_or_gets_it_at_once(
    since, at_once, expected
) -> None:
    assert clocks.due(LONDON, time(9), since, at_once=at_once) == expected


def test_a_zone_nobody_knows_is_the_other_one() -> None:
    assert clocks.zone_called("Mars/Olympus", "Asia/Tokyo") == TOKYO
    assert clocks.zone_called("", "Asia/Tokyo") == TOKYO
    assert clocks.zone_called("../../etc/passwd") == ZoneInfo("UTC")
