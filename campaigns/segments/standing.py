"""Which of many rules mean some people: a hundred rules to a statement, planned once.

One rule about one person is looked up in microseconds, but writing and planning its statement takes
a hundred times as long. So the rules stand side by side in one SELECT, which each connection
prepares once; the people and the moment are its only arguments.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper
from psycopg2.extensions import AsIs

from campaigns.segments import asking
from campaigns.segments import compile as compiler
from campaigns.segments.nodes import Node
from campaigns.segments.terms import RuleFault

TOGETHER = 100
# Statements that one connection keeps; the one unused for longest makes room.
KEPT = 20
_prepared: "WeakKeyDictionary[Any, OrderedDict[str, None]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class _Statement:
    """Rules side by side: their numbers in order, and the text with $1 people and $2 moment."""

    name: str
    numbers: tuple[int, ...]
    text: str


class Board:
    """Expanded rules to be asked together, again and again; those that cannot be are left out."""

    def __init__(self, rules: Mapping[int, Node]) -> None:
        every = rules
        rules = {number: node for number, node in every.items() if can_be_asked(node)}
        self.left_out = [node for number, node in every.items() if number not in rules]
        kept = [(number, node) for number, node in rules.items() if asking.may_be_kept(node)]
        told = dict(kept)
        self.apart = {number: node for number, node in rules.items() if number not in told}
        self.statements = [
            _written(kept[start : start + TOGETHER]) for start in range(0, len(kept), TOGETHER)
        ]

    def of(self, *, people: Sequence[int], as_of: datetime) -> dict[int, set[int]]:
        """The people of whom each rule holds; rules without anybody are left out."""
        found: dict[int, set[int]] = {}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            for statement in self.statements:
                for person, *held in _ask(cursor, statement, people, as_of):
                    for number, holds in zip(statement.numbers, held, strict=True):
                        if holds:
                            found.setdefault(number, set()).add(person)
            for number, node in self.apart.items():
                text, params = asking.some(node, people=people, as_of=as_of)
                cursor.execute(text, params)
                if ids := {row[0] for row in cursor.fetchall()}:
                    found[number] = ids
        return found


def can_be_asked(node: Node) -> bool:
    """Whether everything the rule names is there: a list may be gone, or not read yet."""
    try:
        compiler.to_q(node, as_of=asking.MOMENT)
    except RuleFault:
        return False
    return True


def _written(rules: Sequence[tuple[int, Node]]) -> _Statement:
    columns = {
        f"r{place}": ExpressionWrapper(
            compiler.to_q(node, as_of=asking.MOMENT), output_field=BooleanField()
        )
        for place, (_number, node) in enumerate(rules)
    }
    chosen = asking.chosen().annotate(**columns).order_by().values_list("id", *columns)
    text, params = chosen.query.sql_with_params()
    literal = [_argument(value) for value in params]
    connection.ensure_connection()
    with connection.cursor() as cursor:
        full = str(cursor.mogrify(text, literal).decode())
    name = "standing_" + blake2b(full.encode(), digest_size=12).hexdigest()
    return _Statement(name, tuple(number for number, _node in rules), full)


def _argument(value: Any) -> Any:
    if value == asking.PEOPLE:
        return AsIs("$1")
    if isinstance(value, datetime) and value.microsecond == asking.MOMENT.microsecond:
        seconds = (value - asking.MOMENT).total_seconds()
        return AsIs(f"($2::timestamptz + interval '{seconds:.0f} seconds')")
    return value


def _ask(
    cursor: Any, statement: _Statement, people: Iterable[int], as_of: datetime
) -> list[tuple[Any, ...]]:
    names = _prepared.setdefault(connection.connection, OrderedDict())
    if statement.name in names:
        names.move_to_end(statement.name)
    else:
        if len(names) >= KEPT:
            cursor.execute(f"DEALLOCATE {names.popitem(last=False)[0]}")
        cursor.execute(f"PREPARE {statement.name} (bigint[], timestamptz) AS {statement.text}")
        names[statement.name] = None
    cursor.execute(f"EXECUTE {statement.name} (%s::bigint[], %s)", [list(people), as_of])
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
