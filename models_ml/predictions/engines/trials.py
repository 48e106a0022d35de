"""Mails as trials: who was meant for one, who was held out of it by chance, and what each did then.

People are known as they were when the send began, on both sides. Sends that held nobody out teach
nothing here: whoever got no mail for want of consent or of an address is another kind of person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from models_ml.algorithms.uplift.power import LEAST_EACH
from models_ml.algorithms.uplift.trial import Trial
from models_ml.features import labels, mailings, reading
from models_ml.features.compiler import Population
from models_ml.features.reading import Asked
from models_ml.features.targets import Target
from models_ml.predictions import holdouts, planning
from models_ml.predictions.definitions import Wishes

MOST_ROWS = 120_000
# Of everybody held out, the share whose sends come last is what the model is judged on.
LATER_SHARE = 0.25


@dataclass(frozen=True)
class Drawn:
    """What a training reads. `later` is None when there was one send, or too few before it."""

    train: Trial
    later: Trial | None
    specs: list[dict[str, Any]]
    dropped: list[dict[str, str]]
    levels: dict[str, Sequence[str]]
    runs: list[dict[str, Any]]
    first: datetime
    judged_at: datetime


def draw(
    *,
    target: Target,
    horizon: timedelta,
    population: Population,
    wishes: Wishes,
    as_of: datetime,
) -> Drawn:
    """Both sides of every send, as known when it began, and what came within the horizon."""
    used = holdouts.usable(target=target, horizon=horizon, as_of=as_of)
    counts = mailings.count(runs=[one.run for one in used])
    share = min(1.0, MOST_ROWS / max(sum(sum(pair) for pair in counts.values()), 1))
    sides = mailings.sides(runs=[one.run for one in used], share=share)
    began = {one.run: one.at.replace(microsecond=0) for one in used}
    moments = {run: reading.as_moment(at) for run, at in began.items()}
    moment = np.array([moments[run] for run in sides.run.tolist()], dtype="datetime64[s]")
    # Of somebody in two sends that began in the same second, one row is taken.
    pair = np.stack([moment.astype(np.int64), sides.person])
    first = np.unique(pair, axis=1, return_index=True)[1]
    run, treated = sides.run[first], sides.treated[first]
    asked = Asked(sides.person[first], moment[first])
    start = min(began.values())
    specs, dropped = planning.specs(target=target, wishes=wishes, first=start, steady_from=start)
    features = planning.features_of(specs)
    levels: dict[str, Sequence[str]] = {
        name: list(known) for name, known in reading.levels_of(features=features).items()
    }
    values = reading.read(features=features, population=population, pairs=asked, levels=levels)
    place = reading.beside(asked=values.asked, known=asked, values=np.arange(len(asked)))
    rows = place.astype(np.int64)
    y = labels.of(target=target.outcome, asked=values.asked, horizon=horizon)
    trial = _with_chances(
        Trial(
            values.x,
            treated[rows],
            (y > 0).astype(np.float64),
            values.asked.person,
            run[rows],
            np.full(len(values), np.nan),
        )
    )
    train, later, judged_at = _parted(trial, began, horizon)
    return Drawn(
        train=train,
        later=later,
        specs=specs,
        dropped=dropped,
        levels=levels,
        runs=[
            {
                "campaign": one.campaign,
                "name": one.name,
                "at": one.at.isoformat(),
                "sent": counts[one.run][0],
                "held_out": counts[one.run][1],
                "judged": later is None or one.at.replace(microsecond=0) >= judged_at,
            }
            for one in used
        ],
        first=start,
        judged_at=judged_at,
    )


def _with_chances(trial: Trial) -> Trial:
    """Each row's chance of the mail: the share of its own send; sends of one side are left out."""
    _runs, place = np.unique(trial.run, return_inverse=True)
    share = np.bincount(place, weights=trial.treated) / np.maximum(np.bincount(place), 1)
    chance = share[place]
    known = Trial(trial.x, trial.treated, trial.y, trial.person, trial.run, chance)
    return known.take((chance > 0) & (chance < 1))


def _parted(
    trial: Trial, began: dict[int, datetime], horizon: timedelta
) -> tuple[Trial, Trial | None, datetime]:
    """The newest sends apart, if enough was known before the first of them."""
    runs = sorted(set(trial.run.tolist()), key=lambda run: (began[run], run))
    if not runs:
        return trial, None, min(began.values())
    held = {run: int((~trial.treated[trial.run == run]).sum()) for run in runs}
    newest: list[int] = []
    while runs and sum(held[run] for run in newest) < LATER_SHARE * sum(held.values()):
        newest.insert(0, runs.pop())
    start = min(began[run] for run in newest)
    before = [run for run in runs if began[run] + horizon <= start]
    train, later = (trial.take(np.isin(trial.run, chosen)) for chosen in (before, newest))
    if not (_enough(train) and _enough(later)):
        return trial, None, min(began.values())
    return train, later, start


def _enough(trial: Trial) -> bool:
    sides = (int(trial.treated.sum()), int((~trial.treated).sum()))
    return min(sides) >= 2 * LEAST_EACH and 0 < trial.y.sum() < len(trial)
