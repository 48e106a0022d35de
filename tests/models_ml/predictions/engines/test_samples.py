"""Whom a training learns from and is judged on, and that nothing of the future is among it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from ingestion import events
from ingestion.models import Customer, EventType, OrderLine
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.predictions.definitions import Attribute, Wishes
from tests import factories
from tests.models_ml.predictions import shops
from tests.models_ml.predictions.questions import NOW, SIXTY, auc, drawn

pytestmark = pytest.mark.django_db


def test_a_question_learns_only_from_moments_whose_future_had_passed_by_the_exam() -> None:
    shops.plant(people=150)
    sample = drawn()
    assert sample.by_time
    assert sample.judged_at == NOW - SIXTY
    assert max(sample.learned_at) + SIXTY <= sample.judged_at
    assert set(sample.later.moment.tolist()) == {sample.judged_at.replace(tzinfo=None)}


def test_without_earlier_moments_other_people_are_judged_on() -> None:
    shops.plant(people=300)
    OrderLine.objects.filter(placed_at__lt=NOW - timedelta(days=110)).delete()
    sample = drawn()
    assert not sample.by_time
    assert not set(sample.train.person) & set(sample.later.person)
    assert 0.1 < len(sample.later) / (len(sample.train) + len(sample.later)) < 0.4


def test_shuffled_answers_are_as_good_as_a_coin() -> None:
    shops.plant(people=1500, random=True)
    sample = drawn()
    rng = np.random.default_rng(3)
    train = replace(sample.train, y=rng.permutation(sample.train.y))
    later = replace(sample.later, y=rng.permutation(sample.later.y))
    assert abs(auc(replace(sample, train=train, later=later)) - 0.5) <= 0.03


def tell(customer_ids: list[int], *, at_days_ago: float) -> None:
    """An event that gives the answer away, but only after the moment."""
    batch = [
        events.Incoming(
            type="thanked",
            at=NOW - timedelta(days=at_days_ago),
            customer_id=key,
            message_id=f"told:{key}:{at_days_ago}",
        )
        for key in customer_ids
    ]
    events.record(batch=batch, source="test", now=NOW)
    EventType.objects.get_or_create(
        name="thanked", defaults={"first_seen_at": NOW, "last_seen_at": NOW}
    )


def test_a_planted_column_from_the_future_does_not_raise_the_score() -> None:
    people = shops.plant(people=400)
    before = drawn()
    buyers = before.later.person[before.later.y].tolist()
    trained = before.train.person[before.train.y].tolist()
    # Everyone who was going to order is thanked a day after the moment, and marked as a buyer now.
    tell(buyers, at_days_ago=59)
    tell(sorted(set(trained)), at_days_ago=119)
    times = {"bought": [int(NOW.timestamp() * 1_000_000), ""]}
    for person in people:
        answer = "yes" if person.pk in buyers else "no"
        Customer.objects.filter(pk=person.pk).update(
            attributes={"bought": answer}, attribute_times=times
        )
    wishes = Wishes(attributes=(Attribute("bought"),))
    after = drawn(wishes=wishes)
    assert {"column": "bought", "why": "learned_later"} in after.dropped
    assert auc(after) <= auc(before) + 0.005
    assert list(after.train.x.columns) == list(before.train.x.columns)


def test_answers_to_mails_are_learned_from_each_sending() -> None:
    rng = np.random.default_rng(6)
    people = [factories.customer(f"m{n}") for n in range(150)]
    batch = []
    for n, person in enumerate(people):
        for run in range(4):
            at = NOW - timedelta(days=100 - 25 * run)
            about = {"campaign": 1, "run": run}
            batch.append(
                events.Incoming(
                    type="email_sent", at=at, customer_id=person.pk, properties=about,
                    message_id=f"s{n}:{run}",
                )
            )  # fmt: skip
            if rng.random() < (0.8 if n % 3 == 0 else 0.1):
                batch.append(
                    events.Incoming(
                        type="email_clicked", at=at + timedelta(hours=3), customer_id=person.pk,
                        properties={**about, "machine": False}, message_id=f"c{n}:{run}",
                    )
                )  # fmt: skip
    events.record(batch=batch, source="campaigns", now=NOW)
    for name in ("email_sent", "email_clicked", "email_opened"):
        EventType.objects.get_or_create(
            name=name, defaults={"first_seen_at": NOW, "last_seen_at": NOW}
        )
    sample = drawn(
        target=targets.read({"type": "answer"}),
        horizon=timedelta(days=7),
        population=Population(who="everyone"),
    )
    assert sample.by_time
    assert len(sample.later) == 150
    assert len(sample.train) == 450
    assert 0.2 < sample.train.y.mean() < 0.5
    assert auc(sample) > 0.7
