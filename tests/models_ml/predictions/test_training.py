"""From a question to a judged model and everybody's score."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.conf import settings as conf

from ingestion import consent, events
from ingestion.models import Customer, EventType, OrderLine
from marketing.core.errors import Conflict, Invalid
from models_ml import registry
from models_ml.algorithms import classify
from models_ml.algorithms.tabular import contest, further
from models_ml.algorithms.tabular.network import Network
from models_ml.features import registry as features
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.features.reading import Asked
from models_ml.models import ModelVersion, Prediction, Score
from models_ml.predictions import (
    definitions,
    duels,
    gate,
    planning,
    ready,
    resuming,
    scoring,
    training,
)
from models_ml.predictions.definitions import Attribute, Wishes
from models_ml.predictions.engines import contests, samples
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
QUICK = {"candidates": ["tree"]}
ORDER = targets.read({"type": "order"})
SIXTY = timedelta(days=60)
State = ModelVersion.State
pytestmark = pytest.mark.django_db


def asked(**values: Any) -> Prediction:
    given = {
        "title": "Buys again",
        "target": {"type": "order"},
        "horizon_days": 60,
        "settings": QUICK,
        **values,
    }
    return definitions.create(now=NOW, **given)


def drawn(**values: Any) -> samples.Sample:
    given = {
        "target": ORDER,
        "horizon": SIXTY,
        "population": Population(),
        "wishes": Wishes(),
        "as_of": NOW,
        **values,
    }
    return samples.draw(**given)


def auc(sample: samples.Sample) -> float:
    """Of boosting on the people kept back."""
    outcome = contest.run(
        sample.train,
        sample.later,
        "chance",
        samples.baseline_of(ORDER, SIXTY, sample.train.x.columns),
        seed=1,
        folds=3,
        candidates=["boosting"],
    )
    return classify.auc(sample.later.y, outcome.fitted.predict(sample.later.x))


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


def test_a_newer_version_no_worse_takes_over_and_a_worse_one_stays_beside() -> None:
    shops.plant(people=500)
    made = asked()
    champion = registry.promote(version=training.train(prediction=made, now=NOW))
    again = training.train(prediction=made, now=NOW)
    assert again.details["duel"]["version"] == champion.version
    assert abs(again.details["duel"]["gain"]["value"]) < 1e-9
    even = gate.Duel(champion, classify.Interval(0.0, -0.005, 0.005), "auc")
    newer = gate.decide(version=again, kind="chance", ok=True, code="", facts={}, duel=even)
    assert newer.state == State.LIVE
    worse = gate.Duel(newer, classify.Interval(-0.05, -0.08, -0.02), "auc")
    kept = gate.decide(
        version=factories.model_version(made.key, 9, state=State.CANDIDATE),
        kind="chance",
        ok=True,
        code="better",
        facts={},
        duel=worse,
    )
    assert kept.state == State.CANDIDATE
    assert "(difference -0.0500, 95% interval -0.0800 to -0.0200)" in kept.reason


def test_the_version_in_use_is_asked_by_its_own_columns_and_categories() -> None:
    rng = np.random.default_rng(8)
    for n in range(500):
        town = f"t{n % 8}"
        left = rng.random() < (0.1 + 0.11 * (n % 8))
        factories.customer(
            f"p{n}", attributes={"town": town, "left": "Yes" if left else "No", "seats": n % 7}
        )
    question = {"type": "attribute", "attribute": "left", "op": "=", "value": "Yes"}
    own = [{"name": "town"}, {"name": "seats", "kind": "number"}]
    made = asked(title="Leaves", target=question, settings={**QUICK, "attributes": own})
    champion = training.train(prediction=made, now=NOW)
    assert champion.state == State.LIVE, champion.reason
    # The next version is given less to learn from; the one in use goes on reading what it knows.
    definitions.change(
        prediction=made,
        settings={**QUICK, "attributes": [{"name": "seats", "kind": "number"}]},
        now=NOW,
    )
    sample = samples.draw(
        target=targets.read(question),
        horizon=SIXTY,
        population=Population(who="everyone"),
        wishes=definitions.read_wishes(made.settings),
        as_of=NOW,
    )
    later = Asked(sample.later.person, sample.later.moment)
    told = contests.told(prediction=made, version=champion, asked=later)
    assert np.isfinite(told).all()
    assert classify.auc(sample.later.y, told) == pytest.approx(champion.metrics["auc"], abs=1e-6)
    newer = training.train(prediction=made, now=NOW)
    assert newer.state != State.LIVE
    assert newer.details["duel"]["gain"]["value"] < -0.05
    champion.refresh_from_db()
    assert champion.state == State.LIVE


def test_a_network_goes_on_from_its_last_weights_where_somebody_wishes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = {"width": 16, "dropout": 0.1, "balance": False, "epochs": 8}
    monkeypatch.setattr(Network, "settings", lambda self, table, task: [small])
    shops.plant(people=300)
    made = asked(settings={"candidates": ["network"], "further": True})
    before = NOW - timedelta(days=30)
    early = registry.promote(version=contests.learn(prediction=made, as_of=before, now=NOW))
    assert "resumed_from" not in early.details
    wishes, sample = definitions.read_wishes(made.settings), drawn(wishes=Wishes(further=True))

    def resumed() -> Any:
        return resuming.run(
            prediction=made, sample=sample, wishes=wishes, horizon=SIXTY, report=print
        )

    gone_on = further.run(
        contests.fitted_of(early),
        sample.train,
        sample.later,
        samples.baseline_of(ORDER, SIXTY, sample.train.x.columns),
        seed=1,
    )
    assert gone_on is not None
    assert len(gone_on.table[0].curve) <= small["epochs"] // 4
    assert gone_on.fitted.schema == contests.fitted_of(early).schema
    found = resumed()
    if gone_on.verdict.ok:  # the gate decides
        assert found is not None
        assert found[1].champion.pk == early.pk
    noted = resuming.noted(prediction=made, resumed=True)
    assert noted == {"resumed_from": early.version, "resumed": 1}
    # Whoever learned from people who were erased begins anew.
    ModelVersion.objects.filter(state=State.LIVE).update(forgotten=1)
    assert resumed() is None


def test_a_version_that_cannot_be_asked_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shops.plant(people=300)
    made = asked()
    champion = registry.promote(version=training.train(prediction=made, now=NOW))
    later = drawn().later
    exam = duels.Exam(Asked(later.person, later.moment), later.y, np.zeros(len(later)), "chance")

    def why(**details: Any) -> Any:
        ModelVersion.objects.filter(pk=champion.pk).update(details=champion.details | details)
        found = duels.fight(prediction=made, exam=exam)
        assert isinstance(found, gate.NoDuel)
        return found.as_json()["why"]

    assert why(horizon_days=7) == "other_question"
    assert why(engine="uplift") == "silent"
    with monkeypatch.context() as release:
        release.delitem(features.BY_NAME, "orders_90d")
        assert why() == "feature_gone"
    with (conf.MODEL_DIR / champion.folder / contests.FEATURES).open("a") as file:
        file.write(" ")
    registry._read.cache_clear()
    assert why() == "damaged"
    newer = gate.decide(
        version=factories.model_version(
            made.key, 9, state=State.CANDIDATE, folder=champion.folder
        ),
        kind="chance", ok=True, code="better", facts={},
        duel=duels.fight(prediction=made, exam=exam),
    )  # fmt: skip
    assert newer.state == State.LIVE


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
