"""The verbs of an engine that reads sequences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.sparse import csr_matrix
from torch.nn import functional

from models_ml.algorithms import artifacts, trainer
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, Interactions, chunks, concat
from models_ml.algorithms.recommenders.sequential import (
    batches,
    export,
    histories,
    loop,
    losses,
    served,
    start,
    together,
)
from models_ml.algorithms.recommenders.sequential.batches import Batch, Reading
from models_ml.algorithms.recommenders.sequential.histories import (
    GAPS,
    KINDS,
    Histories,
    Looks,
    window,
)
from models_ml.algorithms.recommenders.sequential.network import Network, Shape, places
from models_ml.algorithms.recommenders.sequential.params import Params
from models_ml.algorithms.recommenders.sequential.served import HISTORIES, WEIGHTS

ASK_AT_ONCE = 512
# A catalogue up to this size competes whole; above it a sample of this many does.
WHOLE_CATALOGUE, SAMPLE = 6_000, 1024
# A small shop sees its few people more often, so that an epoch is always worth judging.
LEAST_STEPS = 32
# Who learns further takes steps this much smaller, for so much less time.
FURTHER = 4


class Engine:
    """What SASRec and BERT4Rec share; they differ in what a place may see and what is asked."""

    causal: ClassVar[bool]
    make: ClassVar[batches.Maker]

    def __init__(self, params: Params | None = None) -> None:
        self.params = params or self.usual()
        self.users = IdMap(np.empty(0, dtype=np.int64))
        self.items = IdMap(np.empty(0, dtype=np.int64))
        self.device = trainer.pick_device()
        self.history = loop.History(device=self.device.type, precision="float32")
        self.histories = histories.read(Interactions.of([], [], []), self.users, self.items,
                                        once=self.params.once)  # fmt: skip
        self.seen = csr_matrix((0, 0), dtype=np.float32)
        self.net: Network | None = None
        self.chance: torch.Tensor | None = None
        self._best: dict[str, torch.Tensor] = {}
        self._graph: dict[str, bytes] | None = None

    @classmethod
    def usual(cls) -> Params:
        return Params()

    def fit(
        self,
        data: Interactions,
        *,
        epochs: int | None = None,
        judge: Callable[[Any], float] | None = None,
        on_epoch: Callable[[trainer.Epoch], None] | None = None,
        keep: loop.Keep | None = None,
        looks: Looks | None = None,
    ) -> Self:
        """Learn from scratch; with `judge` (higher is better) stop early, keep the best epoch.

        With `keep` the training is written down while it runs, and goes on from there. `looks` are
        read between the purchases, which alone are asked for.
        """
        if not len(data):
            raise ValueError("no interactions to learn from")
        params = self.params
        self.users, self.items = data.users, data.items
        self.read(data, looks)
        with trainer.settings(params.seed, params.threads):
            self.net = self.fresh()
            self._start_bias(data)
            if params.warm_table:
                start.from_factors(
                    self.net,
                    data,
                    self.users,
                    self.items,
                    half_life_days=params.half_life_days,
                    spread=params.spread,
                    seed=params.seed,
                )
            self._train(params, epochs or params.epochs, judge, on_epoch, keep)
        return self

    def learn_further(
        self,
        data: Interactions,
        *,
        judge: Callable[[Any], float] | None = None,
        keep: loop.Keep | None = None,
        looks: Looks | None = None,
    ) -> Self:
        """Take new events in: from the weights at hand, in smaller steps and fewer epochs.

        `data` is the whole history, the new events among it. New products get rows of their own
        that start at the mean of the others, and as popular as they are; products that are gone
        from the data keep theirs.
        """
        assert self.net is not None
        params = self.params
        items = IdMap.of(np.concatenate([self.items.ids, data.items.ids]))
        old, came_from = self.net, items.encode(self.items.ids)
        self.users, self.items = data.users, items
        self.read(data, looks)
        with trainer.settings(params.seed, params.threads):
            self.net = self.fresh()
            self._start_bias(data)
            start.carry_over(old, self.net, came_from)
            slower = replace(params, learning_rate=params.learning_rate / FURTHER)
            self._train(slower, max(1, params.epochs // FURTHER), judge, None, keep)
        return self

    def fresh(self) -> Network:
        """A network for the items at hand that has learned nothing yet, on the device."""
        told = self.histories.kind is not None
        shape = shape_of(self.params, len(self.items), causal=self.causal, kinds=told)
        return Network(shape).to(self.device)

    def _start_bias(self, data: Interactions) -> None:
        days = self.params.popular_days
        if self.net is not None and days >= 0:
            centred = self.loss != "gbce"
            start.from_popularity(self.net, data, self.items, days, centred=centred)

    def read(self, data: Interactions, looks: Looks | None = None) -> None:
        """Take in the histories to learn from or to answer for; weights stay as they are."""
        # What was looked at is told apart beside the gaps.
        looks = looks if self.params.gaps else None
        self.histories = histories.read(
            data, self.users, self.items, once=self.params.once, looks=looks
        )
        self.seen = self.histories.seen(len(self.items))
        self.weigh()

    def weigh(self) -> None:
        """How likely each product is drawn to compete."""
        bought = self.histories.purchases.item
        counts = np.bincount(bought, minlength=len(self.items)) + 1.0
        chance = counts**self.params.popularity
        self.chance = torch.from_numpy((chance / chance.sum()).astype(np.float32)).to(self.device)

    def answer_for(self, data: Interactions, looks: Looks | None = None) -> Self:
        """Answer for other histories than those learned from, with the weights at hand."""
        assert self.net is not None
        self.users = data.users
        self.read(data, looks if self.net.kind is not None else None)
        return self

    @property
    def reading(self) -> Reading:
        params = self.params
        return Reading(
            items=len(self.items),
            length=params.length,
            batch=params.batch,
            seed=params.seed,
            gaps=params.gaps,
            roam=params.roam,
            half_life_days=params.half_life_days,
            hidden=params.hidden,
            last_only=params.last_only,
            most=params.most_asked,
        )

    @property
    def loss(self) -> str:
        """Which loss this catalogue is learned with."""
        if self.params.loss != "auto":
            return self.params.loss
        return "softmax" if len(self.items) <= WHOLE_CATALOGUE else "sampled"

    def run(
        self,
        params: Params,
        epochs: int,
        judge: Callable[[Any], float] | None = None,
        on_epoch: Callable[[trainer.Epoch], None] | None = None,
        keep: loop.Keep | None = None,
    ) -> loop.Run:
        """The training of the network at hand, not begun yet."""
        assert self.net is not None
        reading, read = self.reading, self.histories
        once = batches.steps(reading, read)
        rounds = -(-LEAST_STEPS // once) if once else 0

        def stream(epoch: int, skip: int) -> Iterable[Batch]:
            for turn in range(rounds):
                left = max(0, skip - turn * once)
                number = epoch * rounds + turn
                yield from batches.epoch(reading, read, type(self).make, number=number, skip=left)

        return loop.Run(
            self.net,
            lambda epoch, skip: iter(stream(epoch, skip)),
            self.loss_of,
            once * rounds,
            trainer.Plan(
                epochs=epochs,
                learning_rate=params.learning_rate,
                weight_decay=params.weight_decay,
                warmup=params.warmup,
                patience=params.patience if judge else 0,
                judge_every=params.judge_every,
                threads=params.threads,
                seed=params.seed,
            ),
            (lambda: judge(self)) if judge else None,
            on_epoch,
            keep,
            self._mark(params, epochs) if keep else "",
            self.precision,
        )

    @property
    def precision(self) -> torch.dtype:
        """What products are computed in while learning."""
        whole = self.params.precision != "auto"
        return torch.float32 if whole else loop.precision(self.device)

    def _train(
        self,
        params: Params,
        epochs: int,
        judge: Callable[[Any], float] | None,
        on_epoch: Callable[[trainer.Epoch], None] | None,
        keep: loop.Keep | None,
    ) -> None:
        run = self.run(params, epochs, judge, on_epoch, keep)
        try:
            with together.led(self, run, params, epochs):
                run.go()
        finally:
            self.history, self._best = run.history, run.best
            self._graph = None

    def best(self) -> None:
        """Of a training that was interrupted: take the best weights judged so far."""
        assert self.net is not None
        if self._best:
            self.net.load_state_dict(self._best)
            self.net.eval()
            self._graph = None

    def _mark(self, params: Params, epochs: int) -> str:
        """Which training this is: the parameters, the data and the device's precision."""
        read, usual = self.histories, asdict(Params())
        # What is as usual is not told: a parameter that is new to us leaves old trainings valid.
        usual["processes"] = params.processes  # they take the same steps
        told = {name: one for name, one in asdict(params).items() if one != usual[name]}
        marked = hashlib.sha256(
            json.dumps([type(self).__name__, told, epochs, str(self.precision)]).encode()
        )
        kinds = [] if read.kind is None else [read.kind]
        for array in (self.users.ids, self.items.ids, read.item, read.at, read.start, *kinds):
            marked.update(np.ascontiguousarray(array).tobytes())
        return marked.hexdigest()

    def loss_of(self, batch: Batch) -> torch.Tensor:
        assert self.net is not None
        assert self.chance is not None
        net, params, kind = self.net, self.params, self.loss
        # Only places that are asked about reach the widest layer. Looked up rather than indexed: a
        # place asked twice would add its gradients up in whatever order the threads come by.
        states = net(batch.tokens, batch.place, batch.gap).flatten(0, 1)
        states = functional.embedding(batch.asked, states)
        table = net.table.weight[: net.shape.items]
        rest = (states, table, net.bias, batch.answer, batch.weight)
        if kind == "softmax":
            return losses.softmax(*rest)
        drawn = losses.draw(self.chance, min(params.negatives or SAMPLE, 4 * len(self.items)))
        if kind == "gbce":
            return losses.gbce(*rest, drawn, params.calibration)
        return losses.sampled_softmax(*rest, drawn)

    def recommend(
        self,
        users: Array,
        k: int,
        allowed: Array | None = None,
        skip_seen: bool = True,
    ) -> tuple[Array, Array]:
        """See `base.Recommender`; scores are logarithms of a softmax over the catalogue."""
        users = np.asarray(users, dtype=np.int64)
        row = self.users.encode(users)
        sizes = np.where(row >= 0, self.histories.sizes[row], 0) if len(self.users) else row * 0
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        met = np.flatnonzero(sizes > 0)
        met = met[np.argsort(sizes[met], kind="stable")]
        for part in chunks(len(met), ASK_AT_ONCE):
            rows = row[met[part]]
            begin, end = self.histories.start[rows], self.histories.start[rows + 1]
            owned = self.seen[rows] if skip_seen else None
            ids[met[part]], scores[met[part]] = self._picks(
                self.histories, begin, end, owned, k, allowed
            )
        return ids, scores

    def continue_from(
        self,
        sessions: Sequence[Array],
        k: int,
        allowed: Array | None = None,
        skip_seen: bool = True,
    ) -> tuple[Array, Array]:
        """Picks for sequences of item ids, oldest first, of people the model need not know.

        Products the model never met are passed over; nothing known gives a row of NO_ITEM.
        """
        known = [self.items.encode(np.asarray(one, dtype=np.int64)) for one in sessions]
        known = [one[one >= 0] for one in known]
        sizes = np.array([len(one) for one in known], dtype=np.int64)
        start_at = np.concatenate([[0], np.cumsum(sizes)])
        item = np.concatenate([*known, np.empty(0, dtype=np.int64)])
        read = Histories(item=item, at=np.zeros(len(item), dtype=np.int64), start=start_at)
        seen = read.seen(len(self.items))
        ids = np.full((len(known), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(known), k), -np.inf, dtype=np.float32)
        met = np.flatnonzero(sizes)
        for part in chunks(len(met), ASK_AT_ONCE):
            rows = met[part]
            ids[rows], scores[rows] = self._picks(
                read, start_at[rows], start_at[rows + 1], seen[rows] if skip_seen else None, k,
                allowed,
            )  # fmt: skip
        return ids, scores

    def inputs(
        self, read: Histories, begin: Array, end: Array
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor]:
        """Tokens, places, gaps, and the place in each row that is asked what comes next."""
        reading = self.reading
        length = reading.length
        begin = np.maximum(begin, end - length)
        tokens = window(read.item, begin, end, reading.filling)
        gap = window(read.gap, begin, end, 0) if reading.gaps else None
        sizes = end - begin
        if not self.causal:
            tokens = np.pad(tokens, ((0, 0), (0, 1)), constant_values=reading.filling)
            tokens[np.arange(len(tokens)), sizes] = reading.mask
            gap = None if gap is None else np.pad(gap, ((0, 0), (0, 1)))
            sizes = sizes + 1
        held = torch.from_numpy(sizes)
        return (
            torch.from_numpy(tokens).to(self.device),
            places(held, tokens.shape[1]).to(self.device),
            None if gap is None else torch.from_numpy(gap).to(self.device),
            (held - 1).to(self.device),
        )

    @torch.inference_mode()
    def _picks(
        self,
        read: Histories,
        begin: Array,
        end: Array,
        owned: csr_matrix | None,
        k: int,
        allowed: Array | None,
    ) -> tuple[Array, Array]:
        assert self.net is not None
        self.net.eval()
        tokens, place, gap, last = self.inputs(read, begin, end)
        with trainer.autocast(self.device):
            states = self.net(tokens, place, gap)
            states = states[torch.arange(len(tokens), device=self.device), last]
            found = torch.log_softmax(self.net.logits(states).float(), dim=1)
        if allowed is not None:
            found[
                :, torch.from_numpy(~np.isin(self.items.ids, allowed)).to(self.device)
            ] = -torch.inf
        if owned is not None:
            at = torch.from_numpy(np.repeat(np.arange(owned.shape[0]), np.diff(owned.indptr)))
            found[at, torch.from_numpy(owned.indices.astype(np.int64))] = -torch.inf
        width = min(k, len(self.items))
        values, where = (one.cpu().numpy() for one in found.topk(width, dim=1))
        ids = np.full((len(tokens), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(tokens), k), -np.inf, dtype=np.float32)
        ids[:, :width] = np.where(np.isfinite(values), self.items.ids[where], NO_ITEM)
        scores[:, :width] = values
        return ids, scores

    def vectors(self) -> tuple[Array, Array]:
        assert self.net is not None
        table = self.net.table.weight.detach()[: len(self.items)]
        return self.items.ids, functional.normalize(table.float(), dim=1).cpu().numpy()

    def save(self, folder: Path) -> None:
        self.store(folder)
        self._export(folder)
        artifacts.write_json(folder / "history.json", asdict(self.history))

    def store(self, folder: Path) -> None:
        """What `load` reads, and nothing that is made of it."""
        assert self.net is not None
        artifacts.write_json(folder / "params.json", asdict(self.params))
        weights = {name: one.cpu().contiguous() for name, one in self.net.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        artifacts.write_arrays(
            folder / HISTORIES,
            users=self.users.ids,
            items=self.items.ids,
            item=self.histories.item,
            at=self.histories.at,
            start=self.histories.start,
            **({} if self.histories.kind is None else {"kind": self.histories.kind}),
        )
        artifacts.write_json(folder / "history.json", asdict(self.history))

    def _export(self, folder: Path) -> None:
        """A graph that answers without torch, where its libraries are; torch answers elsewhere."""
        if not export.possible():
            return
        try:
            # A model that is stored again, as a part of another, has its graph already.
            if self._graph is None:
                export.write(self, folder)
                self._graph = {
                    name: (folder / name).read_bytes() for name in (served.GRAPH, served.ABOUT)
                }
            for name, held in self._graph.items():
                (folder / name).write_bytes(held)
        except Exception as fault:  # the libraries raise of all kinds, and the weights are good
            for graph in folder.glob("*.onnx"):
                graph.unlink()
            self.history.told.append(f"no_graph:{type(fault).__name__}")

    @classmethod
    def load(cls, folder: Path) -> Self:
        if not (folder / HISTORIES).exists():
            raise artifacts.Damaged(
                f"{folder.name} was stored by an earlier release in another form; train it again"
            )
        model = cls(Params(**artifacts.read_json(folder / "params.json")))
        stored = artifacts.read_arrays(folder / HISTORIES)
        model.users, model.items = IdMap(stored["users"]), IdMap(stored["items"])
        model.histories = Histories(
            stored["item"], stored["at"], stored["start"], stored.get("kind")
        )
        model.seen = model.histories.seen(len(model.items))
        model.history = read_history(artifacts.read_json(folder / "history.json"))
        model.net = model.fresh()
        model.net.load_state_dict(load_file(folder / WEIGHTS))
        model.net.eval()
        return model


def shape_of(params: Params, items: int, *, causal: bool, kinds: bool = False) -> Shape:
    return Shape(
        items=items,
        dimension=params.dimension,
        layers=params.layers,
        heads=params.heads,
        length=params.length,
        dropout=params.dropout,
        causal=causal,
        gaps=GAPS if params.gaps else 0,
        bias=params.popular_days >= 0,
        spread=params.spread,
        wide=params.wide,
        kinds=KINDS if kinds else 0,
    )


def read_history(stored: dict[str, Any]) -> loop.History:
    epochs = [trainer.Epoch(**one) for one in stored["epochs"]]
    return loop.History(**{**stored, "epochs": epochs})


def joined(old: Interactions, new: Interactions) -> Interactions:
    """The whole history once new events have come."""
    return concat(old, new)
