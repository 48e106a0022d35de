"""Whoever says no to profiling is in no score and no count from that moment."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test import Client

from campaigns.segments import compile as compiler
from campaigns.segments import membership, preview
from ingestion import consent
from ingestion.identity import merging
from ingestion.models import Customer
from models_ml.models import ModelVersion, Prediction, Traits
from models_ml.predictions import reading, scoring
from models_ml.predictions.engines import Answers
from tests import factories

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def scored(people: list[Customer], first: float = 0.0) -> Prediction:
    """A prediction by whose two versions these people were scored: 0.1, 0.2, … at the last."""
    made = Prediction.objects.create(
        key="again", title="again", kind="chance", target={"type": "order"}, horizon_days=60
    )
    for number in (1, 2):
        version = factories.model_version(
            "again", number, state="live" if number == 2 else "retired"
        )
        speak(made, version, people, first)
    return made


def speak(made: Prediction, version: ModelVersion, people: list[Customer], first: float) -> None:
    values = np.array([first + (n + 1) / 10 for n in range(len(people))])
    answers = Answers(np.array([p.pk for p in people], dtype=np.int64), values)
    scoring.write(prediction=made, version=version, answers=answers, as_of=NOW, now=NOW)


def rows_of(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        count: int = cursor.fetchone()[0]
    return count


def by_page(person: Customer) -> None:
    consent.revoke(customer_ids=[person.pk], purpose="profiling", source="test", now=NOW)


def by_another_channel(person: Customer) -> None:
    consent.revoke(
        customer_ids=[person.pk], channel="sms", purpose="profiling", source="test", now=NOW
    )


def by_a_merge(person: Customer) -> None:
    twin = factories.customer("twin", created_at=NOW + timedelta(days=1))
    consent.revoke(customer_ids=[twin.pk], purpose="profiling", source="test", now=NOW)
    merging.merge(kept=person.pk, gone=twin.pk, actor=None, now=NOW)


@pytest.mark.parametrize("refuse", [by_page, by_another_channel, by_a_merge])
def test_a_no_takes_every_score_away_in_its_own_transaction(
    refuse: Callable[[Customer], None], client: Client
) -> None:
    people = [factories.customer(f"p{n}") for n in range(4)]
    best = people[3]
    for n, person in enumerate(people):
        factories.traits(person, repeat_90d=(n + 1) / 10, repeat_90d_leaf=n, avg_order_value=10)
    made = scored(people)
    assert (rows_of("models_ml_score"), rows_of("models_ml_formerscore")) == (4, 4)
    refuse(best)
    assert (rows_of("models_ml_score"), rows_of("models_ml_formerscore")) == (3, 3)
    made.refresh_from_db()
    assert made.scored_people == 3
    reached = reading.reach(prediction=made, people=10)
    assert (reached.people, round(reached.expected, 6), reached.of) == (3, 0.6, 3)
    assert round(reached.average, 6) == 0.2
    assert reading.slices(prediction=made)[-1]["people"] == 3
    assert sum(one["people"] for one in reading.spread(prediction=made)) == 3
    assert reading.of_person(customer_id=best.pk) == []
    assert scoring.people(prediction=made, ids=[p.pk for p in people]).keys() == {
        p.pk for p in people[:3]
    }
    numbers = Traits.objects.filter(customer=best).values_list("repeat_90d", "repeat_90d_leaf")
    assert list(numbers) == [(None, None)]
    client.force_login(factories.user("admin"))
    told = client.get("/api/v1/predictions/again/scores/").json()["data"]
    assert [row["customer_id"] for row in told] == [p.pk for p in people[:3]]
    asked = compiler.read({"score": "again", "op": ">", "value": 0})
    assert membership.count(asked).people == 3
    looked = preview.look(compiler.read({"field": "traits.repeat_90d", "op": "known"}))
    assert (looked.size.people, round(looked.orders or 0, 6)) == (3, 0.6)


def test_a_yes_brings_nothing_back_before_the_next_scoring() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    made = scored([ada, ben])
    by_page(ada)
    later = NOW + timedelta(days=1)
    consent.grant(
        customer_ids=[ada.pk], purpose="profiling", source="test", proof={"by": "form"}, now=later
    )
    assert rows_of("models_ml_score") == 1
    speak(made, ModelVersion.objects.get(name="again", state="live"), [ada, ben], 0.0)
    assert (rows_of("models_ml_score"), made.scored_people) == (2, 2)


def test_whoever_refused_while_everybody_was_scored_is_not_counted_either() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    by_page(ben)
    made = scored([ada, ben])
    assert (rows_of("models_ml_score"), made.scored_people) == (1, 1)
