"""How good the sequence models become in equal time, beside RecTools on the same machine.

PEERS names the folder with RecTools as for `steps`; SECONDS is how long each side learns (300).
Each learns from everybody's items but the last, which is asked for among all products less those
the person had; ties go against the model. What is counted is training alone: no judging, no reading
of data. Sizes are equal. Ours lets its pace fall to nothing with the last of its seconds, as it
does; RecTools keeps its own, and has at least as long as ours took.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.algorithms import metrics, trainer
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array
from models_ml.algorithms.recommenders.sequential import bert4rec, loop, sasrec
from models_ml.algorithms.recommenders.sequential.engine import Engine
from models_ml.algorithms.recommenders.sequential.params import Params
from models_ml.benchmarks import leaveoneout, steps
from models_ml.benchmarks.data import find, line, skipped
from models_ml.benchmarks.sequences import MOVIES, PLAIN

LOOKS = 5
SETTINGS: dict[str, Any] = {
    "dimension": 128, "layers": 2, "heads": 2, "length": 100, "dropout": 0.2, "batch": 128,
    "loss": "softmax",
}  # fmt: skip


@dataclass
class Course:
    """Seconds of training and NDCG@10 after them, and the last answers."""

    curve: list[tuple[float, float]] = field(default_factory=list)
    last: leaveoneout.Answers | None = None

    def look(self, seconds: float, answers: leaveoneout.Answers) -> None:
        self.curve.append((round(seconds, 1), round(float(answers.ndcg.mean()), 4)))
        self.last = answers


def ours(
    engine: type[Engine], test: leaveoneout.Questions, items: int, seconds: float, wide: int
) -> Course:
    """Our engine, asked after each fifth of its time."""
    found = Course()
    params = Params(**{**PLAIN, **SETTINGS, "wide": wide})
    pace = steps.ours(engine, test.history, steps.STEPS["small"], **_known(params))
    epochs = max(1, int(seconds * pace / len(test.users)))
    model = engine(Params(**{**PLAIN, **SETTINGS, "wide": wide, "epochs": epochs}))
    with tempfile.TemporaryDirectory() as folder:
        keep = loop.Keep(Path(folder), every=3600.0, seconds=seconds / LOOKS)
        done = False
        while not done:
            try:
                model.fit(test.history, keep=keep)
                done = True
            except loop.Paused:
                pass
            assert model.net is not None
            model.net.eval()
            found.look(model.history.seconds, leaveoneout.ask(model, test, items=items))
    return found


def theirs(
    kind: str, test: leaveoneout.Questions, items: int, seconds: float, folder: str
) -> Course:
    """RecTools' model, asked after the epoch that passes each fifth of its time."""
    found = Course()
    spent = 0.0
    with steps.importable(folder):
        lightning = import_module("pytorch_lightning")
        data = import_module("rectools.dataset").Dataset.construct(steps.table(test.history))
        clock: list[float] = []

        class Clock(lightning.Callback):  # type: ignore[name-defined]
            def on_train_start(self, _trainer: Any, _net: Any) -> None:
                clock.append(time.perf_counter())

            def on_train_end(self, _trainer: Any, _net: Any) -> None:
                clock.append(time.perf_counter())

        model = steps.peer(kind, SETTINGS, lambda: steps.lightning_trainer(lightning, Clock()))
        with trainer.settings(steps.SEED, Params().threads):
            while spent < seconds:
                model.fit_partial(data, min_epochs=1, max_epochs=1)
                spent += clock[-1] - clock[-2]
                if spent >= seconds * (len(found.curve) + 1) / LOOKS:
                    answers = leaveoneout.ask(_Peer(model, data), test, items=items)
                    found.look(spent, answers)
    return found


@dataclass
class _Peer:
    """RecTools' answers in the form of ours."""

    model: Any
    data: Any

    def recommend(self, users: Array, k: int, *, skip_seen: bool) -> tuple[Array, Array]:
        table = self.model.recommend(users, self.data, k=k, filter_viewed=skip_seen)
        place = pd.Series(np.arange(len(users)), index=users)
        row = place.loc[table["user_id"].to_numpy()].to_numpy()
        column = table["rank"].to_numpy() - 1
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf)
        ids[row, column] = table["item_id"].to_numpy()
        scores[row, column] = table["score"].to_numpy()
        return ids, scores


def race(name: str, engine: type[Engine], kind: str) -> list[dict[str, Any]]:
    path, folder = find(MOVIES), os.environ.get("PEERS", "")
    if path is None:
        return [skipped(name, MOVIES)]
    seconds = float(os.environ.get("SECONDS") or 300.0)
    data = leaveoneout.sequences(path)
    items = leaveoneout.catalogue(data)
    _validation, test = leaveoneout.cut(data)
    # The peer's SASRec has inner layers as wide as the others.
    mine = ours(engine, test, items, seconds, 1 if engine.causal else 4)
    assert mine.last is not None
    told: dict[str, Any] = {"curve": mine.curve, "figures": mine.last.figures}
    limit = None
    if folder:
        # A machine that slowed since its pace was taken gives ours more; the peer has as much.
        peer = theirs(kind, test, items, max(seconds, mine.curve[-1][0]), folder)
        assert peer.last is not None
        gap = metrics.paired_difference(mine.last.ndcg, peer.last.ndcg, seed=leaveoneout.SEED)
        told |= {"peers_curve": peer.curve, "difference": gap.as_dict()}
        limit = float(peer.last.ndcg.mean())
    return [
        line(
            name, "NDCG@10", len(test.users), [float(mine.last.ndcg.mean())],
            least=None if limit is None else ("RecTools after as many seconds", limit),
            origin="the same run, sizes and questions", seconds=seconds, **told,
        )
    ]  # fmt: skip


def _known(params: Params) -> dict[str, Any]:
    return {name: getattr(params, name) for name in ("wide", *SETTINGS)}


def sasrec_race(size: str = "small") -> list[dict[str, Any]]:
    return race("sasrec.race", sasrec.SASRec, "SASRecModel")


def bert4rec_race(size: str = "small") -> list[dict[str, Any]]:
    return race("bert4rec.race", bert4rec.BERT4Rec, "BERT4RecModel")


WORKLOADS: dict[str, Callable[[str], Any]] = {
    "sasrec.race": sasrec_race,
    "bert4rec.race": bert4rec_race,
}
# Each takes a quarter of an hour.
ON_REQUEST = frozenset(WORKLOADS)
