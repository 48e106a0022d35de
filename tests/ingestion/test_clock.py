"""A wrong clock does not move events; what lies in the future is set back or refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.events import clock
from marketing.core.errors import Invalid

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def correct(at: datetime | None, sent: datetime | None = None) -> tuple[datetime, str]:
    return clock.correct(timestamp=at, sent_at=sent, received_at=NOW)


def test_without_a_time_it_happened_now_and_without_sending_time_the_time_is_taken() -> None:
    assert correct(None) == (NOW, "")
    assert correct(NOW - HOUR) == (NOW - HOUR, "")


@given(st.timedeltas(-timedelta(days=900), timedelta(days=900)), st.timedeltas(-HOUR, HOUR))
def test_the_error_of_a_clock_is_taken_off(skew, ago) -> None:
    ago = abs(ago)
    at, flag = correct(NOW - ago + skew, NOW + skew)
    assert at == NOW - ago
    assert flag == ("corrected" if abs(skew) > MINUTE else "")


def test_a_moment_before_which_it_was_sent_lies_ahead_and_is_set_back() -> None:
    assert correct(NOW + HOUR, NOW) == (NOW, "clamped")
    assert correct(NOW + 4 * MINUTE, NOW) == (NOW + 4 * MINUTE, "")


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (NOW.replace(year=2036), "date_in_future"),
        (NOW + timedelta(hours=25), "date_in_future"),
        (datetime(1969, 12, 31, tzinfo=UTC), "date_too_old"),
    ],
)
def test_a_moment_that_cannot_be_is_refused(at, code) -> None:
    with pytest.raises(Invalid) as found:
        correct(at)
    assert (found.value.code, found.value.field) == (code, "at")


@pytest.mark.parametrize(
    ("at", "sent", "code"),
    [
        (NOW, datetime(9999, 12, 31, tzinfo=UTC), "date_too_old"),
        (datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), "date_in_future"),
    ],
)
def test_moments_further_apart_than_a_date_can_say_are_refused(at, sent, code) -> None:
    with pytest.raises(Invalid) as found:
        correct(at, sent)
    assert found.value.code == code


def test_thirty_years_ago_is_kept() -> None:
    then = NOW.replace(year=1996)
    assert correct(then) == (then, "")
