"""Stored curves of dependence, and groups told apart for fairness → what their cards draw."""

from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from marketing.core import brand, wording
from models_ml.algorithms import fourfifths
from models_ml.models import Prediction
from models_ml.views import plots
from models_ml.watched import Watched

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 320, 190, 46, 14, 10, 30
MOST_BARS = 8


def dependence(details: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """A drawing a column, strongest first: a line with its band, or bars of the commonest levels.

    All share one scale, so that a flat one is seen to be flat.
    """
    features = details.get("features") or {}
    curves = [one for one in details.get("dependence") or [] if len(one.get("points") or []) > 1]
    ends = [
        point[name]
        for one in curves
        for point in one["points"]
        for name in ("low", "high")
        if point.get(name) is not None
    ]
    if not ends:
        return []
    bottom, top = min(*ends, 0.0), max(ends)
    scale = _Scale(bottom, top if top > bottom else bottom + 1, kind)
    return [
        {
            "meaning": plots.meaning_of(features, one["column"]),
            "unit": str((features.get(one["column"]) or {}).get("unit", "")),
            **(_line(one, scale) if one.get("kind") == "number" else _bars(one, scale)),
            "rows": [
                {
                    "at": _at(point["at"]),
                    "mean": scale.text(point["mean"]),
                    "low": scale.text(point["low"]),
                    "high": scale.text(point["high"]),
                }
                for point in one["points"]
            ],
        }
        for one in curves
    ]


class _Scale:
    """Places of answers on the upward axis, and how they are written."""

    def __init__(self, bottom: float, top: float, kind: str) -> None:
        self.bottom, self.top, self.kind = bottom, top, kind

    def y(self, value: float) -> float:
        share = (value - self.bottom) / (self.top - self.bottom)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    def text(self, value: float) -> str:
        if self.kind == Prediction.Kind.CHANCE:
            wide = self.top - self.bottom
            return wording.pct(value, 0 if wide >= 0.2 else 1 if wide >= 0.02 else 2)
        return wording.money0(value, brand.now().currency)

    def ticks(self) -> list[dict[str, Any]]:
        values = (self.bottom, (self.bottom + self.top) / 2, self.top)
        return [{"at": self.y(value), "text": self.text(value)} for value in values]


def _line(curve: dict[str, Any], scale: _Scale) -> dict[str, Any]:
    points, last = curve["points"], len(curve["points"]) - 1
    # By people and not by the number: a few who are far out would press all others into a corner.
    places = [round(LEFT + n / last * (WIDTH - LEFT - RIGHT), 1) for n in range(last + 1)]
    found = list(zip(places, points, strict=True))
    upper = [f"{x},{scale.y(p['high'])}" for x, p in found]
    lower = [f"{x},{scale.y(p['low'])}" for x, p in reversed(found)]
    return {
        "line": " ".join(f"{x},{scale.y(p['mean'])}" for x, p in found),
        "band": " ".join(upper + lower),
        "y": scale.ticks(),
        "x": [
            {"at": places[n], "text": _at(points[n]["at"]), "anchor": anchor}
            for n, anchor in ((0, "start"), (last // 2, "middle"), (last, "end"))
        ],
        "people": places,
    }


def _bars(curve: dict[str, Any], scale: _Scale) -> dict[str, Any]:
    points = curve["points"][:MOST_BARS]
    wide = (WIDTH - LEFT - RIGHT) / len(points)
    return {
        "bars": [
            {
                "x": round(LEFT + wide * (n + 0.2), 1),
                "width": round(wide * 0.6, 1),
                "middle": round(LEFT + wide * (n + 0.5), 1),
                "y": scale.y(point["mean"]),
                "height": round(scale.y(scale.bottom) - scale.y(point["mean"]), 1),
                "low": scale.y(point["low"]),
                "high": scale.y(point["high"]),
                "text": _at(point["at"])[:9],
            }
            for n, point in enumerate(points)
        ],
        "y": scale.ticks(),
    }


def _at(value: Any) -> str:
    if isinstance(value, int | float):
        return wording.trimmed(float(value), 1 if abs(value) < 100 else 0)
    return str(value)


def small(trouble: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """What few people tell: a list of groups a property, with places of their intervals."""
    rows = [one for one in trouble.get("known") or [] if isinstance(one, dict) and "by" in one]
    if not rows:
        return []
    top = max(*(one["high"] for one in rows), 1e-9)
    scale = _Scale(0.0, top, kind)
    heads = {
        "everybody": _("Everybody"),
        "recency_days": _("By days since the last order"),
        "orders": _("By number of orders"),
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        low, value, high = (100 * max(one[name], 0) / top for name in ("low", "value", "high"))
        found.setdefault(one["by"], []).append(
            {
                "name": _band(one["from"], one["until"]),
                "people": one["people"],
                "text": scale.text(one["value"]),
                "low": scale.text(one["low"]),
                "high": scale.text(one["high"]),
                "at": round(value, 1),
                "from": round(low, 1),
                "wide": round(high - low, 1),
                "drawn": one["drawn"],
            }
        )
    return [{"title": heads.get(by, by), "rows": lines} for by, lines in found.items()]


def _band(start: float | None, until: float | None) -> str:
    if start is None:
        return ""
    if until is None:
        return f"≥{start:g}"
    return f"{start:g}" if until - start == 1 else f"{start:g}–{until - 1:g}"


def levels(details: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """How the level moved between moments; None where it was said as high as it was seen."""
    found, base = details.get("levels") or {}, details.get("base_rate") or {}
    said, seen = found.get("said"), found.get("seen")
    if said is None or seen is None or not base or not details.get("later_in_time"):
        return None
    if base["low"] <= said <= base["high"]:
        return None
    scale = _Scale(0.0, 1.0, kind)
    return {
        "said": scale.text(said),
        "seen": scale.text(seen),
        "is_low": said < seen,
        "moments": [
            {"at": datetime.fromisoformat(one["at"]).replace(tzinfo=UTC), "text": text}
            for one in found["moments"]
            if (text := scale.text(one["seen"]))
        ],
    }


def fairness(details: dict[str, Any]) -> dict[str, Any] | None:
    """How often each watched group would be chosen; None for versions that were not asked."""
    found = details.get("fairness")
    if not isinstance(found, dict):
        return None
    return {
        **found,
        "flagged": any(
            group["state"] in ("low", "maybe")
            for one in found["attributes"]
            for group in one["groups"]
        ),
        "attributes": [
            {
                "label": Watched(one["name"], one["kind"]).label,
                "groups": [group for group in one["groups"] if not _is_small(group)],
                "small": [group for group in one["groups"] if _is_small(group)],
                "errors": any(group.get("missed") is not None for group in one["groups"]),
            }
            for one in found["attributes"]
        ],
    }


def _is_small(group: dict[str, Any]) -> bool:
    return group["people"] < fourfifths.LEAST_PEOPLE and group["state"] == fourfifths.FEW
