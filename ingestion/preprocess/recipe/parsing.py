"""JSON → a recipe, or Faulty with the path of the first fault: rules[3].columns[0]."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any

import pycountry

from ingestion.preprocess import values
from ingestion.preprocess.recipe import expressions, nodes
from ingestion.preprocess.recipe.nodes import KINDS, Part, Recipe, Rule

MOST_RULES = 60
MOST_COLUMNS = 60
MOST_PAIRS = 5_000
LONGEST_NAME = 100
LONGEST_TEXT = 300
_ID = re.compile(r"[a-z0-9_-]{1,20}")


class Faulty(Exception):
    """A recipe that cannot be used: where, and the code and facts of why."""

    def __init__(self, path: str, code: str, **facts: Any) -> None:
        super().__init__(f"{path}: {code}")
        self.path, self.code, self.facts = path, code, facts


def parse(body: Any) -> Recipe:
    """The recipe that this JSON describes."""
    if not isinstance(body, Mapping):
        raise Faulty("", "not_an_object")
    _only(body, {"rules"}, "")
    rules = body.get("rules", [])
    if not isinstance(rules, list):
        raise Faulty("rules", "not_a_list")
    if len(rules) > MOST_RULES:
        raise Faulty("rules", "too_many", limit=MOST_RULES)
    made: list[Rule] = []
    ids: set[str] = set()
    for index, rule in enumerate(rules):
        path = f"rules[{index}]"
        made.append(parse_rule(rule, path))
        if made[-1].id in ids:
            raise Faulty(f"{path}.id", "id_twice", value=made[-1].id)
        ids.add(made[-1].id)
    return Recipe(tuple(made))


def parse_rule(body: Any, path: str = "rule") -> Rule:
    """One rule."""
    if not isinstance(body, Mapping):
        raise Faulty(path, "not_an_object")
    name = body.get("rule")
    if not isinstance(name, str) or name not in KINDS:
        raise Faulty(f"{path}.rule", "unknown_rule", value=str(name)[:40])
    kind = KINDS[name]
    parts = nodes.parts_of(kind)
    _only(body, {"id", "rule", "on", *parts}, path)
    if not isinstance(body.get("id"), str) or not _ID.fullmatch(body["id"]):
        raise Faulty(f"{path}.id", "bad_id")
    on = body.get("on", True)
    if not isinstance(on, bool):
        raise Faulty(f"{path}.on", "not_yes_or_no")
    given: dict[str, Any] = {"id": body["id"], "on": on}
    for field, part in parts.items():
        place = f"{path}.{field}"
        if field not in body:
            if nodes.default_of(kind, field) is dataclasses.MISSING:
                raise Faulty(place, "missing")
            continue
        given[field] = _read(body[field], part, place)
    _check(kind, given, path)
    for field, part in parts.items():
        if part.kind in ("expression", "test"):
            given["node"] = _expression(given[field], part.kind, f"{path}.{field}")
    return kind(**given)


def _only(body: Mapping[Any, Any], allowed: set[str], path: str) -> None:
    for name in body:
        if name not in allowed:
            raise Faulty(f"{path}.{str(name)[:40]}".lstrip("."), "unknown_setting")


def _read(value: Any, part: Part, path: str) -> Any:
    match part.kind:
        case "columns" | "news":
            return _names(value, path)
        case "column" | "new":
            return _name(value, path, optional=part.optional)
        case "choice":
            if value not in part.choices or not isinstance(value, str):
                raise Faulty(path, "not_a_choice", value=str(value)[:40])
            return value
        case "number":
            return _number(value, part, path)
        case "pairs":
            return _pairs(value, path)
        case "country":
            return _listed(value, path, "bad_country", str(value) in _countries())
        case "currency":
            right = isinstance(value, str) and bool(re.fullmatch(r"[A-Z]{3}", value))
            return _listed(value, path, "bad_currency", right)
        case "zone":
            right = isinstance(value, str) and len(value) < 65 and values.zone(value) is not None
            return _listed(value, path, "bad_zone", right)
        case _:
            limit = expressions.LONGEST if part.kind in ("expression", "test") else LONGEST_TEXT
            return _text(value, path, limit)


def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


def _listed(value: Any, path: str, code: str, right: bool) -> str:
    if not isinstance(value, str) or not right:
        raise Faulty(path, code, value=str(value)[:40])
    return value


def _text(value: Any, path: str, limit: int) -> str:
    if not isinstance(value, str):
        raise Faulty(path, "not_text")
    if len(value) > limit:
        raise Faulty(path, "too_long", limit=limit)
    # PostgreSQL keeps no zero byte, and a lone surrogate is no text in any encoding.
    if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise Faulty(path, "bad_sign")
    return value


def _name(value: Any, path: str, *, optional: bool = False) -> str:
    text = _text(value, path, LONGEST_NAME).strip()
    if not text and not optional:
        raise Faulty(path, "missing")
    return text


def _names(value: Any, path: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Faulty(path, "not_a_list")
    if not value:
        raise Faulty(path, "missing")
    if len(value) > MOST_COLUMNS:
        raise Faulty(path, "too_many", limit=MOST_COLUMNS)
    names = [_name(item, f"{path}[{index}]") for index, item in enumerate(value)]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Faulty(f"{path}[{index}]", "name_twice", value=name)
    return tuple(names)


def _number(value: Any, part: Part, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Faulty(path, "not_a_number")
    low, high = part.low or 0, part.high or 0
    # A whole number may be too large for a float, so it is compared before it becomes one.
    if (isinstance(value, float) and not math.isfinite(value)) or not low <= value <= high:
        raise Faulty(path, "out_of_range", low=low, high=high)
    return float(value)


def _pairs(value: Any, path: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list) or not value:
        raise Faulty(path, "missing" if value == [] else "not_a_list")
    if len(value) > MOST_PAIRS:
        raise Faulty(path, "too_many", limit=MOST_PAIRS)
    pairs: dict[str, str] = {}
    for index, pair in enumerate(value):
        place = f"{path}[{index}]"
        if not isinstance(pair, list) or len(pair) != 2:
            raise Faulty(place, "not_a_pair")
        old = _text(pair[0], f"{place}[0]", LONGEST_TEXT).strip()
        if old in pairs:
            raise Faulty(f"{place}[0]", "name_twice", value=old)
        pairs[old] = _text(pair[1], f"{place}[1]", LONGEST_TEXT)
    return tuple(pairs.items())


def _expression(text: str, kind: str, path: str) -> expressions.Node:
    try:
        return expressions.parse_test(text) if kind == "test" else expressions.parse(text)
    except expressions.Wrong as wrong:
        raise Faulty(path, wrong.code, at=wrong.at, **wrong.facts) from None


def _check(kind: type[Rule], given: dict[str, Any], path: str) -> None:
    """What settings say together."""
    if kind is nodes.Fill and not given.get("other") and not given.get("value"):
        raise Faulty(f"{path}.value", "missing")
    if kind is nodes.Impute and given.get("method") == "constant" and not given.get("value"):
        raise Faulty(f"{path}.value", "missing")
    if kind is nodes.Split and not given.get("separator"):
        raise Faulty(f"{path}.separator", "missing")
    if kind is nodes.Units and given.get("usual"):
        group = next(g for g in nodes.UNITS.values() if given["to"] in g)
        if given["usual"] not in group:
            raise Faulty(f"{path}.usual", "units_differ", value=given["usual"])
