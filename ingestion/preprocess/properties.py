"""Columns of a file of people that no field takes: each may be kept as a property of the person.

Pure. A mapping names such a column `attributes.<name of the property>`. Every property has one kind
for the whole file, guessed from the first rows and changed by whoever imports: a number, a day,
yes or no, or a text. A value that is not of its kind is left empty and told, the rest of the row
goes in.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.preprocess import detect, titles, values

PREFIX = "attributes."
NUMBER, DAY, YES_NO, TEXT = "number", "day", "yes_no", "text"
KINDS = (NUMBER, DAY, YES_NO, TEXT)
# Kinds of files whose rows have properties.
FILES = ("customers",)
NAME_LIMIT, TEXT_LIMIT, MOST = 100, 300, 200
# Names that the person's own columns have: a property beside them would say them twice.
_TAKEN = frozenset({
    "first_name", "last_name", "country", "language", "timezone", "email", "phone",
})  # fmt: skip
_LARGEST = 2**53  # whole numbers beyond it are not exact in JSON
# Other words for yes and no stay the words they are, since rules read better with them.
_YES = frozenset({"true", "false"})


def field_of(name: str) -> str:
    """How a mapping names the property."""
    return f"{PREFIX}{name}"


def name_of(field: str) -> str | None:
    """The property that a name in a mapping means; None for a field."""
    return field[len(PREFIX) :] if field.startswith(PREFIX) else None


def may_be(kind: str, field: str) -> bool:
    """Whether a file of this kind may have such a property."""
    name = name_of(field)
    if name is None or kind not in FILES:
        return False
    return 0 < len(name) <= NAME_LIMIT and "\0" not in name and name.lower() not in _TAKEN


def suggest(kind: str, header: Sequence[str], taken: Collection[int]) -> dict[str, int]:
    """Property (as a mapping names it) → column, for the columns that nothing takes."""
    found = {
        field_of(name): index
        for index, name in enumerate(header)
        if index not in taken and may_be(kind, field_of(name))
    }
    return dict(list(found.items())[:MOST])


def kind_of(texts: Sequence[str], decimal: str) -> str:
    """What the filled ones of some texts of a column are."""
    filled = [text.strip() for text in texts if text.strip()]
    if not filled:
        return TEXT
    # A code with zeros in front, such as a postcode, would lose them as a number.
    codes = any(len(text) > 1 and text[0] == "0" and text.isdigit() for text in filled)
    if not codes and all(values.plain_number(text, decimal) is not None for text in filled):
        return NUMBER
    if all(text.casefold() in _YES for text in filled):
        return YES_NO
    if set(detect.date_styles(filled)) - {"epoch"}:
        return DAY
    return TEXT


def kinds_of(
    mapping: Mapping[str, int], rows: Sequence[Sequence[str]], decimal: str
) -> dict[str, str]:
    """Property → kind, by the first rows."""
    return {
        name: kind_of([row[index] for row in rows if index < len(row)], decimal)
        for field, index in mapping.items()
        if (name := name_of(field)) is not None
    }


def read(text: str, kind: str, *, decimal: str, date_style: str, zone: ZoneInfo) -> tuple[Any, str]:
    """(value as JSON keeps it, fault). None for an empty text, and for one that is not of the kind.

    A day is `2026-11-23`; one with a time of day is a moment in UTC, `2026-11-23T08:00:00Z`.
    """
    text = text.replace("\0", "").strip()
    if not text:
        return None, ""
    if kind == NUMBER:
        return _number(text, decimal)
    if kind == YES_NO:
        answer, fault = values.flag(text)
        return answer, fault
    if kind == DAY:
        return _day(text, date_style, zone)
    return titles.tidy(text)[:TEXT_LIMIT] or None, ""


def _number(text: str, decimal: str) -> tuple[int | float | None, str]:
    number = values.plain_number(text, decimal)
    if number is None:
        return None, "not_a_number"
    if number == number.to_integral_value() and abs(number) < _LARGEST:
        return int(number), ""
    return float(number), ""


def _day(text: str, style: str, zone: ZoneInfo) -> tuple[str | None, str]:
    found = None
    for way in dict.fromkeys((style, "iso")):
        # Days of birth lie before 1970, so the moment is read as the calendar has it.
        found = values.calendar(text, way, zone)
        if found is not None:
            break
    if found is None:
        return None, "not_a_date"
    local = found.astimezone(zone)
    if local == datetime(local.year, local.month, local.day, tzinfo=zone):
        return local.date().isoformat(), ""
    return found.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ"), ""
