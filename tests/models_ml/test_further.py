"""Between two trainings engines learn from what was bought since, and serve if that was no harm."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from marketing.core.models import Job
from models_ml import further, interactions, registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.recommenders.blend import Blend
from models_ml.algorithms.recommenders.popular import Popular
from models_ml.algorithms.recommenders.sequential.sasrec import Params, SASRec
from models_ml.jobs import further as jobs
from models_ml.models import ModelVersion
from tests import factories
from tests.models_ml.algorithms.shops import START, two_tastes
from tests.models_ml.test_training import Reports
from tests.recommendations.conftest import NOW, fill

# What the stored engine knows ends a month before the shop's last order.
THEN = START + np.timedelta64(150 * 86_400, "s")
TINY = Params(
    threads=1, dimension=16, heads=2, layers=1, length=16, batch=32, epochs=1, learning_rate=4e-3
)


@pytest.fixture
def data(db, monkeypatch):
    fill(two_tastes(people=120, items=60))
    monkeypatch.setattr("models_ml.queries.data_now", lambda now=None: NOW)
    return interactions.read(as_of=NOW)


def store(name, algorithm, model, data):
    last = data.span[1].astype("int64")
    version = registry.save(
        name=name, algorithm=algorithm, write=model.save, params=asdict(model.params),
        metrics={"ndcg@10": 0.1}, baseline={"ndcg@10": 0.05}, data_from=None,
        data_until=datetime.fromtimestamp(int(last), UTC), rows=len(data), seed=1,
        details={"difference": {"mean": 0.05, "low": 0.01, "high": 0.1}}, now=NOW,
    )  # fmt: skip
    return registry.promote(version=version)


def sasrec(data, pace=TINY.learning_rate, **later):
    """An engine that learned at that pace until then, and would go on with other settings."""
    model = SASRec(replace(TINY, learning_rate=pace)).fit(data.between(stop=THEN))
    model.params = replace(model.params, **later)
    return model, store("next_product_sasrec", "sasrec", model, data.between(stop=THEN))


def test_new_purchases_are_learned_published_and_handed_to_the_blend(data):
    # One that has hardly begun, so that whatever it learns does it good.
    model, old = sasrec(data, pace=1e-5, learning_rate=2e-2)
    popular = Popular().fit(data.between(stop=THEN))
    blend = Blend(members={"popular": popular, "sasrec": model}).of(
        {"popular": popular, "sasrec": model}, {"popular": 0.5, "sasrec": 1.0}
    )
    before = store("next_product_blend", "blend", blend, data.between(stop=THEN))
    job = Job.objects.create(kind=further.KIND, title="Further", queue="train")
    running = Reports(job)
    answer = jobs.learn(running)
    assert answer == {"sasrec": {"version": 2, "state": "live"}}
    assert "BERT4Rec has too little new to learn from." in running.lines
    made = registry.live("next_product_sasrec")
    assert (made.version, made.metrics, made.rows) == (2, old.metrics, len(data))
    told = made.details["further"]
    assert (told["from"], told["new"]) == (1, int((data.at >= THEN).sum()))
    assert told["ndcg@10"] > told["ndcg@10_before"] + 0.05
    assert told["people"] >= further.LEAST_PEOPLE
    learned = SASRec.load(registry.folder(made))
    assert (learned.users.ids == data.users.ids).all()
    assert not np.allclose(
        learned.net.table.weight.detach(), model.net.table.weight.detach(), atol=1e-4
    )
    # The blend has the new member, and of the other the very files it had.
    new = registry.live("next_product_blend")
    passed = new.details["further"]
    assert (passed["from"], passed["members"]) == (1, {"sasrec": 2})
    assert passed["people"] == told["people"]
    assert passed["ndcg@10"] > passed["ndcg@10_before"]
    assert f"{new} is live." in running.lines
    here, there = registry.folder(new), registry.folder(before)
    weights = "sasrec/weights.safetensors"
    assert (here / weights).read_bytes() == (
        registry.folder(made) / "weights.safetensors"
    ).read_bytes()
    assert (here / weights).read_bytes() != (there / weights).read_bytes()
    for name in ("weights.json", "params.json", "popular/params.json"):
        assert (here / name).read_bytes() == (there / name).read_bytes()
    artifacts.check(here)
    assert Blend.load(here).recommend(data.users.ids[:3], 5)[0].shape == (3, 5)
    # A worker that died after storing finds it done.
    assert jobs.learn(Reports(job)) == answer
    assert ModelVersion.objects.count() == 4


def test_what_made_it_worse_is_kept_and_not_published(data):
    _model, old = sasrec(data, learning_rate=8.0)
    made = further.learn(version=old, data=data, as_of=NOW, now=NOW)
    assert made.state == "refused"
    assert "What it learned from new purchases made it worse" in made.reason
    assert made.data_until == old.data_until
    assert registry.live("next_product_sasrec") == old
    renewed = {"sasrec": made}
    assert further.pass_on(name="next_product_blend", renewed=renewed, data=data, now=NOW) is None


def test_a_blend_that_better_members_make_worse_keeps_those_it_has(data):
    model, old = sasrec(data, pace=1e-5, learning_rate=2e-2)
    popular = Popular().fit(data.between(stop=THEN))
    # One that holds what its member says against a product.
    blend = Blend(members={"popular": popular, "sasrec": model}).of(
        {"popular": popular, "sasrec": model}, {"popular": 0.5, "sasrec": -1.0}
    )
    before = store("next_product_blend", "blend", blend, data.between(stop=THEN))
    made = further.learn(version=old, data=data, as_of=NOW, now=NOW)
    assert made.state == "live"
    whole = further.pass_on(name="next_product_blend", renewed={"sasrec": made}, data=data, now=NOW)
    assert whole.state == "refused"
    assert whole.reason.startswith("What its members learned from new purchases made it worse")
    assert whole.details["further"]["difference"]["mean"] < 0
    assert registry.live("next_product_blend") == before


def test_too_little_that_is_new_teaches_nothing(data):
    _model, old = sasrec(data)
    few = data.between(stop=THEN + np.timedelta64(86_400, "s"))
    assert 0 < len(few) - old.rows < further.LEAST
    assert further.learn(version=old, data=few, as_of=NOW, now=NOW) is None


def test_it_is_due_once_a_night_where_enough_was_bought(data):
    assert not further.due(now=NOW)
    _model, old = sasrec(data)
    assert interactions.count(since=old.data_until, until=NOW) >= further.LEAST
    training = factories.job("Train", kind=further.WHOLLY, state="running")
    assert further.start_if_due(now=NOW) is None
    training.delete()
    job = further.start_if_due(now=NOW)
    assert (job.kind, job.steps) == (further.KIND, 3)
    Job.objects.filter(pk=job.pk).update(state="done", created_at=NOW)
    assert not further.due(now=NOW + timedelta(hours=19))
    assert further.due(now=NOW + timedelta(hours=21))
    old.data_until = NOW
    old.save()
    assert not further.due(now=NOW + timedelta(hours=21))
