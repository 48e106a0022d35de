"""From a question to a judged model and everybody's score."""

from datetime import timedelta

import numpy as np
import pytest
from django.conf import settings as conf

from ingestion import consent
from ingestion.models import Customer, OrderLine
from marketing.core.errors import Conflict, Invalid
from models_ml import registry
from models_ml.algorithms import classify
from models_ml.models import ModelVersion, Score
from models_ml.predictions import gate, planning, ready, scoring, training
from models_ml.predictions.engines import contests
from tests import factories
from tests.models_ml.predictions import shops
from tests.models_ml.predictions.questions import NOW, ORDER, QUICK, SIXTY, asked, drawn

State = ModelVersion.State
pytestmark = pytest.mark.django_db


def test_a_ready_prediction_learns_publishes_and_scores_everyone() -> None:
    people = shops.plant()
    made = ready.install(key="churn", now=NOW)
    made.settings = {"candidates": ["boosting"]}
    made.save()
    version = training.train(prediction=made, now=NOW)
    assert version.state == ModelVersion.State.LIVE, version.reason
    assert version.metrics["auc"] > version.baseline["auc"]
    assert version.details["later_in_time"] is True
    assert version.details["learned_people"] > 200
    scored = scoring.score(prediction=made, now=NOW)
    values = np.array(Score.objects.filter(prediction=made).values_list("value", flat=True))
    assert scored == len(values) == made.scored_people <= len(people)
    assert np.isfinite(values).all()
    assert ((values >= 0) & (values <= 1)).all()
    assert made.scored_as_of is not None


def test_a_property_that_is_the_answer_is_flagged_as_a_leak() -> None:
    people = shops.plant(people=400)
    since = NOW - SIXTY
    buyers = set(
        OrderLine.objects.filter(placed_at__gte=since).values_list("customer_id", flat=True)
    )
    for person in people:
        answer = "yes" if person.pk in buyers else "no"
        Customer.objects.filter(pk=person.pk).update(attributes={"bought": answer})
    steady = [{"name": "bought", "steady": True}]
    made = asked(horizon_days=60, settings={**QUICK, "attributes": steady})
    OrderLine.objects.filter(placed_at__lt=NOW - timedelta(days=110)).delete()
    with pytest.raises(Invalid) as refusal:
        training.train(prediction=made, now=NOW)
    assert refusal.value.code == "leak"
    made.refresh_from_db()
    assert made.trouble["code"] == "leak"
    assert "bought" in made.trouble["message"]
    assert ModelVersion.objects.count() == 0


def test_whoever_refused_profiling_is_in_no_training_and_gets_no_score() -> None:
    people = shops.plant(people=300)
    no = people[0]
    consent.revoke(customer_ids=[no.pk], purpose="profiling", source="test", now=NOW)
    sample = drawn()
    assert no.pk not in set(sample.train.person) | set(sample.later.person)
    made = asked()
    version = training.train(prediction=made, now=NOW)
    registry.promote(version=version)
    scoring.score(prediction=made, now=NOW)
    assert Score.objects.filter(prediction=made).exists()
    assert not Score.objects.filter(customer=no).exists()


def test_nothing_that_tells_who_orders_is_refused_with_what_would_help() -> None:
    shops.plant(people=300, random=True)
    made = asked()
    version = training.train(prediction=made, now=NOW)
    assert version.state == State.REFUSED
    assert "not reliably better than the simple rule" in version.reason
    assert "whoever ordered last orders next" in version.reason
    assert scoring.score(prediction=made, now=NOW) == 0


@pytest.mark.parametrize(
    ("kind", "gain", "words"),
    [
        ("chance", (0.01, -0.02, 0.04), "(difference +0.0100, 95% interval -0.0200 to +0.0400)."),
        ("amount", (1.5, -20, 23.456), "(difference +£1.50, 95% interval −£20.00 to +£23.46)."),
        ("date", (0.5, -1, 2), "(difference +0.5 days, 95% interval -1.0 days to +2.0 days)."),
    ],
)
def test_a_refusal_tells_the_difference_in_the_unit_of_the_answer(
    kind: str, gain: tuple[float, float, float], words: str
) -> None:
    facts = {"baseline": "last_value", "gain": classify.Interval(*gain).as_json()}
    assert words in gate.why_refused(code="no_better", facts=facts, kind=kind)


def test_a_short_history_says_how_long_it_must_be() -> None:
    factories.order(factories.customer(), days_ago=20)
    made = asked()
    with pytest.raises(Invalid) as refusal:
        training.train(prediction=made, now=NOW)
    assert refusal.value.code == "history_too_short"
    assert "90 days of history" in str(refusal.value)
    made.refresh_from_db()
    assert made.trouble["code"] == "history_too_short"


@pytest.mark.parametrize(("people", "code"), [(0, "history_too_short"), (10, "too_few_people")])
def test_too_few_people_are_a_clear_state_and_no_traceback(people: int, code: str) -> None:
    if people:
        shops.plant(people=people)
    made = asked()
    with pytest.raises(Invalid) as refusal:
        training.train(prediction=made, now=NOW)
    assert refusal.value.code in (code, "one_class", "too_few_each")
    assert made.trouble["message"]


def test_a_target_nobody_reached_is_a_clear_state() -> None:
    shops.plant(people=150)
    made = asked(target={"type": "spend_over", "amount": 1e9})
    with pytest.raises(Invalid) as refusal:
        training.train(prediction=made, now=NOW)
    assert refusal.value.code == "one_class"
    assert "nobody did it" in str(refusal.value)


def test_an_amount_is_learned_and_written_as_money() -> None:
    shops.plant(people=500)
    made = asked(title="Spends", target={"type": "spend"})
    assert made.kind == "amount"
    version = training.train(prediction=made, now=NOW)
    assert version.metrics["rmse"] > 0
    assert version.baseline["rule"] == "last_value"
    registry.promote(version=version)
    assert scoring.score(prediction=made, now=NOW) > 400
    best = Score.objects.filter(prediction=made).order_by("-percentile", "-value").first()
    assert best is not None
    assert best.percentile == 100
    assert best.value > 10


def test_a_property_as_target_learns_from_other_properties_of_other_people() -> None:
    rng = np.random.default_rng(5)
    for n in range(400):
        plan = ["basic", "pro"][n % 2]
        left = rng.random() < (0.7 if plan == "basic" else 0.15)
        factories.customer(
            f"p{n}", attributes={"plan": plan, "left": "Yes" if left else "No", "seats": n % 7}
        )
    made = asked(
        title="Leaves",
        target={"type": "attribute", "attribute": "left", "op": "=", "value": "Yes"},
        settings={
            **QUICK,
            "attributes": [
                {"name": "plan"}, {"name": "seats", "kind": "number"}, {"name": "left"},
            ],
        },
    )  # fmt: skip
    version = training.train(prediction=made, now=NOW)
    assert version.state == State.LIVE, version.reason
    assert version.details["later_in_time"] is False
    assert version.data_until == NOW  # a property is known now, whatever the time to look ahead
    assert {"column": "left", "why": "target"} in version.details["dropped"]
    assert version.metrics["auc"] > 0.65
    assert scoring.score(prediction=made, now=NOW) == 400


def test_the_same_data_give_the_same_model_and_the_same_scores() -> None:
    shops.plant(people=300)
    made = asked()
    first = training.train(prediction=made, now=NOW)
    one = contests.answer(prediction=made, version=first, as_of=NOW)
    second = training.train(prediction=made, now=NOW)
    two = contests.answer(prediction=made, version=second, as_of=NOW)
    assert first.metrics == second.metrics
    assert np.array_equal(one.value, two.value)


def test_a_flipped_bit_is_told_and_the_last_scores_go_on_serving() -> None:
    shops.plant(people=400)
    made = asked()
    version = registry.promote(version=training.train(prediction=made, now=NOW))
    scored = scoring.score(prediction=made, now=NOW)
    folder = conf.MODEL_DIR / version.folder
    path = next(p for p in sorted(folder.iterdir()) if p.name != "manifest.json")
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    registry._read.cache_clear()
    with pytest.raises(Conflict) as refusal:
        scoring.score(prediction=made, now=NOW)
    assert refusal.value.code == "model_damaged"
    assert Score.objects.filter(prediction=made).count() == scored


def test_an_erased_person_is_forgotten_by_the_model_and_marks_it() -> None:
    people = shops.plant(people=300)
    made = asked()
    version = training.train(prediction=made, now=NOW)
    assert registry.let_go(version=version, numbers=[people[0].pk])
    version.refresh_from_db()
    assert version.forgotten == 1
    assert not registry.let_go(version=version, numbers=[people[0].pk])
    assert contests.fitted_of(version).columns


def test_planning_names_the_moments_it_looks_at() -> None:
    factories.order(factories.customer(), days_ago=400)
    plan = planning.moments(target=ORDER, horizon=timedelta(days=90), as_of=NOW)
    days = [(NOW - cut).days for cut in plan.cuts]
    assert days == [360, 315, 270, 225, 180, 90]
