"""What every kind of connector is."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from ingestion.connectors.mentions import Found
from marketing.core.errors import Invalid, Unavailable

Row = dict[str, Any]
Cursor = dict[str, Any]
Check = Callable[[], None]


class Later(Unavailable):
    """The other side asks for patience: try again in `seconds`."""

    def __init__(self, message: str, *, seconds: float, code: str = "later") -> None:
        super().__init__(message, code=code)
        self.seconds = seconds


@dataclass(frozen=True)
class Field:
    """One thing to be told. `only` names the variants that need it; a secret is never shown."""

    name: str
    label: Any
    kind: str = "text"  # text, long, number, select
    required: bool = False
    secret: bool = False
    hint: Any = ""
    default: str = ""
    choices: tuple[tuple[str, Any], ...] = ()
    only: tuple[str, ...] = ()
    placeholder: str = ""
    limit: int = 500


@dataclass(frozen=True)
class Batch:
    """Rows, and the cursor from which the next fetch goes on once these are kept."""

    rows: Sequence[Row]
    cursor: Cursor


@dataclass(frozen=True)
class File:
    """A file of a folder in one version (empty: only its content tells); `chunks` opens it."""

    name: str
    version: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True)
class Sample:
    """What a test has seen."""

    message: str
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class News:
    """Mentions, and the cursor to ask for newer ones."""

    found: list[Found]
    cursor: Cursor


class Kind:
    """A connector with its settings, secrets opened. It is made for one use."""

    key: ClassVar[str]
    gives: ClassVar[str] = "rows"  # rows, files or mentions
    fields: ClassVar[tuple[Field, ...]] = ()
    variants: ClassVar[tuple[tuple[str, Any], ...]] = ()
    goes_to: ClassVar[tuple[str, ...]] = ()  # settings that say to whom secrets are sent
    reads_from: ClassVar[tuple[str, ...]] = ()  # settings after whose change the cursor is void

    def __init__(self, given: Mapping[str, Any], *, now: datetime, check: Check = lambda: None):
        self.given = given
        self.now = now
        self.check = check  # raises when the work should stop

    @property
    def variant(self) -> str:
        return str(self.given.get("variant") or (self.variants[0][0] if self.variants else ""))

    def text(self, name: str) -> str:
        return str(self.given.get(name) or "").strip()

    @classmethod
    def fields_of(cls, variant: str) -> list[Field]:
        """The fields that a variant needs."""
        return [f for f in cls.fields if not f.only or variant in f.only]

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, Any]) -> None:
        """Refuse settings that cannot be right, before anything is called."""

    def test(self) -> Sample:
        """Call the other side and say what was seen. Changes nothing there or here."""
        raise NotImplementedError

    def pull(self, cursor: Cursor) -> Iterator[Batch]:
        """Rows from `cursor` on."""
        raise NotImplementedError

    def files(self) -> Iterator[File]:
        """Every file that fits; the caller knows which it has."""
        raise NotImplementedError

    def news(self, cursor: Cursor) -> News:
        """Mentions newer than `cursor`."""
        raise NotImplementedError

    def closing(self, cursor: Cursor) -> Cursor:
        """The cursor to begin the next fetch with, when a fetch has come to its end."""
        return cursor


def wrong(name: str, message: str, code: str = "bad_setting") -> Invalid:
    """A setting that cannot be used."""
    return Invalid(message, code=code, field=name)


def number(given: Mapping[str, Any], name: str, *, low: int, high: int, default: int) -> int:
    """A whole number within bounds; Invalid otherwise."""
    text = str(given.get(name) or "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text[:9]) <= high:
        raise wrong(
            name,
            _("Give a whole number from %(low)d to %(high)d.") % {"low": low, "high": high},
        )
    return int(text)


def show(
    rows: Sequence[Row], *, columns: int = 30, shown: int = 5
) -> tuple[list[str], list[list[str]]]:
    """Column names and the first rows as texts, for a person to look at."""
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    kept = list(names)[:columns]
    return kept, [
        ["" if row.get(name) is None else str(row[name])[:80] for name in kept]
        for row in rows[:shown]
    ]


def nap(seconds: float, check: Check) -> None:
    """Wait, but hear a stop within half a second."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        check()
        time.sleep(min(left, 0.5))
