"""Sequence models on public histories, trained for as long as it takes, in as many sittings.

TRAININGS names the folder that keeps each training between sittings; SECONDS is how long each may
run in this one (0: to its end). What a line says is how good the best weights so far are.

The last item of everybody is asked for, among all products, less those the person already had.
Nine people in ten are learned from up to their last but one; of the others that one is held back
too, and tells when to stop. No last item is learned from.
"""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models_ml.algorithms import trainer
from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders.sequential import bert4rec, checkpoints, loop, sasrec
from models_ml.algorithms.recommenders.sequential.engine import Engine
from models_ml.algorithms.recommenders.sequential.params import Params
from models_ml.benchmarks import leaveoneout
from models_ml.benchmarks.data import find, line, skipped
from models_ml.benchmarks.leaveoneout import Questions

MOVIES, BEAUTY = "movielens_1m/sequences.txt.gz", "amazon_seq/Beauty.txt.gz"
HELD_BACK = 0.1
# People and products are numbered from 1 in these files, and no event has a time of its own.
PLAIN: dict[str, Any] = {
    "once": False,
    "gaps": False,
    "half_life_days": 0.0,
    "popular_days": -1,
    "warm_table": False,
    "spread": 0.02,
    "warmup": 0.02,
    "weight_decay": 0.0,
}


@dataclass(frozen=True)
class Task:
    """What is trained on which file, the figure to reach and where that comes from."""

    path: str
    engine: type[Engine]
    goal: float
    origin: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Params:
        return replace(self.engine.usual(), **PLAIN, **self.params)


TASKS = {
    "beauty.sasrec": Task(
        BEAUTY,
        sasrec.SASRec,
        0.055,
        "SASRec with sampled softmax 0.0531, eSASRec 0.0523 (published)",
        {
            "dimension": 128,
            "layers": 2,
            "heads": 2,
            "length": 50,
            "dropout": 0.5,
            "loss": "softmax",
            "batch": 128,
            "epochs": 60,
            "patience": 8,
        },
    ),
    "movielens.sasrec": Task(
        MOVIES,
        sasrec.SASRec,
        0.180,
        "SASRec with full softmax 0.182, with 3,000 sampled 0.186 (published)",
        {
            "dimension": 128,
            "layers": 2,
            "heads": 2,
            "length": 200,
            "dropout": 0.2,
            # A third of the processor's time of four times as wide and the whole catalogue.
            "wide": 1,
            "loss": "sampled",
            "negatives": 1024,
            "batch": 64,
            # Most is learned while the pace falls to nothing, which it does with the last epoch;
            # scores of 604 people are too noisy to stop by them before.
            "epochs": 56,
            "patience": 56,
            "judge_every": 2,
        },
    ),
    "movielens.bert4rec": Task(
        MOVIES,
        bert4rec.BERT4Rec,
        0.152,
        "BERT4Rec 0.152 to 0.154 (published)",
        {
            "dimension": 128,
            "layers": 2,
            "heads": 2,
            "length": 200,
            "dropout": 0.2,
            # What is hidden is a fifth of the places, so the whole catalogue can compete.
            "wide": 1,
            "loss": "softmax",
            "hidden": 0.2,
            "batch": 64,
            "epochs": 120,
            "patience": 120,
            "judge_every": 4,
        },
    ),
}


def hold_back(test: Questions, share: float, seed: int) -> tuple[Interactions, Questions]:
    """What is learned from, and the questions that tell when to stop."""
    history = test.history
    ends = np.flatnonzero(np.r_[history.user[1:] != history.user[:-1], True])
    people = history.user[ends]
    asked = np.random.default_rng(seed).random(len(people)) < share
    keep = np.ones(len(history), dtype=bool)
    keep[ends[asked]] = False
    train = history.where(keep)
    return train, Questions(train, people[asked], history.item[ends[asked]])


def train(name: str, folder: Path, seconds: float, tell: Callable[[str], None]) -> dict[str, Any]:
    """One sitting of one training, and how good the best weights so far are."""
    task = TASKS[name]
    path = find(task.path)
    if path is None:
        return skipped(f"recs.sequences:{name}", task.path)
    data = leaveoneout.sequences(path)
    items = leaveoneout.catalogue(data)
    _validation, test = leaveoneout.cut(data)
    learned, aside = hold_back(test, HELD_BACK, leaveoneout.SEED)
    model = task.engine(task.settings)

    def judge(engine: Engine) -> float:
        return float(leaveoneout.ask(engine, aside, items=items).ndcg.mean())

    def on_epoch(epoch: Any) -> None:
        tell(f"{name} epoch {epoch.number} loss {epoch.loss} score {epoch.score} "
             f"{epoch.seconds} s")  # fmt: skip

    keep = loop.Keep(folder / name, every=300.0, seconds=seconds)
    began = time.monotonic()
    done = True
    try:
        model.fit(learned, judge=judge, on_epoch=on_epoch, keep=keep)
    except loop.Paused:
        done = False
    model.best()
    history = model.history
    model.read(test.history)
    kept, all_of_them = (
        leaveoneout.ask(model, test, items=items, skip_seen=skip) for skip in (True, False)
    )
    return line(
        f"recs.sequences:{name}",
        "NDCG@10",
        len(test.users),
        [float(kept.ndcg.mean())],
        least=("published", task.goal),
        origin=task.origin,
        figures=kept.figures,
        with_seen_items=all_of_them.figures,
        converged=done,
        epochs=len(history.epochs),
        best_epoch=history.best_epoch,
        seconds=round(history.seconds),
        sitting=round(time.monotonic() - began),
        precision=history.precision,
        curve=[
            [one.number, one.loss, None if one.score is None else round(one.score, 4)]
            for one in history.epochs
        ],
        params=asdict(task.settings),
    )


def best_so_far(name: str, folder: Path, learned: Interactions) -> tuple[int, Engine] | None:
    """How many epochs a training has run, and its best weights; None where there are none yet.

    `learned` is what `hold_back` left to learn from. A training that is under way goes on.
    """
    task = TASKS[name]
    model = task.engine(task.settings)
    model.users, model.items = learned.users, learned.items
    model.read(learned)
    model.net = model.fresh()
    run = model.run(model.params, model.params.epochs, keep=loop.Keep(folder / name))
    found, _told = checkpoints.read(folder / name, whose=run.whose)
    best = {
        key.removeprefix("best."): value
        for key, value in (found.tensors if found else {}).items()
        if key.startswith("best.")
    }
    if found is None or not best:
        return None
    model.net.load_state_dict(best)
    model.net.eval()
    state = dict(found.state["history"])
    model.history = loop.History(
        **{**state, "epochs": [trainer.Epoch(**one) for one in state["epochs"]]}
    )
    return len(model.history.epochs), model


def sequences(size: str = "small") -> list[dict[str, Any]]:
    """Every training in turn; ONLY_TRAINING names one."""
    folder = os.environ.get("TRAININGS", "")
    if not folder:
        why = "TRAININGS=<folder that keeps them> not given"
        return [{"name": "recs.sequences", "skipped": why}]
    only = os.environ.get("ONLY_TRAINING", "")
    seconds = float(os.environ.get("SECONDS", "0"))
    return [train(name, Path(folder), seconds, say) for name in TASKS if only in ("", name)]


def say(said: str) -> None:
    sys.stderr.write(said + "\n")
    sys.stderr.flush()


WORKLOADS: dict[str, Callable[[str], Any]] = {"recs.sequences": sequences}
