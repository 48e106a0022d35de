"""Moves between stages → the shapes of a flow picture. Numbers in, numbers out.

Heights are pixels of a drawing HEIGHT tall; across it is 100 wide and stretched. Names stand beside
it as text, so that they stay readable at every width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models_ml.insights.stage_history import LABELS, Move

HEIGHT, GAP, LEAST, BAR = 440.0, 34.0, 2.0, 1.6
HUES = {
    "new": "k5", "active": "k1", "loyal": "k2", "at_risk": "k3", "lapsed": "k4",
    "never_ordered": "k8", "unknown": "i-unknown",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A stage on one side: where its bar begins, how tall it is, and where its name stands."""

    stage: str
    label: Any
    hue: str
    people: int
    share: float
    y: float
    height: float

    @property
    def at(self) -> float:
        return round(100 * (self.y + self.height / 2) / HEIGHT, 2)


@dataclass(frozen=True, slots=True)
class Ribbon:
    """Those who went from one stage to another."""

    move: Move
    hue: str
    shape: str
    stayed: bool


@dataclass(frozen=True, slots=True)
class Picture:
    left: list[Node]
    right: list[Node]
    ribbons: list[Ribbon]


def draw(moves: Sequence[Move]) -> Picture | None:
    """The picture of a flow; None where nobody is known."""
    total = sum(move.people for move in moves)
    if not total:
        return None
    left, right = _side(moves, "start", total), _side(moves, "end", total)
    scale = min(_scale(left, total), _scale(right, total))
    starts, ends = _nodes(left, total, scale), _nodes(right, total, scale)
    used_left = {node.stage: node.y for node in starts}
    used_right = {node.stage: node.y for node in ends}
    ribbons = []
    for move in moves:
        thick = move.people * scale
        y0, y1 = used_left[move.start], used_right[move.end]
        used_left[move.start], used_right[move.end] = y0 + thick, y1 + thick
        ribbons.append(
            Ribbon(move, HUES[move.start], _shape(y0, y1, thick), move.start == move.end)
        )
    ribbons.sort(key=lambda ribbon: -ribbon.move.people)
    return Picture(starts, ends, ribbons)


def _side(moves: Sequence[Move], side: str, total: int) -> dict[str, int]:
    sums = dict.fromkeys(LABELS, 0)
    for move in moves:
        sums[getattr(move, side)] += move.people
    return {stage: people for stage, people in sums.items() if people}


def _scale(side: dict[str, int], total: int) -> float:
    return (HEIGHT - GAP * (len(side) - 1) - LEAST * len(side)) / total


def _nodes(side: dict[str, int], total: int, scale: float) -> list[Node]:
    tall = sum(people * scale + LEAST for people in side.values()) + GAP * (len(side) - 1)
    y = (HEIGHT - tall) / 2
    nodes = []
    for stage, people in side.items():
        height = people * scale + LEAST
        nodes.append(
            Node(
                stage, LABELS[stage], HUES[stage], people, people / total, round(y, 2),
                round(height, 2),
            )
        )  # fmt: skip
        y += height + GAP
    return nodes


def _shape(y0: float, y1: float, thick: float) -> str:
    """A band from the left bar to the right one, as the path of an SVG."""
    thick = max(thick, 0.8)
    a, b = BAR, 100 - BAR
    low0, low1 = y0 + thick, y1 + thick
    return (
        f"M{a},{y0:.2f} C50,{y0:.2f} 50,{y1:.2f} {b},{y1:.2f}"
        f" L{b},{low1:.2f} C50,{low1:.2f} 50,{low0:.2f} {a},{low0:.2f} Z"
    )
