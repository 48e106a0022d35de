"""What kind of value a property holds."""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any

NULL, BOOLEAN, INTEGER, NUMBER = "null", "boolean", "integer", "number"
STRING, DATE_TIME, OBJECT, ARRAY = "string", "date-time", "object", "array"
KINDS = (STRING, NUMBER, INTEGER, BOOLEAN, DATE_TIME, OBJECT, ARRAY)
BY_TYPE: dict[type, str] = {
    type(None): NULL,
    bool: BOOLEAN,
    int: INTEGER,
    float: NUMBER,
    str: STRING,
    dict: OBJECT,
    list: ARRAY,
}
NAME_LIMIT = 200
TEXT_LIMIT = 60
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
_DIGITS = re.compile(r"\d(?:[\s().\-/]*\d){6,}")
_PERSONAL = re.compile(
    r"mail|phone|mobile|(?:^|_|first|last|full|user|family|given)name$|surname|address|street|"
    r"postal|post_?code|zip|birth|iban|card|passw|token|secret|auth|ssn|passport|^ip$|ip_address|"
    r"latitude|longitude|user_?agent",
    re.IGNORECASE,
)


def is_date_time(text: str) -> bool:
    """Whether a text is a day or a moment as ISO 8601 writes it."""
    if not (9 < len(text) < 36 and text[4] == "-" and text[7] == "-" and _DAY.fullmatch(text)):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def kind_of(value: object) -> str:
    """The kind of one value."""
    kind = BY_TYPE.get(type(value), STRING)
    return DATE_TIME if kind == STRING and is_date_time(str(value)) else kind


def label(name: str) -> str:
    """A name as it may be stored: no character that a database refuses, and of bounded length.

    Two long names stay two names: the cut one carries a mark of the whole.
    """
    if len(name) > NAME_LIMIT:
        mark = blake2b(name.encode("utf-8", "replace"), digest_size=5).hexdigest()
        name = f"{name[:NAME_LIMIT]}…{mark}"
    if "\0" in name or not name.isprintable():
        name = name.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return name


def example(name: str, value: object) -> str | None:
    """A value as it may be kept to show what is meant; None where it could be about a person."""
    if value is None or isinstance(value, bool | dict | list):
        return None
    if isinstance(value, int | float):
        return None if _PERSONAL.search(name) or abs(value) >= 10**9 else f"{value}"[:TEXT_LIMIT]
    text = str(value)
    if not text.strip() or _PERSONAL.search(name) or _ADDRESS.search(text):
        return None
    if _DIGITS.search(text) and not is_date_time(text):
        return None
    text = label(text)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def shares(kinds: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Kinds of value with their share, most frequent first; whole numbers among numbers are one.

    Empty values are left out: they say that there is no value, not of which kind it is.
    """
    counts = {kind: int(count) for kind, count in kinds.items() if kind != NULL and count}
    if NUMBER in counts and INTEGER in counts:
        counts[NUMBER] += counts.pop(INTEGER)
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(kind, count / total) for kind, count in ordered]
