"""How unlike the rest somebody is: the engine of predictions that ask nothing that comes true.

Reads what the registry knows of everybody at one moment. Nobody knows who truly is odd, so a
version is judged by whether halves of the people agree and by planted people; see
`algorithms.unusual`.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from ingestion.models import Customer
from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.algorithms import artifacts, unusual
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.unusual import Oddness, Outcome
from models_ml.features import reading
from models_ml.features.compiler import Population
from models_ml.features.registry import NUMBER
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, gate, planning
from models_ml.predictions.engines import Answers, Report

SEED = 20111209
MOST_LEARNED = 100_000
FEATURES, PEOPLE = "features.json", "people.npz"
RULE = "farthest"
# Two columns that always move together would count twice.
ALIKE = 0.995


def learn(
    *,
    prediction: Prediction,
    as_of: datetime,
    now: datetime,
    job_id: int | None = None,
    report: Report = lambda step, label: None,
) -> ModelVersion:
    """See `engines`."""
    began = time.monotonic()
    report(1, gettext_lazy("Reading what is known of people"))
    specs = _specs(prediction, as_of)
    share = min(1.0, MOST_LEARNED / max(Customer.objects.count(), 1))
    found = _read(prediction, specs, as_of, share=share)
    person = found.asked.person
    columns = _columns(found.x)
    report(2, gettext_lazy("Learning what is usual, from halves and from all"))
    try:
        outcome = unusual.run(_table(found.x, columns), _half(person), seed=SEED)
    except Unfit as unfit:
        message, remedy = gate.why_unfit(code=unfit.code, facts=unfit.facts)
        raise Invalid(message, code=unfit.code, remedy=remedy) from unfit
    report(3, gettext_lazy("Storing the version"))
    features = {f.name: f for f in found.features}

    def write(folder: Path) -> None:
        outcome.fitted.save(folder)
        artifacts.write_json(folder / FEATURES, {"specs": specs, "columns": columns})
        artifacts.write_arrays(folder / PEOPLE, users=np.sort(person))

    version = registry.save(
        name=prediction.key,
        algorithm="oddness",
        write=write,
        params={"trees": unusual.TREES, "sample": unusual.SAMPLE},
        metrics={"planted": round(outcome.auc, 6), "agreement": round(outcome.agreement, 6)},
        baseline={"planted": round(outcome.auc_baseline, 6), "rule": RULE},
        data_from=planning.first_fact(target=definitions.target_of(prediction)),
        data_until=as_of,
        rows=len(person),
        seed=SEED,
        seconds=round(time.monotonic() - began, 2),
        details=_details(prediction, outcome, columns, features, as_of, len(person)),
        job_id=job_id,
        now=now,
    )
    facts = {
        "gain": outcome.gain.as_json(),
        "baseline": RULE,
        "people": len(person),
        "agreement": outcome.agreement,
        "needed_agreement": unusual.LEAST_AGREEMENT,
    }
    return gate.decide(
        version=version,
        kind=prediction.kind,
        ok=outcome.code == "better",
        code=outcome.code,
        facts=facts,
    )


def answer(
    *,
    prediction: Prediction,
    version: ModelVersion,
    as_of: datetime,
    only: Sequence[int] | None = None,
) -> Answers:
    """See `engines`."""
    stored = registry.load(version, read_features)
    found = _read(prediction, stored["specs"], as_of, only=only)
    fitted = registry.load(version, Oddness.load)
    return Answers(found.asked.person, fitted.degree(_table(found.x, stored["columns"])))


def explain(
    *, prediction: Prediction, version: ModelVersion, customer_id: int, as_of: datetime
) -> dict[str, Any] | None:
    """Which facts set a person apart, in the form of `reasons.work_out`; exact, so no error."""
    stored = registry.load(version, read_features)
    found = _read(prediction, stored["specs"], as_of, only=[customer_id])
    if not len(found):
        return None
    fitted = registry.load(version, Oddness.load)
    table = _table(found.x, stored["columns"])
    usual, shares = fitted.reasons(table)
    features = {f.name: f for f in found.features}
    middle = dict(zip(stored["columns"], fitted.forest.scaling.middle.tolist(), strict=True))
    rows = [
        {
            "feature": name,
            "meaning": str(features[name].meaning),
            "unit": features[name].unit,
            "known": float(table[0, n]) if np.isfinite(table[0, n]) else None,
            "usual": middle[name],
            "share": float(shares[0, n]),
        }
        for n, name in enumerate(stored["columns"])
    ]
    rows.sort(key=lambda row: -abs(row["share"]))
    return {
        "value": usual + float(shares[0].sum()),
        "usual": usual,
        "version": version.version,
        "as_of": as_of.isoformat(),
        "reasons": rows,
        "error": None,
        "change": None,
        "peers": None,
    }


def read_features(folder: Path) -> dict[str, Any]:
    stored: dict[str, Any] = artifacts.read_json(folder / FEATURES)
    return stored


def _specs(prediction: Prediction, as_of: datetime) -> list[dict[str, Any]]:
    """Numbers of the registry and of people; a category is neither far nor near."""
    specs, _dropped = planning.specs(
        target=definitions.target_of(prediction),
        wishes=definitions.read_wishes(prediction.settings),
        first=as_of,
        steady_from=as_of,
    )
    features = planning.features_of(specs)
    return [spec for spec, f in zip(specs, features, strict=True) if f.kind == NUMBER]


def _read(
    prediction: Prediction,
    specs: Sequence[dict[str, Any]],
    as_of: datetime,
    *,
    only: Sequence[int] | None = None,
    share: float = 1.0,
) -> reading.Values:
    asked = definitions.read_population(prediction.population)
    return reading.read(
        features=planning.features_of(specs),
        population=Population(asked.who, asked.least_orders, asked.ordered_within_days, share),
        cuts=[as_of.replace(microsecond=0)],
        only=only,
    )


def _columns(x: pd.DataFrame) -> list[str]:
    """Columns in which people differ; of those that are nearly the same, the first."""
    table = x.to_numpy(dtype=np.float64)
    table = np.where(np.isfinite(table), table, np.nan)
    kept: list[int] = []
    ranks = x.rank().to_numpy()
    for n in range(table.shape[1]):
        known = table[:, n][np.isfinite(table[:, n])]
        if len(known) < 2 or np.ptp(known) == 0:
            continue
        mine = np.nan_to_num(ranks[:, n], nan=0.0)
        others = (np.nan_to_num(ranks[:, k], nan=0.0) for k in kept)
        if any(abs(np.corrcoef(mine, other)[0, 1]) > ALIKE for other in others):
            continue
        kept.append(n)
    return [str(x.columns[n]) for n in kept]


def _table(x: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    return x[list(columns)].to_numpy(dtype=np.float64)


def _half(person: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The same half of the people in every training."""
    mixed = person.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray((mixed >> np.uint64(40)) & np.uint64(1), dtype=bool)


def _details(
    prediction: Prediction,
    outcome: Outcome,
    columns: list[str],
    features: dict[str, Any],
    as_of: datetime,
    people: int,
) -> dict[str, Any]:
    gain = {name: round(value, 6) for name, value in outcome.gain.as_json().items()}
    return {
        "kind": "prediction",
        "engine": "oddness",
        "target": prediction.target,
        "horizon_days": prediction.horizon_days,
        "population": prediction.population,
        "learned_people": people,
        "learned_at": [as_of.isoformat()],
        "judged_at": as_of.isoformat(),
        "planted": outcome.planted,
        "agreement": round(outcome.agreement, 6),
        "later_in_time": False,
        "best": "oddness",
        "difference": gain,
        "features": {
            name: {
                "meaning": str(features[name].meaning),
                "unit": features[name].unit,
                "source": features[name].source,
            }
            for name in columns
        },
        "verdict": {
            "ok": outcome.code == "better",
            "code": outcome.code,
            "facts": {"gain": gain, "baseline": RULE},
        },
    }
