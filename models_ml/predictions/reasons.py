"""Why one person has their score: what raised it, what lowered it, and a change that would move it.

Worked out by a worker when somebody looks (`work_out`) and kept for a while in the cache, where the
page reads it (`known`). What is said are associations in the data, not causes.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from django.core.cache import cache
from django.utils.translation import gettext as _

from ingestion import consent
from models_ml import queries, registry
from models_ml.algorithms.classify import Z95
from models_ml.algorithms.explain import counterfactual
from models_ml.algorithms.explain.counterfactual import Lever
from models_ml.features import reading, sequences
from models_ml.features.compiler import Population
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import alike, answers
from models_ml.predictions.engines import contests, oddness

SAMPLE = 2_000
# What a shop can work on, and the way it would go for better.
LEVERS = (
    Lever("orders_90d", "up", whole=True),
    Lever("products", "up", whole=True),
    Lever("visits_30d", "up", whole=True),
    Lever("clicks_90d", "up", whole=True),
    Lever("opens_90d", "up", whole=True),
    Lever("recency_days", "down", whole=True),
    Lever("last_order_value", "up"),
)
LEAST_MOVE = 0.02


def work_out(*, prediction: Prediction, customer_id: int, now: datetime) -> dict[str, Any] | None:
    """The reasons for a person's score, kept for the page; None for whom there are none.

    {"value", "usual", "version", "as_of", "reasons": [{"feature", "meaning", "unit", "known",
    "share"}], "error": what a share may be off by (95%), None where they are exact,
    "change": {"feature", "meaning", "before", "after", "would"} or None,
    "peers": see `alike`}; the shares and `usual` sum to `value`.
    """
    version = registry.live(prediction.key)
    engine = version.details.get("engine") if version is not None else None
    if version is None or engine not in answers.EXPLAINED or consent.unprofiled([customer_id]):
        return None
    as_of = prediction.scored_as_of or queries.data_now(now=now)
    if engine == "oddness":
        body = oddness.explain(
            prediction=prediction, version=version, customer_id=customer_id, as_of=as_of
        )
        if body is not None:
            kept = answers.key_of(prediction, version, customer_id)
            cache.set(kept, body, answers.KEPT_SECONDS)
        return body
    found = contests.values(prediction=prediction, version=version, as_of=as_of, only=[customer_id])
    if not len(found):
        return None
    body = _explain(prediction, version, found, as_of)
    cache.set(answers.key_of(prediction, version, customer_id), body, answers.KEPT_SECONDS)
    return body


def _explain(
    prediction: Prediction, version: ModelVersion, found: reading.Values, as_of: datetime
) -> dict[str, Any]:
    fitted = contests.fitted_of(version)
    events = sequences.read(asked=found.asked) if fitted.model.reads_events else None
    usual, shares = fitted.contributions(found.x, events)
    features = {f.name: f for f in found.features}
    rows: list[dict[str, Any]] = []
    for name, share in zip(fitted.columns, shares[0], strict=True):
        feature = features.get(name)  # none for what a person did, in its order
        rows.append(
            {
                "feature": name,
                "meaning": str(feature.meaning if feature else _("what they did, in order")),
                "unit": feature.unit if feature else "",
                "known": _plain(found.x[name].iloc[0]) if feature else None,
                "share": float(share),
            }
        )
    errors = fitted.errors(found.x, events)
    rows.sort(key=lambda row: -abs(row["share"]))
    value = usual + float(shares[0].sum())
    change = peers = None
    if not fitted.model.reads_events:
        peers = alike.of(
            version=version,
            row=found.x,
            people=_sample(prediction.pk, version.pk, as_of),
            said=_said(prediction.pk, version.pk, as_of),
            features=features,
        )
        change = _change(prediction, version, found, as_of, value)
    return {
        "value": value,
        "usual": usual,
        "version": version.version,
        "as_of": as_of.isoformat(),
        "reasons": rows,
        "error": None if errors is None else Z95 * float(errors.max()),
        "change": change,
        "peers": peers,
    }


def _plain(value: Any) -> str | float | None:
    if pd.isna(value):
        return None
    return value if isinstance(value, str) else float(value)


def _change(
    prediction: Prediction,
    version: ModelVersion,
    found: reading.Values,
    as_of: datetime,
    value: float,
) -> dict[str, Any] | None:
    """One thing that, were it different, would move the answer to that of a usual person."""
    people = _sample(prediction.pk, version.pk, as_of)
    fitted = contests.fitted_of(version)
    levers = [lever for lever in LEVERS if lever.column in fitted.columns]
    if not levers or not len(people):
        return None
    usual = float(np.median(_said(prediction.pk, version.pk, as_of)))
    good_is_low = prediction.target.get("type") in ("no_order", "no_event")
    if (value <= usual) if good_is_low else (value >= usual):
        return None  # better off than most already
    found_change = counterfactual.smallest(
        predict=fitted.predict,
        row=found.x,
        people=people,
        levers=levers,
        wanted=usual,
        least_move=LEAST_MOVE if prediction.kind == Prediction.Kind.CHANCE else 0.0,
    )
    if found_change is None:
        return None
    meaning = {f.name: str(f.meaning) for f in found.features}
    return {
        "feature": found_change.column,
        "meaning": meaning[found_change.column],
        "before": found_change.before,
        "after": found_change.after,
        "would": found_change.would,
        "there": found_change.there,
    }


@lru_cache(maxsize=8)
def _sample(prediction_id: int, version_id: int, as_of: datetime) -> pd.DataFrame:
    """Some people to compare with, read once a process for each scoring."""
    prediction = Prediction.objects.get(pk=prediction_id)
    version = ModelVersion.objects.get(pk=version_id)
    asked = contests.serving_population(prediction)
    share = min(1.0, SAMPLE / max(prediction.scored_people, 1))
    population = Population(asked.who, asked.least_orders, asked.ordered_within_days, share)
    return contests.values(
        prediction=prediction, version=version, as_of=as_of, population=population
    ).x


@lru_cache(maxsize=8)
def _said(prediction_id: int, version_id: int, as_of: datetime) -> Any:
    version = ModelVersion.objects.get(pk=version_id)
    return contests.fitted_of(version).predict(_sample(prediction_id, version_id, as_of))
