"""What is said of people as columns and attributes; of two sayings the later counts."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ingestion.preprocess import countries, titles, values

# What was said: property → [microseconds since 1970, tie-break, value]. None as value unsets.
Said = dict[str, list[Any]]
COLUMNS = ("first_name", "last_name", "country", "language", "timezone", "email", "phone")
LIMITS = {"first_name": 100, "last_name": 100, "language": 10}
SPELLINGS = {
    "firstname": "first_name",
    "first_name": "first_name",
    "lastname": "last_name",
    "last_name": "last_name",
    "country": "country",
    "language": "language",
    "locale": "language",
    "timezone": "timezone",
    "email": "email",
    "phone": "phone",
}
NAME_LIMIT = 100  # characters of an attribute's name
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """A moment as JSON keeps it without loss."""
    past = at - EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def _zone(text: str) -> str | None:
    return text.strip() if values.zone(text.strip()) else None


def _checked(read: Callable[[str], tuple[str, str]]) -> Callable[[str], str | None]:
    def checked(text: str) -> str | None:
        found, fault = read(text)
        return None if fault else found

    return checked


_READERS: dict[str, Callable[[str], str | None]] = {
    "country": countries.code,
    "timezone": _zone,
    "email": _checked(values.email),
    "phone": _checked(values.phone),
}


def read(told: Mapping[str, Any]) -> dict[str, Any]:
    """Traits as senders spell them → our columns and attributes; None unsets.

    A column whose text cannot be right is left as it is. An empty text says nothing.
    """
    found: dict[str, Any] = {}
    for name, value in told.items():
        column = SPELLINGS.get(name) or SPELLINGS.get(name.lower())
        if column is None:
            if len(name) <= NAME_LIMIT and "\0" not in name:
                found[name] = value
        elif value is None:
            found[column] = None
        elif (text := _column(column, value)) is not None:
            found[column] = text
    whole = told.get("name")
    if isinstance(whole, str) and "first_name" not in found and "last_name" not in found:
        first, _, last = titles.tidy(whole).partition(" ")
        found |= {"first_name": first[:100], "last_name": last[:100]} if first else {}
    address = told.get("address")
    if isinstance(address, dict) and "country" not in found and address.get("country"):
        code = _column("country", address["country"])
        found |= {"country": code} if code else {}
    return found


def _column(column: str, value: Any) -> str | None:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    text = str(value).replace("\0", "").strip()
    if not text:
        return None
    reader = _READERS.get(column)
    if reader is not None:
        return reader(text) or None
    return titles.tidy(text)[: LIMITS[column]] or None


def say(told: Mapping[str, Any], at: datetime, tie: str) -> Said:
    """Columns and attributes as said at one moment."""
    moment = microseconds(at)
    return {name: [moment, tie, value] for name, value in told.items()}


def fold(known: Said, news: Said) -> Said:
    """Take over what is later, ties by the greater tie-break; what of `news` counts now."""
    fresh = {}
    for name, saying in news.items():
        before = known.get(name)
        if before is None or (before[0], before[1]) < (saying[0], saying[1]):
            fresh[name] = known[name] = saying
    return fresh


def latest(sayings: Iterable[Said]) -> Said:
    """The latest of everything that several names say."""
    found: Said = {}
    for said in sayings:
        fold(found, said)
    return found
