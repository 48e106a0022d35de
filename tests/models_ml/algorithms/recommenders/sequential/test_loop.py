"""A training may be killed, run out of memory or find its checkpoint torn, and ends as it would."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from models_ml.algorithms.recommenders.sequential import checkpoints, loop
from models_ml.algorithms.recommenders.sequential.bert4rec import BERT4Rec
from models_ml.algorithms.recommenders.sequential.sasrec import Params, SASRec
from tests.models_ml.algorithms.shops import two_tastes

SMALL = Params(dimension=16, heads=2, layers=1, length=12, batch=16, epochs=4, threads=1)
# Runs in a process of its own, which is killed in the middle of its last epoch.
CHILD = """
import sys
from pathlib import Path
from tests.models_ml.algorithms.recommenders.sequential import test_loop
test_loop.engine().fit(
    test_loop.shop(), judge=test_loop.judge, keep=test_loop.loop.Keep(Path(sys.argv[1]), every=0.0)
)
"""


def shop():
    return two_tastes(people=120, items=40)


def engine():
    return SASRec(SMALL)


def judge(model):
    """Something that draws numbers itself, and prefers the last epochs."""
    return float(len(model.history.epochs)) + float(torch.rand(()))


def weights(model):
    return {name: one.clone() for name, one in model.net.state_dict().items()}


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def steps_written(folder):
    try:
        with checkpoints.safe_open(folder / checkpoints.NAME, framework="pt") as stored:
            state = checkpoints.json.loads(stored.metadata()["state"])
    except (OSError, RuntimeError, checkpoints.SafetensorError):
        return 0
    return state["history"]["steps"]


def test_a_training_killed_near_its_end_ends_with_the_same_weights(tmp_path):
    whole = engine().fit(shop(), judge=judge)
    total = whole.history.steps
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    try:
        while steps_written(tmp_path) < 0.9 * total and child.poll() is None:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    written = steps_written(tmp_path)
    assert 0.9 * total <= written
    again = engine().fit(shop(), judge=judge, keep=loop.Keep(tmp_path))
    assert again.history.steps == total
    assert again.history.resumed == [written]
    assert equal(weights(again), weights(whole))
    assert [one.loss for one in again.history.epochs] == [one.loss for one in whole.history.epochs]


@pytest.mark.parametrize("kind", [SASRec, BERT4Rec])
def test_a_training_in_many_sittings_is_one_training(kind, tmp_path):
    whole = kind(SMALL).fit(shop())
    keep = loop.Keep(tmp_path, seconds=1e-9)
    for sitting in range(1, 1000):
        model = kind(SMALL)
        try:
            model.fit(shop(), keep=keep)
        except loop.Paused:
            assert model.history.steps == sitting
            if sitting == 5:
                keep = loop.Keep(tmp_path)
        else:
            break
    assert equal(weights(model), weights(whole))


def test_a_torn_checkpoint_gives_way_to_the_one_before(tmp_path):
    whole = engine().fit(shop())
    model = engine()
    for _sitting in range(4):
        with pytest.raises(loop.Paused):
            model.fit(shop(), keep=loop.Keep(tmp_path, seconds=1e-9))
    path = tmp_path / checkpoints.NAME
    path.write_bytes(path.read_bytes()[:-100])
    model = engine().fit(shop(), keep=loop.Keep(tmp_path))
    assert model.history.told == ["torn"]
    assert model.history.resumed[-1] == 3
    assert equal(weights(model), weights(whole))


def test_the_checkpoint_of_another_training_is_left_alone_and_said(tmp_path):
    with pytest.raises(loop.Paused):
        engine().fit(shop(), keep=loop.Keep(tmp_path, seconds=1e-9))
    other = two_tastes(people=121, items=40)
    model = engine().fit(other, keep=loop.Keep(tmp_path))
    assert model.history.told == ["other_training"]
    assert model.history.resumed == []


def test_what_does_not_fit_into_memory_is_read_in_halves_with_the_same_steps():
    whole = SASRec(SMALL).fit(shop())

    class Tight(SASRec):
        """As if memory held five people at once."""

        def loss_of(self, batch):
            if len(batch) > 5:
                raise torch.OutOfMemoryError("out of memory")
            return super().loss_of(batch)

    tight = Tight(SMALL).fit(shop())
    assert tight.history.parts == 4
    assert tight.history.told == ["out_of_memory:2", "out_of_memory:4"]
    assert tight.history.steps == whole.history.steps


def test_the_parts_of_a_batch_teach_what_the_whole_teaches():
    model = SASRec(
        Params(dimension=16, layers=1, dropout=0.0, epochs=1, batch=32, length=12, threads=1)
    )
    model.fit(shop())
    run = model.run(model.params, 1)
    batch = next(run.batches(1, 0))
    gradients = []
    for parts in (1, 4):
        run.history.parts = parts
        run._gradients(batch)
        gradients.append(
            [one.grad.clone() for one in model.net.parameters() if one.grad is not None]
        )
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=2e-3)


def test_a_fault_of_another_kind_is_not_taken_for_lack_of_memory():
    class Broken(SASRec):
        def loss_of(self, batch):
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        Broken(SMALL).fit(shop())


def test_a_training_stops_when_its_judgement_stops_rising():
    model = engine()
    model.fit(shop(), epochs=40, judge=lambda _model: -float(len(model.history.epochs)))
    assert len(model.history.epochs) == 1 + SMALL.patience
    assert model.history.best_epoch == 1
    assert np.isfinite(model.history.epochs[-1].loss)
