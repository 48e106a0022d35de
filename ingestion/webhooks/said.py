"""One thing that a shop says about an order, refund, person or product."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.dateparse import parse_datetime

ORDER, REFUND, CUSTOMER, PRODUCT, REQUEST = "order", "refund", "customer", "product", "request"
LARGEST = Decimal(10) ** 11


class Unclear(Exception):
    """A payload that lacks what is needed: which field, and the code of why."""

    def __init__(self, field: str, code: str, value: Any = "") -> None:
        super().__init__(f"{field}: {code}")
        self.field, self.code, self.value = field, code, str(value)[:80]


@dataclass(frozen=True)
class Said:
    """What is said, when it became so, and whom it speaks of. `rank` breaks ties of time.

    `back_at` is when it was said that what was gone is there again.
    """

    kind: str
    external_id: str
    changed_at: datetime
    body: dict[str, Any] = field(default_factory=dict)
    parent: str = ""
    rank: int = 0
    gone: bool = False
    names: tuple[str, ...] = ()
    back_at: datetime | None = None


Reader = Callable[[dict[str, Any], datetime], list[Said]]


def gone(kind: str) -> Reader:
    """Reads that a thing is there no longer. Shops do not say since when."""

    def read(body: dict[str, Any], now: datetime) -> list[Said]:
        return [Said(kind, number(body, "id"), now, gone=True)]

    return read


def back(reader: Reader) -> Reader:
    """Reads a thing that was gone and is there again."""

    def read(body: dict[str, Any], now: datetime) -> list[Said]:
        return [replace(one, back_at=now) for one in reader(body, now)]

    return read


def names_of(person: Mapping[str, str]) -> tuple[str, ...]:
    """The names by which whoever asks to be forgotten is found."""
    return tuple(v.lower() for k in ("external_id", "email", "phone") if (v := person.get(k)))


def moment(body: Mapping[str, Any], name: str, *, utc: bool = False) -> datetime | None:
    """A moment; without a zone it is UTC where the field says so."""
    text = body.get(name)
    if not isinstance(text, str) or not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or (found.tzinfo is None and not utc):
        raise Unclear(name, "not_a_date", text)
    try:
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        raise Unclear(name, "not_a_date", text) from None
    if not 1970 <= found.year < 9999:
        raise Unclear(name, "not_a_date", text)
    return found


def money(value: Any, name: str) -> Decimal:
    """An exact amount; nothing is zero."""
    if value in (None, ""):
        return Decimal(0)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Unclear(name, "not_a_number", value) from None
    if not found.is_finite() or abs(found) >= LARGEST:
        raise Unclear(name, "not_a_number", value)
    return found


def whole(value: Any, name: str) -> int:
    """A whole number."""
    number = money(value, name)
    if number != int(number) or abs(number) > 2**31 - 1:
        raise Unclear(name, "not_whole", value)
    return int(number)


def text(value: Any, limit: int = 300) -> str:
    """A text in one line; anything that is no text or number is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return " ".join(str(value).split())[:limit]


def number(body: Mapping[str, Any], name: str) -> str:
    """An id. Refused when there is none."""
    found = text(body.get(name), 100)
    if not found:
        raise Unclear(name, "missing")
    return found


def objects(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects; missing is empty."""
    found = body.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unclear(name, "not_a_list")
    if len(found) > 2_000:
        raise Unclear(name, "too_many")
    return found


def inner(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object; missing is empty."""
    found = body.get(name)
    return found if isinstance(found, dict) else {}


def currency(value: Any) -> str:
    """A three-letter code. Refused when it is none."""
    code = text(value, 10).upper()
    if len(code) != 3 or not code.isalpha() or not code.isascii():
        raise Unclear("currency", "bad_currency", value)
    return code
