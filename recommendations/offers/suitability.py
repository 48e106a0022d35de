"""Who may be offered a thing at all. What is not known of somebody is a refusal, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
# What a rule may ask, and of what: a number, a text, or what somebody holds.
AT_LEAST, AT_MOST = "at_least", "at_most"
ONE_OF, NONE_OF = "one_of", "none_of"
HOLDS, HOLDS_NOT = "holds", "holds_not"
NUMBERS, TEXTS, HOLDINGS = (AT_LEAST, AT_MOST), (ONE_OF, NONE_OF), (HOLDS, HOLDS_NOT)
OPS = (*NUMBERS, *TEXTS, *HOLDINGS)
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Rule:
    """`field` of a person must be at least, at most, one of, or none of `value`; for holdings
    `value` are stock codes, of which they hold one, or none."""

    op: str
    value: Any
    field: str = ""

    @property
    def key(self) -> str:
        """A name that is the same for the same rule, for counts of whom it left out."""
        said = self.value if isinstance(self.value, int | float) else ",".join(self.value)
        return f"{self.field}:{self.op}:{said}"


@dataclass(frozen=True)
class Judged:
    """`fits` (n,), and the first rule that left somebody out: an index (n,), -1 for nobody's.

    `unknown` (n,): it left them out since what it asks is not known of them.
    """

    fits: Array
    by: Array
    unknown: Array


def judge(
    rules: Sequence[Rule], *, facts: Mapping[str, Array], held: Mapping[str, Array], people: int
) -> Judged:
    """Hold rules against people: `facts` by field (n,) of texts or None, `held` by stock code (n,)
    of bool."""
    by = np.full(people, -1, dtype=np.int64)
    unknown = np.zeros(people, dtype=bool)
    for n, rule in enumerate(rules):
        known, good = _holds(rule, facts, held, people)
        out = (by < 0) & ~(known & good)
        by[out] = n
        unknown[out] = ~known[out]
    return Judged(by < 0, by, unknown)


def _holds(
    rule: Rule, facts: Mapping[str, Array], held: Mapping[str, Array], people: int
) -> tuple[Array, Array]:
    everyone = np.ones(people, dtype=bool)
    if rule.op in HOLDINGS:
        has = np.zeros(people, dtype=bool)
        for code in rule.value:
            has |= held[code]
        return everyone, has if rule.op == HOLDS else ~has
    values = facts[rule.field]
    if rule.op in NUMBERS:
        number = numbers(values)
        known = np.isfinite(number)
        with np.errstate(invalid="ignore"):
            good = number >= rule.value if rule.op == AT_LEAST else number <= rule.value
        return known, good
    known = np.array([value is not None and value != "" for value in values], dtype=bool)
    inside = np.isin(np.array([value or "" for value in values], dtype=str), list(rule.value))
    return known, inside if rule.op == ONE_OF else ~inside


def numbers(values: Array) -> Array:
    """Texts as numbers (n,), NaN for what is none."""
    found = np.full(len(values), np.nan)
    for n, value in enumerate(values):
        try:
            found[n] = float(value)
        except (TypeError, ValueError):
            continue
    return found
