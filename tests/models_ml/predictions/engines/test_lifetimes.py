"""Value, still a customer and next order, from orders in the database to scores."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.db.models import Count, Max

from ingestion import consent
from ingestion.models import Customer, Order, OrderLine, Source
from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.models import ModelVersion, Prediction, Score, Watch
from models_ml.predictions import ready, scoring, training, watching
from models_ml.predictions.engines import laws, lifetimes
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
State = ModelVersion.State
pytestmark = pytest.mark.django_db


def leavers(people: int = 700, seed: int = 3) -> list[int]:
    """A shop whose people buy at a rate of their own and leave after an order by chance."""
    rng = np.random.default_rng(seed)
    source = Source.objects.create(name="rhythm")
    item = factories.product("G1")
    made = Customer.objects.bulk_create(
        Customer(external_id=f"p{n}", email=f"p{n}@example.com") for n in range(people)
    )
    orders, worth = [], []
    for person in made:
        at, rate, leaves = rng.uniform(0, 150), rng.gamma(1.2, 1 / 35), rng.beta(0.7, 2.5)
        usual = rng.gamma(5, 6)
        while at < 400:
            orders.append(
                Order(
                    source=source,
                    external_id=f"o{len(orders)}",
                    customer=person,
                    placed_at=NOW - timedelta(days=400 - float(at)),
                    currency="GBP",
                    total=0,
                )
            )
            worth.append(round(float(usual * rng.gamma(8, 1 / 8)) + 1, 2))
            at += rng.exponential(1 / rate)
            if rng.random() < leaves:
                break
    orders = Order.objects.bulk_create(orders)
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            line_no=1,
            customer_id=order.customer_id,
            product=item,
            placed_at=order.placed_at,
            sku=item.sku,
            quantity=1,
            unit_price=total,
            total=total,
        )
        for order, total in zip(orders, worth, strict=True)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_customer, ingestion_order, ingestion_orderline")
    return [person.pk for person in made]


def scored(key: str) -> tuple[Prediction, ModelVersion]:
    made = ready.install(key=key, now=NOW)
    version = training.train(prediction=made, now=NOW)
    scoring.score(prediction=made, now=NOW, as_of=NOW)
    return made, version


def held_against_the_one_in_use(made: Prediction, version: ModelVersion) -> None:
    """A newer version is, and what is in use is looked after."""
    again = training.train(prediction=made, now=NOW)
    assert again.state == State.LIVE
    duel = again.details["duel"]
    assert (duel["version"], duel["measure"]) == (version.version, "rmse")
    assert abs(duel["gain"]["value"]) < 1e-9
    assert {row["name"]: row["is_baseline"] for row in again.details["table"]} == {
        "lifetime": False, "last_value": True,
    }  # fmt: skip
    scoring.score(prediction=made, now=NOW, as_of=NOW)
    (drift,) = watching.look(prediction=made, now=NOW)
    assert set(drift.readings["columns"]) == {"repeats", "silent_days", "spend", "first"}
    assert drift.readings["said"]["psi"] < 0.25
    # Three months without any order: nobody is as before, and half a year of them came to nothing.
    later = NOW + timedelta(days=200)
    factories.order(factories.customer("late"), days_ago=-200)
    seen = {one.kind: one for one in watching.look(prediction=made, now=later)}
    assert seen["drift"].level == Watch.Level.ALARM
    calibration = seen["calibration"]
    assert calibration.readings["seen"] < 0.2 * calibration.readings["said"]
    assert calibration.level == Watch.Level.ALARM


def test_lifetime_value_is_judged_published_and_written_for_every_buyer() -> None:
    leavers()
    made, version = scored("clv")
    assert (version.state, version.reason) == (State.LIVE, "")
    assert version.metrics["rmse"] < version.baseline["rmse"]
    assert version.baseline["rule"] == "last_value"
    assert 0.7 < version.metrics["total_ratio"] < 1.3
    assert {one["kind"] for one in version.details["models"]} == {"bgnbd", "mbgnbd", "pareto"}
    values = np.array(Score.objects.filter(prediction=made).values_list("value", flat=True))
    buyers = OrderLine.objects.values("customer_id").distinct().count()
    assert len(values) == buyers
    assert (values >= 0).all()
    assert np.isfinite(values).all()
    assert version.details["duel"] is None
    held_against_the_one_in_use(made, version)


def test_whoever_has_been_silent_for_long_is_less_likely_to_be_a_customer() -> None:
    people = leavers()
    made, version = scored("still_customer")
    assert version.metrics["auc"] > version.baseline["auc"]
    if version.state == State.LIVE:
        chances = dict(made.scores.values_list("customer_id", "value"))
        assert all(0 <= chance <= 1 for chance in chances.values())
    engine = lifetimes.answer(prediction=made, version=version, as_of=NOW, only=people[:5])
    later = lifetimes.answer(
        prediction=made, version=version, as_of=NOW + timedelta(days=200), only=people[:5]
    )
    assert engine.person.tolist() == later.person.tolist()
    assert (later.value < engine.value).all()


def test_the_next_order_is_a_day_to_come_with_days_around_it() -> None:
    leavers()
    made = ready.install(key="next_order", now=NOW)
    version = training.train(prediction=made, now=NOW)
    assert version.metrics["days_off"] < 1.1 * version.baseline["days_off"]
    found = lifetimes.answer(prediction=made, version=version, as_of=NOW)
    today = NOW.timestamp() / 86_400
    assert found.low is not None
    assert found.high is not None
    assert (today < found.low).all()
    assert (found.low < found.value).all()
    assert (found.value <= found.high).all()


def test_whom_the_question_is_about_is_judged_and_scored_and_nobody_else() -> None:
    people = leavers()
    made = ready.install(key="still_customer", now=NOW)
    made.population = {"who": "buyers", "least_orders": 2, "ordered_within_days": 200}
    made.save()
    version = training.train(prediction=made, now=NOW)
    everybody = laws.read(as_of=NOW)
    found = lifetimes.answer(prediction=made, version=version, as_of=NOW)
    asked = set(
        OrderLine.objects.filter(customer__in=people)
        .values_list("customer_id")
        .annotate(n=Count("order_id"), last=Max("placed_at"))
        .filter(n__gte=2, last__gte=NOW - timedelta(days=200))
        .values_list("customer_id", flat=True)
    )
    assert set(found.person.tolist()) == asked
    assert len(asked) < len(set(everybody.person.tolist()))
    assert version.details["judged_people"] < version.details["learned_people"]
    some = lifetimes.answer(prediction=made, version=version, as_of=NOW, only=people[:50])
    assert set(some.person.tolist()) == asked & set(people[:50])


def test_who_refused_profiling_is_neither_learned_from_nor_scored() -> None:
    people = leavers(300)
    consent.revoke(customer_ids=people[:40], purpose="profiling", source="test", now=NOW)
    assert not set(laws.read(as_of=NOW).person.tolist()) & set(people[:40])
    made = ready.install(key="clv", now=NOW)
    version = training.train(prediction=made, now=NOW)
    assert version.details["learned_people"] <= 260
    found = lifetimes.answer(prediction=made, version=version, as_of=NOW)
    assert not set(found.person.tolist()) & set(people[:40])


def test_nothing_after_the_moment_is_read() -> None:
    leavers(200)
    moment = NOW - timedelta(days=120)
    before = laws.read(as_of=moment)
    OrderLine.objects.filter(placed_at__gte=moment).delete()
    after = laws.read(as_of=NOW)
    assert before.person.tolist() == after.person.tolist()
    assert before.day.tolist() == after.day.tolist()
    assert before.amount.tolist() == after.amount.tolist()


def test_a_shop_of_ten_people_is_told_what_is_missing() -> None:
    shops.plant(people=10)
    made = ready.install(key="clv", now=NOW)
    with pytest.raises(Invalid, match="people had bought") as refused:
        training.train(prediction=made, now=NOW)
    assert refused.value.code == "too_few_people"
    made.refresh_from_db()
    assert made.trouble["code"] == "too_few_people"
    assert registry.live("clv") is None
