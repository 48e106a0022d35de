"""Comparisons of a person's own columns, numbers and attributes, as conditions in SQL."""

from datetime import date, datetime, timedelta
from typing import Any as Anything

from django.db.models import (
    Case,
    DateField,
    F,
    FloatField,
    Func,
    IntegerField,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, Left
from django.db.models.lookups import (
    Exact,
    GreaterThanOrEqual,
    IContains,
    IExact,
    In,
    IsNull,
    IStartsWith,
    LessThan,
    LessThanOrEqual,
    Regex,
)

from campaigns.segments import fields, moments, rules
from campaigns.segments.acts import Said
from campaigns.segments.logic import compared, exact, exactly
from campaigns.segments.nodes import Attribute, Compare
from ingestion import consent
from marketing.core.db import DAY_THERE_IS

_LOOKUP = {"<": "lt", "<=": "lte", ">=": "gte", ">": "gt"}
_OPPOSITE = {"<": "gte", "<=": "gt", ">=": "lt", ">": "lte"}
_NUMBER = r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$"
_DAY = DAY_THERE_IS + "([T ]|$)"


def compare(node: Compare, want: bool, as_of: datetime) -> Q:
    """A comparison of one field, or exactly the rest of the people."""
    f = fields.FIELDS[node.field]
    asked = _compare(f, node, want, as_of)
    if f.group != fields.PREDICTED:
        return asked
    # Whoever said no to predictions since has none, though the number stays until the next scoring.
    refused = Q(consent.objects_to_profiling("pk"))
    return asked & ~refused if (node.op != "unknown") == want else asked | refused


def _compare(f: fields.Field, node: Compare, want: bool, as_of: datetime) -> Q:
    if f.kind == rules.FLAG:
        return flag(f, bool(node.value) == want)
    if node.op in rules.NO_VALUE:
        return _known(f, (node.op == "known") == want)
    if f.kind == rules.NUMBER:
        return number(f, node, want)
    if f.kind == rules.DATE:
        return moment(f, node, want, as_of)
    return text(f, node, want)


def _known(f: fields.Field, want: bool) -> Q:
    if f.kind in (rules.TEXT, rules.CHOICE):
        return ~_blank(f) if want else _blank(f)
    return Q(**{f"{f.column}__isnull": not want})


def _blank(f: fields.Field) -> Q:
    return Q(**{f.column: ""}) | Q(**{f"{f.column}__isnull": True})


def _ordered(f: fields.Field, op: str, value: Anything, want: bool) -> Q:
    if want:
        return Q(**{f"{f.column}__{_LOOKUP[op]}": value})
    return Q(**{f"{f.column}__{_OPPOSITE[op]}": value}) | _known(f, False)


def number(f: fields.Field, node: Compare, want: bool) -> Q:
    """Numbers may stand in joined rows, so nothing here is negated by ~: each question has its
    opposite.
    """
    c = f.column
    if node.op == "between" and isinstance(node.value, tuple):
        low, high = (exact(float(v)) for v in node.value)
        if want:
            return Q(**{f"{c}__gte": low, f"{c}__lte": high})
        return Q(**{f"{c}__lt": low}) | Q(**{f"{c}__gt": high}) | _known(f, False)
    value = exact(node.value)  # type: ignore[arg-type]
    if node.op in _OPPOSITE:
        return _ordered(f, node.op, value, want)
    same = Q(**{f"{c}__gte": value, f"{c}__lte": value})
    different = Q(**{f"{c}__lt": value}) | Q(**{f"{c}__gt": value})
    if node.op == "=":
        return same if want else different | _known(f, False)
    return different if want else same | _known(f, False)


def moment(f: fields.Field, node: Compare, want: bool, as_of: datetime) -> Q:
    """A moment against the days of the shop, the time that has passed, or the person's calendar."""
    match node.op:
        case "before" | "after":
            day = moments.day_begins(str(node.value))
            return _ordered(f, "<" if node.op == "before" else ">=", day, want)
        case "within_days" | "not_within_days":
            since = as_of - timedelta(days=int(node.value))  # type: ignore[arg-type]
            return _ordered(f, ">=" if node.op == "within_days" else "<", since, want)
        case "in_next_days":
            until = as_of + timedelta(days=int(node.value))  # type: ignore[arg-type]
            return exactly(Q(**{f"{f.column}__gte": as_of, f"{f.column}__lt": until}), want)
        case "anniversary_within":
            return _comes_round(moments.day_of(F(f.column)), node, want, as_of)
    holds = moments.stretch(str(node.value), as_of=as_of, column=f.column, person=F)
    if node.op == "not_during":
        return exactly(_known(f, True) & exactly(holds, False), want)
    return exactly(holds, want)


def _comes_round(day: Anything, node: Compare | Attribute, want: bool, as_of: datetime) -> Q:
    ahead = Func(
        day,
        moments.today(as_of),
        function="campaigns_days_to_anniversary",
        output_field=IntegerField(),
    )
    return exactly(Q(LessThanOrEqual(ahead, Value(int(node.value)))), want)  # type: ignore[arg-type]


def text(f: fields.Field, node: Compare, want: bool) -> Q:
    """Text stands in the customer's own row. Free text ignores case; a choice is what it says."""
    lookup = {
        "in": "in",
        "not_in": "in",
        "contains": "icontains",
        "starts_with": "istartswith",
    }.get(node.op, "exact")
    if f.kind == rules.TEXT and lookup == "exact":
        lookup = "iexact"
    value = list(node.value) if isinstance(node.value, tuple) else node.value
    # A value is never blank, so whatever is the same is known.
    same = Q(**{f"{f.column}__{lookup}": value})
    if node.op in ("!=", "not_in"):
        return _known(f, True) & ~same if want else same | _known(f, False)
    return same if want else ~same


def flag(f: fields.Field, want: bool) -> Q:
    if f.name == "can_email":
        return fields.can_email() if want else ~fields.can_email()
    group, _dot, channel = f.name.partition(".")
    if group == "suppressed":
        return (consent.barred if want else consent.open_to)(channel=channel)
    return Q(**{f.column: want})


def attribute(node: Attribute, want: bool, as_of: datetime) -> Q:
    """A comparison of something the shop keeps of people, read as the kind that the rule says.

    What cannot be read as that kind is not known.
    """
    said = Said(F("attributes"), Value(node.name, TextField()))
    if node.kind == rules.FLAG:
        return exactly(Q(Exact(said, Value("true" if node.value else "false"))), want)
    value: Anything = {rules.NUMBER: _number, rules.DATE: _day}.get(node.kind, _text)(said)
    if node.op in rules.NO_VALUE:
        return Q(IsNull(value, (node.op == "known") != want))
    if node.kind == rules.NUMBER:
        return compared(value, node.op, node.value, want)
    if node.kind == rules.DATE:
        return _dated(value, node, want, as_of)
    return _worded(value, node, want)


def _text(said: Anything) -> Anything:
    return Case(When(Q(Exact(said, Value(""))), then=None), default=said, output_field=TextField())


def _number(said: Anything) -> Anything:
    """The cast stands inside a CASE, so that a text that is no number is never cast."""
    return Case(
        When(Q(Regex(said, Value(_NUMBER))), then=Cast(said, FloatField())),
        default=None,
        output_field=FloatField(),
    )


def _day(said: Anything) -> Anything:
    return Case(
        When(Q(Regex(said, Value(_DAY))), then=Cast(Left(said, 10), DateField())),
        default=None,
        output_field=DateField(),
    )


def _worded(value: Anything, node: Attribute, want: bool) -> Q:
    if isinstance(node.value, tuple):
        same = Q(In(value, list(node.value)))
    else:
        given = Value(str(node.value))
        same = Q(
            {"contains": IContains, "starts_with": IStartsWith}.get(node.op, IExact)(value, given)
        )
    if node.op in ("!=", "not_in"):
        return exactly(Q(IsNull(value, False)) & ~same, want)
    return exactly(same, want)


def _dated(day: Anything, node: Attribute, want: bool, as_of: datetime) -> Q:
    match node.op:
        case "before":
            return exactly(Q(LessThan(day, _given(node))), want)
        case "after":
            return exactly(Q(GreaterThanOrEqual(day, _given(node))), want)
        case "anniversary_within":
            return _comes_round(day, node, want, as_of)
        case "during" | "not_during":
            name = str(node.value)
            begins, ends = (
                Cast(moments.edge_shown(name, as_of, end=end), DateField()) for end in (False, True)
            )
            holds = Q(GreaterThanOrEqual(day, begins)) & Q(LessThan(day, ends))
        case _:
            today, length = moments.today(as_of), Value(int(node.value))  # type: ignore[arg-type]
            first, last = (
                (today, today + length) if node.op == "in_next_days" else (today - length, today)
            )
            holds = Q(GreaterThanOrEqual(day, first)) & Q(LessThanOrEqual(day, last))
    if node.op.startswith("not_"):
        holds = Q(IsNull(day, False)) & ~holds
    return exactly(holds, want)


def _given(node: Attribute) -> Value:
    return Value(date.fromisoformat(str(node.value)), DateField())
