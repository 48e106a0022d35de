"""What messages other than mails say, in the same strict language: parts in, rendered JSON out.

An SMS is a text; a push and an inbox message are title, body, address and picture; a webhook is an
address and a JSON body whose texts are templates. A value never becomes structure: the body is read
as JSON before anything is filled in, and written as JSON after.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from minijinja import Environment, TemplateError

from campaigns.messaging import rendering, sms
from campaigns.messaging.faults import Word, gettext_noop
from campaigns.messaging.links import LinkRefused, Signer, check_target
from campaigns.messaging.rendering import RenderError, TemplateRefused
from campaigns.messaging.tags import Tagger

NOTE = ("title", "body", "url", "icon")
PARTS: Mapping[str, tuple[str, ...]] = {
    "sms": ("text",),
    "push": NOTE,
    "inbox": NOTE,
    "webhook": ("url", "body"),
}
NEEDED = {"sms": "text", "push": "title", "inbox": "title", "webhook": "body"}
SOURCE_LIMIT = 20_000
# A push service takes 4096 bytes with what encryption adds; the rest is for our own wrapping.
_LIMITS = {
    "sms": {"text": 1_530},
    "push": {"title": 200, "body": 1_000, "url": 2_000, "icon": 2_000},
    "inbox": {"title": 300, "body": 5_000, "url": 2_000, "icon": 2_000},
    "webhook": {"url": 2_000},
}
_BODY_LIMIT = 60_000
_DEEP = 12
_WORDS = {
    "text": gettext_noop("text"),
    "title": gettext_noop("title"),
    "body": gettext_noop("body"),
    "url": gettext_noop("address"),
    "icon": gettext_noop("picture"),
}
_ONLY = re.compile(r"\{\{([^{}]*)\}\}")


class Said(NamedTuple):
    """One person's message: a line that says what it is, and its parts as JSON."""

    subject: str
    body: bytes


@dataclass
class Compiled:
    """The parts of a message, read once for a whole run. Not shared between threads."""

    kind: str
    parts: Mapping[str, str]
    signer: Signer | None = None
    tagger: Tagger | None = None
    wants: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        if self.kind not in PARTS:
            raise TemplateRefused(gettext_noop("there is no such kind of message"))
        given = {name: str(self.parts.get(name) or "").strip() for name in PARTS[self.kind]}
        if not given[NEEDED[self.kind]]:
            raise TemplateRefused(
                gettext_noop("the %(what)s is empty"), what=_word(NEEDED[self.kind])
            )
        self._leaves: dict[str, str] = {}
        self._shape: Any = None
        if self.kind == "webhook":
            self._shape = self._read(given.pop("body"))
        for name, source in given.items():
            if source:
                self._leaves[name] = source
        wants: set[str] = set()
        for source in self._leaves.values():
            if len(source) > SOURCE_LIMIT:
                raise TemplateRefused(
                    gettext_noop("a part is longer than %(limit)s characters"), limit=SOURCE_LIMIT
                )
            wants |= rendering.variables(source)
        self.wants = frozenset(wants)
        if "url" in self._leaves:
            self._check_address(self._leaves["url"])
        self._environment = Environment(fuel=rendering.FUEL, pycompat=False)
        # "semi_strict" is missing from the package's type hints.
        self._environment.undefined_behavior = "semi_strict"  # type: ignore[assignment]
        try:
            for name, source in self._leaves.items():
                text = source if self.kind == "webhook" else rendering.without_price(source)
                self._environment.add_template(f"{name}.txt", text)
        except TemplateError as error:
            raise TemplateRefused(
                gettext_noop("line %(line)s: %(why)s"),
                line=error.line,
                why=error.detail or error.message,
            ) from None

    def _read(self, source: str) -> Any:
        """The body as JSON, each of its texts kept as a template under a name of its own."""
        if len(source) > SOURCE_LIMIT:
            raise TemplateRefused(
                gettext_noop("a part is longer than %(limit)s characters"), limit=SOURCE_LIMIT
            )
        try:
            found = orjson.loads(source)
        except orjson.JSONDecodeError as error:
            raise TemplateRefused(
                gettext_noop(
                    "the body is not JSON (line %(line)s): put values in quotes, as in %(example)s"
                ),
                line=error.lineno,
                example='{"name": "{{ first_name }}"}',
            ) from None
        if not isinstance(found, dict):
            raise TemplateRefused(gettext_noop("the body must be a JSON object"))
        return self._kept(found, 1)

    def _kept(self, value: Any, depth: int) -> Any:
        if depth > _DEEP:
            raise TemplateRefused(gettext_noop("the body is nested too deeply"))
        if isinstance(value, dict):
            if any("{{" in key or "{%" in key for key in value):
                raise TemplateRefused(gettext_noop("names in the body may not hold values"))
            return {key: self._kept(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._kept(inner, depth + 1) for inner in value]
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            name = f"body{len(self._leaves)}"
            self._leaves[name] = value
            return _Leaf(name, _value_of(value))
        return value

    def _check_address(self, source: str) -> None:
        """An address begins as one; values may follow, and one value alone may be all of it."""
        if _ONLY.fullmatch(source):
            return
        fixed = source.partition("{")[0]
        try:
            if fixed == source:
                check_target(source)
            elif not re.match(r"https?://[^/\s]", fixed):
                raise LinkRefused(
                    gettext_noop("%(address)s is not the beginning of a web address"),
                    address=fixed[:80],
                )
        except LinkRefused as refusal:
            raise TemplateRefused(refusal.template, **refusal.params) from None

    def render(self, values: Mapping[str, Any]) -> Said:
        """The message of one person; `values` went through `rendering.clean`."""
        if self.kind == "webhook":
            return self._call(values)
        said = {name: self._part(name, values).strip() for name in self._leaves}
        for name, limit in _LIMITS[self.kind].items():
            if len(said.get(name, "")) > limit:
                raise RenderError(
                    gettext_noop("the %(what)s is longer than %(limit)s characters"),
                    what=_word(name),
                    limit=limit,
                    part=name,
                )
        needed = NEEDED[self.kind]
        if not said.get(needed):
            raise RenderError(
                gettext_noop("the %(what)s is empty"), what=_word(needed), part=needed
            )
        if self.kind == "sms" and sms.count(said["text"]).parts > sms.LIMIT:
            raise RenderError(
                gettext_noop("the text takes more than %(limit)s parts"),
                limit=sms.LIMIT,
                part="text",
            )
        for name in ("url", "icon"):
            if said.get(name):
                said[name] = self._address(name, said[name], values)
        return Said(" ".join(said[needed].split())[:300], orjson.dumps(said))

    def _call(self, values: Mapping[str, Any]) -> Said:
        url = self._part("url", values).strip() if "url" in self._leaves else ""
        if url:
            try:
                check_target(url)
            except LinkRefused as error:
                raise RenderError(error.template, part="url", **error.params) from None
        body = orjson.dumps({"url": url, "body": self._filled(self._shape, values)})
        if len(body) > _BODY_LIMIT:
            raise RenderError(
                gettext_noop("the body is larger than %(limit)s KB"),
                limit=_BODY_LIMIT // 1000,
                part="body",
            )
        return Said("", body)

    def _filled(self, shape: Any, values: Mapping[str, Any]) -> Any:
        if isinstance(shape, dict):
            return {key: self._filled(inner, values) for key, inner in shape.items()}
        if isinstance(shape, list):
            return [self._filled(inner, values) for inner in shape]
        if isinstance(shape, _Leaf):
            if shape.path and isinstance(found := _at(values, shape.path), int | float):
                return found
            return self._part(shape.name, values)
        return shape

    def _address(self, name: str, url: str, values: Mapping[str, Any]) -> str:
        try:
            if name == "url" and self.signer is not None and values.get("_click"):
                tagged = self.tagger.tag(url) if self.tagger else url
                return f"{values['_click']}{self.signer.tail(tagged)}"
            return check_target(url)
        except LinkRefused as error:
            raise RenderError(error.template, part=name, **error.params) from None

    def _part(self, name: str, values: Mapping[str, Any]) -> str:
        part = "body" if name.startswith("body") else name
        try:
            return self._environment.render_template(f"{name}.txt", **values)
        except TemplateError as error:
            raise rendering.broken(error, part=part) from None


def _word(part: str) -> Word:
    """What people call a part."""
    return Word(_WORDS[part])


class _Leaf(NamedTuple):
    """A text of a webhook's body; `path` when it is one value and nothing else."""

    name: str
    path: tuple[str, ...]


def _value_of(source: str) -> tuple[str, ...]:
    only = _ONLY.fullmatch(source.strip())
    if only and re.fullmatch(r"\s*[A-Za-z]\w*(\.[A-Za-z]\w*)*\s*", only[1]):
        return tuple(only[1].strip().split("."))
    return ()


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values
