"""The grid of recency, frequency and money: who is in each cell, what cells are called, and who
would move under other bands.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from models_ml.insights import bands, yardsticks
from models_ml.insights.bands import Bands
from models_ml.models import Traits

SCORES = (5, 4, 3, 2, 1)
Scores = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Group:
    """Cells of recency and frequency that are spoken of as one: `cells` by recency score."""

    key: str
    name: str | Promise
    advice: str | Promise
    hue: str
    cells: dict[int, tuple[int, ...]]

    @property
    def rule(self) -> dict[str, Any]:
        """The group as a rule of a segment."""
        by_frequency: dict[tuple[int, ...], list[int]] = {}
        for recency, frequencies in self.cells.items():
            by_frequency.setdefault(frequencies, []).append(recency)
        parts = [
            {"rfm": {"r": sorted(recencies), "f": sorted(frequencies)}}
            for frequencies, recencies in by_frequency.items()
        ]
        return {"all": parts} if len(parts) == 1 else {"any": parts}


GROUPS = (
    Group(
        "champions", _("Champions"), _("Ordered lately and often: thank them, ask for reviews."),
        "k2", {5: (4, 5), 4: (5,)},
    ),
    Group(
        "loyal", _("Loyal"), _("Come back again and again: show what is new, reward them."),
        "k5", {4: (4,), 3: (4, 5)},
    ),
    Group(
        "potential", _("Could become loyal"), _("Ordered lately, a few times: suggest more."),
        "k1", {5: (2, 3), 4: (2, 3)},
    ),
    Group(
        "new", _("New"), _("Just had a first order: welcome them, make the second one easy."),
        "k7", {5: (1,)},
    ),
    Group(
        "promising", _("Promising"), _("One order not long ago: remind them of you."),
        "k7", {4: (1,)},
    ),
    Group(
        "attention", _("Need attention"), _("Middling in both: an offer with a date may help."),
        "k3", {3: (2, 3)},
    ),
    Group(
        "sleepy", _("About to sleep"), _("Few orders, and quiet for a while: wake them up."),
        "k3", {3: (1,)},
    ),
    Group(
        "risk", _("At risk"), _("Used to order, then stopped: win them back in person."),
        "k4", {2: (3, 4), 1: (3, 4)},
    ),
    Group(
        "lose", _("Not to lose"), _("Ordered most of all, long ago: ask them why."),
        "k4", {2: (5,), 1: (5,)},
    ),
    Group(
        "hibernating", _("Hibernating"), _("Few orders, long ago: one good reason, then leave it."),
        "k8", {2: (1, 2)},
    ),
    Group(
        "lost", _("Lost"), _("Few orders, longest ago: spend little on them."),
        "k8", {1: (1, 2)},
    ),
)  # fmt: skip
OF_CELL = {
    (recency, frequency): group
    for group in GROUPS
    for recency, frequencies in group.cells.items()
    for frequency in frequencies
}


@dataclass(slots=True)
class Cell:
    """People with the same scores, and what they spent in all."""

    people: int = 0
    revenue: float = 0.0

    def add(self, other: "Cell") -> None:
        self.people += other.people
        self.revenue += other.revenue

    @property
    def mean(self) -> float:
        return self.revenue / self.people if self.people else 0.0


def cells() -> dict[Scores, Cell]:
    """Everybody who ever ordered, by their three scores, as counted when numbers were made."""
    kept = yardsticks.totals(kind=bands.KIND)
    if kept is not None and "cells" in kept:
        return {(r, f, m): Cell(people, money) for r, f, m, people, money in kept["cells"]}
    rows = (
        Traits.objects.filter(r_score__isnull=False)
        .values_list("r_score", "f_score", "m_score")
        .annotate(people=Count("pk"), revenue=Sum("revenue"))
        .order_by()
    )
    return {(r, f, m): Cell(people, float(revenue)) for r, f, m, people, revenue in rows}


def grid(found: dict[Scores, Cell], *, axes: str) -> dict[tuple[int, int], Cell]:
    """The cells laid out by two of the three, such as "rf"."""
    places = ["rfm".index(axis) for axis in axes]
    laid: dict[tuple[int, int], Cell] = {}
    for scores, cell in found.items():
        laid.setdefault((scores[places[0]], scores[places[1]]), Cell()).add(cell)
    return laid


def grouped(found: dict[Scores, Cell]) -> list[tuple[Group, Cell]]:
    """The named groups with their people, in the order in which they are told."""
    laid = grid(found, axes="rf")
    sums = {group.key: Cell() for group in GROUPS}
    for place, cell in laid.items():
        sums[OF_CELL[place].key].add(cell)
    return [(group, sums[group.key]) for group in GROUPS]


def people(*, scores: Mapping[str, Iterable[int]]) -> QuerySet[Traits]:
    """Everyone with one of the scores of each axis that is named."""
    asked = {f"{axis}_score__in": list(of) for axis, of in scores.items() if of}
    return yardsticks.people(Q(**asked))


def of_group(group: Group) -> QuerySet[Traits]:
    """Everyone in the cells of a named group."""
    meant = Q()
    for recency, frequencies in group.cells.items():
        meant |= Q(r_score=recency, f_score__in=frequencies)
    return yardsticks.people(meant)


def as_of() -> datetime | None:
    """The moment whose numbers the scores were made of; None before there are any."""
    return Traits.objects.order_by("customer_id").values_list("as_of", flat=True).first()


@dataclass(frozen=True, slots=True)
class Shift:
    """Who would move under other bands, before anything is stored."""

    people: int
    moved: int
    up: dict[str, int]
    down: dict[str, int]
    limits: dict[str, list[float]]
    before: dict[str, int]
    after: dict[str, int]


def shift(*, to: Bands) -> Shift | None:
    """What other bands would do to everybody's scores; None where nobody ever ordered."""
    params: dict[str, Any] = {}
    limits = bands.limits_sql(bands=to, rows="models_ml_traits", params=params)
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {limits} SELECT r, f, m FROM bands", params)
        found = cursor.fetchone()
        cursor.execute(
            f"WITH {limits}, next AS (SELECT t.r_score AS r, t.f_score AS f, t.m_score AS m,"
            f" {bands.scores_sql(row='t.')} FROM models_ml_traits AS t, bands"
            " WHERE t.orders > 0 AND t.r_score IS NOT NULL)"
            " SELECT r, f, m, r_score, f_score, m_score, count(*) FROM next"
            " GROUP BY 1, 2, 3, 4, 5, 6",
            params,
        )
        rows = cursor.fetchall()
    if not rows:
        return None
    up, down, before, after = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    moved = 0
    for row in rows:
        was, becomes, number = row[:3], row[3:6], row[6]
        moved += number if was != becomes else 0
        for axis, old, new in zip("rfm", was, becomes, strict=True):
            up[axis] += number if new > old else 0
            down[axis] += number if new < old else 0
        before[OF_CELL[was[0], was[1]].key] += number
        after[OF_CELL[becomes[0], becomes[1]].key] += number
    told = {axis: list(limit) for axis, limit in zip("rfm", found, strict=True)}
    return Shift(
        sum(row[6] for row in rows), moved, dict(up), dict(down), told, dict(before), dict(after)
    )
