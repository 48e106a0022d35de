"""Stored curves → points of small SVG drawings. Numbers in, numbers out."""

from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 300, 44, 22, 10, 34


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Gains:
    """The lift chart: two curves and the line of drawing people blindly."""

    ours: str
    dull: str
    even: str
    x: list[Tick]
    y: list[Tick]
    found_by_fifth: float
    dull_by_fifth: float | None


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    low: float
    high: float
    r: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Said against seen, each dot with its interval; on the line is right."""

    dots: list[Dot]
    even: str
    x: list[Tick]
    y: list[Tick]


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _ticks() -> tuple[list[Tick], list[Tick]]:
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    words = [f"{share:.0%}" for share in shares]
    return (
        [Tick(_x(s), w) for s, w in zip(shares, words, strict=True)],
        [Tick(_y(s), w) for s, w in zip(shares, words, strict=True)],
    )


def _line(points: list[dict[str, float]]) -> str:
    return " ".join(f"{_x(p['people'])},{_y(p['found'])}" for p in points)


def _at(points: list[dict[str, float]], share: float) -> float:
    return next((p["found"] for p in points if p["people"] >= share - 1e-9), 1.0)


def gains(ours: Any, dull: Any) -> Gains | None:
    """Points of the lift chart; None when the version has none stored."""
    if not ours:
        return None
    x, y = _ticks()
    even = f"{_x(0)},{_y(0)} {_x(1)},{_y(1)}"
    return Gains(
        _line(ours), _line(dull or []), even, x, y, _at(ours, 0.2), _at(dull, 0.2) if dull else None
    )


def calibration(bins: Any) -> Calibration | None:
    """Points of the calibration chart; None when the version has none stored."""
    if not bins:
        return None
    x, y = _ticks()
    most = max(b["people"] for b in bins)
    dots = [
        Dot(
            _x(b["said"]), _y(b["seen"]), _y(b["low"]), _y(b["high"]),
            round(3 + 5 * (b["people"] / most) ** 0.5, 1),
        )
        for b in bins
    ]  # fmt: skip
    return Calibration(dots, f"{_x(0)},{_y(0)} {_x(1)},{_y(1)}", x, y)
