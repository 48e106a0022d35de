"""Each person gets a campaign at the hour that was chosen for them, once, wherever they are."""

from datetime import UTC, datetime, time, timedelta

import pytest

from campaigns.models import Message
from campaigns.sending import runs
from ingestion import consent
from ingestion.models import Customer
from models_ml.models import Prediction, Score
from tests import factories
from tests.campaigns.conftest import campaign

pytestmark = pytest.mark.django_db
# The night in which New York shows the hour from one to two twice.
FALL = datetime(2026, 10, 31, 20, 0, tzinfo=UTC)
PLACES = {
    "ada": "Europe/London",
    "ben": "America/New_York",
    "cleo": "Asia/Tokyo",
    "dora": "",
}


def cast() -> dict[str, Customer]:
    return {
        name: factories.customer(name, timezone=zone, country="") for name, zone in PLACES.items()
    }


def filled(now: datetime, **values) -> dict[str, Message]:
    of = campaign()
    for name, value in values.items():
        setattr(of, name, value)
    of.save()
    run = runs.start(campaign_id=of.pk, user=None, now=now)
    assert runs.fill(run_id=run.pk, now=now)
    rows = Message.objects.filter(run=run).select_related("customer")
    return {row.customer.first_name.lower(): row for row in rows}


def hours_of(rows: dict[str, Message]) -> dict[str, datetime | None]:
    return {name: row.next_try_at for name, row in rows.items()}


def test_everybody_at_the_same_moment_waits_for_nothing() -> None:
    cast()
    rows = filled(FALL)
    assert set(hours_of(rows).values()) == {None}
    assert {row.expires_at for row in rows.values()} == {None}


def test_nine_in_the_morning_is_each_persons_own_nine() -> None:
    cast()
    assert hours_of(filled(FALL, timing="local", local_time=time(9))) == {
        "ada": datetime(2026, 11, 1, 9, tzinfo=UTC),
        "ben": datetime(2026, 11, 1, 14, tzinfo=UTC),  # winter by then: five hours behind
        "cleo": datetime(2026, 11, 1, 0, tzinfo=UTC),
        "dora": datetime(2026, 11, 1, 9, tzinfo=UTC),  # by the shop's clock
    }


def test_an_hour_that_comes_twice_is_taken_the_first_time() -> None:
    cast()
    rows = filled(FALL, timing="local", local_time=time(1, 30))
    assert rows["ben"].next_try_at == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_an_hour_that_is_missing_is_when_the_clock_jumps_over_it() -> None:
    cast()
    spring = datetime(2026, 3, 7, 20, 0, tzinfo=UTC)
    rows = filled(spring, timing="local", local_time=time(2, 30))
    assert rows["ben"].next_try_at == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


def test_whose_hour_has_passed_today_gets_it_at_once_where_that_was_chosen() -> None:
    cast()
    rows = filled(FALL, timing="local", local_time=time(9), if_passed="now")
    assert hours_of(rows) == {
        "ada": FALL,
        "ben": FALL,  # four in the afternoon
        "cleo": datetime(2026, 11, 1, 0, tzinfo=UTC),  # five in the morning of the next day
        "dora": FALL,
    }


def test_a_useful_life_begins_with_each_persons_own_moment() -> None:
    cast()
    rows = filled(FALL, timing="local", local_time=time(9), useful_hours=3)
    for row in rows.values():
        assert row.expires_at == row.next_try_at + timedelta(hours=3)
    assert filled(FALL, useful_hours=5)["ada"].expires_at == FALL + timedelta(hours=5)


def test_whoever_is_left_out_has_no_moment() -> None:
    cast()
    factories.customer("eve", consent=False)
    eve = filled(FALL, timing="local", useful_hours=3)["eve"]
    assert (eve.state, eve.next_try_at, eve.expires_at) == ("skipped", None, None)


def predicted(hours: dict[Customer, int], usual: int = 19) -> None:
    asked = Prediction.objects.create(
        key="hour", title="Hour", kind=Prediction.Kind.HOUR, horizon_days=30,
        state=Prediction.State.ACTIVE,
    )  # fmt: skip
    version = factories.model_version("hour", details={"everyone": {"hour": usual}})
    Score.objects.bulk_create(
        Score(prediction=asked, customer=person, value=hour, percentile=50, version=version)
        for person, hour in hours.items()
    )


def test_the_best_hour_is_ones_own_and_everybodys_for_the_rest_spread_over_the_hour() -> None:
    people = cast()
    predicted({people["ada"]: 7, people["ben"]: 22, people["cleo"]: 12})
    consent.revoke(
        customer_ids=[people["cleo"].pk], purpose="profiling", source="page", now=factories.NOW
    )
    rows = filled(FALL, timing="best")
    begins = {
        "ada": datetime(2026, 11, 1, 7, tzinfo=UTC),
        "ben": datetime(2026, 11, 1, 2, tzinfo=UTC),
        "cleo": datetime(2026, 11, 1, 10, tzinfo=UTC),  # said no to profiling: everybody's 19:00
        "dora": datetime(2026, 11, 1, 19, tzinfo=UTC),
    }
    for name, row in rows.items():
        assert begins[name] <= row.next_try_at < begins[name] + timedelta(hours=1), name
    assert len({row.next_try_at.minute * 60 + row.next_try_at.second for row in rows.values()}) > 1


def test_while_nothing_is_known_of_anybody_the_chosen_hour_is_the_best() -> None:
    cast()
    rows = filled(FALL, timing="best", local_time=time(11))
    assert rows["ada"].next_try_at.replace(minute=0, second=0) == datetime(
        2026, 11, 1, 11, tzinfo=UTC
    )
