"""A new version beside the one in use: which of them speaks, and what one learns from the other."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.conf import settings as conf

from models_ml import registry
from models_ml.algorithms import classify
from models_ml.algorithms.tabular import further
from models_ml.algorithms.tabular.network import Network
from models_ml.features import registry as features
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.features.reading import Asked
from models_ml.models import ModelVersion
from models_ml.predictions import definitions, duels, gate, resuming, training
from models_ml.predictions.definitions import Wishes
from models_ml.predictions.engines import contests, samples
from tests import factories
from tests.models_ml.predictions import shops
from tests.models_ml.predictions.questions import NOW, ORDER, QUICK, SIXTY, asked, drawn

State = ModelVersion.State
pytestmark = pytest.mark.django_db


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
