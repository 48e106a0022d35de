"""Which of many rules mean some people: a hundred rules to a statement, planned once.

One rule about one person is looked up in microseconds, but writing and planning its statement takes
a hundred times as long. So the rules stand side by side in one SELECT, which each connection
prepares once; the people and the moment are its only arguments.
"""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import compress
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper
from psycopg2.extensions import AsIs

from campaigns.segments import asking, fields
from campaigns.segments import compile as compiler
from campaigns.segments.marks import Names
from campaigns.segments.nodes import (
    All,
    Attribute,
    Bucket,
    Cluster,
    Compare,
    Lifecycle,
    Node,
    Not,
    Rfm,
    Score,
    walk,
)
from campaigns.segments.nodes import Any as AnyOf
from campaigns.segments.terms import RuleFault
from ingestion import changes

TOGETHER = 100
# From so many on, those that an event concerns stand apart: to find the people costs as much again.
APART = 25
# Statements that one connection keeps; the one unused for longest makes room.
KEPT = 20
_MEMBERS = "SELECT segment_id, customer_id FROM campaigns_segmentmember WHERE customer_id = ANY($1)"
_PREDICTIONS = "SELECT key, id, kind FROM models_ml_prediction ORDER BY id"
_prepared: "WeakKeyDictionary[Any, OrderedDict[str, None]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class _Statement:
    """Rules side by side: their numbers in order, and the text with $1 people and $2 moment."""

    name: str
    numbers: tuple[int, ...]
    text: str


class Board:
    """Expanded rules to be asked together, again and again; those that cannot be are left out.

    Days of people's own calendars begin at whole quarters of an hour: what asks about them is
    written anew for each.
    """

    def __init__(self, rules: Mapping[int, Node]) -> None:
        self.left_out: dict[int, Node] = {}
        alike = {number: node for number, node in rules.items() if _stands(node)}
        self.daily = {n: node for n, node in alike.items() if asking.needs(node).midnights}
        kept = {n: node for n, node in alike.items() if n not in self.daily}
        self.named = _named() if any(_scored(node) for node in alike.values()) else None
        # Apart, since what happens most often is an event, and it concerns no others.
        many = len(kept) >= APART
        of_events = {n: node for n, node in kept.items() if many and _follows_events(node)}
        others = {n: node for n, node in kept.items() if n not in of_events}
        self.statements = [
            statement
            for some in (of_events, others)
            for statement in self._stand(some, asking.MOMENT)
        ]
        self.today: tuple[datetime, list[_Statement]] = (asking.MOMENT, [])
        apart = {number: node for number, node in rules.items() if number not in alike}
        self.apart = {number: node for number, node in apart.items() if can_be_asked(node)}
        self.left_out |= {n: node for n, node in apart.items() if n not in self.apart}
        self.beside = self._beside()

    def fits(self) -> bool:
        """Whether everything that the rules name is still what it was when they were written."""
        return (self.named is None or self.named == _named()) and not any(
            can_be_asked(node) for node in self.left_out.values()
        )

    def _beside(self) -> dict[int, tuple[Hashable, int]]:
        """The statement of each rule, and how many stand in it and are asked with it."""
        numbers = list(self.daily)
        days = [numbers[start : start + TOGETHER] for start in range(0, len(numbers), TOGETHER)]
        groups: list[Sequence[int]] = [s.numbers for s in self.statements]
        groups += [*days, *([number] for number in self.apart)]
        return {
            number: (place, len(group)) for place, group in enumerate(groups) for number in group
        }

    def _stand(self, rules: Mapping[int, Node], moment: datetime) -> list[_Statement]:
        found = []
        numbers = list(rules)
        for start in range(0, len(numbers), TOGETHER):
            some = [(number, rules[number]) for number in numbers[start : start + TOGETHER]]
            try:
                found.append(_written(tuple(some), moment, self.named))
            except RuleFault:
                good = [(number, node) for number, node in some if can_be_asked(node)]
                self.left_out |= {n: node for n, node in some if (n, node) not in good}
                if good:
                    found.append(_written(tuple(good), moment, self.named))
        return found

    def _at(self, as_of: datetime) -> list[_Statement]:
        """The statements to be asked at a moment."""
        quarter = as_of.replace(
            minute=as_of.minute // 15 * 15, second=0, microsecond=asking.MOMENT.microsecond
        )
        if self.daily and self.today[0] != quarter:
            self.today = (quarter, self._stand(self.daily, quarter))
        return [*self.statements, *self.today[1]]

    def of(
        self, *, people: Sequence[int], as_of: datetime, only: Collection[int] | None = None
    ) -> dict[int, set[int]]:
        """The people of whom each rule holds; rules without anybody are left out.

        With `only` these rules are asked, and of others that stand beside them nothing is meant.
        """
        found: dict[int, set[int]] = {}
        with transaction.atomic(savepoint=False), connection.cursor() as cursor:
            for statement in self._at(as_of):
                if only is not None and not any(n in only for n in statement.numbers):
                    continue
                if not (rows := _ask(cursor, statement, people, as_of)):
                    continue
                whose, *columns = zip(*rows, strict=True)
                for number, held in zip(statement.numbers, columns, strict=True):
                    if any(held):
                        found[number] = set(compress(whose, held))
            for number, node in self.apart.items():
                if only is not None and number not in only:
                    continue
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


def _stands(node: Node) -> bool:
    """Whether another moment means the same statement with its moments shifted."""
    return not any(
        isinstance(leaf, Cluster) or (isinstance(leaf, Score) and leaf.op == "in_days")
        for leaf in walk(node)
    )


def _follows_events(node: Node) -> bool:
    return any(kind == changes.EVENT for kind, _what in asking.needs(node).changes)


def _scored(node: Node) -> bool:
    return any(isinstance(leaf, Score) for leaf in walk(node))


def _named() -> tuple[tuple[str, int, str], ...]:
    """What statements hold of predictions, which are named by key: their numbers."""
    with connection.cursor() as cursor:
        cursor.execute(_PREDICTIONS)
        return tuple(cursor.fetchall())


@lru_cache(maxsize=64)
def _written(rules: tuple[tuple[int, Node], ...], moment: datetime, _named: object) -> _Statement:
    names = Names()
    columns = {
        f"r{place}": ExpressionWrapper(
            compiler.to_q(_at_hand_first(node), as_of=moment, names=names),
            output_field=BooleanField(),
        )
        for place, (_number, node) in enumerate(rules)
    }
    chosen = asking.chosen().annotate(**columns).order_by().values_list("id", *columns)
    text, params = chosen.query.sql_with_params()
    literal = [_argument(value, moment) for value in params]
    connection.ensure_connection()
    with connection.cursor() as cursor:
        full = str(cursor.mogrify(text, literal).decode())
    name = "standing_" + blake2b(full.encode(), digest_size=12).hexdigest()
    return _Statement(name, tuple(number for number, _node in rules), full)


def _at_hand_first(node: Node) -> Node:
    """The same rule, with what the row at hand says before what must be looked up.

    A condition is planned in the best order, a column as it stands; and the first part that fails
    spares looking the others up.
    """
    match node:
        case All(parts):
            return All(tuple(sorted(map(_at_hand_first, parts), key=_looks_up)))
        case AnyOf(parts):
            return AnyOf(tuple(sorted(map(_at_hand_first, parts), key=_looks_up)))
        case Not(part):
            return Not(_at_hand_first(part))
    return node


def _looks_up(node: Node) -> bool:
    return any(
        not isinstance(leaf, Attribute | Bucket | Rfm | Lifecycle)
        and not (isinstance(leaf, Compare) and fields.FIELDS[leaf.field].column)
        for leaf in walk(node)
        if not isinstance(leaf, All | AnyOf | Not)
    )


def _argument(value: Any, moment: datetime) -> Any:
    if value == asking.PEOPLE:
        return AsIs("$1")
    if isinstance(value, datetime) and value.microsecond == asking.MOMENT.microsecond:
        seconds = (value - moment).total_seconds()
        return AsIs(f"($2::timestamptz + interval '{seconds:.0f} seconds')")
    return value


def members(*, people: Iterable[int]) -> dict[int, set[int]]:
    """Which of these people are stored as members of each segment; within a transaction."""
    found: dict[int, set[int]] = {}
    with connection.cursor() as cursor:
        _execute(cursor, "standing_members", "bigint[]", _MEMBERS, [asking.array(people)])
        for number, person in cursor.fetchall():
            found.setdefault(number, set()).add(person)
    return found


def _ask(
    cursor: Any, statement: _Statement, people: Iterable[int], as_of: datetime
) -> list[tuple[Any, ...]]:
    given = [asking.array(people), as_of]
    _execute(cursor, statement.name, "bigint[], timestamptz", statement.text, given)
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _execute(cursor: Any, name: str, types: str, text: str, given: Sequence[Any]) -> None:
    """Run a statement that this connection plans once, as for few people: by look-ups."""
    # Not by `Question`, which keeps for good what it planned and asks within no SET LOCAL: these
    # texts come and go with the rules, and how they are planned is said in the same message.
    names = _prepared.setdefault(connection.connection, OrderedDict())
    if name in names:
        names.move_to_end(name)
    else:
        if len(names) >= KEPT:
            cursor.execute(f"DEALLOCATE {names.popitem(last=False)[0]}")
        cursor.execute(f"PREPARE {name} ({types}) AS {text}")
        names[name] = None
    values = ", ".join(["%s"] * len(given))
    cursor.execute(
        f"SET LOCAL plan_cache_mode = force_generic_plan; EXECUTE {name} ({values})", given
    )
