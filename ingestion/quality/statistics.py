"""What is usual, and whether today is: robust figures, so that one bad day is no habit.

Volumes are compared with the same weekday of the last eight weeks by the median and the median
absolute deviation (Hampel 1974; the factor 0.6745 makes the latter comparable with a standard
deviation). Counts scatter by their square root even when nothing is wrong, so the deviation is
never taken for less than that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

WEEKS = 8
ENOUGH = 4
LIMIT = 3.5
SHIFT = 0.3  # a day that is less than this share off is never called unusual
_MAD = 0.6745
USUAL, LOW, HIGH, NONE, UNSURE = "usual", "low", "high", "none", "unsure"


@dataclass(frozen=True, slots=True)
class Volume:
    """How a day's number compares: verdict, what was expected, the range that is usual."""

    verdict: str
    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0
    distance: float = 0.0


def deviation(values: Sequence[float], middle: float) -> float:
    """The median absolute deviation, as a standard deviation, at least that of a count."""
    spread = median(abs(value - middle) for value in values) / _MAD
    return max(spread, math.sqrt(max(middle, 0.0)), 0.03 * middle, 1.0)


def compare(*, today: int, before: Sequence[int]) -> Volume:
    """A day's number against the same weekdays before it (the newest eight count)."""
    past = list(before)[-WEEKS:]
    if len(past) < ENOUGH:
        return Volume(UNSURE)
    middle = float(median(past))
    spread = deviation(past, middle)
    low, high = max(middle - LIMIT * spread, 0.0), middle + LIMIT * spread
    distance = (today - middle) / spread
    far = abs(distance) > LIMIT and abs(today - middle) > SHIFT * middle
    if today == 0 and middle >= 5:
        verdict = NONE
    elif not far:
        verdict = USUAL
    else:
        verdict = LOW if today < middle else HIGH
    return Volume(verdict, middle, low, high, distance)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a source sends, and when its silence becomes worth a word."""

    usual: timedelta | None
    due_at: datetime | None
    late: bool
    ended: bool = False


def rhythm(*, active_days: Sequence[int], last_at: datetime | None, now: datetime) -> Rhythm:
    """A source's own rhythm from the days (counted, ascending) on which it sent something.

    A source that has been silent for twenty times its rhythm, and for two months, has ended
    rather than being late: a history that was brought in once is not an outage.
    """
    if last_at is None or len(active_days) < ENOUGH + 1:
        return Rhythm(None, None, False)
    gaps = sorted(b - a for a, b in pairwise(active_days))
    usual = timedelta(days=float(median(gaps)))
    widest = gaps[min(len(gaps) - 1, math.ceil(0.95 * len(gaps)))]
    due = last_at + timedelta(days=widest) + max(usual / 2, timedelta(hours=12))
    silent = now - last_at
    ended = silent > max(20 * usual, timedelta(days=60))
    return Rhythm(usual, due, now > due and not ended, ended)


def dropped(*, today: float, before: Sequence[float], by: float) -> bool:
    """Whether a share has fallen by more than `by` below what was usual on the days before."""
    return len(before) >= 3 and median(before) - today > by
