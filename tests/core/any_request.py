"""Requests for every operation of the API's document: by its schemas, from what it tells, and odd.

`Maker.request` makes one request. Values of a property come from answers seen before (`heed`), from
its schema, or from a list of what no shop should ever send.
"""

import copy
import json
import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

ODD: list[Any] = [
    None, True, 0, -1, 2**31, 2**63, -(2**63) - 1, 10**40, 1e308, -0.0, 5e-324,
    "", " ", "-", "\x00", "a\x00b", "\ud7ff\uffff", "\U0010ffff" * 40, "x" * 5_000, "%s%d{0}",
    "../../etc/passwd", "'; DROP TABLE x; --", "{{ 7 }}", "<b>", "NaN", "1e999", "٠١٢", "XX",
    "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z",
    "2026-11-01T24:00:00", "a@b", "a\r\nBcc: c@d.de", "Mars/Olympus", "//x.example",
    "javascript:1", [], {}, [[]], [None], {"": None}, {"__proto__": {}}, {"a": {"b": [1]}},
    {"all": []}, {"any": [{"not": {"all": []}}]},
]  # fmt: skip
FORMATS = {
    "date-time": ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.5+05:30", "2030-01-01T00:00:00Z"],
    "date": ["2026-03-01", "2030-12-31"],
    "time": ["09:30", "23:59:59"],
    "uuid": ["0b3f6c1e-8d0c-4c53-9d2b-6d7a3a0c7f11"],
    "email": ["new@example.com", "x@example.org"],
    "uri": ["https://shop.example/a?b=c", "https://example.com/"],
    "decimal": ["12.50", "0", "-1.00", 3],
    "double": [0.5, 0, 1, -2.25, 1e6],
}


@dataclass
class Asked:
    """One request, ready for a test's client."""

    method: str
    path: str
    body: bytes
    kind: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body[:400]!r}"


class Maker:
    """Makes requests for the operations of a document."""

    def __init__(self, document: dict[str, Any], seed: int) -> None:
        self.document, self.chance = document, random.Random(seed)
        self.seen: dict[str, list[Any]] = defaultdict(list)

    def heed(self, value: Any, name: str = "") -> None:
        """Keep what an answer tells, by the names of its properties."""
        known = self.seen[name]
        if name and value is not None and len(known) < 12 and value not in known:
            known.append(value)
        if isinstance(value, dict):
            for key, inner in value.items():
                self.heed(inner, key)
        elif isinstance(value, list):
            for inner in value[:20]:
                self.heed(inner, "")
                if name and not isinstance(inner, dict | list):
                    self.heed(inner, name.removesuffix("s"))

    def request(self, method: str, path: str, told: dict[str, Any]) -> Asked:
        query = []
        for one in told.get("parameters", ()):
            if one["in"] == "path":
                path = path.replace(
                    f"{{{one['name']}}}",
                    quote(self._place(path, one), safe="", errors="surrogatepass"),
                )
            elif one["in"] == "query" and self.chance.random() < 0.5:
                query.append((one["name"], self._words(self.value(one["schema"], one["name"]))))
        if query:
            path += "?" + urlencode(query, errors="surrogatepass")
        content = told.get("requestBody", {}).get("content", {})
        if not content:
            return Asked(method, path, b"", "application/json")
        kind, schema = next((kind, told["schema"]) for kind, told in content.items())
        if kind == "multipart/form-data":
            return self._form(method, path, schema)
        body = json.dumps(self.value(schema, ""), ensure_ascii=self.chance.random() < 0.5)
        raw = body.encode("utf-8", "surrogatepass")
        if self.chance.random() < 0.04:
            raw = raw[: self.chance.randrange(len(raw) + 1)]
        return Asked(method, path, raw, kind)

    def value(self, schema: dict[str, Any], name: str, depth: int = 0) -> Any:
        """Something for a property of this name, mostly as its schema has it."""
        draw = self.chance.random()
        if name and draw < 0.07:
            return copy.deepcopy(self.chance.choice(ODD))
        if name and draw < 0.4 and self.seen[name]:
            return self._changed(copy.deepcopy(self.chance.choice(self.seen[name])))
        schema = self._resolved(schema)
        if "enum" in schema:
            return self.chance.choice(schema["enum"])
        kinds = schema.get("type", "object" if "properties" in schema else "anything")
        kind = self.chance.choice(kinds) if isinstance(kinds, list) else kinds
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            many = self.chance.choice([0, 1, 1, 2, 3]) if depth < 5 else 0
            return [self.value(schema.get("items", {}), "", depth + 1) for _ in range(many)]
        return self._leaf(kind, schema)

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        made = {}
        needed = set(schema.get("required", ()))
        for key, inner in schema.get("properties", {}).items():
            if self.chance.random() < (0.97 if key in needed else 0.35 if depth < 5 else 0):
                made[key] = self.value(inner, key, depth + 1)
        if schema.get("additionalProperties") and depth < 5:
            for _ in range(self.chance.randrange(3)):
                key = self.chance.choice(["a", "plan", "event", "field", "op", "", "x" * 300, "$a"])
                inner = schema["additionalProperties"]
                made[key] = self.value(inner if isinstance(inner, dict) else {}, key, depth + 1)
        return made

    def _leaf(self, kind: str, schema: dict[str, Any]) -> Any:
        if kind == "null":
            return None
        if kind == "boolean":
            return self.chance.random() < 0.5
        if schema.get("format") in FORMATS:
            return self.chance.choice(FORMATS[schema["format"]])
        if kind in ("integer", "number"):
            low, high = schema.get("minimum", 0), schema.get("maximum", 1_000)
            within = self.chance.randint(int(low), max(int(low), int(high)))
            return self.chance.choice([within, low, high, high + 1, low - 1, within])
        if kind == "string":
            most, least = schema.get("maxLength", 40), schema.get("minLength", 0)
            long = self.chance.choice([least, 1, 7, 7, 7, min(most, 3_000), min(most, 3_000) + 1])
            return "".join(self.chance.choices("abcäß中 -_1", k=long))
        return copy.deepcopy(self.chance.choice(ODD))

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema behind references, one of its alternatives chosen."""
        while True:
            if "$ref" in schema:
                schema = self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
            elif "oneOf" in schema or "anyOf" in schema:
                schema = self.chance.choice(schema.get("oneOf") or schema["anyOf"])
            elif "allOf" in schema:
                schema = schema["allOf"][0]
            else:
                return schema

    def _changed(self, value: Any) -> Any:
        """What was seen, sometimes with one place of it changed."""
        if not isinstance(value, dict | list) or not value or self.chance.random() < 0.5:
            return value
        place: Any = value
        while True:
            key = self.chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and self.chance.random() < 0.8:
                place = inner
                continue
            place[key] = copy.deepcopy(self.chance.choice(ODD))
            return value

    def _place(self, path: str, one: dict[str, Any]) -> str:
        """What stands in an address: mostly something that is there."""
        noun = path.split(f"/{{{one['name']}}}")[0].rstrip("/").rsplit("/", 1)[1]
        known = self.seen[f"{noun}/"] or self.seen[one["name"]]
        if known and self.chance.random() < 0.9:
            return self._words(self.chance.choice(known))
        if one["schema"].get("type") == "integer":
            return str(self.chance.choice([0, 1, 10**9, 2**31, 2**63, 10**30]))
        if one["schema"].get("format") == "uuid":
            return FORMATS["uuid"][0]
        return self._words(
            self.chance.choice(["a", "0", "x" * 300, "%", "é", "a b", "a\x00b", ".."])
        )

    def _words(self, value: Any) -> str:
        said = value if isinstance(value, str) else json.dumps(value)
        return said if "{" not in said else "x"

    def _form(self, method: str, path: str, schema: dict[str, Any]) -> Asked:
        """A form with a file of a few rows."""
        told = self._resolved(schema).get("properties", {})
        parts = []
        for name, inner in told.items():
            if inner.get("format") == "binary":
                rows = self.chance.choice(
                    [b"", b"a,b\n1,2\n", b"\x00\xff", b"email\nnew@example.com\n"]
                )
                parts.append(f'{name}"; filename="a.csv'.encode() + b'"\r\n\r\n' + rows)
            elif self.chance.random() < 0.5:
                said = self._words(self.value(inner, name)).encode("utf-8", "surrogatepass")
                parts.append(f'{name}"\r\n\r\n'.encode() + said)
        body = b"".join(
            b'--x\r\nContent-Disposition: form-data; name="' + p + b"\r\n" for p in parts
        )
        return Asked(method, path, body + b"--x--\r\n", "multipart/form-data; boundary=x")
