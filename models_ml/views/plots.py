"""Stored curves and readings of predictions → numbers a page can draw."""

import math
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

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
    return wording.in_words(str(known.get("meaning") or name.replace("_", " ")))


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


def gained(ours: Any, dull: Any) -> dict[str, Any] | None:
    """The Qini curve: what is gained by mailing the best share, from below zero where it harms."""
    rows = [row for row in ours or [] if isinstance(row, dict)]
    if len(rows) < 2:
        return None
    both = [row["gained"] for row in [*rows, *(dull or [])]]
    step = _step(max(both) - min(both))
    low = step * math.floor(min(both) / step + 1e-9)
    high = max(step * math.ceil(max(both) / step - 1e-9), low + step)

    def line(points: Any) -> str:
        places = [(one["people"], (one["gained"] - low) / (high - low)) for one in points or []]
        return " ".join(f"{_x(share)},{_y(place)}" for share, place in places)

    marks = [low + n * step for n in range(round((high - low) / step) + 1)]
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2
    return {
        "ours": line(rows),
        "dull": line(dull),
        "even": line([rows[0], rows[-1]]),
        "foot": HEIGHT - 16,
        "x": [{"at": _x(s), "text": wording.pct(s, 0)} for s in (0.0, 0.25, 0.5, 0.75, 1.0)],
        "y": [
            {"at": _y((m - low) / (high - low)), "text": wording.decimal(m, digits)} for m in marks
        ],
    }


def _step(width: float) -> float:
    """A round step that makes three to six of a width."""
    size = 10.0 ** math.floor(math.log10(max(width, 1e-6)))
    return next(size * m for m in (0.2, 0.5, 1.0, 2.0) if width / (size * m) <= 6)


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


def hours(everyone: Any) -> dict[str, Any] | None:
    """Everybody's hours, weekdays beside weekends, as heights in percent of the highest."""
    if not isinstance(everyone, dict) or "weekdays" not in everyone:
        return None
    weekdays, weekends = everyone["weekdays"], everyone["weekends"]
    # Five days of the one, two of the other: what is shown is a day of each.
    days = [[share / 5 for share in weekdays], [share / 2 for share in weekends]]
    most = max(map(max, days)) or 1.0
    return {
        "best": f"{everyone['hour']:02}:00",
        "from": f"{everyone['from']:02}:00",
        "until": f"{everyone['until']:02}:00",
        "bars": [
            {
                "hour": hour,
                "weekday": round(100 * days[0][hour] / most, 1),
                "weekend": round(100 * days[1][hour] / most, 1),
            }
            for hour in range(24)
        ],
    }


def sales(sold: list[int], ahead: list[Any], *, small: bool = False) -> dict[str, Any]:
    """What was sold and what is expected with its bounds, as points of one drawing."""
    wide, high, left, right, top, bottom = (
        (180, 40, 2, 2, 3, 3) if small else (960, 280, 52, 14, 10, 32)
    )
    most = max([*sold, *(row.high for row in ahead), 1])
    steps = max(len(sold) + len(ahead) - 1, 1)

    def x(n: float) -> float:
        return round(left + n / steps * (wide - left - right), 1)

    def y(value: float) -> float:
        return round(high - bottom - value / most * (high - top - bottom), 1)

    first = len(sold) - 1
    last = (sold[-1], sold[-1], sold[-1]) if sold else (0, 0, 0)
    told = [last, *((row.mean, row.low, row.high) for row in ahead)]
    upper = [f"{x(first + n)},{y(row[2])}" for n, row in enumerate(told)]
    lower = [f"{x(first + n)},{y(row[1])}" for n, row in enumerate(told)]
    return {
        "w": wide,
        "h": high,
        "sold": " ".join(f"{x(n)},{y(value)}" for n, value in enumerate(sold)),
        "said": " ".join(f"{x(first + n)},{y(row[0])}" for n, row in enumerate(told)),
        "band": " ".join([*upper, *reversed(lower)]),
        "usual": " ".join(
            f"{x(first + n)},{y(min(value, most))}"
            for n, value in enumerate([last[0], *(row.usual for row in ahead)])
        ),
        "now": x(first),
        "y": [
            {"at": y(most * share), "text": wording.short(most * share)} for share in (0, 0.5, 1)
        ],
        "x": [
            {"at": x(0), "text": _("%(n)s ago") % {"n": _span(len(sold), ahead)}},
            {"at": x(first), "text": _("now")},
            {"at": x(steps), "text": _("in %(n)s") % {"n": _span(len(ahead), ahead)}},
        ],
    }


def _span(periods: int, ahead: list[Any]) -> str:
    days = ahead[0].days if ahead else 7
    if days == 7:
        return ngettext("%(n)d week", "%(n)d weeks", periods) % {"n": periods}
    return ngettext("%(n)d day", "%(n)d days", periods) % {"n": periods}
