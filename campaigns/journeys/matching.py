"""Whether an event is the one that is waited for: the same tests as in rules, on one event."""

import json
from collections.abc import Mapping
from typing import Any

import orjson

from campaigns.segments.nodes import Where


def passes(tests: tuple[Where, ...], properties: Mapping[str, Any]) -> bool:
    """Text compares as text, a number with numbers, as rules do in SQL."""
    return all(_passes(test, properties) for test in tests)


def _passes(test: Where, properties: Mapping[str, Any]) -> bool:
    said = properties.get(test.property)
    if said is None:
        return False
    if test.op == "known":
        return True
    wanted = test.value
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        if isinstance(said, bool) or not isinstance(said, int | float):
            return test.op == "!="
        match test.op:
            case "=":
                return said == wanted
            case "!=":
                return said != wanted
            case "<":
                return said < wanted
            case "<=":
                return said <= wanted
            case ">=":
                return said >= wanted
            case ">":
                return said > wanted
        return False
    text = as_text(said)
    if isinstance(wanted, bool):
        wanted = "true" if wanted else "false"
    if test.op == "contains":
        return str(wanted).lower() in text.lower()
    return (text == str(wanted)) is (test.op == "=")


def as_text(value: Any) -> str:
    """A property as text, as `->>` writes it."""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a number of more digits than a machine word holds; the database keeps it
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
