"""Conditions whose opposite is exactly everybody else, people included of whom nothing is known."""

from typing import Any as Anything

from django.db.models import BooleanField, Case, Exists, FloatField, Q, QuerySet, Value, When
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual

from campaigns.segments.nodes import Value as Given

_ORDER = {"<": LessThan, "<=": LessThanOrEqual, ">=": GreaterThanOrEqual, ">": GreaterThan}


def always(truth: bool) -> Q:
    return Q(Value(truth, output_field=BooleanField()))


def exactly(holds: Q, want: bool) -> Q:
    """The rows for which it holds, or all others, also where it is neither true nor false."""
    if want:
        return holds
    return Q(
        Case(
            When(holds, then=Value(False)),
            default=Value(True),
            output_field=BooleanField(),
        )
    )


def exact(value: int | float) -> Value:
    """A double, whatever the column is: Django would cut 2.5 down to 2 for a column of whole
    numbers.
    """
    return Value(float(value), output_field=FloatField())


def compared(have: Anything, op: str, value: Given, want: bool) -> Q:
    """A number compared with another; one that is not known meets no comparison."""
    if isinstance(value, tuple):
        low, high = (exact(float(v)) for v in value)
        return exactly(Q(GreaterThanOrEqual(have, low)) & Q(LessThanOrEqual(have, high)), want)
    given = exact(value)  # type: ignore[arg-type]
    if op in _ORDER:
        return exactly(Q(_ORDER[op](have, given)), want)
    if op == "=":
        same = Q(GreaterThanOrEqual(have, given)) & Q(LessThanOrEqual(have, given))
        return exactly(same, want)
    return exactly(Q(LessThan(have, given)) | Q(GreaterThan(have, given)), want)


def times(rows: QuerySet[Anything, Anything], least: int, most: int | None, want: bool) -> Q:
    """So many rows of the person's; they are counted no further than that."""
    enough = None if least < 1 else Exists(rows[least - 1 :] if least > 1 else rows)
    too_many = None if most is None else Exists(rows[most:] if most else rows)
    if enough is None and too_many is None:
        return always(want)
    if want:
        return (Q() if enough is None else Q(enough)) & (Q() if too_many is None else Q(~too_many))
    return (Q() if enough is None else Q(~enough)) | (Q() if too_many is None else Q(too_many))
