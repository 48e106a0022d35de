"""Who a rule means: how many, some of them, all of them. Counting gives up in time and then says
it estimates.
"""

import random
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any as Anything

import orjson
from django.db import connection
from django.db.models import (
    Aggregate,
    BooleanField,
    Count,
    Expression,
    F,
    Func,
    Q,
    QuerySet,
    Subquery,
    Value,
)

from campaigns.models import Segment
from campaigns.segments import asking, clock, standing
from campaigns.segments import compile as compiler
from campaigns.segments.needs import expand
from campaigns.segments.rules import Node, RuleFault, segments_in
from campaigns.segments.turns import OutOfTime, patiently
from ingestion.models import Customer

PATIENCE_MS = 3000
SHARE = 32


@dataclass(frozen=True, slots=True)
class Size:
    """How many people; `exact` is False for an estimate from a sample, and `people` None when that
    took too long too.
    """

    people: int | None
    exact: bool
    seconds: float


def members(
    node: Node, *, as_of: datetime | None = None, within: tuple[int, ...] = ()
) -> QuerySet[Customer]:
    """Everyone the rule means, unordered and not yet asked for."""
    as_of = as_of or clock.moment()
    return Customer.objects.filter(compiler.to_q(node, as_of=as_of, within=within))


def people(rule: object) -> QuerySet[Customer]:
    """Everyone a stored rule means; RuleFault with the path when it cannot be read."""
    return members(compiler.read(rule))


def ids(
    node: Node, *, as_of: datetime | None = None, within: tuple[int, ...] = ()
) -> QuerySet[Anything, int]:
    """The ids of everyone the rule means, as a queryset that other queries may build on."""
    return members(node, as_of=as_of, within=within).values_list("pk", flat=True)


def contains(node: Node, *, customer_id: int, as_of: datetime | None = None) -> bool:
    """Whether one person is meant: the same condition, asked about one row."""
    return members(node, as_of=as_of).filter(pk=customer_id).exists()


def count(
    node: Node,
    *,
    as_of: datetime | None = None,
    within: tuple[int, ...] = (),
    patience_ms: int = PATIENCE_MS,
    turn: str = "",
) -> Size:
    """How many people the rule means; after `patience_ms` an estimate from one person in 32.

    A count in a `turn` stops the one before it in the same turn (see `turns.py`).
    """
    began = time.monotonic()
    as_of = as_of or clock.moment()
    if asked := asking.number(node, as_of=as_of):
        found = _asked(asked, patience_ms, turn)
    else:
        meant = members(node, as_of=as_of, within=within)
        found = _counts(meant, {"n": Count("pk")}, patience_ms, turn)
    if found is not None:
        return Size(found["n"], True, time.monotonic() - began)
    meant = members(node, as_of=as_of, within=within)
    some = _counts(meant.filter(every_nth()), {"n": Count("pk")}, patience_ms, turn)
    return Size(None if some is None else some["n"] * SHARE, False, time.monotonic() - began)


def sample(
    node: Node,
    *,
    number: int = 5,
    seed: int = 0,
    as_of: datetime | None = None,
    within: tuple[int, ...] = (),
    patience_ms: int = PATIENCE_MS,
) -> list[Customer]:
    """A few people the rule means, others for another seed; empty when that took too long."""
    try:
        with patiently(patience_ms):
            meant = members(node, as_of=as_of, within=within).select_related("traits")
            pivot = _somewhere(random.Random(seed).randint(0, 1000))
            found = list(meant.filter(pk__gte=pivot).order_by("pk")[:number])
            if len(found) < number:
                found += list(meant.filter(pk__lt=pivot).order_by("pk")[: number - len(found)])
            return found
    except OutOfTime:
        return []


def of_person(
    *, customer_id: int, segments: Iterable[Segment], as_of: datetime | None = None
) -> set[int]:
    """Ids of those of the segments that a person is in now; rules that no longer read are left out.

    Each rule is one look-up of one row; a hundred of them are one statement, planned once.
    """
    as_of = as_of or clock.moment()
    key = tuple((segment.pk, orjson.dumps(segment.rule)) for segment in segments)
    board = _kept_board(key)
    if board is not None and not board.fits():
        _kept_board.cache_clear()
        board = _kept_board(key)
    board = board or _board(dict(key))
    return set(board.of(people=[customer_id], as_of=as_of))


@lru_cache(maxsize=8)
def _kept_board(key: tuple[tuple[int, bytes], ...]) -> standing.Board | None:
    """The rules side by side, unless they name segments, whose rules may be other ones later."""
    rules = asking.read_all(dict(key))
    return None if any(segments_in(node) for node in rules.values()) else standing.Board(rules)


def _board(wanted: Mapping[int, bytes]) -> standing.Board:
    stored = Segment.objects.exclude(pk__in=wanted).values_list("pk", "rule")
    every = asking.read_all({**{pk: orjson.dumps(rule) for pk, rule in stored}, **wanted})
    found = {}
    for number in wanted:
        with suppress(RuleFault, KeyError):
            found[number] = expand(every[number], every.get, (number,))
    return standing.Board(found)


def _somewhere(thousandth: int) -> Expression:
    """The id so many thousandths of the way from the first to the last customer's."""
    ids = Customer.objects.values("pk")
    low, high = Subquery(ids.order_by("pk")[:1]), Subquery(ids.order_by("-pk")[:1])
    return low + (high - low) * Value(thousandth) / Value(1000)


def sql(node: Node, *, as_of: datetime | None = None, within: tuple[int, ...] = ()) -> str:
    """The SELECT that finds these people, with its values written in, for people to read."""
    text, params = ids(node, as_of=as_of, within=within).query.sql_with_params()
    connection.ensure_connection()
    with connection.cursor() as cursor:
        return str(cursor.mogrify(text, params).decode())


class _Drawn(Func):
    template = f"((hashint8extended(%(expressions)s, 20111209) & {SHARE - 1}) = 0)"
    output_field = BooleanField()


def every_nth() -> Q:
    """One person in 32, for estimates: drawn by a hash, since ids may follow a pattern."""
    return Q(_Drawn(F("pk")))


def _asked(asked: asking.Asked, patience_ms: int, turn: str) -> dict[str, Anything] | None:
    """What a statement that is kept as text counts, so that nobody waits for it to be written."""
    try:
        with patiently(patience_ms, turn), connection.cursor() as cursor:
            cursor.execute(*asked)
            return {"n": cursor.fetchone()[0]}
    except OutOfTime:
        return None


def _counts(
    meant: QuerySet[Customer], wanted: Mapping[str, Aggregate], patience_ms: int, turn: str
) -> dict[str, Anything] | None:
    try:
        with patiently(patience_ms, turn):
            return meant.aggregate(**wanted)
    except OutOfTime:
        return None
