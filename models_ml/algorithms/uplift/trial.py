"""Learners of effects chosen inside the training data, and judged on rows that they never saw.

Where something was tried at several times, the later tries judge what the earlier ones taught.
Where it was tried once, people take turns: each quarter is ranked by what the others taught, and
the choice of the learner is a part of what is judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models_ml.algorithms import artifacts
from models_ml.algorithms.classify import Z95, Interval
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.tabular.encoding import Encoder
from models_ml.algorithms.tabular.frame import Schema
from models_ml.algorithms.tabular.splits import folds_of
from models_ml.algorithms.uplift import curves, power
from models_ml.algorithms.uplift.curves import Bools, Floats, Ints, Verdict
from models_ml.algorithms.uplift.learners import Params, Uplift, balance, check

LEARNERS: dict[str, Params] = {
    "t_linear": Params("t", "linear"),
    "t_bent": Params("t", "linear"),
    "x_linear": Params("x", "linear"),
    "transformed_linear": Params("transformed", "linear"),
    "t_boosting": Params("t", "boosting"),
}
RESPONSE = "response"
FOLDS, TURNS = 5, 4
# Another learner than the first is ahead of it by so many times what the folds leave unsure.
SURELY = 2.0
# Lines are learned straight, and with bends ("neither too early nor too late") whose mean with the
# straight ones is taken: bends help where people are moved so, and cost where they are not.
STRAIGHT, BENT = (0,), (0, 2)
BENDS = {"t_linear": STRAIGHT, "t_boosting": STRAIGHT}
DRAWS = 200
AT_ONCE = 200_000
FILE = "trial.json"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Trial:
    """Rows of people when something was tried: known then (`x`), tried on them or not, came after.

    `chance` (n,) is the chance of each row to be treated, `run` which try it belongs to.
    """

    x: pd.DataFrame
    treated: Bools
    y: Floats
    person: Ints
    run: Ints
    chance: Floats

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[Any]) -> Trial:
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Trial(
            self.x.iloc[rows],
            self.treated[rows],
            self.y[rows],
            self.person[rows],
            self.run[rows],
            self.chance[rows],
        )

    @property
    def weight(self) -> Floats:
        return balance(self.treated, self.chance)


@dataclass(frozen=True)
class Fitted:
    """A learner, once or in several forms, each with how columns become its numbers."""

    name: str
    schema: Schema
    forms: tuple[tuple[Encoder, Uplift], ...]

    def effect(self, x: pd.DataFrame) -> Floats:
        """How much more likely it makes each person, in -1 to 1."""
        out = np.empty(len(x))
        for start in range(0, len(x), AT_ONCE):
            table = self.schema.read(x.iloc[start : start + AT_ONCE])
            said = [learner.effect(encoder.apply(table)) for encoder, learner in self.forms]
            out[start : start + AT_ONCE] = np.clip(np.mean(said, axis=0), -1.0, 1.0)
        return out

    def save(self, folder: Path) -> None:
        for number, (_encoder, learner) in enumerate(self.forms):
            learner.save(folder, f"form{number}")
        artifacts.write_json(
            folder / FILE,
            {
                "name": self.name,
                "schema": self.schema.as_json(),
                "encoders": [encoder.as_json() for encoder, _learner in self.forms],
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        stored = artifacts.read_json(folder / FILE)
        return cls(
            stored["name"],
            Schema.from_json(stored["schema"]),
            tuple(
                (Encoder.from_json(encoder), Uplift.load(folder, f"form{number}"))
                for number, encoder in enumerate(stored["encoders"])
            ),
        )


@dataclass(frozen=True)
class Row:
    """One learner, or the dull rule: cross-validated, and on the rows kept back."""

    name: str
    cv: float | None
    qini: Interval
    auuc: Interval
    seconds: float
    is_baseline: bool = False


@dataclass(frozen=True)
class Outcome:
    """`judged` are the rows judged on, `effect` what was said of each; `fifths` best first.

    `ok` when the ranking is surely better than a blind choice, and not surely worse than the dull
    rule: to treat whoever is likely to do it. `code` says why not.
    """

    fitted: Fitted
    table: list[Row]
    verdict: Verdict
    lead: Interval
    judged: Trial
    effect: Floats
    rival: Floats
    fifths: list[dict[str, Any]]
    code: str
    facts: dict[str, Any]

    @property
    def ok(self) -> bool:
        return self.code == "better"


def run(
    train: Trial, later: Trial | None, *, seed: int, report: Report = lambda name: None
) -> Outcome:
    """Choose, judge and keep; without `later` people take turns. Unfit when nothing can be told."""
    check(train.treated, train.y)
    if later is None:
        return _in_turns(train, seed, report)
    check(later.treated, later.y)
    chosen, tried = _choose(train, seed, report)
    effects = {name: made.effect(later.x) for name, (made, _cv, _s) in tried.items()}
    rival = _response(train, later, seed)
    table = [
        _row(name, cv, effects[name], later, seconds, seed)
        for name, (_made, cv, seconds) in tried.items()
    ]
    return _judge(tried[chosen][0], table, later, effects[chosen], rival, seed)


def _in_turns(trial: Trial, seed: int, report: Report) -> Outcome:
    turn = folds_of(trial.person, trial.y > 0, TURNS, seed)
    effect, rival = np.empty(len(trial)), np.empty(len(trial))
    each = {name: np.empty(len(trial)) for name in LEARNERS}
    cvs: dict[str, list[float]] = {name: [] for name in LEARNERS}
    took = dict.fromkeys(LEARNERS, 0.0)
    for number in range(TURNS):
        here = turn == number
        others, mine = trial.take(~here), trial.take(here)
        chosen, tried = _choose(others, seed, report)
        for name, (made, cv, seconds) in tried.items():
            each[name][here] = made.effect(mine.x)
            cvs[name].append(cv)
            took[name] += seconds
        effect[here], rival[here] = each[chosen][here], _response(others, mine, seed)
    table = [
        _row(name, float(np.mean(cvs[name])), each[name], trial, took[name], seed)
        for name in LEARNERS
        if cvs[name]
    ]
    # What serves has learned from everybody; that the way of learning is right was judged above.
    best = _preferred({name: np.array(values) for name, values in cvs.items()})
    return _judge(fit(best, trial, seed), table, trial, effect, rival, seed)


def fit(name: str, trial: Trial, seed: int) -> Fitted:
    """One learner on all of these rows."""
    check(trial.treated, trial.y)
    schema = Schema.of(trial.x)
    if not schema.columns:
        raise Unfit("no_columns", {"people": len(trial)})
    table, params, forms = schema.read(trial.x, None, trial.person), LEARNERS[name], []
    for bends in BENDS.get(name, BENT):
        encoder = Encoder("smooth", bends=bends)
        numbers = encoder.fit(table, trial.y > 0, "chance", seed)
        learner = Uplift(params).fit(numbers, trial.treated, trial.y, chance=trial.chance)
        forms.append((encoder, learner))
    return Fitted(name, schema, tuple(forms))


Tried = dict[str, tuple[Fitted, float, float]]


def _choose(trial: Trial, seed: int, report: Report) -> tuple[str, Tried]:
    """The learner to take by cross-validated Qini, and all of them learned on these rows."""
    fold = folds_of(trial.person, trial.y > 0, FOLDS, seed)
    tried: Tried = {}
    folds: dict[str, Floats] = {}
    for name in LEARNERS:
        report(name)
        began = time.monotonic()
        found = []
        for number in range(FOLDS):
            here = fold == number
            mine = trial.take(here)
            said = fit(name, trial.take(~here), seed).effect(mine.x)
            found.append(curves.qini(said, mine.treated, mine.y, mine.weight))
        folds[name] = np.array(found)
        made = fit(name, trial, seed)
        tried[name] = (made, float(np.mean(found)), time.monotonic() - began)
    return _preferred(folds), tried


def _preferred(folds: dict[str, Floats]) -> str:
    """The first learner, unless another is ahead of it by much more than the folds differ."""
    first = next(iter(folds))
    leads = {name: values - folds[first] for name, values in folds.items()}
    ahead = {
        name: float(lead.mean() - SURELY * lead.std(ddof=1) / np.sqrt(len(lead)))
        for name, lead in leads.items()
        if name != first and len(lead) > 1
    }
    best = max(ahead, key=lambda name: ahead[name], default=first)
    return best if ahead.get(best, 0.0) > 0 else first


def _response(train: Trial, later: Trial, seed: int) -> Floats:
    """How likely everybody is to do it, treated or not: what is ranked by without a trial."""
    schema, encoder = Schema.of(train.x), Encoder("smooth", bends=max(BENT))
    numbers = encoder.fit(schema.read(train.x, None, train.person), train.y > 0, "chance", seed)
    model = LogisticRegression(solver="newton-cholesky").fit(numbers, train.y > 0)
    return np.asarray(model.predict_proba(encoder.apply(schema.read(later.x)))[:, 1])


def _row(
    name: str, cv: float | None, effect: Floats, trial: Trial, seconds: float, seed: int
) -> Row:
    found = curves.judge(
        effect, trial.treated, trial.y, weight=trial.weight, person=trial.person, seed=seed,
        draws=DRAWS,
    )  # fmt: skip
    return Row(name, cv, found.qini, found.auuc, round(seconds, 2), name == RESPONSE)


def _judge(
    fitted: Fitted, table: list[Row], judged: Trial, effect: Floats, rival: Floats, seed: int
) -> Outcome:
    around: dict[str, Any] = {"weight": judged.weight, "person": judged.person, "seed": seed}
    verdict = curves.judge(effect, judged.treated, judged.y, **around)
    lead = curves.lead(effect, rival, judged.treated, judged.y, **around)
    code: str = "better" if verdict.code == "ranked" else verdict.code
    if code == "better" and lead.high < 0:
        code = "response_better"
    held, w = ~judged.treated, judged.weight
    rate = float(np.average(judged.y[held], weights=w[held]))
    held_out = len(np.unique(judged.person[held]))
    facts = {
        "qini": verdict.qini.as_json(),
        "mean": verdict.mean.as_json(),
        "lead": lead.as_json(),
        "rate_held": rate,
        "people": len(np.unique(judged.person)),
        "held_out": held_out,
        "needed_ranking": power.for_ranking(found=verdict.qini, held_out=held_out),
        "needed_mean": power.for_mean(
            rate=rate, effect=verdict.mean.value, ratio=float(judged.treated.sum() / held.sum())
        ),
    }
    return Outcome(
        fitted=fitted,
        table=[*table, _row(RESPONSE, None, rival, judged, 0.0, seed)],
        verdict=verdict,
        lead=lead,
        judged=judged,
        effect=effect,
        rival=rival,
        fifths=fifths(effect, judged),
        code=code,
        facts=facts,
    )


def fifths(effect: Floats, trial: Trial, parts: int = 5) -> list[dict[str, Any]]:
    """What was said and seen in each fifth of the rows, those said to be moved most first."""
    order = np.argsort(-effect, kind="stable")
    found = []
    for rows in np.array_split(order, parts):
        part = trial.take(rows)
        one, other = (_mean(part, side) for side in (part.treated, ~part.treated))
        seen = None
        if one is not None and other is not None:
            half = Z95 * float(np.hypot(one[1], other[1]))
            value = one[0] - other[0]
            seen = Interval(value, value - half, value + half).as_json()
        found.append({"people": len(rows), "said": float(effect[rows].mean()), "seen": seen})
    return found


def _mean(trial: Trial, side: Bools) -> tuple[float, float] | None:
    """The mean outcome of one side and its standard error."""
    if side.sum() < 2:
        return None
    w, y = trial.weight[side], trial.y[side]
    mean = float(np.average(y, weights=w))
    # Half a person of each, so that a small group without any is not called certain.
    rate = (mean * side.sum() + 0.5) / (side.sum() + 1)
    inner = np.average((y - mean) ** 2, weights=w)
    spread = max(float(inner), rate * (1 - rate) / max(1, int(side.sum())))
    return mean, float(np.sqrt(spread * np.sum(w**2)) / np.sum(w))
