"""Several processes train as one would: the same steps, and a kill or a pause costs nothing."""

from dataclasses import replace

import pytest
import torch

from models_ml.algorithms.recommenders.sequential import loop, together
from models_ml.algorithms.recommenders.sequential.sasrec import Params, SASRec
from tests.models_ml.algorithms.shops import two_tastes

ALONE = Params(
    dimension=16, heads=2, layers=1, length=12, batch=16, epochs=1, threads=1, dropout=0.0
)
TWO = replace(ALONE, processes=2)


def shop():
    return two_tastes(people=120, items=40)


def test_two_processes_take_the_steps_of_one_and_go_on_after_a_pause(tmp_path):
    pytest.importorskip("accelerate")
    seen = []

    def judge(model):
        seen.append(model)
        return float(len(seen))

    alone = SASRec(ALONE).fit(shop())
    with pytest.raises(loop.Paused):
        SASRec(TWO).fit(shop(), keep=loop.Keep(tmp_path, seconds=1e-9))
    both = SASRec(TWO).fit(shop(), judge=judge, keep=loop.Keep(tmp_path))
    assert both.history.resumed == [1]
    assert both.history.steps == alone.history.steps
    assert seen == [both]
    for one, other in zip(both.history.epochs, alone.history.epochs, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-4)
    mine, theirs = both.net.state_dict(), alone.net.state_dict()
    for name, value in mine.items():
        assert torch.allclose(value, theirs[name], atol=1e-3), name


def test_a_training_goes_on_alone_where_the_library_is_missing_and_says_so(monkeypatch):
    monkeypatch.setattr(together, "possible", lambda: False)
    model = SASRec(TWO).fit(shop())
    assert model.history.told == ["no_accelerate"]


def test_there_is_one_process_for_each_gpu_and_one_without():
    assert together.processes(0, torch.device("cpu")) == 1
    assert together.processes(3, torch.device("cpu")) == 3
