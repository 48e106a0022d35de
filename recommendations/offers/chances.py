"""How likely each person takes an offer, by numbers that were judged; nothing is guessed.

A pick's chance is that of ordering within 30 days times how often, of those who then ordered, a
pick at its place was bought when the engine was examined. `level`: by what chances are multiplied
at the least and at the most (95%), as they came true on the people they were judged on.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _

from marketing.core.errors import Conflict, Invalid
from models_ml.algorithms import classify
from models_ml.columns import copied
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import reading
from recommendations import serve
from recommendations.models import RecommendationSet

Array = np.ndarray[Any, np.dtype[Any]]
DAYS = 30  # that engines are examined over
Level = tuple[float, float]
SURE: Level = (1.0, 1.0)


@dataclass(frozen=True)
class Said:
    """A prediction's word on people: `value` (n,), NaN where it says nothing, with any bounds."""

    value: Array
    level: Level
    low: Array | None = None
    high: Array | None = None


@dataclass(frozen=True)
class Places:
    """Of those who order, the share that buys what stands at each place (k,), and its level."""

    rate: Array
    level: Level
    number: int


def find(key: str, *, kind: str, field: str) -> tuple[Prediction, ModelVersion]:
    """A prediction that may be asked now, and its version in use. Refuses any other."""
    row = Prediction.objects.filter(key=key, kind=kind, state=Prediction.State.ACTIVE).first()
    if row is None:
        raise Invalid(
            _("There is no such prediction of this kind."), code="prediction_unknown", field=field
        )
    version = reading.live(prediction=row)
    if version is None or not row.scored_people:
        raise Conflict(
            _("“%(title)s” has nothing published to say yet.") % {"title": row.title},
            code="prediction_not_ready",
            field=field,
            remedy=_("Train it first. An effect is published only where it is proven."),
        )
    return row, version


def of_ordering(key: str) -> tuple[Prediction, ModelVersion]:
    """The prediction of an order within 30 days that a plan names."""
    row, version = find(key, kind=Prediction.Kind.CHANCE, field="buys")
    if row.target.get("type") != "order" or row.horizon_days != DAYS:
        raise Invalid(
            _("Picks need the chance to order within %(n)d days.") % {"n": DAYS},
            code="other_question",
            field="buys",
            remedy=_("Choose “Will buy within 30 days”."),
        )
    return row, version


_SCORES = """
SELECT customer_id::int8, value, coalesce(low, 'NaN'), coalesce(high, 'NaN') FROM models_ml_score
WHERE prediction_id = %(row)s
"""


def said(row: Prediction, version: ModelVersion, people: Array) -> Said:
    """What a prediction says of these sorted people."""
    with connection.cursor() as cursor:
        keys, *told = copied(cursor, _SCORES, {"row": row.pk}, width=4)
    columns = np.full((3, len(people)), np.nan)
    if len(people):
        at = np.minimum(np.searchsorted(people, keys), len(people) - 1)
        known = people[at] == keys
        for n, one in enumerate(told):
            columns[n, at[known]] = one.view(np.float64)[known]
    bounds = np.isfinite(columns[1]).any() and np.isfinite(columns[2]).any()
    return Said(
        columns[0],
        level_of(version),
        *((columns[1], columns[2]) if bounds else (None, None)),
    )


def level_of(version: ModelVersion) -> Level:
    """How far what a chance said in all was from what came, when it was judged."""
    levels, n = version.details.get("levels") or {}, version.details.get("judged_people") or 0
    if not n or not levels.get("said") or levels.get("seen") is None:
        return SURE
    seen = classify.wilson(round(levels["seen"] * n), n)
    return float(seen.low / levels["said"]), float(seen.high / levels["said"])


def places() -> Places:
    """How often picks of the serving engine were bought, by their place. Refuses where its exam
    did not count that."""
    current: RecommendationSet | None = serve.current_set()
    version = current.model_version if current else None
    if current is None or version is None:
        raise Conflict(
            _("No products were chosen for people yet."),
            code="nothing_chosen",
            remedy=_("Train the recommenders first."),
        )
    hits = (version.details.get("lab") or {}).get("hits") or []
    people = (version.details.get("with_repeats") or {}).get("people") or 0
    if not hits or not people:
        raise Conflict(
            _("The engine was examined before chances were counted."),
            code="no_chances",
            remedy=_("Train the recommenders once more."),
        )
    all_hits, asked = sum(hits), people * len(hits)
    sure = classify.wilson(all_hits, asked)
    level = (sure.low / sure.value, sure.high / sure.value) if all_hits else SURE
    return Places(falling(np.array(hits, dtype=float) / people), level, current.pk)


def falling(rate: Array) -> Array:
    """The nearest rates that never rise with the place, pooling neighbours (Ayer et al., 1955)."""
    blocks: list[list[float]] = []
    for value in rate.tolist():
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            mean, n = blocks.pop()
            other, m = blocks.pop()
            blocks.append([(mean * n + other * m) / (n + m), n + m])
    return np.concatenate([np.full(int(n), mean) for mean, n in blocks])
