"""Orders to what the models read of a person, and forecasts tried out on the past."""

from pathlib import Path

import numpy as np
import pytest

from models_ml.algorithms.lifetime import forecast
from models_ml.algorithms.lifetime.bgnbd import BGNBD, MBGNBD
from models_ml.algorithms.lifetime.forecast import Forecast
from models_ml.algorithms.lifetime.likelihood import Unfit
from models_ml.algorithms.lifetime.summary import (
    Purchases,
    bought_within,
    by_day,
    summarise,
)


def moments(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[s]")


ORDERS = by_day(
    np.array([7, 3, 7, 7, 3]),
    moments("2026-01-15T09", "2026-01-01T08", "2026-01-01T10", "2026-01-01T23", "2026-02-26T00"),
    np.array([30.0, 5.0, 10.0, 2.0, 7.0]),
)


def test_orders_of_one_day_are_one_purchase() -> None:
    assert ORDERS.person.tolist() == [3, 3, 7, 7]
    assert ORDERS.amount.tolist() == [5.0, 7.0, 12.0, 30.0]


def test_a_person_is_summed_up_in_weeks() -> None:
    found = summarise(ORDERS, until=np.datetime64("2026-01-29"))
    assert found.person.tolist() == [3, 7]
    assert found.repeats.tolist() == [0, 1]
    assert found.recency.tolist() == [0, 2]
    assert found.age.tolist() == [4, 4]
    assert np.isnan(found.spend[0])
    assert found.spend[1] == 30
    assert found.first.tolist() == [5, 12]


def test_nothing_later_is_looked_at_and_later_purchases_are_counted_apart() -> None:
    data = summarise(ORDERS, until=np.datetime64("2026-01-14"))
    assert data.repeats.tolist() == [0, 0]
    count, money = bought_within(
        ORDERS, data.person, after=np.datetime64("2026-01-14"), until=np.datetime64("2026-02-26")
    )
    assert (count.tolist(), money.tolist()) == ([1, 1], [7, 30])


def test_nobody_is_summed_up_when_nobody_bought() -> None:
    assert len(summarise(ORDERS, until=np.datetime64("2025-12-31"))) == 0


def history(n: int = 900, seed: int = 1) -> Purchases:
    rng = np.random.default_rng(seed)
    who, day = [], []
    for person in range(n):
        at = rng.uniform(0, 120)
        rate, leaves = rng.gamma(0.8, 1 / 40), rng.beta(1, 4)
        while at < 365:
            who.append(person)
            day.append(20_000 + int(at))
            at += rng.exponential(1 / rate)
            if rng.random() < leaves:
                break
    days = np.array(day, dtype="datetime64[D]").astype("datetime64[s]")
    return by_day(np.array(who), days, rng.gamma(4, 10, len(who)))


def test_a_forecast_is_tried_out_on_the_past_and_reads_back(tmp_path: Path) -> None:
    orders = history()
    until = np.datetime64(20_000 + 240, "D")
    found = forecast.learn(orders, until=until, kinds=(BGNBD, MBGNBD))
    assert [window.share for window in found.windows] == [0.7, 0.75, 0.8, 0.85]
    assert all(window.came > 0 for window in found.windows)
    data = summarise(orders, until=until)
    came, _ = bought_within(orders, data.person, after=until, until=until + np.timedelta64(91, "D"))
    said = found.expected(data, 13.0)
    assert said.sum() == pytest.approx(came.sum(), rel=0.2)
    found.save(tmp_path)
    assert (Forecast.load(tmp_path).expected(data, 13.0) == said).all()
    assert Forecast.load(tmp_path) == found


def test_a_forecast_is_the_mean_of_its_models_and_a_line() -> None:
    data = summarise(ORDERS, until=np.datetime64("2026-01-29"))
    one, other = BGNBD(0.2, 4, 0.8, 2.4), MBGNBD(0.5, 6, 0.9, 1.6)
    found = Forecast((one, other), slope=2.0, floor=0.1)
    mean = (one.expected(data, 5.0) + other.expected(data, 5.0)) / 2
    np.testing.assert_allclose(found.expected(data, 5.0), 2 * mean + 0.5)
    chance = (one.order_chance(data, 5.0) + other.order_chance(data, 5.0)) / 2
    # Twice as many purchases, and half of one that no law told, are twice the tries and one more.
    told = 1 - (1 - chance) ** 2 * np.exp(-0.5)
    np.testing.assert_allclose(found.order_chance(data, 5.0), told)
    assert one.alive(data)[0] == 1.0
    assert found.alive(data).tolist() == other.alive(data).tolist()


def test_what_comes_after_today_changes_no_forecast() -> None:
    orders, until = history(300), np.datetime64(20_000 + 240, "D")
    known = orders.day <= 20_000 + 240
    past = Purchases(orders.person[known], orders.day[known], orders.amount[known])
    whole = forecast.learn(orders, until=until, kinds=(BGNBD,))
    assert whole == forecast.learn(past, until=until, kinds=(BGNBD,))


def test_too_few_people_are_refused_by_name() -> None:
    with pytest.raises(Unfit) as found:
        forecast.learn(ORDERS, until=np.datetime64("2026-03-01"))
    assert found.value.code == "too_few_people"
