"""Networks: columns for the perceptron, the order of what people did for the transformer."""

import numpy as np
import pytest
import torch

from models_ml.algorithms import classify, trainer
from models_ml.algorithms.tabular import contest, network, sequence
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.families import CANDIDATES
from models_ml.algorithms.tabular.fitted import Fitted
from models_ml.algorithms.tabular.frame import Schema
from tests.models_ml.algorithms.tabular.frames import amounts, people, shoppers

SHARE = Baseline("paid most of the time", lambda x: x["paid_share"].to_numpy())


def fit(name, frame, **setting):
    schema = Schema.of(frame.x)
    kind = CANDIDATES[name]
    table = schema.read(frame.x, frame.events)
    task = "chance" if frame.y.dtype == np.bool_ else "amount"
    return schema, kind.fit(table, frame.y, task=task, seed=1, setting=setting)


def margins(found, frame):
    schema, model = found
    return model.margin(schema.read(frame.x, frame.events))


def test_the_transformer_learns_from_the_order_of_events(tmp_path):
    train, later = shoppers(seed=1), shoppers(seed=2)
    found = contest.run(
        train,
        later,
        "chance",
        SHARE,
        seed=1,
        folds=2,
        candidates=["linear", "boosting", "sequence", "blend"],
    )
    assert found.best == "sequence"
    auc = {row.name: row.later["auc"] for row in found.table}
    assert auc["sequence"] > 0.8  # of 0.85 that can be known
    assert max(value for name, value in auc.items() if name != "sequence") < 0.72
    assert found.fitted.columns == ("paid_share", "noise", "events")
    assert max(found.importances, key=found.importances.get) == "events"
    found.fitted.save(tmp_path)
    again = Fitted.load(tmp_path)
    said = found.fitted.predict(later.x, later.events)
    np.testing.assert_array_equal(again.predict(later.x, later.events), said)
    few = later.take(np.arange(3))
    base, shares = found.fitted.contributions(few.x, few.events)
    assert shares.shape == (3, 3)
    np.testing.assert_allclose(base + shares.sum(axis=1), said[:3], atol=1e-9)
    errors = found.fitted.errors(few.x, few.events)
    assert errors.shape == (3, 3)
    assert (errors >= 0).all()


def test_of_very_much_only_what_some_people_did_is_learned_from(monkeypatch):
    frame = shoppers(400, seed=1)
    person = np.arange(400, dtype=np.int64) // 4
    table = Schema.of(frame.x).read(frame.x, frame.events, person)
    monkeypatch.setattr(sequence, "MOST_EVENTS", 500)
    rows = sequence.some(table, 1)
    assert 400 < table.take(rows).events.counts.sum() <= 500
    others = np.setdiff1d(np.arange(400), rows)
    assert not set(person[rows]) & set(person[others])


def test_empty_places_change_no_answer():
    train = shoppers(400, seed=1)
    schema, model = fit("sequence", train, epochs=1)
    few = np.flatnonzero(train.events.counts <= 3)
    alone = model.margin(schema.read(train.x.iloc[few], train.events.take(few)))
    among = model.margin(schema.read(train.x, train.events))[few]
    np.testing.assert_allclose(alone, among, atol=1e-4)


def test_people_without_events_get_an_answer_from_their_columns():
    train, later = shoppers(seed=1), shoppers(seed=2)
    schema, model = fit("sequence", train, epochs=2)
    said = model.margin(schema.read(later.x))
    assert np.isfinite(said).all()
    assert len(said) == len(later)


def test_the_perceptron_stops_when_it_no_longer_gets_better():
    _, model = fit("network", people(), epochs=200, patience=3)
    history = model.learned.history
    assert len(history["epochs"]) < 200
    assert len(history["epochs"]) - history["best_epoch"] == 3
    assert history["precision"] == ("float32" if history["device"] == "cpu" else "bfloat16")


def test_rare_yeses_may_weigh_more_without_moving_the_mean_chance():
    frame = people(3000)
    rare = frame.take(np.flatnonzero(~frame.y | (np.arange(3000) % 6 == 0)))
    rate = rare.y.mean()
    assert rate < 0.25
    said = 1 / (1 + np.exp(-margins(fit("network", rare, balance=True), rare)))
    assert abs(said.mean() - rate) < 0.05
    assert classify.auc(rare.y, said) > 0.75


def test_an_amount_comes_back_in_its_own_unit():
    frame = amounts(800)
    said = margins(fit("network", frame), amounts(800, seed=2))
    error = np.sqrt(np.mean((said - amounts(800, seed=2).y) ** 2))
    assert error < 16


def test_the_same_seed_gives_the_same_network():
    runs = [margins(fit("network", people(), epochs=3), people(seed=4)) for _ in range(2)]
    np.testing.assert_array_equal(*runs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", ["network", "sequence"])
def test_a_gpu_gives_the_answers_of_the_processor(name):
    train, later = shoppers(400, seed=1), shoppers(400, seed=4)
    found = fit(name, train, epochs=3)
    there = margins(found, later)
    found[1].net.to("cpu")
    assert np.abs(margins(found, later) - there).max() < 1e-4


@pytest.mark.parametrize("name", ["network", "sequence"])
def test_products_of_half_the_digits_teach_as_well(name, monkeypatch):
    train, later = shoppers(400, seed=1), shoppers(400, seed=4)
    auc = []
    for digits in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(trainer, "precision", lambda device, digits=digits: digits)
        found = fit(name, train, epochs=6)
        assert found[1].learned.history["precision"] == str(digits).removeprefix("torch.")
        assert next(found[1].net.parameters()).dtype == torch.float32
        auc.append(classify.auc(later.y, margins(found, later)))
    assert auc[1] == pytest.approx(auc[0], abs=0.05)


def test_the_device_is_chosen_by_what_is_there():
    net = fit("network", people(), epochs=1)[1].net
    assert next(net.parameters()).device.type == trainer.pick_device().type
    assert network.Params().threads == 1


def test_a_network_goes_on_from_its_last_weights_and_trees_do_not():
    early, newer = people(seed=1), people(seed=2)
    schema, model = fit("network", early, epochs=12)
    table = schema.table(newer)
    gone_on, aside = model.further(table, newer.y, seed=1)
    assert 0.05 < aside.mean() < 0.15
    assert len(gone_on.curve) == 3
    before, after = model.margin(table), gone_on.margin(table)
    assert classify.auc(newer.y, after) >= classify.auc(newer.y, before) - 0.01
    assert np.corrcoef(before, after)[0, 1] > 0.95
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(before, model.margin(table))
    _schema, tree = fit("tree", early, leaves=6, least=10)
    assert tree.further(table, newer.y, seed=1) is None
