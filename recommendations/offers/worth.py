"""What an offer is worth and costs for each person: price by probability, less what it gives away.

Without an effect that was measured nothing says that a discount makes anybody buy: then everybody
who takes it costs the discount, those who would have bought anyway too, and what is reckoned is the
worth of what they buy, not of what the offer adds. With a measured effect only what it adds counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Reckoned:
    """(n,) each: expected worth after all costs, expected cost to the budget, the chance to take
    it, and whom it is not made to since they would buy anyway."""

    worth: Array
    cost: Array
    chance: Array
    anyway: Array


def reckon(
    *, chance: Array, value: Array, discount: Array, contact: float, effect: Array | None
) -> Reckoned:
    """Of one offer: `chance` that they take it (NaN: not known), `value` of a sale to the shop
    before the discount, the `discount` in money, what it costs to tell them (`contact`), and the
    `effect` on the chance where one was measured (NaN: not known of them).

    An `effect` makes it count by what it adds. With it, `chance` is that of somebody who is told.
    """
    none = ~(np.isfinite(chance) & np.isfinite(value))
    likely = np.where(none, 0.0, np.clip(np.nan_to_num(chance), 0.0, 1.0))
    money = np.where(none, 0.0, np.nan_to_num(value))
    cost = contact + likely * discount
    anyway = np.zeros(len(likely), dtype=bool)
    if effect is None:
        worth = likely * money - cost
    else:
        none |= ~np.isfinite(effect)
        added = np.clip(np.nan_to_num(effect), -1.0, likely)
        worth = added * money - cost
        # What it adds would pay, were it not given to those who buy without it, too.
        pays = added * (money - discount) > contact
        anyway = ~none & (discount > 0) & (worth <= 0) & pays
    return Reckoned(
        np.where(none, -np.inf, worth), np.where(none, 0.0, cost), np.where(none, np.nan, likely),
        anyway,
    )  # fmt: skip


@dataclass(frozen=True)
class Sum:
    """What is expected in all, and between what it lies with 95%."""

    value: float
    low: float
    high: float


def expect(*, chance: Array, gain: Array, fixed: float, level: tuple[float, float]) -> Sum:
    """The sum of `gain` (n,) each with its `chance` (n,), less what is `fixed`.

    Two things are unsure: who takes it (independent draws), and whether chances are right in all:
    `level` holds by what they are multiplied at the least and at the most, as they came true
    when they were judged.
    """
    mean = float((chance * gain).sum())
    spread = 1.96 * float(np.sqrt((chance * (1 - chance) * gain**2).sum()))
    ends = (mean * level[0], mean * level[1])
    # Never beyond what comes of it when nobody takes it, or everybody does.
    low = max(min(ends) - spread, float(np.minimum(gain, 0).sum()))
    high = min(max(ends) + spread, float(np.maximum(gain, 0).sum()))
    return Sum(mean - fixed, min(low, mean) - fixed, max(high, mean) - fixed)
