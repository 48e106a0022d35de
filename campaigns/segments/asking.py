"""A rule as SQL that is kept: compiled once, asked of other people and at other moments.

Django takes longer to write a statement than PostgreSQL to look one person up, so what differs from
one asking to the next stands in the kept text as values that no rule can hold.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any as Anything
from typing import TypeAlias

import orjson
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db.models import BigIntegerField, BooleanField, F, Func, Q, QuerySet, Value

from campaigns.segments import compile as compiler
from campaigns.segments import nodes
from campaigns.segments.needs import Needs
from campaigns.segments.needs import of as needs_of
from campaigns.segments.nodes import Cluster, InList, InSegment, Node, Score
from ingestion.models import Customer

Asked: TypeAlias = tuple[str, tuple[Anything, ...]]

PEOPLE = [-(2**62)]
# Days written in rules begin at whole minutes; this moment, and days before and after it, do not.
MOMENT = datetime(5000, 1, 1, 11, 7, 13, 123457, tzinfo=UTC)
_NOBODY: Asked = ("SELECT 1 AS id WHERE false", ())


def array(ids: Iterable[int]) -> str:
    """Many ids as one text: the parser would take longer over a list than the look-up itself."""
    return "{" + ",".join(map(str, ids)) + "}"


class _Among(Func):
    template = "(%(expressions)s))"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def everyone(node: Node, *, as_of: datetime) -> Asked:
    """The SELECT of the ids of everybody an expanded rule means."""
    return _written(Customer.objects.filter(compiler.to_q(node, as_of=as_of)))


def number(node: Node, *, as_of: datetime) -> Asked | None:
    """The SELECT of how many a rule means; None where what it names may become something else."""
    if any(isinstance(leaf, InList | InSegment) for leaf in nodes.walk(node)):
        return None
    if not may_be_kept(node):
        return None
    text, params = _number(node)
    return text, _at(params, as_of - MOMENT)


def some(node: Node, *, people: Iterable[int], as_of: datetime) -> Asked:
    """The same of these people alone."""
    if may_be_kept(node):
        text, params = _kept(node)
        params = _at(params, as_of - MOMENT)
    else:
        text, params = _of(node, as_of)
    ids = array(people)
    return text, tuple(ids if value == PEOPLE else value for value in params)


def of_one(node: Node, *, person: Anything, moment: Callable[[timedelta], Anything]) -> Asked:
    """The same of one person at a moment, either of which may be an expression of SQL; `moment`
    gives it so much later. Not for rules whose days are those of a calendar.
    """
    text, params = _kept(node) if may_be_kept(node) else _of(node, MOMENT)
    return text, tuple(
        [person]
        if value == PEOPLE
        else moment(value - MOMENT)
        if isinstance(value, datetime) and value.microsecond == MOMENT.microsecond
        else value
        for value in params
    )


def _at(params: Iterable[Anything], shift: timedelta) -> tuple[Anything, ...]:
    """What was written as of `MOMENT`, so much later."""
    return tuple(
        value + shift
        if isinstance(value, datetime) and value.microsecond == MOMENT.microsecond
        else value
        for value in params
    )


@lru_cache(maxsize=4096)
def may_be_kept(node: Node) -> bool:
    """Whether another moment means the same statement with its moments shifted, and nothing in it
    is named by a key that may be given to something else.
    """
    return not needs(node).midnights and not any(
        isinstance(leaf, Score | Cluster) for leaf in nodes.walk(node)
    )


@lru_cache(maxsize=4096)
def needs(node: Node) -> Needs:
    """What an expanded rule needs; not to be changed."""
    return needs_of(node)


@lru_cache(maxsize=4096)
def _kept(node: Node) -> Asked:
    return _of(node, MOMENT)


@lru_cache(maxsize=1024)
def _number(node: Node) -> Asked:
    text, params = everyone(node, as_of=MOMENT)
    return f"SELECT count(*) FROM ({text}) AS meant", params


def _of(node: Node, as_of: datetime) -> Asked:
    return _written(chosen().filter(compiler.to_q(node, as_of=as_of)))


def chosen() -> QuerySet[Customer]:
    """The people who will be asked about."""
    return Customer.objects.filter(Q(_Among(F("pk"), Value(PEOPLE, ArrayField(BigIntegerField())))))


def _written(people: Anything) -> Asked:
    try:
        text, params = people.order_by().values("id").query.sql_with_params()
    except EmptyResultSet:
        return _NOBODY
    return text, tuple(params)


def forget() -> None:
    """Write every rule again when it is asked next."""
    _kept.cache_clear()
    _number.cache_clear()
    needs.cache_clear()
    may_be_kept.cache_clear()


def read_all(rules: Mapping[int, bytes]) -> dict[int, Node]:
    """The nodes of rules as JSON text; those that no longer read are left out."""
    found = {}
    for number, rule in rules.items():
        try:
            found[number] = _read(rule)
        except compiler.RuleFault:
            continue
    return found


@lru_cache(maxsize=4096)
def _read(text: bytes) -> Node:
    return compiler.read(orjson.loads(text))
