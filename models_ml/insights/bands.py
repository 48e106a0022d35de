"""Bands of recency, frequency and money: which days, orders and money earn which score.

A score runs from 1 to 5, 5 the best. Bands are fifths of the people who ever ordered, made again
with the numbers, or four limits that somebody chose. Either way a score follows from the number
alone: equal numbers have equal scores, so that a fifth may be larger than another, or empty.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User
from models_ml.insights import yardsticks
from models_ml.models import Yardstick

KIND = Yardstick.Kind.BANDS
MOST = {"r": 36_500.0, "f": 1_000_000.0, "m": 1e12}


@dataclass(frozen=True, slots=True)
class Axis:
    """One of the three: its column of Traits, and whether less of it is better."""

    key: str
    column: str
    score: str
    label: str | Promise
    fewer_is_better: bool = False
    step: str = "1"


AXES = (
    Axis("r", "recency_days", "r_score", gettext_lazy("Recency"), fewer_is_better=True),
    Axis("f", "orders", "f_score", gettext_lazy("Frequency")),
    Axis("m", "revenue", "m_score", gettext_lazy("Money"), step="0.01"),
)
Limits = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Bands:
    """Four limits an axis, or None for fifths of the people.

    Recency: the most days for scores 5, 4, 3 and 2. Frequency and money: the least for 2, 3, 4, 5.
    """

    r: Limits | None = None
    f: Limits | None = None
    m: Limits | None = None

    def of(self, axis: Axis) -> Limits | None:
        limits: Limits | None = getattr(self, axis.key)
        return limits


START = asdict(Bands())


def read(body: Mapping[str, Any]) -> Bands:
    """The bands of a stored version."""
    told = {axis.key: body.get(axis.key) for axis in AXES}
    return Bands(**{key: tuple(limits) if limits else None for key, limits in told.items()})


def chosen() -> Bands:
    """What is in use, or will be once the job that measures everybody is through."""
    row = yardsticks.newest(kind=KIND)
    return read(row.body) if row else Bands()


def check(
    *, r: Sequence[float] | None, f: Sequence[float] | None, m: Sequence[float] | None
) -> Bands:
    """Bands from what somebody gave; Invalid names the axis and what is wrong with it."""
    given = {"r": r, "f": f, "m": m}
    return Bands(**{axis.key: _check(axis, given[axis.key]) for axis in AXES})


def _check(axis: Axis, limits: Sequence[float] | None) -> Limits | None:
    if limits is None:
        return None
    if len(limits) != 4 or any(not math.isfinite(limit) for limit in limits):
        raise _refusal(axis, _("%(name)s needs four limits, each a number."), "four_limits")
    least = 2 if axis.key == "f" else 0
    if min(limits) < least or max(limits) > MOST[axis.key]:
        raise _refusal(
            axis, _("A limit of %(name)s lies outside of %(least)s to %(most)s."), "out_of_range",
            least=least, most=f"{MOST[axis.key]:,.0f}",
        )  # fmt: skip
    if axis.step == "1" and any(limit != int(limit) for limit in limits):
        raise _refusal(axis, _("Limits of %(name)s are whole numbers."), "not_whole")
    rounded = [round(float(limit), 2) for limit in limits]
    if any(low >= high for low, high in pairwise(rounded)):
        raise _refusal(
            axis, _("The limits of %(name)s must rise, each above the one before."), "not_rising"
        )
    return (rounded[0], rounded[1], rounded[2], rounded[3])


def _refusal(axis: Axis, message: str, code: str, **words: object) -> Invalid:
    return Invalid(
        message % {"name": axis.label, **words},
        code=code,
        field=axis.key,
        remedy=_("Nothing was changed."),
    )


def save(*, bands: Bands, actor: User | ApiKey | None, now: datetime) -> Yardstick:
    """Put other bands in use; a job gives everybody their scores by them."""
    checked = check(r=bands.r, f=bands.f, m=bands.m)
    body = {axis.key: _listed(checked.of(axis)) for axis in AXES}
    return yardsticks.keep(kind=KIND, body=body, start=START, actor=actor, now=now)


def _listed(limits: Limits | None) -> list[float] | None:
    return None if limits is None else list(limits)


def limits_sql(*, bands: Bands, rows: str, params: dict[str, Any]) -> str:
    """A CTE `bands` of one row with the limits r, f and m; `rows` names everybody's numbers."""
    columns = []
    for axis in AXES:
        limits = bands.of(axis)
        if limits is not None:
            params[f"{axis.key}_limits"] = list(limits)
            columns.append(f"%({axis.key}_limits)s::double precision[] AS {axis.key}")
            continue
        fifth = (
            "percentile_disc(ARRAY[.2, .4, .6, .8])"
            f" WITHIN GROUP (ORDER BY {axis.column}::double precision)"
        )
        if not axis.fewer_is_better:  # a fifth ends with its number, the next begins above it
            fifth = (
                "(SELECT array_agg(round((e + {step})::numeric, 2)::double precision ORDER BY n)"
                f" FROM unnest({fifth}) WITH ORDINALITY AS u(e, n))"
            ).replace("{step}", axis.step)
        columns.append(f"{fifth} AS {axis.key}")
    asks = f" FROM {rows} WHERE orders > 0" if None in (bands.r, bands.f, bands.m) else ""
    return f"bands AS (SELECT {', '.join(columns)}{asks})"


def scores_sql(*, row: str = "") -> str:
    """The scores of a row of numbers, beside the CTE `bands`, as r_score, f_score, m_score."""
    found = []
    for axis in AXES:
        column, limit = f"{row}{axis.column}", f"bands.{axis.key}"
        if axis.fewer_is_better:
            steps = " - ".join(f"({column} > {limit}[{n}])::int" for n in range(1, 5))
            value = f"5 - {steps}"
        else:
            steps = " + ".join(f"({column} >= {limit}[{n}])::int" for n in range(1, 5))
            value = f"1 + {steps}"
        found.append(f"CASE WHEN {row}orders > 0 THEN {value} END AS {axis.score}")
    return ", ".join(found)
