"""Whom a budget goes to: at most one offer a person, the most worth for the money.

The multiple-choice knapsack. Each person's offers are thinned to those on the upper hull of worth
over cost; the steps of all hulls are taken by worth per cost until the budget is spent (Sinha and
Zoltners, Operations Research 27, 1979). The step that no longer fits, taken in part, gives the
optimum of the linear relaxation, which no choice of whole offers can beat: `bound`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
NONE = -1


@dataclass(frozen=True)
class Chosen:
    """`offer` (n,): which offer each person gets, -1 for none; what they are worth and cost in all.

    `bound`: what no choice within the budget can exceed; `price`: worth of the last money spent,
    per unit, 0 where the budget is more than enough.
    """

    offer: Array
    worth: float
    cost: float
    bound: float
    price: float

    @property
    def gap(self) -> float:
        """By what part of the bound the choice may fall short of the best there is."""
        return max(0.0, 1 - self.worth / self.bound) if self.bound > 0 else 0.0


def allocate(worth: Array, cost: Array, *, budget: float) -> Chosen:
    """The offers to make, of `worth` and `cost` (n, k); a worth of -inf is no offer.

    Nobody gets an offer that is worth nothing or less. ValueError for costs below zero.
    """
    worth, cost = np.asarray(worth, dtype=float), np.asarray(cost, dtype=float)
    if worth.shape != cost.shape or worth.ndim != 2:
        raise ValueError("worth and cost are tables of the same shape: people by offers")
    there = worth > 0
    if (cost[there] < 0).any() or not np.isfinite(cost[there]).all() or not budget >= 0:
        raise ValueError("costs and the budget must be 0 or more")
    people, offers = _steps(np.where(there, worth, -np.inf), cost)
    gain, paid, who, what = _ordered(people, offers, worth, cost)
    spent = np.cumsum(paid)
    whole = int(np.searchsorted(spent, budget + 1e-9, side="right"))
    offer = np.full(len(worth), NONE, dtype=np.int64)
    offer[who[:whole]] = what[:whole]  # a person's last step stands
    used = float(spent[whole - 1]) if whole else 0.0
    total = float(gain[:whole].sum())
    bound, price = total, 0.0
    if whole < len(gain):
        price = float(gain[whole] / paid[whole])
        bound += price * (budget - used)
        total, used = _rest(offer, who, what, gain, paid, whole, budget, total, used)
    return Chosen(offer, total, used, max(bound, total), price)


def _steps(worth: Array, cost: Array) -> tuple[list[Array], list[tuple[Array, Array]]]:
    """Each person's way along the hull, a step of everybody at a time: who steps, from and to."""
    n, k = worth.shape
    at = np.full(n, NONE, dtype=np.int64)
    have, spent = np.zeros(n), np.zeros(n)
    walked: list[Array] = []
    moves: list[tuple[Array, Array]] = []
    going = np.arange(n)
    for _step in range(k + 1):
        if not len(going):
            break
        more = worth[going] - have[going, None]
        paid = cost[going] - spent[going, None]
        slope = np.full(more.shape, -np.inf)
        # What costs no more and is worth more comes before all else, the most of it first.
        free = (more > 0) & (paid <= 0)
        dear = (more > 0) & (paid > 0)
        np.divide(more, paid, out=slope, where=dear)
        best_free = np.where(free, more, -np.inf)
        any_free = free.any(axis=1)
        # Of equal slopes the longest step, so that none is taken twice.
        steepest = slope.max(axis=1, initial=-np.inf)
        longest = np.where(slope >= steepest[:, None] * (1 - 1e-12), more, -np.inf).argmax(axis=1)
        to = np.where(any_free, best_free.argmax(axis=1), longest)
        ok = any_free | dear.any(axis=1)
        going, to = going[ok], to[ok]
        walked.append(going)
        moves.append((at[going].copy(), to))
        at[going] = to
        have[going], spent[going] = worth[going, to], cost[going, to]
    return walked, moves


def _ordered(
    people: list[Array], moves: list[tuple[Array, Array]], worth: Array, cost: Array
) -> tuple[Array, Array, Array, Array]:
    """All steps, the ones worth most for their cost first; a person's own in their order."""
    who = np.concatenate(people) if people else np.zeros(0, dtype=np.int64)
    before = np.concatenate([a for a, _b in moves]) if moves else np.zeros(0, dtype=np.int64)
    after = np.concatenate([b for _a, b in moves]) if moves else np.zeros(0, dtype=np.int64)
    gain, paid = worth[who, after].copy(), cost[who, after].copy()
    later = before >= 0
    gain[later] -= worth[who[later], before[later]]
    paid[later] -= cost[who[later], before[later]]
    slope = np.full(len(who), np.inf)
    np.divide(gain, paid, out=slope, where=paid > 0)
    # They stand by step and person already, and a stable order keeps them so among equals.
    rank = np.argsort(-slope, kind="stable")
    return gain[rank], paid[rank], who[rank], after[rank]


def _rest(
    offer: Array, who: Array, what: Array, gain: Array, paid: Array,
    whole: int, budget: float, total: float, used: float, look: int = 10_000,
) -> tuple[float, float]:  # fmt: skip
    """Spend what is left on later steps that still fit; whoever missed one takes no later one."""
    missed: set[int] = set()
    for n in range(whole, min(len(gain), whole + look)):
        person = int(who[n])
        if person in missed:
            continue
        if used + paid[n] <= budget + 1e-9:
            offer[person], used, total = what[n], used + float(paid[n]), total + float(gain[n])
        else:
            missed.add(person)
    return total, used
