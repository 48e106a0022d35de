"""JSON Lines: one object a line → texts by name; nested objects by dotted names or as JSON.

Numbers keep the digits they were written with. A name that stands twice in one object is a fault,
since nobody could say which of the two is meant.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import orjson

DEPTH = 4  # levels of dotted names; what lies deeper stays JSON
LEVELS = 100
_KEY = re.compile(rb'"\s*:')


class Digits(str):
    """A number with a point, as it was written."""

    __slots__ = ()


_decode = msgspec.json.Decoder(float_hook=Digits).decode


class Broken(ValueError):
    """A line that is no JSON object; the code says why."""


def parse(line: bytes) -> dict[str, Any]:
    """One line as an object. Raises Broken."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Broken("not_json_line") from error
    if not isinstance(found, dict):
        raise Broken("not_json_line")
    if b"\\u0000" in line and _holds_nul(found):
        raise Broken("nul_byte")
    if len(_KEY.findall(line)) != _names(found) and _has_twins(line):
        raise Broken("twice_in_object")
    return found


def _names(value: Any, level: int = 0) -> int:
    """How many names there are, at every level."""
    if level > LEVELS:
        raise Broken("not_json_line")
    if value.__class__ is dict:
        inside = [item for item in value.values() if item.__class__ in _DEEP]
        return len(value) + sum(_names(item, level + 1) for item in inside)
    return sum(_names(item, level + 1) for item in value if item.__class__ in _DEEP)


_DEEP = (dict, list)


def _has_twins(line: bytes) -> bool:
    twins = False

    def check(pairs: list[tuple[str, Any]]) -> None:
        nonlocal twins
        twins = twins or len({name for name, _ in pairs}) < len(pairs)

    try:
        json.loads(line, object_pairs_hook=check)
    except (ValueError, RecursionError):
        return True
    return twins


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or _holds_nul(item) for name, item in value.items())
    return isinstance(value, list) and any(_holds_nul(item) for item in value)


def text(value: Any) -> str:
    """A value as the text of a cell: lists and objects as JSON, nothing as empty."""
    if value.__class__ is str:
        return value
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value.__class__ is Digits:
        return str(value)
    return as_json(value)


def as_json(value: Any) -> str:
    """A value as JSON; numbers too long for a machine word are written as they came."""
    try:
        return _dumps(value)
    except TypeError:
        return _dumps(_long_numbers(value))


def _dumps(value: Any) -> str:
    option = orjson.OPT_PASSTHROUGH_SUBCLASS
    return orjson.dumps(value, default=_digits, option=option).decode()


def _digits(value: Any) -> orjson.Fragment:
    return orjson.Fragment(str(value))


def _long_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _long_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_long_numbers(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value


def names(objects: Sequence[dict[str, Any]]) -> list[str]:
    """The columns of some objects, in the order in which they appear.

    An object inside is a column of JSON, followed by a dotted column for each of its names.
    """
    found: dict[str, None] = {}

    def add(value: dict[str, Any], prefix: str, depth: int) -> None:
        for name, item in value.items():
            path = prefix + name
            found.setdefault(path)
            if isinstance(item, dict) and depth < DEPTH:
                add(item, path + ".", depth + 1)

    for value in objects:
        add(value, "", 1)
    return list(found)


def pick(value: dict[str, Any], column: str) -> str:
    """The text of one column: the plain name first, then the way through objects inside."""
    if column in value:
        return text(value[column])
    if "." not in column:
        return ""
    return _walk(value, column)


def _walk(value: dict[str, Any], column: str) -> str:
    at = column.find(".")
    while at >= 0:
        inside = value.get(column[:at])
        if isinstance(inside, dict):
            rest = column[at + 1 :]
            if rest in inside:
                return text(inside[rest])
            if "." in rest and (deeper := _walk(inside, rest)):
                return deeper
        at = column.find(".", at + 1)
    return ""


def rows(lines: Iterator[bytes], columns: Sequence[str]) -> Iterator[list[str] | Broken]:
    """Each line as the texts of its columns, or why it is none."""
    for line in lines:
        try:
            value = parse(line)
        except Broken as broken:
            yield broken
            continue
        yield [pick(value, column) for column in columns]
