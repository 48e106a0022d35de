"""What is usual is told from what is not, and one bad day is no habit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.quality import statistics
from ingestion.quality.statistics import HIGH, LOW, NONE, UNSURE, USUAL

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TODAY = NOW.date().toordinal()


@pytest.mark.parametrize(
    ("today", "before", "verdict"),
    [
        (100, [98, 103, 99, 101, 97, 104, 100, 102], USUAL),
        (120, [98, 103, 99, 101, 97, 104, 100, 102], USUAL),
        (40, [98, 103, 99, 101, 97, 104, 100, 102], LOW),
        (190, [98, 103, 99, 101, 97, 104, 100, 102], HIGH),
        (0, [98, 103, 99, 101, 97, 104, 100, 102], NONE),
        (100, [98, 0, 99, 101, 97, 104, 0, 102], USUAL),
        (0, [2, 1, 0, 3, 2, 1, 0, 2], USUAL),
        (9, [2, 1, 0, 3, 2, 1, 0, 2], HIGH),
        (100, [100, 100, 100], UNSURE),
        (100, [], UNSURE),
        (10_500, [10_000] * 8, USUAL),
        (5_000, [10_000] * 8, LOW),
    ],
)
def test_a_day_is_compared_with_its_weekdays(today: int, before: list[int], verdict: str) -> None:
    assert statistics.compare(today=today, before=before).verdict == verdict


def test_only_the_last_eight_weeks_count() -> None:
    assert statistics.compare(today=100, before=[5] * 30 + [100] * 8).verdict == USUAL


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=8), st.integers(0, 10**6))
def test_one_spoilt_week_never_makes_a_usual_day_unusual(before: list[int], spoilt: int) -> None:
    level = 1000
    found = statistics.compare(today=level, before=[level] * 7 + [spoilt])
    assert found.verdict == USUAL
    assert statistics.compare(today=before[0], before=before).verdict in (USUAL, LOW, HIGH, NONE)


def days(*ago: int) -> list[int]:
    return sorted(TODAY - n for n in ago)


def test_a_daily_source_is_late_after_two_silent_days_and_a_weekly_one_is_not() -> None:
    daily = statistics.rhythm(
        active_days=days(*range(3, 30)), last_at=NOW - timedelta(days=3), now=NOW
    )
    weekly = statistics.rhythm(
        active_days=days(3, 10, 17, 24, 31, 38), last_at=NOW - timedelta(days=3), now=NOW
    )
    assert daily.late
    assert daily.usual == timedelta(days=1)
    assert not weekly.late
    assert weekly.usual == timedelta(days=7)


def test_a_source_seen_a_few_times_has_no_rhythm_yet() -> None:
    found = statistics.rhythm(active_days=days(9, 10), last_at=NOW - timedelta(days=9), now=NOW)
    assert (found.usual, found.late) == (None, False)


def test_a_history_that_ended_long_ago_is_not_late() -> None:
    found = statistics.rhythm(
        active_days=days(*range(400, 430)), last_at=NOW - timedelta(days=400), now=NOW
    )
    assert (found.late, found.ended) == (False, True)
