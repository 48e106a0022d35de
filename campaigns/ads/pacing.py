"""A day's money along the day's own traffic: what to spend until now, and how often to show.

The plan follows the hourly shape that the traffic of earlier days had, hour by hour of the local
day, which has 23 or 25 of them when clocks change. The controller asks what the next tenth of the
traffic would cost if everything were shown, and shows the share of it that brings the money spent
back on the plan; where even everything is too little, it offers more for each. Pure numbers in and
out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
# Hours that were seen on few days are drawn towards their neighbours by as much as one day.
BORROWED = 1.0
HIGHEST_BID = 1.5
AHEAD = 0.1
# So much of a day's traffic has to be seen before what it costs is believed by two thirds.
BELIEVED = 0.02
# More clicks than there is money for come once in a hundred times: the normal deviate of that.
UNLUCKY = -2.3263
# Before so much of the day's traffic, a rate says little; then the plan alone is followed.
EARLY = 0.01


def hours_of(day: date, zone: str) -> list[datetime]:
    """The hours of a local day, as moments in UTC: 24, or 23 or 25 where clocks change."""
    local = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=local).astimezone(UTC)
    found = []
    while start < end:
        found.append(start)
        start += HOUR
    return found


def shape(seen: Sequence[tuple[int, float]]) -> list[float]:
    """How much traffic an hour of the local day has, the mean being one: 24 numbers.

    `seen` are (hour of the day, amount) of past hours, any number of each; an hour in which nothing
    was recorded because nobody measured has no pair, and is told by its neighbours.
    """
    total, days = [0.0] * 24, [0.0] * 24
    for hour, amount in seen:
        total[hour % 24] += max(amount, 0.0)
        days[hour % 24] += 1
    if sum(total) <= 0:
        return [1.0] * 24
    known = [total[h] / days[h] if days[h] else None for h in range(24)]
    typical = sum(v for v in known if v is not None) / sum(v is not None for v in known)
    made = []
    for hour in range(24):
        near = [value for step in (-1, 1) if (value := _next(known, hour, step)) is not None]
        guess = sum(near) / len(near) if near else typical
        mean = known[hour]
        weight = days[hour] / (days[hour] + BORROWED) if mean is not None else 0.0
        made.append(weight * (mean or 0.0) + (1 - weight) * guess)
    whole = sum(made) / 24
    # No hour is planned for nothing: traffic may come where there was none.
    return [max(value / whole, 0.02) for value in made]


def _next(known: Sequence[float | None], hour: int, step: int) -> float | None:
    """The nearest hour that was measured, going one way around the clock."""
    for away in range(1, 24):
        value = known[(hour + step * away) % 24]
        if value is not None:
            return value
    return None


def curve(day: date, zone: str, weights: Sequence[float]) -> list[tuple[datetime, float]]:
    """The hours of a day and the share of its traffic in each; the shares sum to one."""
    local = ZoneInfo(zone)
    hours = hours_of(day, zone)
    parts = [weights[hour.astimezone(local).hour] for hour in hours]
    total = sum(parts)
    return [(hour, part / total) for hour, part in zip(hours, parts, strict=True)]


def gone_by(plan: Sequence[tuple[datetime, float]], now: datetime) -> float:
    """The share of a day's traffic that lies before `now`."""
    found = 0.0
    for hour, share in plan:
        found += share * min(max((now - hour) / HOUR, 0.0), 1.0)
    return min(found, 1.0)


def due(*, left: float, today: date, last: date, cap: float | None) -> float:
    """What today may cost: the money that is left in equal parts for the days that are left."""
    days = (last - today).days + 1
    if days < 1 or left <= 0:
        return 0.0
    each = left / days
    return each if cap is None else min(each, cap)


def most_expected(clicks: int) -> float:
    """How many clicks may be expected at most, so that more than `clicks` come once in a hundred
    times: a quantile of the chi-square distribution, by Wilson and Hilferty (1931).
    """
    spread = 2 / (9 * 2 * (clicks + 1))
    return (clicks + 1) * max(1 - spread + UNLUCKY * math.sqrt(spread), 0.0) ** 3


def highest_rate(*, clicks: int, n: int) -> float:
    """The rate of clicks that could still be true (rule of three where none came yet)."""
    return min(1.0, (clicks + 2 * (clicks + 1) ** 0.5 + 1) / (n + 60))


def promisable(*, left: Decimal, click: Decimal | None) -> Decimal:
    """How much of the money that is left may be promised to impressions.

    All of it where they are paid for; where a click is, what they are expected to cost has to leave
    room for luck.
    """
    if click is None or left <= 0:
        return max(left, Decimal(0))
    return click * Decimal(str(most_expected(int(left / click))))


@dataclass(frozen=True)
class Pace:
    """How often to show (a chance), what to offer beside the price, and what that rests on.

    `full` is what a whole day would cost if everything were shown at the plain price.
    """

    chance: float
    bid: float
    planned: float
    full: float | None

    def as_json(self) -> dict[str, float | None]:
        return {"chance": self.chance, "bid": self.bid, "planned": self.planned, "full": self.full}

    @classmethod
    def of_json(cls, kept: Mapping[str, float | None]) -> "Pace":
        return cls(
            float(kept.get("chance") or 0.0),
            float(kept.get("bid") or 1.0),
            float(kept.get("planned") or 0.0),
            kept.get("full"),
        )


OPEN = Pace(1.0, 1.0, 0.0, None)
SHUT = Pace(0.0, 1.0, 0.0, None)


def control(
    *, before: Pace, cap: float, spent: float, newly: float, passed: float, gone: float
) -> Pace:
    """The next pace. `newly` was spent while a share `passed` of the day's traffic went by.

    `gone` is the share of the day's traffic until now, `cap` what the day may cost.
    """
    left = cap - spent
    planned = cap * gone
    if left <= 0:
        return Pace(0.0, 1.0, planned, before.full)
    full = before.full
    shown = passed * before.chance
    if full is None and gone >= EARLY and spent > 0:
        full = spent / gone
    elif full is not None and shown > 0 and newly >= 0:
        rate = newly / shown / max(before.bid, 1e-9)
        # A few seconds say little, a fiftieth of the day much.
        full += -math.expm1(-shown / BELIEVED) * (rate - full)
    if not full:
        # Nothing is known of the traffic yet: all is shown while the plan is ahead.
        chance = 1.0 if gone < EARLY or spent <= planned else 0.5
        return Pace(chance, 1.0, planned, full)
    # Back on the plan after the next tenth of the traffic, or by midnight.
    ahead = max(min(AHEAD, 1.0 - gone), 1e-9)
    wanted = (cap * (gone + ahead) - spent) / (full * ahead)
    if wanted <= 1:
        # A share that is never nothing: else it could not be learned what a share costs.
        return Pace(max(wanted, 0.001), 1.0, planned, full)
    return Pace(1.0, min(wanted, HIGHEST_BID), planned, full)
