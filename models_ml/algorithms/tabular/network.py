"""A multilayer perceptron on smooth columns (torch), and how any such network is trained and asked.

Early stopping looks at a tenth of the people set aside; rare yeses may weigh more, and the margin
is set right again by the logarithm of that weight. The device and its precision are the trainer's
choice; answers are always computed in float32.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from models_ml.algorithms import trainer
from models_ml.algorithms.tabular import shapley
from models_ml.algorithms.tabular.candidates import Candidate, Model, Setting
from models_ml.algorithms.tabular.encoding import Encoder
from models_ml.algorithms.tabular.frame import Floats, Table, Task

LEAST_ROWS = 300
ASIDE = 0.1
# Few rows go in small batches: a step or two an epoch would teach little.
SMALL_BATCH, BATCH, STEPS, ASK_AT_ONCE = 32, 256, 20, 8192
HEAVIEST = 20.0
# Who learns further takes steps this much smaller, for so much less time.
FURTHER = 4
Inputs = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class Params:
    """`balance`: weigh the rarer class up until both count the same."""

    width: int = 64
    layers: int = 2
    dropout: float = 0.2
    balance: bool = False
    epochs: int = 60
    patience: int = 8
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    threads: int = 1


class Perceptron(nn.Module):
    def __init__(self, inputs: int, params: Params) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        width = inputs
        for _ in range(params.layers):
            blocks += [
                nn.Linear(width, params.width),
                nn.LayerNorm(params.width),
                nn.GELU(),
                nn.Dropout(params.dropout),
            ]
            width = params.width
        self.blocks = nn.Sequential(*blocks, nn.Linear(width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.blocks(x)
        return out[:, 0]


@dataclass
class Scale:
    """How a network's number becomes a margin: margin = number * spread + middle."""

    middle: float = 0.0
    spread: float = 1.0


@dataclass
class Learned:
    scale: Scale
    history: dict[str, Any] = field(default_factory=dict)

    @property
    def curve(self) -> tuple[dict[str, float], ...]:
        """The loss on what was learned from and on what was set aside."""
        epochs = self.history.get("epochs", [])
        return tuple(
            {"epoch": one["number"], "loss": one["loss"], "aside": round(-one["score"], 5)}
            for one in epochs
            if one["score"] is not None
        )


def set_aside(person: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """The rows of a tenth of the people, of at least one."""
    people, who = np.unique(person, return_inverse=True)
    place = np.random.default_rng(seed).permutation(len(people))
    return np.asarray((place < max(1, int(len(people) * ASIDE)))[who])


def learn(
    net: nn.Module,
    inputs: Inputs,
    y: NDArray[Any],
    person: NDArray[np.int64],
    params: Params,
    seed: int,
) -> Learned:
    """Train in place; a chance by log loss, an amount by squared error on its own scale."""
    device = trainer.pick_device()
    net.to(device)
    chances = y.dtype == np.bool_
    scale = Scale() if chances else Scale(float(np.mean(y)), float(np.std(y)) or 1.0)
    target = (np.asarray(y, dtype=np.float32) - scale.middle) / scale.spread
    weight = torch.ones(())
    if chances and params.balance:
        rate = float(np.mean(y))
        weight = torch.tensor(float(np.clip((1 - rate) / rate, 1 / HEAVIEST, HEAVIEST)))
        scale.middle = -float(torch.log(weight))
    weight = weight.to(device)
    truth = torch.as_tensor(target, dtype=torch.float32, device=device)
    inputs = tuple(one.to(device) for one in inputs)
    kept_back = set_aside(person, seed)
    aside = torch.as_tensor(np.flatnonzero(kept_back), device=device)
    rest = torch.as_tensor(np.flatnonzero(~kept_back), device=device)

    batch = int(np.clip(len(rest) // STEPS, SMALL_BATCH, BATCH))

    def loss_of(rows: torch.Tensor) -> torch.Tensor:
        said = net(*(one[rows] for one in inputs)).float()
        if chances:
            return nn.functional.binary_cross_entropy_with_logits(
                said, truth[rows], pos_weight=weight
            )
        return nn.functional.mse_loss(said, truth[rows])

    def batches(epoch: int) -> Iterator[torch.Tensor]:
        shuffled = torch.randperm(len(rest), generator=generator).to(device)
        for start in range(0, len(rest), batch):
            part = rest[shuffled[start : start + batch]]
            if len(part) > 1:
                yield part

    @torch.inference_mode()
    def judge() -> float:
        parts = aside.split(ASK_AT_ONCE)
        return -sum(float(loss_of(part)) * len(part) for part in parts) / len(aside)

    generator = torch.Generator().manual_seed(seed)
    plan = trainer.Plan(
        epochs=params.epochs,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        patience=params.patience,
        threads=params.threads,
        seed=seed,
    )
    steps = -(-len(rest) // batch)
    history = trainer.train(net, batches, loss_of, steps_per_epoch=steps, plan=plan, judge=judge)
    return Learned(scale, history.as_dict())


@torch.inference_mode()
def ask(net: nn.Module, inputs: Inputs, scale: Scale) -> Floats:
    """Margins (n,)."""
    net.eval()
    device = next(net.parameters()).device
    n = len(inputs[0])
    out = np.empty(n)
    threads = torch.get_num_threads()
    # A few people are answered sooner by one thread than by several that wait for each other.
    torch.set_num_threads(threads if n > ASK_AT_ONCE else 1)
    try:
        for start in range(0, n, ASK_AT_ONCE):
            part = (one[start : start + ASK_AT_ONCE].to(device) for one in inputs)
            out[start : start + ASK_AT_ONCE] = net(*part).float().cpu().numpy()
    finally:
        torch.set_num_threads(threads)
    return out * scale.spread + scale.middle


class NetworkModel(Model):
    kind: ClassVar[str] = "network"

    def __init__(
        self, encoder: Encoder, net: Perceptron, params: Params, learned: Learned, columns: int
    ) -> None:
        self.encoder, self.net, self.params = encoder, net, params
        self.learned, self.columns = learned, columns

    @property
    def curve(self) -> tuple[dict[str, float], ...]:
        return self.learned.curve

    def margin(self, table: Table) -> Floats:
        return self._ask(self.encoder.apply(table))

    def _ask(self, x: Floats) -> Floats:
        return ask(self.net, (torch.as_tensor(x, dtype=torch.float32),), self.learned.scale)

    def reasons(self, table: Table) -> tuple[float, Floats]:
        x = self.encoder.apply(table)
        owner = np.asarray(self.encoder.owner)
        # Smooth columns have mean 0: the usual person is a row of zeros.
        return shapley.sample(self._ask, x, np.zeros(x.shape[1]), owner, self.columns)

    def errors(self, table: Table) -> Floats:
        x = self.encoder.apply(table)
        owner = np.asarray(self.encoder.owner)
        return shapley.errors(self._ask, x, np.zeros(x.shape[1]), owner, self.columns)

    def further(
        self, table: Table, y: NDArray[Any], *, seed: int
    ) -> tuple[Model, NDArray[np.bool_]] | None:
        """From the last weights, in smaller steps and a quarter of the epochs."""
        if len(table) < LEAST_ROWS:
            return None
        slower = self.params.learning_rate / FURTHER
        epochs = max(1, self.params.epochs // FURTHER)
        params = replace(self.params, learning_rate=slower, epochs=epochs)
        x = torch.as_tensor(self.encoder.apply(table), dtype=torch.float32)
        net = copy.deepcopy(self.net)
        with trainer.settings(seed, params.threads):
            learned = learn(net, (x,), y, table.whose, params, seed)
        model = NetworkModel(self.encoder, net, self.params, learned, self.columns)
        return model, set_aside(table.whose, seed)

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        save_file(
            {name: value.cpu() for name, value in self.net.state_dict().items()},
            folder / f"{stem}.safetensors",
        )
        return {
            "encoder": self.encoder.as_json(),
            "params": asdict(self.params),
            "learned": asdict(self.learned),
            "columns": self.columns,
        }

    @classmethod
    def load(cls, folder: Path, stem: str, stored: dict[str, Any]) -> Self:
        encoder, params = Encoder.from_json(stored["encoder"]), Params(**stored["params"])
        net = Perceptron(len(encoder.owner), params)
        net.load_state_dict(load_file(folder / f"{stem}.safetensors"))
        learned = Learned(Scale(**stored["learned"]["scale"]), stored["learned"]["history"])
        return cls(encoder, net.to(trainer.pick_device()), params, learned, int(stored["columns"]))


class Network(Candidate):
    name: ClassVar[str] = "network"

    def able(self, table: Table, task: Task) -> bool:
        return len(table) >= LEAST_ROWS

    def settings(self, table: Table, task: Task) -> Iterable[Setting]:
        yield {"width": 64, "dropout": 0.2, "balance": False}
        yield {"width": 64, "dropout": 0.4, "balance": task == "chance"}

    def fit(
        self, table: Table, y: NDArray[Any], *, task: Task, seed: int, setting: Setting
    ) -> NetworkModel:
        params = Params(**setting)
        encoder = Encoder("smooth", bends=4)
        x = torch.as_tensor(encoder.fit(table, y, task, seed), dtype=torch.float32)
        with trainer.settings(seed, params.threads):
            net = Perceptron(x.shape[1], params)
            learned = learn(net, (x,), y, table.whose, params, seed)
        columns = table.numbers.shape[1] + table.codes.shape[1]
        return NetworkModel(encoder, net, params, learned, columns)
