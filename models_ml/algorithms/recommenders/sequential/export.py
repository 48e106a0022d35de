"""A network as an ONNX graph, in whole numbers where that costs next to nothing.

The graph takes histories of any number and length and gives the scores of the whole catalogue. A
second one with its weights in eight bits is kept instead when its NDCG@10, on what people bought
last, is less than a hundredth below the first's. Needs `onnx` and `onnxruntime`; where they are not
installed nothing is written, and torch serves.
"""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from models_ml.algorithms import artifacts, metrics
from models_ml.algorithms.data import Truth
from models_ml.algorithms.recommenders.sequential import served
from models_ml.algorithms.recommenders.sequential.network import Network

if TYPE_CHECKING:
    from models_ml.algorithms.recommenders.sequential.engine import Engine

OPSET = 18
# Eight bits may cost this part of the NDCG.
MOST_LOST = 0.01
JUDGED_PEOPLE = 1_000
SEED = 20111209


class _Answers(nn.Module):
    """The scores (b, items) of what comes at the place `last` of each row."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        tokens: torch.Tensor,
        place: torch.Tensor,
        last: torch.Tensor,
        gap: torch.Tensor | None = None,
    ) -> torch.Tensor:
        states = self.net(tokens, place, gap)
        wide = last[:, None, None].expand(-1, 1, states.shape[2])
        return self.net.logits(states.gather(1, wide)[:, 0])


def possible() -> bool:
    """Whether what writes and reads graphs is installed."""
    return all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))


def write(model: Engine, folder: Path) -> dict[str, Any]:
    """Write the graph into `folder`; what came of it: opset, bytes, NDCG of both forms.

    Raises what the libraries raise when the network cannot be said in their terms.
    """
    quantization: Any = import_module("onnxruntime.quantization")
    assert model.net is not None
    whole, small = folder / served.GRAPH, folder / "small.onnx"
    _graph(model.net, whole)
    quantization.quantize_dynamic(whole, small, weight_type=quantization.QuantType.QInt8)
    exact, rough = (_judged(model, path) for path in (whole, small))
    told = {
        "opset": OPSET,
        "causal": model.causal,
        "ndcg@10": round(exact, 6),
        "ndcg@10_int8": round(rough, 6),
        "bytes": whole.stat().st_size,
        "bytes_int8": small.stat().st_size,
        "int8": rough >= (1 - MOST_LOST) * exact and rough > 0,
    }
    if told["int8"]:
        small.replace(whole)
    else:
        small.unlink()
    artifacts.write_json(folder / served.ABOUT, told)
    return told


def _graph(net: Network, path: Path) -> None:
    came_from = next(net.parameters()).device
    net = net.cpu().eval()
    tokens = torch.zeros((2, 3), dtype=torch.int64)
    names = ["tokens", "place", "last"] + (["gap"] if net.gap is not None else [])
    given: list[torch.Tensor] = [tokens, tokens, torch.tensor([2, 2])]
    if net.gap is not None:
        given.append(tokens)
    rows, width = {0: "rows"}, {0: "rows", 1: "width"}
    axes = {name: rows if name == "last" else width for name in names} | {"scores": rows}
    with torch.inference_mode(False), torch.no_grad():
        torch.onnx.export(
            _Answers(net),
            tuple(given),
            str(path),
            input_names=names,
            output_names=["scores"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    net.to(came_from)


def _judged(model: Engine, graph: Path) -> float:
    """NDCG@10 of the last basket of some people, asked from all that came before it."""
    read = model.histories.purchases
    first, last = read.start[:-1], read.start[1:]
    able = np.flatnonzero(last > first)
    begins = read.bounds[read.basket[last[able] - 1]]
    able, begins = able[begins > first[able]], begins[begins > first[able]]
    if not len(able):
        return 0.0
    rng = np.random.default_rng(SEED)
    some = np.sort(rng.permutation(len(able))[:JUDGED_PEOPLE])
    able, begins = able[some], begins[some]
    answers = served.Served.of(model, graph)
    ids, _scores = answers.continue_from(
        [
            model.items.ids[read.item[first[one] : cut]]
            for one, cut in zip(able, begins, strict=True)
        ],
        10,
    )
    sizes = last[able] - begins
    row = np.repeat(np.arange(len(able)), sizes)
    at = np.repeat(begins, sizes) + np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    truth = Truth(able, row, model.items.ids[read.item[at]])
    return float(metrics.ranking(truth, ids, 10).ndcg.mean())
