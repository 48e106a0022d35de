"""Features: one statement for one moment or many, and nothing in it knows the future."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import consent, events
from ingestion.models import Customer
from models_ml.features import labels, reading, registry, sendings, targets
from models_ml.features.compiler import Population
from models_ml.features.reading import Asked
from tests import factories

NOW = factories.NOW
DAY = timedelta(days=1)
BUYERS = Population()
pytestmark = pytest.mark.django_db


def did(person: Customer, kind: str, *, days_ago: float, **properties: Any) -> None:
    at = NOW - timedelta(days=days_ago)
    one = events.Incoming(
        type=kind,
        at=at,
        customer_id=person.pk,
        message_id=f"{person.pk}:{kind}:{days_ago}",
        properties=properties,
    )
    events.record(batch=[one], source="test", now=NOW)


def read(*, cuts: list[datetime], **values: Any) -> reading.Values:
    chosen = values.pop("features", registry.FEATURES)
    population = values.pop("population", BUYERS)
    return reading.read(features=chosen, population=population, cuts=cuts, **values)


def at(cut: datetime) -> np.datetime64:
    return reading.as_moment(cut)


def shop() -> tuple[Customer, Customer, Customer]:
    ada, ben, cleo = (factories.customer(name) for name in ("ada", "ben", "cleo"))
    pot = factories.product("POT", price=Decimal("10.00"))
    cup = factories.product("CUP", price=Decimal("2.50"))
    factories.order(ada, days_ago=100, lines=[(pot, 2), (cup, 4)])
    factories.order(ada, days_ago=40, lines=[(pot, 1)])
    factories.order(ada, days_ago=10.5, lines=[(pot, 5)])
    factories.order(ben, days_ago=200, lines=[(cup, 1)])
    did(ada, "page", days_ago=80)
    did(ada, "page", days_ago=20)
    did(ada, "view", days_ago=5)
    did(ada, "email_opened", days_ago=4, machine=False, run=1)
    did(ada, "email_opened", days_ago=3, machine=True, run=2)
    did(cleo, "page", days_ago=2)
    return ada, ben, cleo


def test_a_persons_features_are_what_a_hand_would_count() -> None:
    ada, ben, _cleo = shop()
    found = read(cuts=[NOW])
    assert found.asked.person.tolist() == [ada.pk, ben.pk]
    first = found.x.iloc[0].to_dict()
    wanted = {
        "recency_days": 10, "orders": 3, "units": 12, "revenue": 90, "avg_order_value": 30,
        "tenure_days": 100, "interval_days_mean": 44.8, "interval_days_std": 21.6, "products": 2,
        "return_rate": 0, "trend": 1, "orders_30d": 1, "orders_90d": 2, "orders_365d": 3,
        "revenue_90d": 60, "revenue_365d": 90, "last_order_value": 50, "overdue": 0.235,
        "visits_30d": 1, "visits_90d": 2, "visit_days": 20, "views_30d": 1, "views_90d": 1,
        "carts_30d": 0, "carts_90d": 0, "searches_90d": 0, "mails_90d": 0, "opens_90d": 1,
        "clicks_90d": 0,
    }  # fmt: skip
    assert first == wanted
    second = found.x.iloc[1]
    assert second["recency_days"] == 200
    assert np.isnan([second["interval_days_mean"], second["overdue"], second["visit_days"]]).all()
    assert second["visits_90d"] == 0


def test_everyone_known_can_be_asked_about_not_buyers_alone() -> None:
    ada, ben, cleo = shop()
    Customer.objects.update(first_seen_at=NOW - 300 * DAY)
    Customer.objects.filter(pk=ben.pk).update(first_seen_at=NOW - 30 * DAY)
    cuts = [NOW - 60 * DAY, NOW]
    found = read(cuts=cuts, population=Population(who="everyone"))
    assert list(zip(found.asked.person.tolist(), found.asked.moment.tolist(), strict=True)) == [
        (ada.pk, at(cuts[0]).item()),
        (cleo.pk, at(cuts[0]).item()),
        (ada.pk, at(NOW).item()),
        (ben.pk, at(NOW).item()),
        (cleo.pk, at(NOW).item()),
    ]
    assert found.x["visits_90d"].tolist() == [1, 0, 2, 0, 1]


def test_a_population_may_ask_for_orders_and_how_recent_they_are() -> None:
    ada, _ben, _cleo = shop()
    assert read(cuts=[NOW], population=Population(least_orders=2)).asked.person.tolist() == [ada.pk]
    recent = Population(ordered_within_days=30)
    assert read(cuts=[NOW], population=recent).asked.person.tolist() == [ada.pk]
    assert read(cuts=[NOW - 20 * DAY], population=recent).asked.person.tolist() == [ada.pk]
    assert len(read(cuts=[NOW - 60 * DAY], population=recent)) == 0


def test_whoever_refused_profiling_is_not_read() -> None:
    ada, ben, _cleo = shop()
    consent.revoke(customer_ids=[ada.pk], purpose="profiling", source="test", now=NOW)
    assert read(cuts=[NOW]).asked.person.tolist() == [ben.pk]


def test_many_moments_in_one_pass_are_the_same_as_each_by_itself() -> None:
    shop()
    cuts = [NOW - n * 30 * DAY for n in range(1, 7)]
    together = read(cuts=cuts)
    for cut in cuts:
        alone, here = read(cuts=[cut]), together.asked.moment == at(cut)
        assert together.asked.person[here].tolist() == alone.asked.person.tolist()
        assert np.array_equal(together.x[here].to_numpy(), alone.x.to_numpy(), equal_nan=True)


def test_pairs_of_people_and_moments_get_what_the_grid_gives() -> None:
    ada, ben, _cleo = shop()
    moments = np.array([at(NOW - 50 * DAY), at(NOW - 5 * DAY), at(NOW)])
    pairs = reading.Asked(np.array([ada.pk, ben.pk, ada.pk]), moments)
    found = reading.read(features=registry.FEATURES, population=BUYERS, pairs=pairs)
    for row in range(3):
        cut = reading.as_datetime(found.asked.moment[row])
        alone = read(cuts=[cut], only=[int(found.asked.person[row])])
        assert np.array_equal(found.x.iloc[[row]].to_numpy(), alone.x.to_numpy(), equal_nan=True)


def test_one_persons_features_are_those_they_have_among_all() -> None:
    ada, _ben, _cleo = shop()
    alone, all_of_them = read(cuts=[NOW], only=[ada.pk]), read(cuts=[NOW])
    assert alone.asked.person.tolist() == [ada.pk]
    assert alone.x.iloc[0].to_dict() == all_of_them.x.iloc[0].to_dict()


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(later=st.lists(st.tuples(st.floats(0, 89), st.booleans()), min_size=1, max_size=4))
def test_nothing_that_happens_later_changes_what_was_known_then(
    later: list[tuple[float, bool]],
) -> None:
    person = factories.customer()
    factories.order(person, days_ago=150)
    factories.order(person, days_ago=95)
    did(person, "page", days_ago=91)
    cut = NOW - 90 * DAY
    before = read(cuts=[cut], only=[person.pk])
    for days, order in later:
        if order:
            factories.order(person, days_ago=days)
        else:
            did(person, "page", days_ago=days)
    after = read(cuts=[cut], only=[person.pk])
    assert np.array_equal(before.x.to_numpy(), after.x.to_numpy(), equal_nan=True)


def test_properties_become_columns_with_their_levels() -> None:
    ada, ben, _cleo = shop()
    Customer.objects.filter(pk=ada.pk).update(attributes={"plan": "Pro", "seats": 4})
    Customer.objects.filter(pk=ben.pk).update(attributes={"plan": "", "seats": "no number"})
    chosen = (
        registry.of_person(name="country", kind="category", number=0),
        registry.of_person(name="plan", kind="category", number=1),
        registry.of_person(name="seats", kind="number", number=2),
    )
    found = read(cuts=[NOW], features=chosen)
    assert found.x["country"].tolist() == ["GB", "GB"]
    assert found.x["attribute_1"].isna().tolist() == [False, True]
    assert found.x["attribute_1"].tolist()[0] == "Pro"
    assert found.x["attribute_2"].tolist()[0] == 4
    assert np.isnan(found.x["attribute_2"].tolist()[1])
    unseen = read(cuts=[NOW], features=chosen, levels={"country": ["FR"], "attribute_1": ["Pro"]})
    assert unseen.x["country"].isna().all()


ASKED = {
    "order": {"type": "order"},
    "no_order": {"type": "no_order"},
    "spend_over": {"type": "spend_over", "amount": 40},
    "spend": {"type": "spend"},
    "order_value": {"type": "order_value"},
    "next_order": {"type": "next_order"},
    "event": {"type": "event", "event": "page"},
    "no_event": {"type": "no_event", "event": "page"},
}


@pytest.mark.parametrize(
    ("name", "days", "answers"),
    [
        ("order", 30, [1, 0]),
        ("order", 70, [1, 0]),
        ("no_order", 30, [0, 1]),
        ("spend_over", 70, [1, 0]),
        ("spend_over", 30, [0, 0]),
        ("spend", 70, [60, 0]),
        ("order_value", 70, [30, None]),
        ("next_order", 70, [20, None]),
        ("event", 30, [0, 0]),
        ("event", 41, [1, 0]),
        ("no_event", 41, [0, 1]),
    ],
)
def test_targets_count_what_came_after_the_moment(
    name: str, days: int, answers: list[float | None]
) -> None:
    shop()
    cut = NOW - 60 * DAY
    asked = read(cuts=[cut]).asked
    target = targets.read(ASKED[name])
    found = labels.of(target=target, asked=asked, horizon=timedelta(days=days))
    assert [None if np.isnan(value) else value for value in found] == answers


def test_an_order_at_the_moment_itself_is_the_answer_and_never_a_feature() -> None:
    person = factories.customer()
    factories.order(person, days_ago=50)
    factories.order(person, placed_at=NOW)
    found = read(cuts=[NOW])
    assert found.x["orders"].tolist() == [1]
    order = targets.read({"type": "order"})
    assert labels.of(target=order, asked=found.asked, horizon=DAY).tolist() == [1]


def test_conditions_on_an_event_are_kept() -> None:
    person = factories.customer()
    factories.order(person, days_ago=50)
    did(person, "signup", days_ago=5, plan="pro", seats=3)
    asked = read(cuts=[NOW - 10 * DAY]).asked

    def answer(**where: Any) -> float:
        target = targets.read({"type": "event", "event": "signup", "where": [where]})
        return float(labels.of(target=target, asked=asked, horizon=10 * DAY)[0])

    assert answer(property="plan", op="=", value="pro") == 1
    assert answer(property="plan", op="=", value="'; DROP TABLE x; --") == 0
    assert answer(property="seats", op=">=", value=3) == 1
    assert answer(property="seats", op=">", value=3) == 0
    assert answer(property="plan", op=">", value=1) == 0


def test_an_answer_to_a_mail_belongs_to_its_run_and_to_a_person() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    did(ada, "email_sent", days_ago=30, run=1, campaign=7)
    did(ada, "email_clicked", days_ago=29, run=1, campaign=7, machine=False)
    did(ada, "email_sent", days_ago=20, run=2, campaign=8)
    did(ben, "email_sent", days_ago=30.5, run=1, campaign=7)
    did(ben, "email_clicked", days_ago=30.4, run=1, campaign=7, machine=True)
    asked = {"since": NOW - 60 * DAY, "until": NOW, "horizon": 7 * DAY}
    sent = sendings.read(target=targets.read({"type": "answer", "by": "click"}), **asked)
    rows = zip(sent.asked.person.tolist(), sent.answered.tolist(), strict=True)
    assert list(rows) == [(ben.pk, False), (ada.pk, True), (ada.pk, False)]
    some = sendings.read(target=targets.read({"type": "answer", "campaign": 8}), **asked)
    assert some.asked.person.tolist() == [ada.pk]
    assert sent.beside(some.asked).tolist() == [0.0]
    nobody = Asked(np.array([ben.pk]), some.asked.moment)
    assert np.isnan(sent.beside(nobody)).all()


def test_of_many_mails_those_of_an_even_part_of_the_people_are_read() -> None:
    people = [factories.customer(f"m{n}") for n in range(80)]
    for person in people:
        did(person, "email_sent", days_ago=30, run=1, campaign=7)
        did(person, "email_sent", days_ago=20, run=2, campaign=7)
    consent.revoke(customer_ids=[people[0].pk], purpose="profiling", source="test", now=NOW)
    asked = {
        "target": targets.read({"type": "answer"}),
        "since": NOW - 60 * DAY,
        "until": NOW,
        "horizon": 7 * DAY,
    }
    everybody = sendings.read(**asked)
    assert (len(everybody), everybody.share) == (158, 1.0)
    some = sendings.read(**asked, most=40)
    assert some.share == 0.25
    assert 10 <= len(some) <= 80
    # Whoever is in is in with all their mails, and in again next time.
    assert np.unique(some.asked.person, return_counts=True)[1].tolist() == [2] * (len(some) // 2)
    assert sendings.read(**asked, most=40).asked.person.tolist() == some.asked.person.tolist()


@pytest.mark.parametrize(
    "raw",
    [
        None, {}, {"type": "magic"}, {"type": "event"}, {"type": "event", "event": " "},
        {"type": "event", "event": "x", "times": 0}, {"type": "event", "event": "x", "times": True},
        {"type": "event", "event": "x", "where": [{"property": "a", "op": "~", "value": 1}]},
        {"type": "event", "event": "x", "where": [{"property": "a", "op": ">", "value": "b"}]},
        {"type": "event", "event": "x", "where": [{}] * 6}, {"type": "spend_over"},
        {"type": "spend_over", "amount": float("nan")}, {"type": "answer", "by": "dance"},
        {"type": "answer", "campaign": "x"}, {"type": "attribute", "attribute": "a\x00"},
    ],
)  # fmt: skip
def test_a_target_that_is_none_is_refused_by_field(raw: Any) -> None:
    with pytest.raises(targets.Invalid) as refusal:
        targets.read(raw)
    assert refusal.value.code == "target_invalid"
    assert str(refusal.value.field).startswith("target.")
