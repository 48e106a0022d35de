"""The answers of a stored sequence model by onnxruntime, without torch.

A folder holds the graph, the histories and the weights. Where the graph or onnxruntime is missing
the model is read by torch instead: `sasrec` and `bert4rec` choose, and either answers the same.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors.numpy import load_file
from scipy.sparse import csr_matrix
from scipy.special import log_softmax

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, chunks
from models_ml.algorithms.recommenders import histories as ranks
from models_ml.algorithms.recommenders.factors import unit
from models_ml.algorithms.recommenders.sequential.histories import Histories, window

GRAPH, ABOUT = "network.onnx", "network.json"
WEIGHTS, HISTORIES = "weights.safetensors", "histories.npz"
ASK_AT_ONCE = 256
_ROOM = "models_ml.algorithms.recommenders.sequential"


def sasrec(folder: Path) -> Any:
    """What answers for a stored SASRec."""
    return _read(folder, "sasrec", "SASRec")


def bert4rec(folder: Path) -> Any:
    """What answers for a stored BERT4Rec."""
    return _read(folder, "bert4rec", "BERT4Rec")


def _read(folder: Path, room: str, kind: str) -> Any:
    if (folder / GRAPH).exists() and importlib.util.find_spec("onnxruntime"):
        return Served.load(folder)
    return getattr(import_module(f"{_ROOM}.{room}"), kind).load(folder)


class Served:
    """Answers as `engine.Engine` does; it cannot learn."""

    def __init__(
        self, graph: Path, *, items: IdMap, length: int, causal: bool, threads: int = 0
    ) -> None:
        onnxruntime: Any = import_module("onnxruntime")
        how = onnxruntime.SessionOptions()
        how.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            graph.read_bytes(), how, providers=["CPUExecutionProvider"]
        )
        self.takes = {one.name for one in self.session.get_inputs()}
        self.items, self.length, self.causal = items, length, causal
        self.users = IdMap(np.empty(0, dtype=np.int64))
        self.histories = Histories(*(np.zeros(n, dtype=np.int64) for n in (0, 0, 1)))
        self.seen = csr_matrix((0, len(items)), dtype=np.float32)
        self.table = np.empty((0, 0), dtype=np.float32)
        self.params: Any = None

    @classmethod
    def of(cls, model: Any, graph: Path) -> Self:
        """The same sizes as a model at hand, answering by the graph; it knows nobody."""
        return cls(graph, items=model.items, length=model.params.length, causal=model.causal)

    @classmethod
    def load(cls, folder: Path) -> Self:
        params = artifacts.read_json(folder / "params.json")
        stored = artifacts.read_arrays(folder / HISTORIES)
        made = cls(
            folder / GRAPH,
            items=IdMap(stored["items"]),
            length=params["length"],
            causal=artifacts.read_json(folder / ABOUT)["causal"],
            threads=params["threads"],
        )
        made.users = IdMap(stored["users"])
        made.histories = Histories(
            stored["item"], stored["at"], stored["start"], stored.get("kind")
        )
        made.seen = made.histories.seen(len(made.items))
        table = load_file(folder / WEIGHTS)["table.weight"][: len(made.items)]
        made.table = unit(table.astype(np.float32))
        return made

    def recommend(
        self, users: Array, k: int, allowed: Array | None = None, skip_seen: bool = True
    ) -> tuple[Array, Array]:
        """See `base.Recommender`; scores are logarithms of a softmax over the catalogue."""
        users = np.asarray(users, dtype=np.int64)
        row = self.users.encode(users)
        known = np.flatnonzero(row >= 0)
        read = self.histories
        ids, scores = _empty(len(users), k)
        begin, end = read.start[row[known]], read.start[row[known] + 1]
        seen = self.seen[row[known]] if skip_seen else None
        ids[known], scores[known] = self._answer(read, begin, end, seen, k, allowed)
        return ids, scores

    def continue_from(
        self,
        sessions: Sequence[Array],
        k: int,
        allowed: Array | None = None,
        skip_seen: bool = True,
    ) -> tuple[Array, Array]:
        """Picks for sequences of item ids, oldest first, of people the model need not know."""
        known = [self.items.encode(np.asarray(one, dtype=np.int64)) for one in sessions]
        known = [one[one >= 0] for one in known]
        start = np.concatenate([[0], np.cumsum([len(one) for one in known])]).astype(np.int64)
        item = np.concatenate([*known, np.empty(0, dtype=np.int64)])
        read = Histories(item, np.zeros(len(item), dtype=np.int64), start)
        seen = read.seen(len(self.items)) if skip_seen else None
        return self._answer(read, start[:-1], start[1:], seen, k, allowed)

    def _answer(
        self,
        read: Histories,
        begin: Array,
        end: Array,
        seen: csr_matrix | None,
        k: int,
        allowed: Array | None,
    ) -> tuple[Array, Array]:
        ids, scores = _empty(len(begin), k)
        met = np.flatnonzero(end > begin)
        met = met[np.argsort((end - begin)[met], kind="stable")]
        closed = None if allowed is None else ~np.isin(self.items.ids, allowed)
        for part in chunks(len(met), ASK_AT_ONCE):
            rows = met[part]
            found = log_softmax(self.logits(read, begin[rows], end[rows]), axis=1)
            if closed is not None:
                found[:, closed] = -np.inf
            if seen is not None:
                mine = seen[rows]
                found[np.repeat(np.arange(len(rows)), np.diff(mine.indptr)), mine.indices] = -np.inf
            places, best = ranks.top(found, k)
            width = places.shape[1]
            ids[rows, :width] = np.where(np.isfinite(best), self.items.ids[places], NO_ITEM)
            scores[rows, :width] = best
        return ids, scores

    def logits(self, read: Histories, begin: Array, end: Array) -> Array:
        """Scores (n, items) of what comes after events begin..end, at least one in each row."""
        begin = np.maximum(begin, end - self.length)
        sizes, filling = end - begin, len(self.items)
        spare = [(0, 0), (0, 0 if self.causal else 1)]
        tokens = np.pad(window(read.item, begin, end, filling), spare, constant_values=filling)
        gap = np.pad(window(read.gap, begin, end, 0), spare)
        if not self.causal:
            tokens[np.arange(len(tokens)), sizes] = filling + 1
            sizes = sizes + 1
        place = np.maximum(sizes[:, None] - 1 - np.arange(tokens.shape[1]), 0)
        given = {"tokens": tokens, "place": place, "last": sizes - 1, "gap": gap}
        taken = {name: value for name, value in given.items() if name in self.takes}
        return np.asarray(self.session.run(["scores"], taken)[0], dtype=np.float32)

    def vectors(self) -> tuple[Array, Array]:
        return self.items.ids, self.table


def _empty(rows: int, k: int) -> tuple[Array, Array]:
    return (
        np.full((rows, k), NO_ITEM, dtype=np.int64),
        np.full((rows, k), -np.inf, dtype=np.float32),
    )
