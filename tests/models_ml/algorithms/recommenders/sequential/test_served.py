"""Stored sequence models answer by a graph where onnxruntime is, and by torch where it is not."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from models_ml.algorithms import artifacts
from models_ml.algorithms.recommenders import blend, markov
from models_ml.algorithms.recommenders.sequential import export, served
from models_ml.algorithms.recommenders.sequential.bert4rec import BERT4Rec
from models_ml.algorithms.recommenders.sequential.sasrec import Params, SASRec
from tests.models_ml.algorithms.shops import two_tastes

KINDS = {"sasrec": (SASRec, served.sasrec), "bert4rec": (BERT4Rec, served.bert4rec)}
SMALL = Params(threads=1, dimension=16, heads=2, layers=1, length=12, batch=32, epochs=2)
needs_runtime = pytest.mark.skipif(not export.possible(), reason="onnx and onnxruntime are absent")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def shop():
    return two_tastes(people=80, items=40)


def stored(kind, shop, folder):
    model = kind(SMALL).fit(shop)
    with artifacts.create(folder, {}) as draft:
        model.save(draft)
    artifacts.check(folder)
    return model


@needs_runtime
def test_the_graph_answers_as_the_network_does(kind, shop, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "MOST_LOST", -1.0)  # exact weights
    model, read = kind[0], kind[1]
    model = stored(model, shop, tmp_path / "m")
    back = read(tmp_path / "m")
    assert isinstance(back, served.Served)
    assert artifacts.read_json(tmp_path / "m" / served.ABOUT)["int8"] is False
    users = np.append(shop.users.ids, 999_999)
    for skip_seen in (True, False):
        ids, scores = model.recommend(users, 5, skip_seen=skip_seen)
        again, scores_again = back.recommend(users, 5, skip_seen=skip_seen)
        assert (ids == again).mean() > 0.99  # near ties may change places
        assert scores_again == pytest.approx(scores, abs=1e-3)
    sessions = [np.arange(5000, 5000 + size) for size in (1, 3, 30)]
    assert (back.continue_from(sessions, 4)[0] == model.continue_from(sessions, 4)[0]).all()
    allowed = shop.items.ids[:7]
    assert np.isin(back.recommend(users[:3], 5, allowed=allowed)[0], [-1, *allowed]).all()
    assert back.vectors()[1] == pytest.approx(model.vectors()[1], abs=1e-5)


@needs_runtime
def test_eight_bits_are_kept_only_where_they_cost_next_to_nothing(kind, shop, tmp_path):
    stored(kind[0], shop, tmp_path / "m")
    told = artifacts.read_json(tmp_path / "m" / served.ABOUT)
    assert told["int8"] == (told["ndcg@10_int8"] >= 0.99 * told["ndcg@10"] > 0)
    assert told["opset"] == export.OPSET
    kept = (tmp_path / "m" / served.GRAPH).stat().st_size
    assert kept == told["bytes_int8" if told["int8"] else "bytes"]


@needs_runtime
def test_answers_are_given_without_torch_by_one_engine_and_by_a_blend_of_two(shop, tmp_path):
    model = stored(SASRec, shop, tmp_path / "m")
    counts = markov.Markov().fit(shop)
    together = blend.Blend().of({"sasrec": model, "markov": counts}, {"sasrec": 1.0, "markov": 0.5})
    (tmp_path / "both").mkdir()
    together.save(tmp_path / "both")
    code = (
        "import json, sys, numpy as np, pathlib;"
        "from models_ml.algorithms.recommenders import blend;"
        "from models_ml.algorithms.recommenders.sequential import served;"
        "folder, users = pathlib.Path(sys.argv[1]), np.array(json.loads(sys.argv[2]));"
        "ids, _ = served.sasrec(folder / 'm').recommend(users, 3);"
        "both, _ = blend.Blend.load(folder / 'both').recommend(users, 3);"
        "print(json.dumps([ids.tolist(), both.tolist(), 'torch' in sys.modules]))"
    )
    users = shop.users.ids[:5]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(users.tolist())],
        env=os.environ.copy(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = (served.sasrec(tmp_path / "m"), blend.Blend.load(tmp_path / "both"))
    wanted = [one.recommend(users, 3)[0].tolist() for one in read]
    assert json.loads(done.stdout) == [*wanted, False]


def test_without_a_graph_torch_answers(kind, shop, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "possible", lambda: False)
    model = stored(kind[0], shop, tmp_path / "m")
    assert not (tmp_path / "m" / served.GRAPH).exists()
    back = kind[1](tmp_path / "m")
    assert isinstance(back, kind[0])
    users = shop.users.ids
    assert (back.recommend(users, 5)[0] == model.recommend(users, 5)[0]).all()


@needs_runtime
def test_a_graph_that_cannot_be_made_leaves_the_weights(shop, tmp_path, monkeypatch):
    def fail(*_given):
        raise RuntimeError("an operator is missing")

    monkeypatch.setattr(export, "_graph", fail)
    model = stored(SASRec, shop, tmp_path / "m")
    assert model.history.told == ["no_graph:RuntimeError"]
    assert isinstance(served.sasrec(tmp_path / "m"), SASRec)
