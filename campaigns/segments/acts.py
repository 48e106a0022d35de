"""What people did, as conditions in SQL: events, sequences of them, and what became of messages.

Each is a correlated EXISTS (… OFFSET n-1) over the rows of one customer.
"""

from datetime import datetime
from typing import Any as Anything

from django.db.models import (
    Case,
    DurationField,
    Exists,
    F,
    FloatField,
    Func,
    Lookup,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    IsNull,
    LessThan,
    LessThanOrEqual,
)

from campaigns.models import Message as Sent
from campaigns.segments import moments
from campaigns.segments.logic import exact, times
from campaigns.segments.nodes import Did, Message, Sequence, Step, Where
from ingestion.models import Event

_HELD = "holdout"


def did(node: Did, as_of: datetime, want: bool) -> Q:
    events = _happened(node.event, node.where).filter(
        moments.during(node.days, node.when, as_of=as_of, column="at", person=OuterRef),
        customer=OuterRef("pk"),
    )
    return times(events, node.at_least, node.at_most, want)


def _happened(event: str, tests: tuple[Where, ...]) -> QuerySet[Event]:
    events = Event.objects.filter(type=event)
    for test in tests:
        events = events.filter(passes(test, "properties"))
    return events


def sequence(node: Sequence, as_of: datetime, want: bool) -> Q:
    first, *later = node.steps
    events = _happened(first.event, first.where).filter(
        moments.during(node.days, node.when, as_of=as_of, column="at", person=OuterRef),
        customer=OuterRef("pk"),
    )
    return times(_followed(events, later, as_of), 1, None, want)


def _followed(events: QuerySet[Event], steps: list[Step], as_of: datetime) -> QuerySet[Event]:
    """Those of the events that were followed by the steps."""
    gaps: list[Step] = []
    for number, step in enumerate(steps):
        if step.absent:
            gaps.append(step)
            continue
        after = _after(step, OuterRef("at"))
        for gap in gaps:
            between = _after(gap, OuterRef(OuterRef("at"))).filter(at__lt=OuterRef("at"))
            after = after.filter(~Exists(between))
        return events.filter(Exists(_followed(after, steps[number + 1 :], as_of)))
    for gap in gaps:
        if gap.within is not None:  # before that time is over, it may still happen
            events = events.filter(at__lte=as_of - moments.delta(gap.within))
        events = events.filter(~Exists(_after(gap, OuterRef("at"))))
    return events


def _after(step: Step, moment: Anything) -> QuerySet[Event]:
    """The step's events of the same person after a moment and within the step's time."""
    events = _happened(step.event, step.where).filter(customer=OuterRef("customer"), at__gt=moment)
    if step.within is None:
        return events
    length = Value(moments.delta(step.within), DurationField())
    return events.filter(at__lte=moment + length)


def message(node: Message, as_of: datetime, want: bool) -> Q:
    state, column = {
        "sent": (Q(state=Sent.State.SENT), "sent_at"),
        "opened": (Q(opened_at__isnull=False), "opened_at"),
        "clicked": (Q(clicked_at__isnull=False), "clicked_at"),
        "failed": (Q(state=Sent.State.FAILED), "queued_at"),
        "held_out": (Q(state=Sent.State.SKIPPED, reason=_HELD), "queued_at"),
    }[node.act]
    rows = Sent.objects.filter(
        state,
        moments.during(node.days, node.when, as_of=as_of, column=column, person=OuterRef),
        customer=OuterRef("pk"),
    )
    if node.campaign is not None:
        rows = rows.filter(run__campaign_id=node.campaign)
    if node.channel is not None:
        rows = rows.filter(channel=node.channel)
    return times(rows, node.at_least, node.at_most, want)


class Said(Func):
    """A property as text. A name made of digits is a name, too, and no place in a list."""

    template = "(%(expressions)s)"
    arg_joiner = " ->> "
    output_field = TextField()


class _Property(Func):
    template = "(%(expressions)s)"
    arg_joiner = " -> "
    output_field = TextField()


_ORDER: dict[str, type[Lookup]] = {
    "<": LessThan,
    "<=": LessThanOrEqual,
    ">=": GreaterThanOrEqual,
    ">": GreaterThan,
    "=": Exact,
    "!=": Exact,
}


def passes(test: Where, column: str) -> Q:
    """A test on one property of a JSON column. Text compares as text, a number with numbers."""
    name = Value(test.property, TextField())
    said = Said(F(column), name)
    known = Q(IsNull(said, False))
    if test.op == "known":
        return known
    if isinstance(test.value, int | float) and not isinstance(test.value, bool):
        # The cast stands inside a CASE, so a property that is no number is never cast.
        kind = Func(_Property(F(column), name), function="jsonb_typeof", output_field=TextField())
        amount = Case(
            When(Q(Exact(kind, Value("number"))), then=Cast(said, FloatField())),
            default=None,
            output_field=FloatField(),
        )
        holds = Q(_ORDER[test.op](amount, exact(test.value)))
        if test.op == "!=":
            return known & (Q(IsNull(amount, True)) | ~holds)
        return holds
    value = ("true" if test.value else "false") if isinstance(test.value, bool) else str(test.value)
    if test.op == "contains":
        return Q(IContains(said, Value(value)))
    same = Q(Exact(said, Value(value)))
    return known & ~same if test.op == "!=" else same
