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
class Texts:
    """What is known of people (n,): which of what is `said` (k texts) stands `at` each of them, -1
    for nothing. As many ask the same, each text is read once."""

    at: Array
    said: Sequence[str]

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Texts:
        """Of a text or None a person."""
        said = sorted({value for value in values if value is not None})
        place = {value: n for n, value in enumerate(said)}
        return cls(np.array([-1 if v is None else place[v] for v in values], dtype=np.int64), said)

    def take(self, keep: Array) -> Texts:
        """Of some of the people."""
        return Texts(self.at[keep], self.said)

    def each(self, values: Sequence[Any], otherwise: Any) -> Array:
        """What was made of every text, a person (n,); `otherwise` where there is none."""
        return np.array([*values, otherwise])[self.at]


@dataclass(frozen=True)
class Judged:
    """`fits` (n,), and the first rule that left somebody out: an index (n,), -1 for nobody's.

    `unknown` (n,): it left them out since what it asks is not known of them.
    """

    fits: Array
    by: Array
    unknown: Array


def judge(
    rules: Sequence[Rule], *, facts: Mapping[str, Texts], held: Mapping[str, Array], people: int
) -> Judged:
    """Hold rules against people: `facts` by field, `held` by stock code (n,) of bool."""
    by = np.full(people, -1, dtype=np.int64)
    unknown = np.zeros(people, dtype=bool)
    for n, rule in enumerate(rules):
        known, good = _holds(rule, facts, held, people)
        out = (by < 0) & ~(known & good)
        by[out] = n
        unknown[out] = ~known[out]
    return Judged(by < 0, by, unknown)


def _holds(
    rule: Rule, facts: Mapping[str, Texts], held: Mapping[str, Array], people: int
) -> tuple[Array, Array]:
    everyone = np.ones(people, dtype=bool)
    if rule.op in HOLDINGS:
        has = np.zeros(people, dtype=bool)
        for code in rule.value:
            has |= held[code]
        return everyone, has if rule.op == HOLDS else ~has
    values = facts[rule.field]
    if rule.op in NUMBERS:
        number = values.each([number_of(text) for text in values.said], np.nan)
        known = np.isfinite(number)
        with np.errstate(invalid="ignore"):
            good = number >= rule.value if rule.op == AT_LEAST else number <= rule.value
        return known, good
    known = values.each([text != "" for text in values.said], False)
    wanted = frozenset(rule.value)
    inside = values.each([text in wanted for text in values.said], False)
    return known, inside if rule.op == ONE_OF else ~inside


def number_of(text: str) -> float:
    """A text as a number, NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
