"""Stored curves and readings of predictions → numbers a page can draw."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from marketing.core import wording
from models_ml.models import ModelVersion, Watch

MOST_DRIVERS = 12
STEPS = (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 300, 44, 22, 10, 34


@dataclass(frozen=True, slots=True)
class Driver:
    """A column and how much of the ranking or of the error hangs on it."""

    name: str
    meaning: str
    unit: str
    weight: float
    width: float


def drivers(details: dict[str, Any]) -> list[Driver]:
    """What the model leans on, strongest first; what it does not lean on is left out."""
    features = details.get("features") or {}
    found = [
        (name, weight)
        for name, weight in (details.get("importances") or {}).items()
        if isinstance(weight, int | float) and weight > 0
    ]
    found.sort(key=lambda pair: -pair[1])
    top = found[0][1] if found else 1.0
    return [
        Driver(
            name,
            meaning_of(features, name),
            str((features.get(name) or {}).get("unit", "")),
            weight,
            round(100 * weight / top, 1),
        )
        for name, weight in found[:MOST_DRIVERS]
    ]


def meaning_of(features: dict[str, Any], name: str) -> str:
    """A column as people know it."""
    known = features.get(name) or {}
    if name == "events":
        return _("what they did, in order")
    return str(known.get("meaning") or name.replace("_", " "))


def calibration(bins: Any) -> dict[str, Any] | None:
    """Dots of said against seen on axes that end where the chances end; None without any."""
    rows = [row for row in bins or [] if isinstance(row, dict) and "said" in row]
    if not rows:
        return None
    highest = max(max(row["said"], row["high"]) for row in rows)
    top = next((step for step in STEPS if step >= highest), 1.0)
    most = max(row["people"] for row in rows)
    return {
        "rows": rows,
        "dots": [
            {
                "x": _x(row["said"] / top),
                "y": _y(row["seen"] / top),
                "low": _y(row["low"] / top),
                "high": _y(min(row["high"] / top, 1.0)),
                "r": round(3 + 5 * (row["people"] / most) ** 0.5, 1),
            }
            for row in rows
        ],
        "even": f"{_x(0)},{_y(0)} {_x(1)},{_y(1)}",
        "x": _ticks(top, _x),
        "y": _ticks(top, _y),
    }


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _ticks(top: float, place: Any) -> list[dict[str, Any]]:
    digits = 0 if top >= 0.2 else 1
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    return [{"at": place(s), "text": wording.pct(s * top, digits)} for s in shares]


def bars(spread: list[dict[str, float]]) -> list[dict[str, Any]]:
    """The histogram of scores: a height in percent of the highest bin."""
    most = max((one["people"] for one in spread), default=0) or 1
    return [
        {**one, "height": max(round(100 * one["people"] / most, 1), 1.5 if one["people"] else 0)}
        for one in spread
    ]


def drift(watch: Watch | None, version: ModelVersion) -> dict[str, Any] | None:
    """One look at how people moved: a row a column, the most moved first."""
    if watch is None:
        return None
    features = version.details.get("features") or {}
    readings = watch.readings
    worst = set(readings.get("worst") or [])
    rows = [
        {
            "meaning": meaning_of(features, name),
            "psi": one.get("psi"),
            "missing": one.get("missing"),
            "before": one.get("missing_before"),
            "width": round(min(100 * (one.get("psi") or 0) / 0.5, 100), 1),
            "moved": name in worst,
        }
        for name, one in (readings.get("columns") or {}).items()
    ]
    rows.sort(key=lambda row: (not row["moved"], -(row["psi"] or 0)))
    said = readings.get("said") or {}
    return {
        "watch": watch,
        "rows": rows,
        "rest": rows[8:],
        "said": said,
        "said_width": round(min(100 * (said.get("psi") or 0) / 0.5, 100), 1),
    }


def curves(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How networks learned: the loss on what was learned from and on what was set aside."""
    words = {"loss": _("people it learned from"), "aside": _("people kept aside")}
    found = []
    for row in table:
        epochs = [one for one in row.get("curve") or [] if isinstance(one, dict)]
        values = [one[name] for one in epochs for name in words if one.get(name) is not None]
        if len(epochs) < 2 or not values:
            continue
        low, width = min(values), (max(values) - min(values)) or 1.0
        lines = [
            {
                "name": word,
                "points": " ".join(
                    f"{_x(n / (len(epochs) - 1))},{_y((one[name] - low) / width)}"
                    for n, one in enumerate(epochs)
                    if one.get(name) is not None
                ),
            }
            for name, word in words.items()
        ]
        ends = (("1", 0.0), (str(len(epochs)), 1.0))
        losses = ((low, 0.0), (low + width / 2, 0.5), (low + width, 1.0))
        found.append(
            {
                "name": row["name"],
                "lines": lines,
                "epochs": len(epochs),
                "x": [{"at": _x(share), "text": text} for text, share in ends],
                "y": [{"at": _y(share), "text": f"{loss:.3f}"} for loss, share in losses],
            }
        )
    return found
