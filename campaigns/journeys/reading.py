"""Settings of nodes read from JSON. What cannot be read is refused with what would be right."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any

from campaigns.journeys.kinds import Field
from campaigns.segments.nodes import Where
from campaigns.segments.terms import RuleFault, gettext_noop, where_of

UNITS = {"minutes": 60, "hours": 3_600, "days": 86_400, "weeks": 604_800}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST = 366 * 86_400
MOST_TESTS = 20
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_MAIL = re.compile(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,189}")


class Unreadable(ValueError):
    """A value that a setting cannot have; the text is one of ours, to be translated."""

    def __init__(self, message: str, params: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message, self.params = message, dict(params or {})


def _span(value: Any) -> int:
    """{"hours": 2} → seconds."""
    if isinstance(value, Mapping) and len(value) == 1:
        unit, number = next(iter(value.items()))
        if unit in UNITS and _whole(number) and 1 <= number * UNITS[unit] <= LONGEST:
            return int(number * UNITS[unit])
    raise Unreadable(gettext_noop("Say how long, such as {“hours”: 2}: from a minute to a year."))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _time(value: Any) -> time:
    if isinstance(value, str) and (found := _TIME.fullmatch(value)):
        return time(int(found[1]), int(found[2]))
    raise Unreadable(gettext_noop("Say an hour of the day, such as “09:00”."))


def _date(value: Any) -> date:
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise Unreadable(gettext_noop("Say a day, such as “2026-12-24”."))


def _id(value: Any) -> int:
    if _whole(value) and 0 < value < 2**63:
        return int(value)
    raise Unreadable(gettext_noop("Choose one."))


def _name(value: Any) -> str:
    if isinstance(value, str) and 0 < len(value.strip()) <= 100:
        return value.strip()
    raise Unreadable(gettext_noop("Say a name of up to 100 characters."))


def _text(value: Any) -> str:
    if isinstance(value, str) and len(value) <= 10_000 and "\0" not in value:
        return value
    raise Unreadable(gettext_noop("Say a text of up to 10,000 characters."))


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Unreadable(gettext_noop("Say yes or no."))


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise Unreadable(gettext_noop("Say a number."))


def _percent(value: Any) -> float:
    number = _number(value)
    if 0 <= number <= 100:
        return number
    raise Unreadable(gettext_noop("Say a share from 0 to 100."))


def _offset(value: Any) -> int:
    if _whole(value) and -366 <= value <= 366:
        return int(value)
    raise Unreadable(gettext_noop("Say so many days before (−) or after, up to 366."))


def _month_day(value: Any) -> int:
    if _whole(value) and 1 <= value <= 31:
        return int(value)
    raise Unreadable(gettext_noop("Say a day of the month, from 1 to 31."))


def _weekdays(value: Any) -> tuple[int, ...]:
    if isinstance(value, list) and all(day in WEEKDAYS for day in value):
        return tuple(sorted({WEEKDAYS.index(day) for day in value}))
    raise Unreadable(gettext_noop("Say days of the week, such as [“mon”, “thu”]."))


def _tests(value: Any) -> tuple[Where, ...]:
    """What an event must hold, in the words of a rule: [{"property", "op", "value"}]."""
    if not isinstance(value, list | tuple) or len(value) > MOST_TESTS:
        raise Unreadable(
            gettext_noop("Say tests such as {“property”: “total”, “op”: “>=”, “value”: 20}.")
        )
    try:
        return tuple(where_of(test, "") for test in value)
    except RuleFault as fault:
        raise Unreadable(fault.template, fault.params) from fault


def _single(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int) and len(str(value)) <= 1000


def _rule(value: Any) -> Mapping[str, Any]:
    """Only its shape; what it may name is looked up in `checking`."""
    if isinstance(value, Mapping) and value:
        return value
    raise Unreadable(gettext_noop("Say whom this is about: add at least one condition."))


def _value(value: Any) -> Any:
    if value is None or _single(value):
        return value
    raise Unreadable(gettext_noop("Say a text, a number, yes or no, or nothing to remove it."))


def _url(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"https?://\S{1,2000}", value):
        return value
    raise Unreadable(gettext_noop("Say an address that begins with https://."))


def _email(value: Any) -> str:
    if isinstance(value, str) and _MAIL.fullmatch(value.strip()):
        return value.strip()
    raise Unreadable(gettext_noop("Say an e-mail address."))


READERS: dict[str, Callable[[Any], Any]] = {
    "span": _span,
    "time": _time,
    "date": _date,
    "id": _id,
    "name": _name,
    "text": _text,
    "flag": _flag,
    "number": _number,
    "percent": _percent,
    "offset": _offset,
    "month_day": _month_day,
    "weekdays": _weekdays,
    "tests": _tests,
    "rule": _rule,
    "value": _value,
    "url": _url,
    "email": _email,
}


def read(field: Field, value: Any) -> Any:
    """The value of a setting; Unreadable with what would be right."""
    if field.type == "choice":
        if value in field.choices:
            return value
        raise Unreadable(gettext_noop("Choose one."))
    return READERS[field.type](value)
