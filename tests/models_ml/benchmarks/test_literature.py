"""Engines judged as the literature does: what is asked, and what the blend may know."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from models_ml.algorithms.recommenders.sequential import sasrec
from models_ml.benchmarks import leaveoneout, literature, sequences
from tests.models_ml.algorithms.shops import two_tastes

FILE = "movielens_1m/sequences.txt.gz"


@pytest.fixture
def public(tmp_path, monkeypatch):
    """A public file with 60 people, and a small training that may be made of it."""
    data = two_tastes(people=60, items=40)
    order = np.lexsort((data.item, data.at, data.user))
    lines = [
        " ".join(map(str, [user, *data.item[order][data.user[order] == user]]))
        for user in data.users.ids
    ]
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    task = sequences.Task(
        FILE, sasrec.SASRec, 0.1, "", {"dimension": 16, "layers": 1, "heads": 1, "epochs": 2}
    )
    monkeypatch.setitem(sequences.TASKS, "small", task)
    case = replace(literature.CASES["movielens_1m"], trainings=("small",))
    monkeypatch.setattr(literature, "CASES", {"small": case})
    monkeypatch.setattr(
        literature, "ENGINES", {name: literature.ENGINES[name] for name in ("popularity", "EASE")}
    )
    monkeypatch.setenv("DATA", str(tmp_path))
    monkeypatch.setenv("TRAININGS", str(tmp_path / "trainings"))
    monkeypatch.delenv("DATASET", raising=False)
    return leaveoneout.sequences(path)


def test_a_training_is_one_more_engine_and_the_blend_asks_those_it_has_not_seen(public, tmp_path):
    before = {made["engine"] for made in literature.quality() if "engine" in made}
    assert before == {"popularity", "EASE", "blend"}
    told = sequences.train("small", tmp_path / "trainings", 0, print)
    kept = tmp_path / "trainings" / "small" / "training.safetensors"
    body = kept.read_bytes()
    made = {one["engine"]: one for one in literature.quality() if "engine" in one}
    assert kept.read_bytes() == body
    _validation, test = leaveoneout.cut(public)
    _learned, aside = sequences.hold_back(test, sequences.HELD_BACK, leaveoneout.SEED)
    assert made["blend"]["weighed_on"] == len(aside.users) < 20
    assert set(made["blend"]["weights"]) == {"popularity", "EASE", "SASRec"}
    assert made["SASRec"]["value"] == told["value"]
    assert made["SASRec"]["best_epoch"] == told["best_epoch"]


def test_nobodys_answer_is_in_what_the_blend_is_weighed_by(public):
    _validation, test = leaveoneout.cut(public)
    known, asked = sequences.hold_back(test, 0.5, 1)
    have = set(zip(known.user.tolist(), known.item.tolist(), strict=True))
    pairs = set(zip(asked.users.tolist(), asked.answers.tolist(), strict=True))
    assert pairs
    assert not have & pairs
    assert have | pairs == set(
        zip(test.history.user.tolist(), test.history.item.tolist(), strict=True)
    )
