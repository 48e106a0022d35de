"""Whether groups of people are chosen alike: the four-fifths rule, with what chance may do to it.

A group is compared with the one that is surely chosen most often: whose rate has the highest lower
end of its interval, so that no handful of people becomes the measure by luck. The interval of the
ratio of the two rates is made from their Wilson intervals (MOVER, Donner & Zou 2012), which holds
for small groups and for rates of none or all. As the measure is picked by looking, the interval is
widened for as many comparisons as are made (Bonferroni).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist

FOUR_FIFTHS = 0.8
LEAST_PEOPLE = 20
MOST_GROUPS = 20
UNKNOWN, OTHERS = "unknown", "others"
# How sure somebody is to be that a group is chosen too seldom: of the warning, and of the rest.
SURE, LIKELY = 0.95, 0.80

MOST, FINE, LOW, MAYBE, FEW, APART = "most", "fine", "low", "maybe", "few", "apart"


@dataclass(frozen=True, slots=True)
class Tally:
    """A group: how many people it was, and how many of them were chosen."""

    name: str
    people: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A group beside the one chosen most (`most`): its rate, and the ratio of the two rates.

    `state`: fine; low (surely below four fifths, by the 95% interval); maybe (likely, by the 80%
    interval); few (too few people to tell); apart (people of whom the property is not known, or who
    have some rare value: no group, so nothing is said of them).
    """

    name: str
    people: int
    chosen: int
    rate: float
    low: float
    high: float
    state: str
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None

    @property
    def flagged(self) -> bool:
        return self.state in (LOW, MAYBE)


def judge(tallies: Iterable[Tally]) -> list[Judged]:
    """The groups, the largest first; rare ones are told together."""
    groups = _together(tallies)
    known = [one for one in groups if one.name not in (UNKNOWN, OTHERS)]
    large = [one for one in known if one.people >= LEAST_PEOPLE]
    best = max(large, key=lambda one: (_wilson(one, _z(SURE, 1))[1], one.people), default=None)
    if best is None or not best.chosen:
        return [_alone(one, APART if one not in known else FEW) for one in groups]
    others = max(len(large) - 1, 1)
    return [
        _alone(one, APART)
        if one not in known
        else _alone(one, MOST)
        if one is best
        else _beside(one, best, others)
        for one in groups
    ]


def _together(tallies: Iterable[Tally]) -> list[Tally]:
    groups = sorted((one for one in tallies if one.people), key=lambda one: (-one.people, one.name))
    named = [one for one in groups if one.name not in (UNKNOWN, OTHERS)]
    shown, rare = named[:MOST_GROUPS], named[MOST_GROUPS:]
    rare += [one for one in groups if one.name == OTHERS]
    if rare:
        shown.append(Tally(OTHERS, sum(one.people for one in rare), sum(o.chosen for o in rare)))
    return shown + [one for one in groups if one.name == UNKNOWN]


def _alone(one: Tally, state: str) -> Judged:
    rate, low, high = _wilson(one, _z(SURE, 1))
    ratio = 1.0 if state == MOST else None
    return Judged(one.name, one.people, one.chosen, rate, low, high, state, ratio)


def _beside(one: Tally, best: Tally, others: int) -> Judged:
    rate, low, high = _wilson(one, _z(SURE, 1))
    ratio = rate / (best.chosen / best.people)
    least, most = _between(one, best, _z(SURE, others))
    if one.people < LEAST_PEOPLE:
        state = FEW
    elif ratio >= FOUR_FIFTHS:
        state = FINE
    elif most < FOUR_FIFTHS:
        state = LOW
    else:
        state = MAYBE if _between(one, best, _z(LIKELY, others))[1] < FOUR_FIFTHS else FEW
    return Judged(
        one.name, one.people, one.chosen, rate, low, high, state, ratio, least,
        most if most < inf else None,
    )  # fmt: skip


def _z(level: float, comparisons: int) -> float:
    return NormalDist().inv_cdf(1 - (1 - level) / 2 / comparisons)


def _wilson(one: Tally, z: float) -> tuple[float, float, float]:
    """The rate and its Wilson interval."""
    n, rate = one.people, one.chosen / one.people
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return rate, max(min(middle - half, rate), 0.0), min(max(middle + half, rate), 1.0)


def _between(one: Tally, best: Tally, z: float) -> tuple[float, float]:
    """The interval of the ratio of two rates, from the intervals of both."""
    a, a_low, a_high = _wilson(one, z)
    b, b_low, b_high = _wilson(best, z)
    least = a * b - sqrt(max((a * b) ** 2 - a_low * b_high * (2 * a - a_low) * (2 * b - b_high), 0))
    most = a * b + sqrt(max((a * b) ** 2 - a_high * b_low * (2 * a - a_high) * (2 * b - b_low), 0))
    below, above = b_high * (2 * b - b_high), b_low * (2 * b - b_low)
    return max(least / below, 0.0) if below > 0 else 0.0, most / above if above > 0 else inf


def flagged(groups: Sequence[Judged]) -> list[Judged]:
    """Those that are chosen too seldom, surely or likely."""
    return [one for one in groups if one.flagged]
