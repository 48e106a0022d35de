"""Credit along the way to an order. Credit is not cause: it says who was there, not who was needed.

Shapley: "A value for n-person games" (1953), in the closed form for ways on which every touch was
needed: an order's credit is shared equally among the channels seen before it, less what those ways
earn without it. Markov: Anderl, Becker, von Wangenheim, Schumann, "Mapping the customer journey",
International Journal of Research in Marketing 33 (2016): how many orders would be lost if a channel
led nowhere.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import factorial

MOST_PLAYERS = 12
_START, _ORDER, _NOTHING = "\x00start", "\x00order", "\x00nothing"


@dataclass(frozen=True)
class Way:
    """Touches in order, how many people took exactly these, and how many of them then ordered."""

    touches: tuple[str, ...]
    people: int
    orders: float


def last_touch(ways: Sequence[Way]) -> dict[str, float]:
    """All credit to the last touch before the order."""
    found: dict[str, float] = defaultdict(float)
    for way in ways:
        if way.touches:
            found[way.touches[-1]] += way.orders
    return dict(found)


def first_touch(ways: Sequence[Way]) -> dict[str, float]:
    """All credit to the first."""
    found: dict[str, float] = defaultdict(float)
    for way in ways:
        if way.touches:
            found[way.touches[0]] += way.orders
    return dict(found)


def even(ways: Sequence[Way]) -> dict[str, float]:
    """Equal credit to every touch."""
    found: dict[str, float] = defaultdict(float)
    for way in ways:
        for touch in way.touches:
            found[touch] += way.orders / len(way.touches)
    return dict(found)


def shapley(ways: Sequence[Way]) -> dict[str, float]:
    """What each channel adds to the rate of orders, averaged over every order of joining.

    The worth of a set of channels is how often people who met exactly these ordered, times the
    people. Beyond MOST_PLAYERS channels the rarest are taken together by equal credit.
    """
    met: dict[frozenset[str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for way in ways:
        if way.touches:
            sums = met[frozenset(way.touches)]
            sums[0] += way.people
            sums[1] += way.orders
    credit: dict[str, float] = defaultdict(float)
    for group, (_people, orders) in met.items():
        if len(group) > MOST_PLAYERS:
            for name in group:
                credit[name] += orders / len(group)
            continue
        _share(sorted(group), orders, met, credit)
    return dict(credit)


def _share(
    names: Sequence[str],
    orders: float,
    met: Mapping[frozenset[str], Sequence[float]],
    credit: dict[str, float],
) -> None:
    """Share the orders of people who met exactly these by Shapley values of the rates of subsets.

    A subset nobody met alone is worth the best of its own subsets, so worth never falls by joining.
    """
    worth: dict[frozenset[str], float] = {frozenset(): 0.0}
    for size in range(1, len(names) + 1):
        for combination in combinations(names, size):
            group = frozenset(combination)
            people, done = met.get(group, (0.0, 0.0))
            rate = done / people if people else 0.0
            worth[group] = max(rate, *(worth[group - {name}] for name in group))
    total = worth[frozenset(names)]
    n = len(names)
    for name in names:
        value = 0.0
        others = [other for other in names if other != name]
        for size in range(n):
            chance = factorial(size) * factorial(n - size - 1) / factorial(n)
            for combination in combinations(others, size):
                group = frozenset(combination)
                value += chance * (worth[group | {name}] - worth[group])
        credit[name] += orders * (value / total if total else 1 / n)


def markov(ways: Sequence[Way]) -> dict[str, float]:
    """Orders shared by how many would be lost without each channel."""
    moves: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for way in ways:
        steps = (_START, *way.touches)
        for here, there in pairwise(steps):
            moves[here][there] += way.people
        done = min(way.orders, way.people)
        if way.touches:
            moves[steps[-1]][_ORDER] += done
            moves[steps[-1]][_NOTHING] += way.people - done
    names = sorted({touch for way in ways for touch in way.touches})
    orders = sum(way.orders for way in ways if way.touches)
    whole = _reached(moves, names, without=None)
    if whole <= 0:
        return dict.fromkeys(names, 0.0)
    lost = {name: max(1 - _reached(moves, names, without=name) / whole, 0.0) for name in names}
    total = sum(lost.values())
    return {name: orders * loss / total if total else 0.0 for name, loss in lost.items()}


def _reached(
    moves: Mapping[str, Mapping[str, float]], names: Sequence[str], *, without: str | None
) -> float:
    """The chance to end in an order from the start, where one channel leads nowhere."""
    chance = dict.fromkeys([_START, *names], 0.0)
    for _round in range(10_000):
        change = 0.0
        for here in (*names, _START):
            if here == without or not moves.get(here):
                continue
            total = sum(moves[here].values())
            new = sum(
                n / total * (1.0 if there == _ORDER else chance.get(there, 0.0))
                for there, n in moves[here].items()
                if there not in (_NOTHING, without)
            )
            change = max(change, abs(new - chance[here]))
            chance[here] = new
        if change < 1e-12:
            break
    return chance[_START]
