"""What an expression may call. A value is a text, a Decimal, a bool, a datetime or None.

Every function is total: what cannot be answered is None (no value), so one odd row never stops a
file.
"""

import decimal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

TEXT, NUMBER, TRUTH, MOMENT, ANY = "text", "number", "truth", "moment", "any"
LONGEST = 10_000  # characters of a text an expression may make
LARGEST = Decimal(10) ** 24
_PLACES = decimal.Context(prec=40, Emax=999, Emin=-999, traps=[])

Value = Any


@dataclass(frozen=True)
class Function:
    """`takes` are the types of its arguments; `more` says the last may come again."""

    takes: tuple[str, ...]
    gives: str
    call: Callable[..., Value]
    needs: int | None = None  # arguments that may not be left out; all when None
    more: bool = False
    strict: bool = True  # None in, None out, without a call

    @property
    def least(self) -> int:
        return len(self.takes) if self.needs is None else self.needs


def _kept(number: Decimal) -> Decimal | None:
    if not number.is_finite() or abs(number) > LARGEST:
        return None
    return number


def _text(text: str) -> str | None:
    return text if len(text) <= LONGEST else None


def add(a: Decimal, b: Decimal) -> Value:
    return _kept(_PLACES.add(a, b))


def subtract(a: Decimal, b: Decimal) -> Value:
    return _kept(_PLACES.subtract(a, b))


def multiply(a: Decimal, b: Decimal) -> Value:
    return _kept(_PLACES.multiply(a, b))


def divide(a: Decimal, b: Decimal) -> Value:
    return _kept(_PLACES.divide(a, b)) if b else None


def rounded(number: Decimal, places: Decimal = Decimal(0), how: str = ROUND_HALF_UP) -> Value:
    if not 0 <= places <= 10 or places != int(places):
        return None
    return _kept(number.quantize(Decimal(1).scaleb(-int(places)), rounding=how, context=_PLACES))


def join(*texts: str | None) -> Value:
    return _text("".join(text or "" for text in texts))


def substring(text: str, start: Decimal, count: Decimal = Decimal(LONGEST)) -> Value:
    """From the character numbered `start` (from 1; below 0 counts from the end)."""
    first = int(start) - 1 if start > 0 else max(len(text) + int(start), 0)
    return text[first : first + max(int(count), 0)] if start else None


def left(text: str, count: Decimal) -> Value:
    return text[: max(int(count), 0)]


def right(text: str, count: Decimal) -> Value:
    return text[-int(count) :] if count >= 1 else ""


def before(text: str, mark: str) -> Value:
    return text.partition(mark)[0] if mark else text


def after(text: str, mark: str) -> Value:
    return text.partition(mark)[2] if mark else ""


def replace(text: str, old: str, new: str) -> Value:
    if not old:
        return text
    if len(text) + text.count(old) * max(len(new) - len(old), 0) > LONGEST:
        return None
    return text.replace(old, new)


def title(text: str) -> str:
    """Each word with a capital: o'brien-smith → O'Brien-Smith."""
    out, start = [], True
    for index, sign in enumerate(text.lower()):
        out.append(sign.upper() if start else sign)
        prefix = text[index - 1 : index].lower() in ("o", "d")
        alone = index < 2 or not text[index - 2].isalnum()
        start = not sign.isalnum() and (sign not in "'’" or (prefix and alone))
    return "".join(out)


def choose(test: bool | None, yes: Value, no: Value = None) -> Value:
    return yes if test else no


def first_of(*options: Value) -> Value:
    return next((value for value in options if value not in (None, "")), None)


def equal(a: Value, b: Value) -> Value:
    return None if a is None or b is None else a == b


def within(value: Value, *options: Value) -> Value:
    return None if value is None else value in options


def days_between(a: datetime, b: datetime) -> Value:
    """Whole days from the first to the second."""
    return Decimal((b.date() - a.date()).days)


def part(name: str) -> Callable[[datetime], Value]:
    return lambda moment: Decimal(getattr(moment, name))


def every(*tests: bool | None) -> bool:
    return all(tests)


def some(*tests: bool | None) -> bool:
    return any(tests)


N, T = NUMBER, TEXT
FUNCTIONS: dict[str, Function] = {
    "if": Function((TRUTH, ANY, ANY), ANY, choose, needs=2, strict=False),
    "coalesce": Function((ANY,), ANY, first_of, more=True, strict=False),
    "empty": Function((T,), TRUTH, lambda text: not (text or "").strip(), strict=False),
    "lower": Function((T,), T, lambda text: _text(text.lower())),
    "upper": Function((T,), T, lambda text: _text(text.upper())),
    "title": Function((T,), T, lambda text: _text(title(text))),
    "trim": Function((T,), T, lambda text: " ".join(text.split())),
    "length": Function((T,), N, lambda text: Decimal(len(text))),
    "concat": Function((T,), T, join, more=True, strict=False),
    "substring": Function((T, N, N), T, substring, needs=2),
    "left": Function((T, N), T, left),
    "right": Function((T, N), T, right),
    "before": Function((T, T), T, before),
    "after": Function((T, T), T, after),
    "replace": Function((T, T, T), T, replace),
    "contains": Function((T, T), TRUTH, lambda text, sought: sought in text),
    "starts": Function((T, T), TRUTH, lambda text, sought: text.startswith(sought)),
    "ends": Function((T, T), TRUTH, lambda text, sought: text.endswith(sought)),
    "text": Function((T,), T, lambda text: text),
    "number": Function((N,), N, lambda number: number),
    "round": Function((N, N), N, rounded, needs=1),
    "floor": Function((N,), N, lambda number: rounded(number, how=ROUND_FLOOR)),
    "ceil": Function((N,), N, lambda number: rounded(number, how=ROUND_CEILING)),
    "abs": Function((N,), N, abs),
    "min": Function((N,), N, lambda *numbers: min(numbers), more=True),
    "max": Function((N,), N, lambda *numbers: max(numbers), more=True),
    "date": Function((MOMENT,), MOMENT, lambda moment: moment),
    "year": Function((MOMENT,), N, part("year")),
    "month": Function((MOMENT,), N, part("month")),
    "day": Function((MOMENT,), N, part("day")),
    "hour": Function((MOMENT,), N, part("hour")),
    "weekday": Function((MOMENT,), N, lambda moment: Decimal(moment.isoweekday())),
    "days_between": Function((MOMENT, MOMENT), N, days_between),
}
# Operators are functions under names that nobody can write.
OPERATORS: dict[str, Function] = {
    "+": Function((N, N), N, add),
    "-": Function((N, N), N, subtract),
    "*": Function((N, N), N, multiply),
    "/": Function((N, N), N, divide),
    "negative": Function((N,), N, lambda number: -number),
    "&": Function((T, T), T, join, strict=False),
    "and": Function((TRUTH, TRUTH), TRUTH, every, strict=False),
    "or": Function((TRUTH, TRUTH), TRUTH, some, strict=False),
    "not": Function((TRUTH,), TRUTH, lambda truth: not truth, strict=False),
    "=": Function((ANY, ANY), TRUTH, equal),
    "!=": Function((ANY, ANY), TRUTH, lambda a, b: not equal(a, b)),
    "<": Function((N, N), TRUTH, lambda a, b: a < b),
    "<=": Function((N, N), TRUTH, lambda a, b: a <= b),
    ">": Function((N, N), TRUTH, lambda a, b: a > b),
    ">=": Function((N, N), TRUTH, lambda a, b: a >= b),
    "in": Function((ANY, ANY), TRUTH, within, more=True),
}
