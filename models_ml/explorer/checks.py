"""What keeps a tree from being grown, each with a name: too few people, one answer, a leak."""

from typing import Any

import numpy as np

from marketing.core.errors import Invalid
from models_ml.algorithms import classify
from models_ml.algorithms.classify import Floats
from models_ml.algorithms.tree import Feature, Params, Sample, growing
from models_ml.predictions import gate

# A column that alone ranks unseen people this well is mostly the answer itself, written down.
TELLS = 0.98
MOST_ROWS = 20_000
LEAST_EACH = 20


class Leak(Invalid):
    """Columns alone nearly tell the answer; `columns` are their names."""

    def __init__(self, columns: list[str], labels: list[str]) -> None:
        facts = {"columns": [{"column": label} for label in labels]}
        message, remedy = gate.why_unfit(code="leak", facts=facts)
        super().__init__(message, code="leak", remedy=remedy)
        self.columns = columns


def enough(*, structure: Sample, judge: Sample, params: Params) -> None:
    """Invalid when either half has too few people or nearly one answer only."""
    needed = 2 * params.min_leaf
    for sample in (structure, judge):
        people, yes = int(np.unique(sample.person).size), int(sample.label.sum())
        facts: dict[str, Any] = {"people": people, "yes": yes, "needed": needed}
        if people < needed:
            _refuse("too_few_people", facts)
        if min(yes, sample.size - yes) == 0:
            _refuse("one_class", facts)
        if min(yes, sample.size - yes) < LEAST_EACH:
            _refuse("too_few_each", {**facts, "people": sample.size, "needed": LEAST_EACH})


def something_differs(x: Floats) -> None:
    """Invalid when every column is constant or empty."""
    for column in x.T:
        known = column[np.isfinite(column)]
        if known.size and (np.ptp(known) > 0 or known.size < column.size):
            return
    _refuse("no_columns", {})


def _refuse(code: str, facts: dict[str, Any]) -> None:
    message, remedy = gate.why_unfit(code=code, facts=facts)
    raise Invalid(message, code=code, remedy=remedy)


def leaks(
    *, structure: Sample, judge: Sample, features: tuple[Feature, ...], seed: int
) -> list[int]:
    """Places of the columns of which a tree of each alone nearly tells the answer of the others."""
    rng = np.random.default_rng(seed)
    learned, seen = (_some(sample, rng) for sample in (structure, judge))
    params = Params(depth=4, leaves=12, min_leaf=max(5, learned.size // 500), seed=seed)
    found = []
    for place, one in enumerate(features):
        alone = Sample(learned.x[:, [place]], learned.label, learned.person)
        tree, _share = growing.grow(alone, (one,), params)
        said = tree.guess[tree.apply(seen.x[:, [place]])]
        if classify.auc(seen.label, said) >= TELLS:
            found.append(place)
    return found


def _some(sample: Sample, rng: np.random.Generator) -> Sample:
    if sample.size <= MOST_ROWS:
        return sample
    rows = np.zeros(sample.size, np.bool_)
    rows[rng.permutation(sample.size)[:MOST_ROWS]] = True
    return sample.take(rows)
