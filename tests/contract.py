"""Every answer that any test gets from the API is held to the API's document."""

import functools
import re
from typing import Any

import orjson
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

PREFIX = "/api/v1/"
_PLACE = re.compile(r"\\\{\w+\\\}")


@functools.cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return found


@functools.cache
def _addresses() -> list[tuple[re.Pattern[str], str]]:
    """Every address as a pattern, those without places first."""
    paths = sorted(_document()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(_PLACE.sub(r"[^/]+", re.escape(path)) + r"\Z"), path) for path in paths]


@functools.cache
def _reader(path: str, method: str, status: str) -> Draft202012Validator:
    """What reads a JSON body of this answer."""
    told = _document()["paths"][path][method]["responses"][status]["content"]
    schema = told["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": _document()["components"]})


def fault(*, method: str, path: str, answer: Any) -> str | None:
    """How an answer differs from the document; None when it does not."""
    if not path.startswith(PREFIX) or answer.status_code == 301:
        return None
    known = next((name for pattern, name in _addresses() if pattern.match(path)), None)
    if known is None or method not in _document()["paths"][known]:
        return None
    told = _document()["paths"][known][method]["responses"]
    status = str(answer.status_code)
    place = f"{method.upper()} {known} {status}"
    if status not in told:
        if answer.status_code < 400:
            return f"{place} is documented nowhere"
        status = "default"
    content = told[status].get("content", {})
    kind = answer.headers.get("Content-Type", "").split(";")[0]
    if not content or kind not in content:
        nothing = not content and not answer.content
        return None if nothing else f"{place} is {kind}, which is documented nowhere"
    if kind != "application/json":
        return None
    wrong = best_match(_reader(known, method, status).iter_errors(orjson.loads(answer.content)))
    return wrong and f"{place} differs at {wrong.json_path}: {wrong.message[:300]}"
