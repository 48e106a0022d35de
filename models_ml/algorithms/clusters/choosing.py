"""How many groups there are, if any: each number of groups looked at in three ways.

silhouette  how much nearer people are to their own group than to the next (Rousseeuw 1987)
stability   how alike the groups come out when people are drawn anew (adjusted Rand index)
gap         how much tighter they are than in people who are one group (Tibshirani, Walther and
            Hastie 2001, against the draws of `reference`)

A number stands when its groups come out again, are tighter than one group cut in pieces, and each
holds enough people. Of those that stand, k-means takes the one with the best silhouette, a mixture
the one with the lowest Bayesian information criterion. None may stand: then there is one group.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, silhouette_score

from models_ml.algorithms.clusters import finding, reference
from models_ml.algorithms.clusters.fitted import KMEANS, MIXTURE, Groups

COUNTS = tuple(range(2, 11))
DRAWS, REFERENCES = 10, 10
STABLE = 0.75
ERRORS = 2.0
SAMPLE, SILHOUETTE_SAMPLE, MIXTURE_SAMPLE = 3_000, 2_000, 2_000
LEAST_SHARE, LEAST_PEOPLE = 0.02, 10

UNSTABLE, NO_GAP, TOO_SMALL, ONE_IS_BETTER = "unstable", "no_gap", "too_small", "one_is_better"

Floats = NDArray[np.float64]
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """One number of groups and what was seen of it. `against` says why it does not stand.

    `gap` is how much tighter than one group, as a logarithm, less the same for one group in all;
    `gap_error` its standard error. `smallest` is the share of people in the smallest group.
    """

    count: int
    silhouette: float
    stability: float
    stability_low: float
    gap: float
    gap_error: float
    smallest: float
    bic: float | None = None
    against: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        return not self.against

    def as_json(self) -> dict[str, Any]:
        found = {
            name: round(value, 5)
            for name in (
                "silhouette", "stability", "stability_low", "gap", "gap_error", "smallest",
            )
            if (value := getattr(self, name)) is not None
        }  # fmt: skip
        bic = None if self.bic is None else round(self.bic, 1)
        return {
            "count": self.count, **found, "bic": bic,
            "against": list(self.against), "stands": self.stands,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """Every number that was tried, and the one taken; None when people are one group."""

    tried: tuple[Tried, ...]
    count: int | None
    one_bic: float | None = None
    sampled: int = 0

    @property
    def chosen(self) -> Tried | None:
        return next((one for one in self.tried if one.count == self.count), None)


def choose(
    z: Floats,
    *,
    kind: str,
    seed: int,
    counts: Sequence[int] = COUNTS,
    wanted: int | None = None,
    report: Report = lambda done, total: None,
) -> Choice:
    """Try each number of groups on a sample of the rows and take one, or none.

    `wanted` is a number somebody insists on: it is taken if it stands, and no other.
    """
    generator = np.random.default_rng(seed)
    sample = _some(z, MIXTURE_SAMPLE if kind == MIXTURE else SAMPLE, generator)
    counts = [count for count in counts if count * LEAST_PEOPLE <= len(sample)]
    one_bic = None
    if kind == MIXTURE:
        one_bic = finding.mixture_with_bic(sample, 1, seed=seed)[1]
    gaps = _gaps(sample, counts, seed, generator)
    tried = []
    for done, count in enumerate(counts):
        report(done, len(counts))
        gap, error = next(gaps)
        tried.append(
            _judged(_try(sample, kind, count, gap, error, seed, generator), len(z), one_bic)
        )
    report(len(counts), len(counts))
    return Choice(tuple(tried), _best(tried, wanted), one_bic, len(sample))


def _try(
    sample: Floats, kind: str, count: int, gap: float, error: float,
    seed: int, generator: np.random.Generator,
) -> Tried:  # fmt: skip
    bic = None
    if kind == MIXTURE:
        groups, bic = finding.mixture_with_bic(sample, count, seed=seed)
    else:
        groups = finding.kmeans(sample, count, seed=seed)
    place, _chance = groups.assign(sample)
    again = _again(sample, kind, count, place, seed, generator)
    sizes = np.bincount(place, minlength=count)
    return Tried(
        count, _silhouette(sample, place, generator), float(again.mean()),
        float(np.quantile(again, 0.1)), gap, error, float(sizes.min()) / len(sample), bic,
    )  # fmt: skip


def _judged(one: Tried, people: int, one_bic: float | None) -> Tried:
    against = []
    if one.stability < STABLE:
        against.append(UNSTABLE)
    if one.gap <= ERRORS * one.gap_error:
        against.append(NO_GAP)
    if one.smallest < max(LEAST_SHARE, LEAST_PEOPLE / people):
        against.append(TOO_SMALL)
    if one.bic is not None and one_bic is not None and one.bic >= one_bic:
        against.append(ONE_IS_BETTER)
    return replace(one, against=tuple(against))


def _best(tried: list[Tried], wanted: int | None) -> int | None:
    standing = [one for one in tried if one.stands and wanted in (None, one.count)]
    if not standing:
        return None
    if standing[0].bic is not None:
        return min(standing, key=lambda one: (one.bic, one.count)).count
    return max(standing, key=lambda one: (round(one.silhouette, 3), -one.count)).count


def _again(
    sample: Floats, kind: str, count: int, place: NDArray[np.int64],
    seed: int, generator: np.random.Generator,
) -> Floats:  # fmt: skip
    """How alike the groups are when found in people drawn anew (Hubert and Arabie 1985)."""
    find = finding.FINDERS[kind]
    alike = []
    for draw in range(DRAWS):
        rows = generator.integers(0, len(sample), len(sample))
        other = find(sample[rows], count, seed=seed + draw + 1, starts=1 if kind == MIXTURE else 2)
        alike.append(adjusted_rand_score(place, other.assign(sample)[0]))
    return np.array(alike)


def _silhouette(z: Floats, place: NDArray[np.int64], generator: np.random.Generator) -> float:
    rows = generator.permutation(len(z))[:SILHOUETTE_SAMPLE]
    if not 2 <= len(np.unique(place[rows])) < len(rows):
        return -1.0
    return float(silhouette_score(z[rows], place[rows]))


def _gaps(
    sample: Floats, counts: Sequence[int], seed: int, generator: np.random.Generator
) -> Iterator[tuple[float, float]]:
    """How much tighter the people are than draws of one group, for each number of groups."""
    one = reference.learn(sample)
    draws = [one.draw(len(sample), generator) for _ in range(REFERENCES)]
    for count in counts:
        ours = _tightness(sample, count, seed)
        theirs = np.array([_tightness(draw, count, seed) for draw in draws])
        error = float(theirs.std(ddof=1)) * (1 + 1 / REFERENCES) ** 0.5
        yield float(theirs.mean()) - ours, error


def _tightness(z: Floats, count: int, seed: int) -> float:
    """Logarithm of the share of all spread that is left inside k groups."""
    groups = finding.kmeans(z, count, seed=seed, starts=2)
    inside = ((z - groups.centers[groups.assign(z)[0]]) ** 2).sum()
    return float(np.log(max(inside, 1e-12) / max(((z - z.mean(axis=0)) ** 2).sum(), 1e-12)))


def _some(z: Floats, most: int, generator: np.random.Generator) -> Floats:
    return z if len(z) <= most else z[np.sort(generator.permutation(len(z))[:most])]


def find(z: Floats, *, kind: str, count: int, seed: int, most: int = 100_000) -> Groups:
    """The groups themselves, from up to `most` of the rows, the largest group first."""
    rows = _some(z, most, np.random.default_rng(seed))
    groups = finding.FINDERS[kind](rows, count, seed=seed, starts=3 if kind == MIXTURE else 8)
    sizes = np.bincount(groups.assign(rows)[0], minlength=count)
    return groups.ordered(np.argsort(-sizes, kind="stable"))


__all__ = ["COUNTS", "KMEANS", "MIXTURE", "Choice", "Tried", "choose", "find"]
