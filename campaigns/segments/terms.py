"""Values of a rule: what may be asked of which kind, how large things may be, and how each is read.

Every reader takes the path of the value, so that a refusal says where the fault is.
"""

import math
import re
from collections.abc import Mapping
from datetime import date

from campaigns.segments.nodes import (
    Ago,
    Calendar,
    Dates,
    Last,
    Span,
    Value,
    When,
    Where,
)
from marketing.core.errors import Invalid

MAX_DEPTH = 20
MAX_NODES = 500
MAX_VALUES = 200
MAX_TESTS = 10
MAX_TEXT = 500
MAX_NUMBER = 10**15
MAX_DAYS = 36_500
MAX_TIMES = 100_000
MAX_ID = 2**63 - 1

NUMBER, TEXT, CHOICE, FLAG, DATE = "number", "text", "choice", "flag", "date"
OPS: dict[str, tuple[str, ...]] = {
    NUMBER: ("<", "<=", "=", "!=", ">=", ">", "between", "known", "unknown"),
    TEXT: ("=", "!=", "in", "contains", "starts_with", "known", "unknown"),
    CHOICE: ("=", "!=", "in", "not_in", "known", "unknown"),
    FLAG: ("=",),
    DATE: (
        "before",
        "after",
        "within_days",
        "not_within_days",
        "in_next_days",
        "during",
        "not_during",
        "anniversary_within",
        "known",
        "unknown",
    ),
}
PROPERTY_OPS = ("=", "!=", "<", "<=", ">=", ">", "contains", "known")
NO_VALUE = ("known", "unknown")
CALENDAR = (
    "today",
    "yesterday",
    "this_week",
    "last_week",
    "this_month",
    "last_month",
    "this_year",
    "last_year",
)
SECONDS = {"minutes": 60, "hours": 3600, "days": 86_400, "weeks": 604_800}
_PROPERTY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\- ]{0,99}")


def gettext_noop(message: str) -> str:
    """Mark a message for translation; whoever shows it translates it."""
    return message


class RuleFault(Invalid):
    """A rule that cannot be read. `path` is the place, `template` and `params` the message to
    translate.
    """

    def __init__(self, path: str, template: str, **params: object) -> None:
        self.path = path
        self.template = template
        self.params = params
        message = template % params if params else template
        super().__init__(message, code="bad_rule", field=path or "rule")


class NotRead(RuleFault):
    """A list that the rule asks about is still to be read: who is on it is not known."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__(
            path, gettext_noop("The list “%(name)s” is not read yet."), name=name[:120]
        )
        self.code = "list_not_read"


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def allow(data: Mapping[str, object], keys: tuple[str, ...], path: str) -> None:
    for key in data:
        if key not in keys:
            raise RuleFault(
                join(path, str(key)[:80]),
                gettext_noop("A rule has no part called “%(key)s”."),
                key=str(key)[:80],
            )


def text_of(value: object, path: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RuleFault(path, gettext_noop("This needs some text."))
    if len(value) > MAX_TEXT:
        raise RuleFault(
            path, gettext_noop("This text is longer than %(limit)s characters."), limit=MAX_TEXT
        )
    if "\x00" in value or any("\ud800" <= ch <= "\udfff" for ch in value):
        raise RuleFault(path, gettext_noop("This text holds a character that cannot be stored."))
    return value


def one_of(value: object, choices: tuple[str, ...], path: str) -> str:
    text = text_of(value, path)
    if text not in choices:
        raise RuleFault(path, gettext_noop("Use one of: %(ops)s."), ops=", ".join(choices))
    return text


def number_of(value: object, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RuleFault(path, gettext_noop("This needs a number."))
    if isinstance(value, float) and not math.isfinite(value):
        raise RuleFault(path, gettext_noop("This needs a number."))
    if abs(value) > MAX_NUMBER:
        raise RuleFault(path, gettext_noop("This number is too large."))
    return value


def whole(value: object, path: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RuleFault(
            path,
            gettext_noop("This needs a whole number from %(low)s to %(high)s."),
            low=low,
            high=high,
        )
    return value


def list_of(value: object, path: str, *, least: int = 1, most: int = MAX_VALUES) -> list[object]:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise RuleFault(
            path,
            gettext_noop("This needs a list of %(low)s to %(limit)s values."),
            low=least,
            limit=most,
        )
    return value


def pair_of(value: object, path: str) -> tuple[int | float, int | float]:
    if not isinstance(value, list) or len(value) != 2:
        raise RuleFault(path, gettext_noop("This needs two numbers: from and to."))
    low, high = number_of(value[0], path + "[0]"), number_of(value[1], path + "[1]")
    if low > high:
        raise RuleFault(path, gettext_noop("The first number must not be larger than the second."))
    return (low, high)


def day_of(value: object, path: str) -> str:
    fault = RuleFault(path, gettext_noop("This needs a day such as 2026-03-31."))
    if not isinstance(value, str) or len(value) != 10:
        raise fault
    try:
        date.fromisoformat(value)
    except ValueError:
        raise fault from None
    return value


def value_of(data: Mapping[str, object], op: str, kind: str, path: str) -> Value:
    """The value that goes with a question about something of a kind."""
    here = join(path, "value")
    value = data.get("value")
    if op in NO_VALUE:
        if value is not None:
            raise RuleFault(here, gettext_noop("This question takes no value."))
        return None
    if op == "between":
        return pair_of(value, here)
    if op in ("in", "not_in"):
        found = list_of(value, here)
        return tuple(text_of(v, f"{here}[{i}]") for i, v in enumerate(found))
    if op in ("within_days", "not_within_days", "in_next_days"):
        return whole(value, here, 1, MAX_DAYS)
    if op == "anniversary_within":
        return whole(value, here, 0, 364)
    if op in ("during", "not_during"):
        return one_of(value, CALENDAR, here)
    if kind == FLAG:
        if not isinstance(value, bool):
            raise RuleFault(here, gettext_noop("This is either true or false."))
        return value
    if kind == NUMBER:
        return number_of(value, here)
    if kind == DATE:
        return day_of(value, here)
    return text_of(value, here)


def name_of(value: object, path: str) -> str:
    """The name of a property of an event, or of an attribute of a person."""
    name = text_of(value, path)
    if not _PROPERTY.fullmatch(name):
        raise RuleFault(
            path, gettext_noop("A property is named by letters, digits, dots and dashes.")
        )
    return name


def where_of(data: object, path: str) -> Where:
    """A test on one property of an event."""
    if not isinstance(data, dict):
        raise RuleFault(
            path, gettext_noop("A test on an event names a property, a question and a value.")
        )
    allow(data, ("property", "op", "value"), path)
    name = name_of(data.get("property"), join(path, "property"))
    op = one_of(data.get("op"), PROPERTY_OPS, join(path, "op"))
    here = join(path, "value")
    if op == "known":
        return Where(name, op, value_of(data, op, TEXT, path))
    value = data.get("value")
    if op in ("<", "<=", ">=", ">"):
        return Where(name, op, number_of(value, here))
    if op == "contains":
        return Where(name, op, text_of(value, here))
    if isinstance(value, bool):
        return Where(name, op, value)
    return Where(
        name, op, text_of(value, here) if isinstance(value, str) else number_of(value, here)
    )


def tests_of(data: Mapping[str, object], path: str) -> tuple[Where, ...]:
    """The tests that an event must pass."""
    here = join(path, "where")
    tests = data.get("where", [])
    if not isinstance(tests, list) or len(tests) > MAX_TESTS:
        raise RuleFault(here, gettext_noop("This needs a list of at most 10 tests."))
    return tuple(where_of(test, f"{here}[{i}]") for i, test in enumerate(tests))


def times_of(data: Mapping[str, object], path: str) -> tuple[int, int | None]:
    """How many times at least, and at most: None for no limit."""
    most = data.get("at_most")
    here = join(path, "at_least")
    if most is None:
        return whole(data.get("at_least", 1), here, 1, MAX_TIMES), None
    ceiling = whole(most, join(path, "at_most"), 0, MAX_TIMES)
    least = whole(data.get("at_least", 0), here, 0, MAX_TIMES)
    if least > ceiling:
        raise RuleFault(here, gettext_noop("The first number must not be larger than the second."))
    return least, ceiling


def days_of(data: Mapping[str, object], path: str) -> int | None:
    if data.get("days") is None:
        return None
    return whole(data["days"], join(path, "days"), 1, MAX_DAYS)


def span_of(value: object, path: str) -> Span:
    """A length of time such as {"hours": 3}."""
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in SECONDS:
        raise RuleFault(path, gettext_noop("This needs a time such as {“hours”: 3}."))
    unit, number = next(iter(value.items()))
    most = MAX_DAYS * SECONDS["days"] // SECONDS[unit]
    return Span(whole(number, join(path, unit), 1, most), unit)


def time_of(data: Mapping[str, object], path: str) -> tuple[int | None, When]:
    """The time asked about: `days`, or `when`, or neither for all the time."""
    days, told = days_of(data, path), data.get("when")
    here = join(path, "when")
    if told is None:
        return days, None
    if days is not None:
        raise RuleFault(here, gettext_noop("Say either days or when, not both."))
    if isinstance(told, dict):
        if "last" in told:
            allow(told, ("last",), here)
            return None, Last(span_of(told["last"], join(here, "last")))
        if "calendar" in told:
            allow(told, ("calendar",), here)
            return None, Calendar(one_of(told["calendar"], CALENDAR, join(here, "calendar")))
        if "days_ago" in told:
            allow(told, ("days_ago",), here)
            return None, _ago(told["days_ago"], join(here, "days_ago"))
        if "since" in told or "until" in told:
            allow(told, ("since", "until"), here)
            return None, _dates(told, here)
    raise RuleFault(here, gettext_noop("Say when: last, days_ago, calendar, or since and until."))


def _ago(value: object, path: str) -> Ago:
    if not isinstance(value, list) or len(value) != 2:
        raise RuleFault(path, gettext_noop("This needs two numbers: from and to."))
    start = whole(value[0], path + "[0]", 1, MAX_DAYS)
    return Ago(start, whole(value[1], path + "[1]", 0, start - 1))


def _dates(told: Mapping[str, object], path: str) -> Dates:
    since, until = (
        None if told.get(key) is None else day_of(told[key], join(path, key))
        for key in ("since", "until")
    )
    if since is None and until is None:
        raise RuleFault(join(path, "since"), gettext_noop("This needs a day such as 2026-03-31."))
    if since is not None and until is not None and since > until:
        raise RuleFault(
            join(path, "until"), gettext_noop("The first day must not be later than the last.")
        )
    return Dates(since, until)
