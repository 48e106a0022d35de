"""What can only be known from the whole file, gathered in one pass before its rows are stored.

The pass applies every rule but those that need its outcome, so the same file and recipe give the
same figures, however often an import is stopped and goes on. Numbers are counted by value; where a
column has very many, by four significant digits, so that memory stays flat.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.preprocess.recipe import nodes
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.frames import Frame
from ingestion.preprocess.texts import Ints

LEAST = 20  # with fewer numbers nothing is called unusual
MOST_VALUES = 100_000
MOST_GROUPS = 5_000
_COARSE = Context(prec=4)
_TO_SIGMA = Decimal("1.4826")


@dataclass
class Statistics:
    """Figures by rule, small enough to be stored, and per rule the lines that say it again."""

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    twice: dict[str, Ints] = field(default_factory=dict)


class _Counts:
    """How often each value came, within flat memory."""

    def __init__(self, *, numbers: bool) -> None:
        self.numbers, self.coarse = numbers, False
        self.found: Counter[Any] = Counter()

    def add(self, value: Any, times: int) -> None:
        if self.coarse:
            value = _COARSE.plus(value)
        if len(self.found) >= MOST_VALUES and value not in self.found:
            if not self.numbers:
                return
            if not self.coarse:
                self.coarse = True
                fine, self.found = self.found, Counter()
                for number, count in fine.items():
                    self.found[_COARSE.plus(number)] += count
                value = _COARSE.plus(value)
        self.found[value] += times


class Gathering:
    """Takes batch after batch, then tells the figures."""

    def __init__(self, recipe: nodes.Recipe, reading: Reading) -> None:
        self.recipe, self.reading = recipe, reading
        self.counts: dict[str, dict[str, _Counts]] = {}
        self.keys: dict[str, list[NDArray[np.uint64]]] = {}

    def look(self, rule: nodes.Rule, frame: Frame) -> None:
        """Note what a rule needs, from the frame as it is at this rule."""
        if isinstance(rule, nodes.Deduplicate):
            self.keys.setdefault(rule.id, []).append(_digests(frame, rule.columns))
        elif isinstance(rule, nodes.Outliers):
            self._count(rule.id, frame, (rule.column,), numbers=True)
        elif isinstance(rule, nodes.Impute) and rule.method != "constant":
            names = (rule.column, *((rule.group,) if rule.group else ()))
            self._count(rule.id, frame, names, numbers=rule.method == "median")

    def _count(self, rule_id: str, frame: Frame, names: tuple[str, ...], *, numbers: bool) -> None:
        codes, combinations = frame.combine(names)
        times = np.bincount(codes[frame.alive], minlength=len(combinations))
        groups = self.counts.setdefault(rule_id, {})
        for (text, *group), count in zip(combinations, times.tolist(), strict=True):
            value = self.reading.number(text) if numbers else text.strip()
            if not count or value is None or value == "":
                continue
            wanted = ["", *(["=" + group[0]] if group else [])]
            for name in wanted:
                if name not in groups and len(groups) >= MOST_GROUPS:
                    continue
                groups.setdefault(name, _Counts(numbers=numbers)).add(value, count)

    def finish(self) -> Statistics:
        """The figures of everything that was looked at."""
        made = Statistics()
        for rule in self.recipe.active:
            if isinstance(rule, nodes.Deduplicate):
                made.twice[rule.id] = _twice(self.keys.get(rule.id, []), rule.keep)
            groups = self.counts.get(rule.id, {})
            if isinstance(rule, nodes.Outliers) and "" in groups:
                limits = limits_of(groups[""].found, rule)
                if limits is not None:
                    made.values[rule.id] = {"low": f"{limits[0]:f}", "high": f"{limits[1]:f}"}
            elif isinstance(rule, nodes.Impute) and groups:
                pick = middle if rule.method == "median" else commonest
                made.values[rule.id] = {
                    name: self.reading.write(pick(counts.found)) for name, counts in groups.items()
                }
        return made


def _digests(frame: Frame, names: tuple[str, ...]) -> NDArray[np.uint64]:
    """Per living row its line and 128 bits of its key."""
    total = np.zeros((2, frame.rows), np.uint64)
    for position, name in enumerate(names):
        column = frame.column(name)
        salt = position.to_bytes(2, "big")
        digests = np.frombuffer(
            b"".join(
                hashlib.blake2b(text.strip().encode(), digest_size=16, salt=salt).digest()
                for text in column.texts
            ),
            np.uint64,
        ).reshape(-1, 2)
        if len(digests):
            total += digests[column.codes].T
    out = np.empty((3, frame.rows), np.uint64)
    out[0], out[1:] = frame.lines, total
    return out[:, frame.alive]


def _twice(parts: list[NDArray[np.uint64]], keep: str) -> Ints:
    """The lines whose key another line has, but for the one that is kept."""
    if not parts:
        return np.zeros(0, np.int64)
    lines, one, two = np.concatenate(parts, axis=1)
    order = np.lexsort((lines, two, one))
    same = (one[order][1:] == one[order][:-1]) & (two[order][1:] == two[order][:-1])
    again = np.zeros(len(order), bool)
    if keep == "first":
        again[1:] = same
    else:
        again[:-1] = same
    return np.sort(lines[order][again]).astype(np.int64)


def middle(counts: Mapping[Decimal, int], share: Decimal = Decimal("0.5")) -> Decimal:
    """A quantile of counted numbers; between two it is their mean."""
    total = sum(counts.values())
    ordered = sorted(counts)
    low, high, reached = None, None, 0
    target = share * total
    for number in ordered:
        reached += counts[number]
        if low is None and reached >= target:
            low = number
        if reached > target:
            high = number
            break
    low = ordered[-1] if low is None else low
    high = low if high is None else high
    return (low + high) / 2


def commonest(counts: Mapping[str, int]) -> str:
    """The text that came most often; of equals the first in the alphabet."""
    return min(counts, key=lambda text: (-counts[text], text))


def limits_of(
    counts: Mapping[Decimal, int], rule: nodes.Outliers
) -> tuple[Decimal, Decimal] | None:
    """The usual range. The median and its deviations are not moved by a few huge values."""
    if sum(counts.values()) < LEAST:
        return None
    width = Decimal(str(rule.width))
    if rule.method == "iqr":
        low, high = middle(counts, Decimal("0.25")), middle(counts, Decimal("0.75"))
        spread = (high - low) * width
        return (low - spread, high + spread) if spread else None
    centre = middle(counts)
    away: Counter[Decimal] = Counter()
    for number, times in counts.items():
        away[abs(number - centre)] += times
    spread = middle(away) * _TO_SIGMA * width
    if not spread:  # more than half of all are the same number: take the mean deviation
        total = sum(away.values())
        mean = sum((number * times for number, times in away.items()), Decimal(0)) / total
        spread = mean * Decimal("1.2533") * width
    return (centre - spread, centre + spread) if spread else None
