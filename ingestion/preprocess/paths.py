"""JSON paths and mappings: a delivery of any shape → rows of texts. Pure.

    customer.email      items[0].sku      ["a.b"].c      @ (the item itself)
    $.order.id          begins at the top instead of at the item of the list
    =EUR                this text

A mapping is {"list": path of the list, or "" for the delivery itself, "fields": {field: path}}.
Numbers are texts exactly as they came: no digit of an amount is lost. Inside of an object that
becomes one cell they are numbers again.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

LONGEST = 300
DEEPEST = 20
MOST_FIELDS = 60
MOST_ROWS = 5_000
LONGEST_CELL = 100_000
_STEP = re.compile(
    r"(?:\.?(?P<name>[^\s.\[\]\"@$=][^.\[\]\"]{0,99})|\[(?P<index>-?\d{1,5})\]"
    r"|\.?\[\"(?P<quoted>[^\"]{0,100})\"\])"
)
_DIGITS_KEPT = 15  # of a number that is not whole
Step = str | int


class Number(str):
    """The text of a number."""

    __slots__ = ()


class Faulty(Exception):
    """A path, mapping or delivery that cannot be read: where, and the code of why."""

    def __init__(self, path: str, code: str) -> None:
        super().__init__(f"{path}: {code}")
        self.path, self.code = path, code


@dataclass(frozen=True)
class Path:
    """Steps from the item, or from the top; or a text of its own."""

    steps: tuple[Step, ...] = ()
    top: bool = False
    text: str | None = None


@dataclass(frozen=True)
class Mapping_:
    """Where the list is, and where each field of an item."""

    list: Path
    fields: dict[str, Path]


def parse_path(text: Any, where: str) -> Path:
    """A path, or Faulty."""
    if not isinstance(text, str):
        raise Faulty(where, "not_text")
    if len(text) > LONGEST:
        raise Faulty(where, "path_long")
    if text.startswith("="):
        return Path(text=text[1:].replace("\0", ""))
    text = text.strip()
    top = text == "$" or text.startswith(("$.", "$["))
    rest = text[1:] if top else text.removeprefix("@")
    steps: list[Step] = []
    place = 0
    while place < len(rest):
        found = _STEP.match(rest, place)
        bare = found is not None and not steps and place == 0 and rest[:1] == "."
        if found is None or (bare and not top):
            raise Faulty(where, "bad_path")
        if steps and found.lastgroup == "name" and rest[place] != ".":
            raise Faulty(where, "bad_path")
        index = found.group("index")
        name = found.group("quoted") if found.lastgroup == "quoted" else found.group("name")
        steps.append(int(index) if index is not None else (name or "").strip())
        if len(steps) > DEEPEST:
            raise Faulty(where, "path_deep")
        place = found.end()
    return Path(tuple(steps), top)


def parse_mapping(body: Any) -> Mapping_:
    """A mapping, or Faulty."""
    if not isinstance(body, Mapping) or not isinstance(body.get("fields", {}), Mapping):
        raise Faulty("fields", "not_an_object")
    fields = body.get("fields", {})
    if len(fields) > MOST_FIELDS:
        raise Faulty("fields", "too_many")
    return Mapping_(
        parse_path(body.get("list", ""), "list"),
        {str(name): parse_path(path, str(name)) for name, path in fields.items()},
    )


def parse_body(raw: bytes) -> Any:
    """A delivery as JSON with every number as the text it was, or Faulty."""

    def refuse(_text: str) -> None:
        raise ValueError("no number")

    try:
        text = raw.decode("utf-8-sig")
        found = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=refuse)
        # PostgreSQL keeps neither lone surrogates nor zero bytes.
        if "\\u" in text:
            dumped = json.dumps(found, ensure_ascii=False)
            dumped.encode()
            if "\\u0000" in dumped:
                raise ValueError("zero byte")
    except (ValueError, RecursionError):
        raise Faulty("", "not_json") from None
    return found


def find(path: Path, item: Any, top: Any) -> Any:
    """What stands at a path; None when there is nothing."""
    if path.text is not None:
        return path.text
    found = top if path.top else item
    for step in path.steps:
        if isinstance(step, int):
            if not isinstance(found, list) or not -len(found) <= step < len(found):
                return None
            found = found[step]
        else:
            if not isinstance(found, dict) or step not in found:
                return None
            found = found[step]
    return found


def cell(value: Any) -> str:
    """A value as the text of a cell: true, 12.50, or compact JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value[:LONGEST_CELL]
    try:
        text = orjson.dumps(value, _as_number, orjson.OPT_PASSTHROUGH_SUBCLASS).decode()
    except orjson.JSONEncodeError:  # deeper than it writes
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text[:LONGEST_CELL]


def _as_number(text: Any) -> Any:
    """A number as JSON writes it; a text where reading it would lose digits or fail."""
    if not isinstance(text, Number):
        raise TypeError
    whole = text.removeprefix("-")
    if whole.isdecimal():
        exact = -(2**63) <= int(text) < 2**63 if len(whole) < 20 else False
    else:
        mantissa = re.split("[eE]", whole)[0].replace(".", "").lstrip("0")
        exact = len(mantissa) <= _DIGITS_KEPT and abs(float(text)) < 1e300
    return orjson.Fragment(str(text)) if exact else str(text)


def items_of(mapping: Mapping_, body: Any) -> list[Any]:
    """The items of a delivery: those of its list, or itself. Faulty when there are too many."""
    found = find(mapping.list, body, body)
    if found is None:
        raise Faulty("list", "list_missing")
    items = found if isinstance(found, list) else [found]
    if len(items) > MOST_ROWS:
        raise Faulty("list", "too_many")
    return items


def rows_of(mapping: Mapping_, body: Any) -> list[dict[str, str]]:
    """One row of texts per item."""
    return [
        {name: cell(find(path, item, body)) for name, path in mapping.fields.items()}
        for item in items_of(mapping, body)
    ]


def suggest(body: Any, names: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """A mapping guessed from the names in a delivery: the longest list, then fields by name."""
    best = _longest_list(body, "", 0)
    path, item = best if best[0] is not None else ("", body)
    fields: dict[str, str] = {}
    flat = _flatten(item, "", 0)
    above = {f"$.{name}": value for name, value in _flatten(body, "", 0).items()} if path else {}
    for field, aliases in names.items():
        for places in (flat, above):
            for place in places:
                last = re.sub(r"[\W_]", "", place.rsplit(".", 1)[-1].casefold())
                full = re.sub(r"[\W_]", "", place.casefold())
                if (last in aliases or full in aliases) and place not in fields.values():
                    fields.setdefault(field, place)
    return {"list": path or "", "fields": fields}


def _longest_list(value: Any, path: str, depth: int) -> tuple[str | None, Any]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return path or "@", value[0]
    if isinstance(value, dict) and depth < 3:
        for name, inner in value.items():
            if not re.fullmatch(r"\w{1,60}", name):
                continue
            found = _longest_list(inner, f"{path}.{name}".lstrip("."), depth + 1)
            if found[0] is not None:
                return found
    return None, None


def _flatten(value: Any, path: str, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(value, dict) and depth < 4:
        for name, inner in list(value.items())[:200]:
            if re.fullmatch(r"[^\W\d]\w{0,59}", name):
                place = f"{path}.{name}".lstrip(".")
                if isinstance(inner, dict):
                    found |= _flatten(inner, place, depth + 1)
                elif not isinstance(inner, list):
                    found[place] = inner
    return found
