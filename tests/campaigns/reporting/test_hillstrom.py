"""A public trial of 64,000 people through the report of a campaign: its known lifts come out."""

import pytest

from campaigns.reporting import effects, planted
from campaigns.reporting.planted import Person

pytestmark = pytest.mark.django_db
# Published counts of Hillstrom's e-mail test: people, visits, orders.
COUNTS = {
    "mens": (21_307, 3_894, 267),
    "womens": (21_387, 3_238, 189),
    planted.HELD: (21_306, 2_262, 122),
}


@pytest.fixture
def run():
    run = planted.send(holdout=100 / 3, mails=["mens", "womens"])
    planted.plant(
        run,
        (
            Person(f"{arm}{n}", arm, n < visits, 100.0 if n < orders else 0.0)
            for arm, (people, visits, orders) in COUNTS.items()
            for n in range(people)
        ),
    )
    return run


def test_the_report_comes_to_the_published_lifts_with_the_intervals_of_two_proportions(run):
    people, *counts = COUNTS[planted.HELD]
    for goal, control, wanted in (
        ("Visited", 10.62, {"mens": 7.66, "womens": 4.52}),
        ("", 0.57, {"mens": 0.68, "womens": 0.31}),
    ):
        table = planted.table(run, goal=goal)
        assert not table.balance.alarm
        for row in table.rows:
            n, visits, orders = COUNTS[row.key]
            answered, of_held = (visits, counts[0]) if goal else (orders, counts[1])
            assert (row.tally.people, row.tally.ordered) == (n, answered)
            assert row.lift is not None
            assert round(100 * row.lift.control, 2) == control
            assert round(100 * row.lift.difference, 2) == wanted[row.key]
            low, high = planted.by_hand(n, answered, people, of_held)
            # Of half a per cent of orders the score interval lies a little to the right.
            off = 0.00001 if goal else 0.00005
            assert row.lift.low == pytest.approx(low, abs=off)
            assert row.lift.high == pytest.approx(high, abs=off)
            assert row.proven
    run.snapshot["goal"] = "Visited"
    both = effects.effect(run=run, now=planted.NOW)
    assert both is not None
    assert (both.mailed, both.held) == (42_694, 21_306)
    assert 100 * both.orders.plain.difference == pytest.approx(6.088, abs=0.001)
    assert both.orders.verdict == "more"
    assert not both.balance.alarm
