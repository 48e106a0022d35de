"""How models that learn in epochs did, or do at this moment, as points of a small drawing.

A training that runs writes its epochs down beside its weights; the head of that file is read here
and nothing else of it, so that pages need no library that learns.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models_ml import catalog, sittings
from models_ml.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick
from models_ml.models import ModelVersion

# The part of a training that is judged after each epoch, and its file.
CHOSEN, FILE = "chosen", "training.safetensors"
# More than any head of ours has.
MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Curve:
    """Loss and NDCG by epoch, each on a scale of its own; `best` is where the score is highest."""

    title: str
    live: bool
    loss: str
    score: str
    best: tuple[float, float] | None
    x: list[Tick]
    rows: list[dict[str, Any]]
    best_epoch: int
    best_score: float | None
    seconds: float

    @property
    def epochs(self) -> int:
        return len(self.rows)


def stored(versions: Iterable[ModelVersion]) -> list[Curve]:
    """Curves of versions that have some, as they were learned."""
    found = []
    for version in versions:
        epochs = (version.details.get("history") or {}).get("epochs") or []
        if epochs and version.name in catalog.BY_NAME:
            found.append(_curve(str(catalog.BY_NAME[version.name].title), epochs, live=False))
    return found


def running(job_id: int) -> list[Curve]:
    """Curves of what a job is learning now, or has learned so far."""
    whole = sittings.folder(job_id)
    found = []
    for entry in catalog.CATALOG:
        epochs = _epochs(whole / entry.name / CHOSEN / FILE)
        if epochs:
            found.append(_curve(str(entry.title), epochs, live=True))
    return found


def _epochs(path: Path) -> list[dict[str, Any]]:
    """The epochs in the head of a checkpoint: eight bytes of length, then JSON."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            head = json.loads(file.read(size)) if size <= MOST_BYTES else {}
        state = json.loads(head["__metadata__"]["state"])
        return list(state["history"]["epochs"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _curve(title: str, epochs: list[dict[str, Any]], *, live: bool) -> Curve:
    scores = [(one["number"], one["score"]) for one in epochs if one.get("score") is not None]
    numbers = [one["number"] for one in epochs]
    most = max(2, numbers[-1])
    best = max(scores, key=lambda pair: pair[1]) if scores else None
    high = best[1] if best else 0.0
    losses = [one["loss"] for one in epochs]
    low, top = min(losses), max(losses)

    def x(number: float) -> float:
        return round(LEFT + (number - 1) / (most - 1) * (WIDTH - LEFT - RIGHT), 1)

    def y(share: float) -> float:
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def score(value: float) -> float:
        return y(value / high if high else 0.0)

    marks = sorted({1, (1 + most) // 2, most})
    return Curve(
        title=title,
        live=live,
        loss=" ".join(
            f"{x(n)},{y((value - low) / (top - low) if top > low else 0.5)}"
            for n, value in zip(numbers, losses, strict=True)
        ),
        score=" ".join(f"{x(n)},{score(value)}" for n, value in scores),
        best=(x(best[0]), score(best[1])) if best else None,
        x=[Tick(x(n), str(n)) for n in marks],
        rows=epochs,
        best_epoch=best[0] if best else 0,
        best_score=best[1] if best else None,
        seconds=sum(one.get("seconds", 0.0) for one in epochs) / len(epochs),
    )
