"""Whether the rates a tree tells of its groups can be believed, on a public data set.

All people of the data set are the population, whose rates are the truth for both sides. In each
resample two samples of half its size are drawn from it, one independent of the other: the first
chooses the questions, the second gives each group its rate and interval. An interval of 95% should
hold the truth 19 times in 20. Beside it stand the intervals that the first sample would tell.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms import classify
from models_ml.algorithms import tree as trees
from models_ml.algorithms.tree import CATEGORY, Feature, Params, Sample
from models_ml.benchmarks.data import Line, find, line, skipped

CAMPAIGN = "marketing_campaign/marketing_campaign.csv.gz"
RESAMPLES = 200
LEAST = 0.93
SEED = 20111209
PARAMS = Params(depth=3, leaves=8, min_leaf=60)
YEAR = 2014


def campaign(path: Path) -> tuple[Sample, tuple[Feature, ...]]:
    """Who answered the last campaign, by age, income, purchases, schooling and household."""
    table = pd.read_csv(path, sep=";", encoding="utf-8-sig")
    bought = table.filter(regex="^Num.*Purchases$").sum(axis=1)
    numbers = [YEAR - table["Year_Birth"], table["Income"], bought]
    features = [Feature("age"), Feature("income", nullable=True), Feature("purchases")]
    for name in ("Education", "Marital_Status"):
        codes, levels = pd.factorize(table[name], sort=True)
        numbers.append(pd.Series(codes.astype(float)).replace(-1, np.nan))
        features.append(Feature(name, kind=CATEGORY, levels=tuple(levels), nullable=True))
    x = np.column_stack([column.to_numpy(dtype=float) for column in numbers])
    label = table["Response"].to_numpy() == 1
    return Sample(x, label, np.arange(len(label), dtype=np.int64)), tuple(features)


def coverage(
    sample: Sample, features: tuple[Feature, ...], resamples: int
) -> tuple[list[bool], list[bool]]:
    """Of every group of every resample: whether its interval holds the population's rate.

    And whether the interval told by the people that chose the questions would have held it.
    """
    rng = np.random.default_rng(SEED)
    honest, fooled = [], []
    for _resample in range(resamples):
        half = sample.size // 2
        structure, judge = (
            _drawn(sample, rng.integers(0, sample.size, half), side * half) for side in range(2)
        )
        tree = trees.fit(structure=structure, judge=judge, features=features, params=PARAMS)
        where, own = tree.apply(sample.x), tree.apply(structure.x)
        for leaf in tree.leaves:
            truth = float(sample.label[where == leaf].mean())
            told = classify.wilson(int(tree.yes[leaf]), int(tree.people[leaf]))
            inside = structure.label[own == leaf]
            naive = classify.wilson(int(inside.sum()), inside.size)
            honest.append(told.low <= truth <= told.high)
            fooled.append(naive.low <= truth <= naive.high)
    return honest, fooled


def _drawn(population: Sample, rows: NDArray[np.int64], first: int) -> Sample:
    """Each draw is somebody of their own: who is drawn twice stands for two people alike."""
    taken = population.take(rows)
    return Sample(taken.x, taken.label, first + np.arange(len(rows), dtype=np.int64))


def tree_intervals(size: str = "small") -> list[Line]:
    """The share of intervals that hold the rate of the population the tree saw a sample of."""
    path = find(CAMPAIGN)
    if path is None:
        return [skipped("tree.intervals", CAMPAIGN)]
    sample, features = campaign(path)
    honest, fooled = coverage(sample, features, RESAMPLES)
    return [
        line(
            "tree.intervals",
            "share of groups",
            len(honest),
            [float(np.mean(honest))],
            least=("share inside their 95% intervals", LEAST),
            origin="the project's goal",
            peer=("intervals of the people that chose the questions", float(np.mean(fooled))),
            resamples=RESAMPLES,
        )
    ]


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"tree.intervals": tree_intervals}
