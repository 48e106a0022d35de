"""A day's money along the day's traffic: never more than the cap, and near the plan."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.ads import pacing
from campaigns.ads.pacing import Pace

DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (DAY, 24)],
)
def test_a_day_on_which_clocks_change_has_its_own_number_of_hours(day, hours):
    plan = pacing.curve(day, "Europe/London", [1.0] * 24)
    assert len(plan) == hours
    assert sum(share for _hour, share in plan) == pytest.approx(1)
    assert plan[0][0].astimezone(UTC) < plan[-1][0]


def test_the_shape_is_that_of_the_hours_that_were_measured():
    seen = [(hour, 100.0 if 8 <= hour < 20 else 20.0) for _day in range(20) for hour in range(24)]
    weights = pacing.shape(seen)
    assert sum(weights) == pytest.approx(24)
    assert weights[12] / weights[3] == pytest.approx(5, rel=0.1)


def test_hours_that_nobody_measured_are_told_by_their_neighbours():
    seen = [(hour, 60.0) for _day in range(9) for hour in range(24) if hour not in (13, 14)]
    weights = pacing.shape(seen)
    assert weights[13] == pytest.approx(1, rel=0.05)
    assert weights[14] == pytest.approx(1, rel=0.05)


def test_a_shape_of_nothing_is_even():
    assert pacing.shape([]) == [1.0] * 24
    assert pacing.shape([(3, 0.0)]) == [1.0] * 24


def test_money_is_parted_equally_over_the_days_left_and_no_day_passes_its_cap():
    last = DAY + timedelta(days=9)
    assert pacing.due(left=1000, today=DAY, last=last, cap=None) == 100
    assert pacing.due(left=1000, today=DAY, last=last, cap=40) == 40
    assert pacing.due(left=0, today=DAY, last=last, cap=None) == 0
    assert pacing.due(left=50, today=last + timedelta(days=1), last=last, cap=None) == 0


def test_what_is_spent_shuts_the_door():
    shut = pacing.control(before=pacing.OPEN, cap=10, spent=10, newly=3, passed=0.1, gone=0.4)
    assert shut.chance == 0


def test_traffic_worth_twice_the_money_is_shown_to_half():
    pace = pacing.control(
        before=Pace(0.5, 1.0, 0.0, 200.0), cap=100, spent=10, newly=10, passed=0.1, gone=0.1
    )
    assert pace.chance == pytest.approx(0.5)
    assert pace.bid == 1


def test_too_little_traffic_is_bid_for_within_bounds():
    pace = pacing.control(
        before=Pace(1.0, 1.0, 0.0, 50.0), cap=100, spent=5, newly=5, passed=0.1, gone=0.1
    )
    assert pace.chance == 1
    assert pace.bid == pacing.HIGHEST_BID


def simulate(
    *, cap: float, price: float, traffic: list[float], seed: int, zone: str, day: date,
    lag: int = 2, missing: tuple[int, ...] = (), known: list[float] | None = None,
) -> tuple[float, float, float]:  # fmt: skip
    """A day of rounds of five minutes. What was spent, its largest distance from the plan while
    there was enough traffic, and the money that the day could have spent.

    Impressions cost at most their price, and are told `lag` rounds after they were promised; of the
    hours `missing` no traffic comes.
    """
    rng = random.Random(seed)
    hours = pacing.hours_of(day, zone)
    plan = pacing.curve(day, zone, known or [1.0] * 24)
    pace, spent, promised = pacing.OPEN, 0.0, 0.0
    told: list[list[tuple[float, float]]] = []
    last_spent, last_gone, worst, could = 0.0, 0.0, 0.0, 0.0
    for n, hour in enumerate(hours):
        for part in range(12):
            now = hour + timedelta(minutes=5 * part)
            gone = pacing.gone_by(plan, now)
            if gone > last_gone or not n:
                pace = pacing.control(
                    before=pace, cap=cap, spent=spent, newly=spent - last_spent,
                    passed=gone - last_gone, gone=gone,
                )  # fmt: skip
                last_spent, last_gone = spent, gone
                if n >= 2:
                    worst = max(worst, abs(spent - cap * gone) / cap)
            here = traffic[hour.astimezone(ZoneInfo(zone)).hour % len(traffic)]
            come = 0 if n in missing else rng.random() * 2 * here / 12
            could += come * price
            now_told = []
            for _impression in range(int(come)):
                most = price * pace.bid
                if rng.random() < pace.chance and spent + promised + most <= cap:
                    promised += most
                    now_told.append((most, most * rng.random() if rng.random() < 0.1 else most))
            told.append(now_told)
            if len(told) > lag:
                for most, cost in told.pop(0):
                    promised -= most
                    spent += cost
    for late in told:
        spent += sum(cost for _most, cost in late)
    return spent, worst, could


@settings(deadline=None, max_examples=60)
@given(
    cap=st.floats(0.5, 300),
    price=st.floats(0.01, 2),
    traffic=st.lists(st.floats(0, 400), min_size=1, max_size=24),
    seed=st.integers(0, 10**6),
    lag=st.integers(0, 40),
    day=st.sampled_from([DAY, date(2026, 3, 29), date(2026, 10, 25)]),
    missing=st.sets(st.integers(0, 24), max_size=12),
)
def test_no_traffic_price_or_delay_ever_spends_more_than_the_cap(
    cap, price, traffic, seed, lag, day, missing
):
    spent, _worst, _could = simulate(
        cap=cap, price=price, traffic=traffic, seed=seed, zone="Europe/London", day=day, lag=lag,
        missing=tuple(missing),
    )  # fmt: skip
    assert spent <= cap * (1 + 1e-9)


SHAPE = [0.3] * 7 + [1.0] * 5 + [1.6] * 6 + [1.9] * 4 + [0.7] * 2


@pytest.mark.parametrize("day", [DAY, date(2026, 3, 29), date(2026, 10, 25)])
@pytest.mark.parametrize("seed", range(4))
def test_the_money_lasts_to_the_end_of_the_day_and_follows_the_plan(day, seed):
    traffic = [400 * weight for weight in SHAPE]
    spent, worst, could = simulate(
        cap=100, price=0.05, traffic=traffic, seed=seed, zone="Europe/London", day=day, known=SHAPE
    )
    assert could > 300
    assert 97 <= spent <= 100
    assert worst < 0.08


def test_hours_in_which_nothing_came_are_made_up_for():
    traffic = [400 * weight for weight in SHAPE]
    spent, _worst, _could = simulate(
        cap=100, price=0.05, traffic=traffic, seed=1, zone="UTC", day=DAY, known=SHAPE,
        missing=(9, 10, 11, 12),
    )  # fmt: skip
    assert spent >= 97


def test_the_share_gone_by_grows_with_the_clock():
    plan = pacing.curve(DAY, "UTC", [1.0] * 24)
    start = datetime(2026, 11, 20, tzinfo=UTC)
    shares = [pacing.gone_by(plan, start + timedelta(hours=h)) for h in (-1, 0, 6, 12, 24, 30)]
    assert shares == pytest.approx([0, 0, 0.25, 0.5, 1, 1])
