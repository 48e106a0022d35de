"""A small transformer over what a person did, beside the columns (torch).

Each event is its kind, how many came after it, how long before the moment, how long after the one
before, and what it was worth. A leading mark that every person has gathers them; the columns join
it for the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from models_ml.algorithms import trainer
from models_ml.algorithms.tabular import network, shapley
from models_ml.algorithms.tabular.candidates import Candidate, Model, Setting
from models_ml.algorithms.tabular.encoding import Encoder
from models_ml.algorithms.tabular.events import Events
from models_ml.algorithms.tabular.frame import Floats, Table, Task
from models_ml.algorithms.tabular.network import Inputs, Learned, Scale

LEAST_ROWS, LEAST_EVENTS = 300, 1000
# What is learned from at once: an epoch of more takes minutes without a GPU, and teaches little.
MOST_EVENTS = 200_000


@dataclass(frozen=True)
class Params(network.Params):
    length: int = 48
    dimension: int = 32
    heads: int = 2
    depth: int = 2
    epochs: int = 30
    patience: int = 5


class Reader(nn.Module):
    """(columns, kinds, three numbers an event, which places are filled) → one number."""

    def __init__(self, inputs: int, kinds: int, params: Params) -> None:
        super().__init__()
        d = params.dimension
        self.kind = nn.Embedding(kinds + 1, d)
        self.numbers = nn.Linear(3, d)
        self.place = nn.Parameter(torch.randn(1, params.length, d) / 4)
        self.first = nn.Parameter(torch.zeros(1, 1, d))
        layer = nn.TransformerEncoderLayer(
            d, params.heads, 2 * d, params.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, params.depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(d)
        self.head = nn.Sequential(
            nn.Linear(d + inputs, params.width),
            nn.LayerNorm(params.width),
            nn.GELU(),
            nn.Dropout(params.dropout),
            nn.Linear(params.width, 1),
        )

    def forward(
        self, x: torch.Tensor, kind: torch.Tensor, numbers: torch.Tensor, filled: torch.Tensor
    ) -> torch.Tensor:
        # Events stand at the right end; places that nobody here fills are not worked through.
        width = max(1, int(filled.sum(dim=1).max()))
        kind, numbers, filled = kind[:, -width:], numbers[:, -width:], filled[:, -width:]
        events = self.kind(kind) + self.numbers(numbers) + self.place[:, -width:]
        whole = torch.cat([self.first.expand(len(x), -1, -1), events], dim=1)
        hidden = torch.cat([torch.ones_like(filled[:, :1]), filled], dim=1).logical_not()
        read = self.norm(self.layers(whole, src_key_padding_mask=hidden)[:, 0])
        out: torch.Tensor = self.head(torch.cat([read, x], dim=1))
        return out[:, 0]


def tensors(events: Events | None, n: int, kinds: tuple[str, ...], length: int) -> Inputs:
    """Kinds as known in training (0 for any other), numbers of about unit size, filled places."""
    if events is None or len(events) != n:
        return (
            torch.zeros(n, length, dtype=torch.int64),
            torch.zeros(n, length, 3),
            torch.zeros(n, length, dtype=torch.bool),
        )
    code, days, worth, filled = events.last(length)
    known = {name: place + 1 for place, name in enumerate(kinds)}
    names = np.array([known.get(name, 0) for name in events.names] or [0], dtype=np.int64)
    safe = np.clip(code, 0, len(names) - 1)
    days = np.clip(np.nan_to_num(days, nan=0.0, posinf=1e5, neginf=0.0), 0, 1e5)
    worth = np.clip(np.nan_to_num(worth, nan=0.0, posinf=1e12, neginf=-1e12), -1e12, 1e12)
    gap = np.maximum(-np.diff(days, axis=1, prepend=days[:, :1]), 0)
    gap[:, 1:][~filled[:, :-1]] = 0
    numbers = np.stack(
        [np.log1p(days) / 4, np.log1p(gap) / 4, np.sign(worth) * np.log1p(np.abs(worth)) / 4],
        axis=-1,
    )
    return (
        torch.as_tensor(names[safe] * filled),
        torch.as_tensor(numbers * filled[..., None], dtype=torch.float32),
        torch.as_tensor(filled),
    )


class SequenceModel(Model):
    kind: ClassVar[str] = "sequence"
    reads_events: ClassVar[bool] = True

    def __init__(
        self,
        encoder: Encoder,
        net: Reader,
        params: Params,
        learned: Learned,
        kinds: tuple[str, ...],
        columns: int,
    ) -> None:
        self.encoder, self.net, self.params, self.learned = encoder, net, params, learned
        self.kinds, self.columns = kinds, columns

    @property
    def curve(self) -> tuple[dict[str, float], ...]:
        return self.learned.curve

    def margin(self, table: Table) -> Floats:
        x = torch.as_tensor(self.encoder.apply(table), dtype=torch.float32)
        rest = tensors(table.events, len(table), self.kinds, self.params.length)
        return network.ask(self.net, (x, *rest), self.learned.scale)

    def reasons(self, table: Table) -> tuple[float, Floats]:
        """The last column is what the person did; the usual person did nothing we know of."""
        base, out = 0.0, np.empty((len(table), self.columns + 1))
        for row, (ask, own, usual, owner) in enumerate(self._asked(table)):
            base, shares = shapley.sample(ask, own, usual, owner, self.columns + 1)
            out[row] = shares[0]
        return base, out

    def errors(self, table: Table) -> Floats:
        out = np.empty((len(table), self.columns + 1))
        for row, (ask, own, usual, owner) in enumerate(self._asked(table)):
            out[row] = shapley.errors(ask, own, usual, owner, self.columns + 1)[0]
        return out

    def _asked(
        self, table: Table
    ) -> Iterator[tuple[shapley.Ask, Floats, Floats, NDArray[np.int64]]]:
        """Of each row: the answer by its numbers and whether its events are known, the row, the
        usual person, and whose number each is.
        """
        x = self.encoder.apply(table)
        mine = tensors(table.events, len(table), self.kinds, self.params.length)
        none = tensors(None, 1, self.kinds, self.params.length)
        owner = np.r_[np.asarray(self.encoder.owner, dtype=np.int64), self.columns]
        for row in range(len(table)):

            def ask(mixed: Floats, row: int = row) -> Floats:
                seen = mixed[:, -1] > 0
                pick = torch.as_tensor(seen.astype(np.int64))
                rest = (
                    torch.cat([a, b[row : row + 1]])[pick] for a, b in zip(none, mine, strict=True)
                )
                whole = torch.as_tensor(mixed[:, :-1], dtype=torch.float32)
                return network.ask(self.net, (whole, *rest), self.learned.scale)

            yield ask, np.r_[x[row], 1.0][None, :], np.zeros(x.shape[1] + 1), owner

    def save(self, folder: Path, stem: str) -> dict[str, Any]:
        save_file(
            {name: value.cpu().contiguous() for name, value in self.net.state_dict().items()},
            folder / f"{stem}.safetensors",
        )
        return {
            "encoder": self.encoder.as_json(),
            "params": asdict(self.params),
            "learned": asdict(self.learned),
            "kinds": list(self.kinds),
            "columns": self.columns,
        }

    @classmethod
    def load(cls, folder: Path, stem: str, stored: dict[str, Any]) -> Self:
        encoder, params = Encoder.from_json(stored["encoder"]), Params(**stored["params"])
        kinds = tuple(stored["kinds"])
        net = Reader(len(encoder.owner), len(kinds), params)
        net.load_state_dict(load_file(folder / f"{stem}.safetensors"))
        learned = Learned(Scale(**stored["learned"]["scale"]), stored["learned"]["history"])
        net.to(trainer.pick_device())
        return cls(encoder, net, params, learned, kinds, int(stored["columns"]))


def some(table: Table, seed: int) -> NDArray[np.int64]:
    """The rows of as many people, drawn by chance, as did MOST_EVENTS things together."""
    assert table.events is not None
    people, who = np.unique(table.whose, return_inverse=True)
    done = np.bincount(who, weights=table.events.counts)
    order = np.random.default_rng(seed).permutation(len(people))
    taken = np.empty(len(people), dtype=bool)
    taken[order] = np.cumsum(done[order]) <= MOST_EVENTS
    return np.flatnonzero(taken[who])


class Sequence(Candidate):
    name: ClassVar[str] = "sequence"

    def able(self, table: Table, task: Task) -> bool:
        events = table.events
        return len(table) >= LEAST_ROWS and events is not None and len(events.kind) >= LEAST_EVENTS

    def settings(self, table: Table, task: Task) -> Iterable[Setting]:
        yield {"dimension": 32, "depth": 2, "dropout": 0.2}

    def fit(
        self, table: Table, y: NDArray[Any], *, task: Task, seed: int, setting: Setting
    ) -> SequenceModel:
        params = Params(**setting)
        if table.events is not None and len(table.events.kind) > MOST_EVENTS:
            rows = some(table, seed)
            table, y = table.take(rows), y[rows]
        encoder = Encoder("smooth", bends=4)
        x = torch.as_tensor(encoder.fit(table, y, task, seed), dtype=torch.float32)
        kinds = table.events.names if table.events is not None else ()
        rest = tensors(table.events, len(table), kinds, params.length)
        with trainer.settings(seed, params.threads):
            net = Reader(x.shape[1], len(kinds), params)
            learned = network.learn(net, (x, *rest), y, table.whose, params, seed)
        columns = table.numbers.shape[1] + table.codes.shape[1]
        return SequenceModel(encoder, net, params, learned, kinds, columns)
