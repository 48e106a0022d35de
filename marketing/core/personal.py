"""Where personal data lies: every app tells it for its own tables, and nobody else needs to know.

`PERSONAL` in the pipeline lists the modules that tell, in the order in which rows may go. A table
that no module names fails a test, so that a new one cannot be forgotten by an export or an erasure.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import connection

# Shorter or plainer names stand in too many other texts to be looked for there by themselves.
_PLAIN_NUMBER = re.compile(r"\d{1,5}")
_SHORTEST = 4
# Before a statement that blackens names: it opens the audit trail that far (see its migration).
ERASING = "SELECT set_config('perennial.erasing', 'on', true); "


def _spellings(text: str) -> set[str]:
    """A text as it is, and as JSON writes it."""
    return {re.escape(text), re.escape(json.dumps(text)[1:-1])}


def _any_of(parts: Iterable[str]) -> str:
    found = "|".join(sorted(parts))
    return rf"(?<![0-9a-z])({found})(?![0-9a-z])" if found else ""


@dataclass(frozen=True)
class Subject:
    """One person: our numbers for them (merged rows too) and every name they go by.

    `full_names` and `rare_names` are those nobody else has; `shared` are phone numbers of somebody
    else, too: nothing is searched for them.
    """

    numbers: tuple[int, ...]
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    external_ids: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    full_names: tuple[tuple[str, str], ...] = ()
    rare_names: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """Our number for the person as they are now."""
        return self.numbers[0]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name by which they alone can be found, in lower case."""
        every = (*self.emails, *self.own_phones, *self.external_ids, *self.devices)
        return tuple(dict.fromkeys(name.lower() for name in every if name))

    @property
    def own_phones(self) -> tuple[str, ...]:
        """Phone numbers that are nobody else's."""
        return tuple(phone for phone in self.phones if phone not in self.shared)

    @property
    def plain_ids(self) -> tuple[str, ...]:
        """Ids that are too short or too plain to be told from other numbers in a text."""
        every = (*self.external_ids, *self.devices)
        return tuple(t for t in every if len(t) < _SHORTEST or _PLAIN_NUMBER.fullmatch(t))

    @cached_property
    def expression(self) -> str:
        """A regular expression (for Python and PostgreSQL, letters of any case) of their names.

        Empty when no name is telling enough to be looked for in texts.
        """
        parts: list[str] = []
        plain = set(self.plain_ids)
        for text in (*self.emails, *self.external_ids, *self.devices):
            if text not in plain:
                parts += _spellings(text)
        for phone in self.own_phones:
            digits = re.sub(r"\D", "", phone)[-9:]
            if len(digits) >= 7:
                # Whatever stands for the country and the trunk before it belongs to the number.
                parts.append("(?:[0-9][^0-9a-z]{0,3}){0,5}" + "[^0-9a-z]{0,3}".join(digits))
        for first, last in self.full_names:
            if len(first) + len(last) > _SHORTEST:
                one, other = re.escape(first), re.escape(last)
                parts += [rf"{one}[^0-9a-z]{{1,3}}{other}", rf"{other}[^0-9a-z]{{1,3}}{one}"]
        return _any_of(parts)

    @cached_property
    def wider_expression(self) -> str:
        """The same with first or last names that nobody else has: for examples of values alone."""
        parts = [self.expression] if self.expression else []
        for text in self.rare_names:
            parts += _spellings(text)
        return _any_of(parts)

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.expression, re.IGNORECASE) if self.expression else None

    @cached_property
    def pattern_of_bytes(self) -> re.Pattern[str] | None:
        """The same for a file that was read as Latin-1, one character a byte."""
        as_read = self.expression.encode().decode("latin-1")
        return re.compile(as_read, re.IGNORECASE) if as_read else None

    @cached_property
    def params(self) -> dict[str, Any]:
        """What the SQL of a holding may name."""
        return {
            "ids": list(self.numbers),
            "numbers": [str(number) for number in self.numbers],
            "names": list(self.names),
            "emails": [email.lower() for email in self.emails],
            "devices": list(self.devices),
            # An expression that matches nothing, where there is nothing to look for.
            "text": self.expression or "(?!)",
        }

    def is_named_in(self, text: str) -> bool:
        """Whether a text tells of this person."""
        return self.pattern is not None and self.pattern.search(text) is not None

    def is_named_by(self, values: Iterable[str]) -> bool:
        """Whether one of these single values is one of their names."""
        known = set(self.names)
        return any(value.strip().lower() in known for value in values)

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> "Subject":
        stored = json.loads(text)
        stored["full_names"] = [tuple(pair) for pair in stored["full_names"]]
        return cls(**{name: tuple(value) for name, value in stored.items()})


@dataclass(frozen=True)
class Holding:
    """One table that holds people.

    `rows` is the SQL condition of a person's rows; `erase` the statement that removes what is
    personal in them (deleting the rows if not given, "" to leave them), `anonymise` the same when
    their orders are to stay. `scrub` names columns of text or JSON in which any row may mention
    somebody: their names are blacked out there; columns of `examples` hold single values, so that a
    rare first or last name goes, too. `hidden` columns are not part of a person's copy.
    """

    table: str
    label: Any
    rows: str = "false"
    erase: str | None = None
    anonymise: str | None = None
    scrub: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    exported: bool = True

    @property
    def reads_texts(self) -> bool:
        """Whether finding the rows means reading every text of the table."""
        return "%(text)s" in self.rows

    def statement(self, *, keeps_orders: bool) -> str:
        """The SQL that removes a person from this table; empty for none."""
        chosen = self.anonymise if keeps_orders and self.anonymise is not None else self.erase
        return f"DELETE FROM {self.table} WHERE {self.rows}" if chosen is None else chosen


@dataclass(frozen=True)
class Place:
    """Somewhere outside the tables. `erase` removes a person and says how much went."""

    name: str
    label: Any
    erase: Callable[[Subject], int] | None = None
    # (name of the file in the copy, its bytes)
    export: Callable[[Subject], Iterator[tuple[str, bytes]]] | None = None


@dataclass
class Registry:
    holdings: list[Holding] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    impersonal: dict[str, str] = field(default_factory=dict)


def registry() -> Registry:
    """What the modules of `pipeline.PERSONAL` tell, in their order."""
    found = Registry()
    for path in settings.PIPELINE.PERSONAL:
        module = import_module(path)
        found.holdings += getattr(module, "HOLDINGS", ())
        found.places += getattr(module, "PLACES", ())
        found.impersonal |= getattr(module, "IMPERSONAL", {})
    return found


def tables() -> list[str]:
    """Every table of the database, without the months of a partitioned one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')"
            " AND NOT c.relispartition ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def scrub(*, table: str, columns: Iterable[str], expression: str) -> int:
    """Black what matches out of columns of text or JSON; how many values changed."""
    if not expression:
        return 0
    changed = 0
    with connection.cursor() as cursor:
        for column in columns:
            cursor.execute(
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attname = %s",
                [table, column],
            )
            kind = cursor.fetchone()[0]
            cursor.execute(
                # One transaction with what follows it, also where none was begun.
                f"{ERASING}"
                f'UPDATE {table} SET "{column}" ='
                f" regexp_replace(\"{column}\"::text, %s, '[…]', 'gi')::{kind}"
                f' WHERE "{column}"::text ~* %s',
                [expression, expression],
            )
            changed += cursor.rowcount
    return changed


def mentions(*, table: str, subject: Subject) -> int:
    """How many rows of a table name this person, whatever the column."""
    if not subject.expression:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text ~* %s", [subject.expression])
        return int(cursor.fetchone()[0])


@dataclass(frozen=True)
class Retained:
    """Rows of one kind that may be kept for a time only.

    `rows` is the SQL condition of those older than %(before)s. `days` is the time unless a rule
    says otherwise (or what tells it), None for ever; nobody may choose less than `least`.
    `remove` replaces the plain deletion and gets the moment; it returns how many went. `size` is
    SQL for the bytes of a row.
    """

    kind: str
    label: Any
    table: str
    rows: str
    at: str
    days: int | Callable[[], int] | None = None
    least: int = 1
    size: str = "pg_column_size(t.*)"
    remove: Callable[[Any], int] | None = None

    @property
    def comes_with(self) -> int | None:
        """The days that hold without a rule."""
        return self.days() if callable(self.days) else self.days


def retained() -> list[Retained]:
    """The kinds of rows that the apps let go after a time."""
    return [
        kind
        for path in settings.PIPELINE.PERSONAL
        for kind in getattr(import_module(path), "RETAINED", ())
    ]
