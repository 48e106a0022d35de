"""How fast the sequence models learn, beside RecTools at equal size in the same run.

PEERS names a folder with Python packages (`pip install --no-deps --target`: rectools,
pytorch-lightning, lightning-utilities, torchmetrics, typeguard). The two sides run in turn, on the
same purchases, with the same width, layers, heads, length, batch, dropout and full softmax; what is
counted is the people read in a second of training, with batches made on the way.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from models_ml.algorithms import trainer
from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders.sequential import bert4rec, sasrec
from models_ml.algorithms.recommenders.sequential.engine import Engine
from models_ml.algorithms.recommenders.sequential.params import Params
from models_ml.benchmarks.data import line
from models_ml.benchmarks.recommenders import purchases

ROUNDS, GOAL, SEED = 3, 1.5, 20111209
# The first steps are slower on both sides.
WARM = 3
STEPS = {"small": 20, "full": 100}
SETTINGS: dict[str, Any] = {
    "dimension": 128,
    "layers": 2,
    "heads": 2,
    "length": 50,
    "dropout": 0.2,
    "batch": 128,
    "learning_rate": 1e-3,
    "loss": "softmax",
    "once": False,
    "gaps": False,
    "half_life_days": 0.0,
    "popular_days": -1,
    "warm_table": False,
}


def ours(engine: type[Engine], data: Interactions, steps: int, **more: Any) -> float:
    """People read in a second by our loop."""
    params = Params(**{**SETTINGS, **more})
    model = engine(params)
    model.users, model.items = data.users, data.items
    model.read(data)
    with trainer.settings(params.seed, params.threads):
        model.net = model.fresh()
        run = model.run(params, 1)
        model.net.train()
        began, read = 0.0, 0
        for turn, batch in enumerate(run.batches(1, 0)):
            if turn == WARM:
                began = time.perf_counter()
            run.step(batch.to(model.device))
            read += len(batch) if turn >= WARM else 0
            if turn == WARM + steps - 1:
                break
    return read / (time.perf_counter() - began)


@contextmanager
def importable(folder: str) -> Iterator[None]:
    """Let RecTools be imported from a folder, and find the pandas it was written for."""
    if folder not in sys.path:
        sys.path.append(folder)
    plain = pd.unique
    # Written for pandas 2, which took tuples here.

    def unique(values: Any) -> Any:
        return plain(np.asarray(values, dtype=object) if type(values) is tuple else values)

    setattr(pd, "unique", unique)  # noqa: B010
    try:
        yield
    finally:
        setattr(pd, "unique", plain)  # noqa: B010


def table(data: Interactions) -> pd.DataFrame:
    """Purchases as RecTools reads them."""
    found = pd.DataFrame(
        {"user_id": data.user, "item_id": data.item, "datetime": data.at, "weight": data.weight}
    )
    found["datetime"] = pd.to_datetime(found["datetime"])
    return found


def lightning_trainer(lightning: Any, clock: Any, **more: Any) -> Any:
    """A trainer that does nothing but train, an epoch where nothing else is said."""
    return lightning.Trainer(
        accelerator="cpu" if trainer.pick_device().type == "cpu" else "gpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[clock],
        **{"max_epochs": 1, **more},
    )


def peer(kind: str, settings: dict[str, Any], make_trainer: Callable[[], Any]) -> Any:
    """RecTools' model of one kind, in the sizes of our settings."""
    return getattr(import_module("rectools.models"), kind)(
        n_factors=settings["dimension"],
        n_blocks=settings["layers"],
        n_heads=settings["heads"],
        session_max_len=settings["length"],
        batch_size=settings["batch"],
        dropout_rate=settings["dropout"],
        lr=settings.get("learning_rate", 1e-3),
        loss="softmax",
        get_trainer_func=make_trainer,
        **({"mask_prob": Params().hidden} if kind == "BERT4RecModel" else {}),
    )


def theirs(kind: str, data: Interactions, steps: int, folder: str, **more: Any) -> float:
    """People read in a second by RecTools' own trainer."""
    with importable(folder):
        lightning = import_module("pytorch_lightning")
        moments: list[float] = []

        class Clock(lightning.Callback):  # type: ignore[name-defined]
            def on_train_batch_start(self, _trainer: Any, _net: Any, _batch: Any, at: int) -> None:
                if at == WARM:
                    moments.append(time.perf_counter())

            def on_train_end(self, _trainer: Any, _net: Any) -> None:
                moments.append(time.perf_counter())

        settings = {**SETTINGS, **more}
        model = peer(
            kind,
            settings,
            lambda: lightning_trainer(lightning, Clock(), limit_train_batches=WARM + steps),
        )
        with trainer.settings(SEED, Params().threads):
            model.fit(import_module("rectools.dataset").Dataset.construct(table(data)))
    return float(steps * settings["batch"] / (moments[1] - moments[0]))


def pace(name: str, engine: type[Engine], kind: str, size: str) -> list[dict[str, Any]]:
    data = purchases("small")
    folder = os.environ.get("PEERS", "")
    # Of equal size: the peer's SASRec has inner layers as wide as the others.
    wide = 1 if engine.causal else 4
    ours_at, whole_at, theirs_at = [], [], []
    for _round in range(ROUNDS):
        ours_at.append(ours(engine, data, STEPS[size], wide=wide))
        whole_at.append(ours(engine, data, STEPS[size], wide=wide, precision="float32"))
        if folder:
            theirs_at.append(theirs(kind, data, STEPS[size], folder))
    if not folder:
        why = "PEERS=<folder with rectools> not given"
        return [{"name": name, "value": round(float(np.median(ours_at)), 1), "unit": "people/s",
                 "skipped": why}]  # fmt: skip
    ratios = [a / b for a, b in zip(ours_at, theirs_at, strict=True)]
    median = float(np.median(theirs_at))
    whole = [a / b for a, b in zip(whole_at, theirs_at, strict=True)]
    return [
        line(
            name,
            "people/s",
            STEPS[size] * SETTINGS["batch"],
            ours_at,
            least=(f"{GOAL} x RecTools", GOAL * median),
            origin="RecTools in the same run, same purchases and sizes",
            peer=("RecTools", median),
            times_the_peer=round(float(np.median(ratios)), 2),
            each_round=[round(one, 2) for one in ratios],
            precision=str(engine(Params()).precision).removeprefix("torch."),
            times_the_peer_in_float32=round(float(np.median(whole)), 2),
        )
    ]


def sasrec_step(size: str = "small") -> list[dict[str, Any]]:
    return pace("sasrec.step", sasrec.SASRec, "SASRecModel", size)


def bert4rec_step(size: str = "small") -> list[dict[str, Any]]:
    return pace("bert4rec.step", bert4rec.BERT4Rec, "BERT4RecModel", size)


WORKLOADS: dict[str, Callable[[str], Any]] = {
    "sasrec.step": sasrec_step,
    "bert4rec.step": bert4rec_step,
}
