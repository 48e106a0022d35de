"""A template and one person's values become subject, HTML and text. Values are never executed.

The language is a small part of Jinja, held by an allow-list over the parsed template: names,
attributes, if, for over a list, comparisons, and the filters below. No calls, no arithmetic, no
assignment, no include: with those gone, what a template can print is bounded before it runs, and
fuel bounds its steps. A value that is missing is an error unless the template names a default.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import jinja2
from jinja2 import nodes
from minijinja import Environment, TemplateError

from campaigns.messaging import layout
from campaigns.messaging.faults import Fault, gettext_noop
from campaigns.messaging.links import LinkRefused, Signer, check_target
from campaigns.messaging.tags import Tagger

FILTERS = frozenset(
    [
        "default",
        "d",
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "length",
        "first",
        "last",
        "join",
        "round",
        "int",
        "urlencode",
    ]
)
TESTS = frozenset(["defined", "undefined", "none", "even", "odd"])
MAX_ITEMS = 24
MAX_VALUE = 2_000
MAX_DEPTH = 3
FUEL = 100_000
SUBJECT_LIMIT = 500
HTML_LIMIT = 2_000_000
_PRINT_LIMIT = 16_000_000
_KEPT_TAILS = 20_000
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem,
    nodes.Const, nodes.If, nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
)  # fmt: skip
_LINK = re.compile(r"(<a\b[^>]*?\shref\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\s(?:href|src|action|background|poster|xlink:href)\s*=\s*[\"']?\s*([^\"'>\s]*)", re.IGNORECASE
)
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_UNSAFE_TAG = re.compile(
    r"<\s*(script|iframe|object|embed|form|base|svg|link\b(?![^>]*stylesheet))\b", re.IGNORECASE
)
_HANDLER = re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.IGNORECASE)
_GAP = re.compile(r"\n\s*\n")
# Stands around long pieces of a template that are the same in every mail; no text may hold it.
_SEAM = "\x1e"
_PIECE_LEAST = 40
# A product's price that is only shown. Whatever else is done with it needs one.
_OF_PRODUCTS = re.compile(r"\{%-?\s*for\s+(\w+)\s+in\s+(?:\w+\.)*products\b")
_PRICE = re.compile(
    r"(\{\{[-+]?\s*)((\w+)|(?:\w+\.)*products(?:\[\d+\]|\.\d+)|(?:\w+\.)+product)\.price(\s*[-+]?\}\})"
)
_UNDEFINED = re.compile(r"`([^`]+)` is undefined")
_WORDS = jinja2.Environment(autoescape=False)  # parses only; it never renders


class _Seen(dict[str | None, str]):
    """What was made of each address before; makes it of one that was not seen yet."""

    def __init__(self, make: Callable[[str | None], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, url: str | None) -> str:
        made = self._make(url)
        if len(self) < _KEPT_TAILS:
            self[url] = made
        return made


class TemplateRefused(Fault):
    """The template may not be used; the text says what to change."""


class RenderError(Fault):
    """The template does not render for this person; `variable` names the missing value, if any."""

    def __init__(
        self, template: str, *, variable: str | None = None, part: str = "html", **params: Any
    ) -> None:
        super().__init__(template, **params)
        self.variable = variable
        self.part = part


@dataclass(frozen=True)
class Rendered:
    """One person's mail before it becomes bytes. `pieces` is the HTML once more, in the pieces of
    which the long ones are the same in every mail.
    """

    subject: str
    html: str
    text: str
    pieces: Sequence[str] = ()


def clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what is missing (None, empty text) and cut what is too long."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if value is None or value == "":
            continue
        if isinstance(value, str):
            kept[name] = value if len(value) <= MAX_VALUE else value[:MAX_VALUE]
        elif isinstance(value, Mapping):
            kept[name] = clean(value)
        elif isinstance(value, list | tuple):
            kept[name] = [clean(v) if isinstance(v, Mapping) else v for v in value[:MAX_ITEMS]]
        else:
            kept[name] = value
    return kept


def variables(source: str) -> frozenset[str]:
    """The values a template asks for, dotted: {'first_name', 'products', 'traits.orders'}.

    Raises TemplateRefused when the template uses anything outside the allowed language.
    """
    try:
        tree = _WORDS.parse(source)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateRefused(
            gettext_noop("line %(line)s: %(why)s"), line=error.lineno, why=error.message
        ) from None
    except RecursionError:
        raise TemplateRefused(gettext_noop("the template is nested too deeply")) from None
    found: set[str] = set()
    if _cost(tree, 1, 0, frozenset(), found) > _PRINT_LIMIT:
        raise TemplateRefused(
            gettext_noop("loops in this template could print too much: shorten them")
        )
    return frozenset(found)


def _cost(node: nodes.Node, times: int, depth: int, bound: frozenset[str], found: set[str]) -> int:
    """Characters the node may print at most; collects names and refuses what is not allowed."""
    line = node.lineno
    if not isinstance(node, _ALLOWED):
        raise TemplateRefused(
            gettext_noop("line %(line)s: %(what)s is not available in mails"),
            line=line,
            what=type(node).__name__.lower(),
        )
    if isinstance(node, nodes.TemplateData):
        return len(node.data) * times
    if isinstance(node, nodes.Output):
        return sum(
            _cost(child, times, depth, bound, found)
            + (0 if isinstance(child, nodes.TemplateData) else MAX_VALUE * times)
            for child in node.nodes
        )
    if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
        _take_name(node, bound, found)
        return 0
    if isinstance(node, nodes.For):
        if node.recursive or not isinstance(node.target, nodes.Name):
            raise TemplateRefused(
                gettext_noop("line %(line)s: this kind of loop is not available in mails"),
                line=line,
            )
        if not isinstance(node.iter, nodes.Name | nodes.Getattr):
            raise TemplateRefused(
                gettext_noop("line %(line)s: loops may only go over a list such as products"),
                line=line,
            )
        if depth + 1 > MAX_DEPTH:
            raise TemplateRefused(
                gettext_noop("line %(line)s: loops may be nested %(limit)s deep at most"),
                line=line,
                limit=MAX_DEPTH,
            )
        _take_name(node.iter, bound, found)
        inner = bound | {node.target.name, "loop"}
        total = 0
        if node.test is not None:
            _cost(node.test, times, depth, inner, found)
        for child in node.body:
            total += _cost(child, times * MAX_ITEMS, depth + 1, inner, found)
        return total + sum(_cost(child, times, depth, bound, found) for child in node.else_)
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise TemplateRefused(
            gettext_noop("line %(line)s: the filter %(name)s is not available in mails"),
            line=line,
            name=node.name,
        )
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise TemplateRefused(
            gettext_noop("line %(line)s: the test %(name)s is not available in mails"),
            line=line,
            name=node.name,
        )
    return sum(_cost(child, times, depth, bound, found) for child in node.iter_child_nodes())


def _take_name(node: nodes.Node, bound: frozenset[str], found: set[str]) -> None:
    path: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem):
            if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, str | int):
                raise TemplateRefused(
                    gettext_noop("line %(line)s: name the part directly, as in a.b"),
                    line=node.lineno,
                )
            path.append(str(node.arg.value))
        else:
            path.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name):
        raise TemplateRefused(
            gettext_noop("line %(line)s: only named values have parts"), line=node.lineno
        )
    for part in (node.name, *path):
        if part.startswith("_"):
            raise TemplateRefused(
                gettext_noop("line %(line)s: names may not begin with an underscore"),
                line=node.lineno,
            )
    if node.name not in bound:
        found.add(".".join([node.name, *reversed(path)]))


def without_price(source: str) -> str:
    """The template with nothing in the place of a price that a product does not have.

    A shop sells things by request: the rest of the mail is worth sending. A template that counts
    with the price, or compares it, or says what stands instead, is left as it is.
    """
    names = set(_OF_PRODUCTS.findall(source))

    def shown(match: re.Match[str]) -> str:
        if match[3] and match[3] not in names:
            return match[0]
        return f'{match[1]}{match[2]}.price|default(""){match[4]}'

    return _PRICE.sub(shown, source)


def check_html(html: str) -> None:
    """Refuse what must not stand in a mail: scripts, event handlers, unsafe or bare addresses."""
    held, kept = layout.hold(html)
    if match := _UNSAFE_TAG.search(held):
        raise TemplateRefused(
            gettext_noop("<%(tag)s> is not allowed in mails"), tag=match[1].lower()
        )
    if _HANDLER.search(held):
        raise TemplateRefused(
            gettext_noop("event handlers such as onclick are not allowed in mails")
        )
    for match in _ADDRESS.finditer(layout.EXPRESSION.sub("*", html)):
        address = unescape(match[1])
        scheme = _SCHEME.match("".join(c for c in address if ord(c) > 32))
        if scheme and scheme[1].lower() not in ("http", "https", "mailto", "tel", "cid"):
            raise TemplateRefused(
                gettext_noop("%(scheme)s: addresses are not allowed in mails"), scheme=scheme[1]
            )
    for match in _LINK.finditer(held):
        _link(match, kept, None)


def _link(
    match: re.Match[str], kept: list[str], signer: Signer | None, tagger: Tagger | None = None
) -> str:
    """One <a href=…> as it should stand in the compiled template."""
    if match[2][0] not in "\"'":
        raise TemplateRefused(
            gettext_noop("put quotes around the link address %(address)s"), address=match[2][:60]
        )
    pieces = layout.split_held(unescape(match[2][1:-1]).strip())
    if not pieces:
        raise TemplateRefused(gettext_noop("a link has no address"))
    first = pieces[0]
    if isinstance(first, str) and re.match(r"#|mailto:|tel:", first, re.IGNORECASE):
        return match[0]
    parts = _parts(pieces, kept)
    if parts == ["(unsubscribe_url)"]:
        return match[0]
    try:
        if len(pieces) == 1 and isinstance(first, str):
            check_target(first)
            if signer:
                target = tagger.tag(first) if tagger else first
                return f'{match[1]}"{{{{ _click }}}}{signer.tail(target)}{_SEAM}"'
        elif isinstance(first, str) and not re.match(r"https?://", first, re.IGNORECASE):
            raise LinkRefused(
                gettext_noop("%(address)s is not the beginning of a web address"),
                address=first[:80],
            )
    except LinkRefused as error:
        raise TemplateRefused(error.template, **error.params) from None
    if signer is None:
        return match[0]
    return f'{match[1]}"{{{{ _click }}}}{{{{ ({" ~ ".join(parts)})|_tail }}}}"'


def _parts(pieces: list[str | int], kept: list[str]) -> list[str]:
    """The pieces of an address as operands of the template language."""
    parts: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(json.dumps(piece))
            continue
        code = kept[piece]
        if not code.startswith("{{"):
            raise TemplateRefused(
                gettext_noop("a link address may hold values, but no conditions or loops")
            )
        inner = code[2:-2].strip("-+ \n\t")
        parts.append(f"({inner})")
    return parts


def _tag_text(text: str, html: str, tagger: Tagger) -> str:
    """The plain text, in which links stand in brackets, with the same words on the same links."""
    held, kept = layout.hold(html)
    for written in dict.fromkeys(match[2][1:-1] for match in _LINK.finditer(held)):
        address = unescape(written)
        pieces = layout.split_held(address.strip())
        if not pieces:
            continue
        if len(pieces) == 1 and isinstance(pieces[0], str):
            made = tagger.tag(pieces[0])
        elif (parts := _parts(pieces, kept)) == ["(unsubscribe_url)"]:
            continue
        else:
            made = f"{{{{ ({' ~ '.join(parts)})|_tag }}}}"
        text = text.replace(f"({layout.release(address, kept)})", f"({made})")
    return text


def long_pieces(html: str) -> list[str]:
    """The pieces of a template, of a length worth it, that stand in every mail as they are."""
    found: list[str] = []
    for text in layout.EXPRESSION.split(_LINK.sub(_without_address, html.replace(_SEAM, ""))):
        found += [core for part in text.split(_SEAM) if len(core := part.strip()) >= _PIECE_LEAST]
    return found


def _without_address(match: re.Match[str]) -> str:
    is_left = re.match(r"[\"']?\s*(?:#|mailto:|tel:)", match[2], re.IGNORECASE)
    return match[0] if is_left else f"{match[1]}{match[2][0]}{_SEAM}{match[2][-1]}"


def _seamed(html: str, fixed: set[str]) -> str:
    """The template with seams around its long pieces, which `fixed` collects.

    A seam that is there already ends a piece.
    """

    def piece(text: str) -> str:
        core = text.strip()  # what is around it may be trimmed by an expression
        if len(core) < _PIECE_LEAST:
            return text
        fixed.add(core)
        return text.replace(core, f"{_SEAM}{core}{_SEAM}", 1)

    parts, at = [], 0
    for match in [*layout.EXPRESSION.finditer(html), None]:
        text = html[at : match.start()] if match else html[at:]
        parts += [piece(part) for part in text.split(_SEAM)]
        if match:
            parts.append(match[0])
            at = match.end()
    return "".join(parts)


@dataclass
class Compiled:
    """A template parsed once for a whole run. Not shared between threads while rendering."""

    subject: str
    html: str
    text: str
    signer: Signer | None = None
    tagger: Tagger | None = None
    wants: frozenset[str] = field(init=False)
    # The long pieces of HTML that do not differ between people; known where mails are written.
    fixed: set[str] = field(init=False, default_factory=set)
    _environment: Environment = field(init=False)

    def __post_init__(self) -> None:
        self.wants = variables(self.subject) | variables(self.html) | variables(self.text)
        check_html(self.html)
        if "\n" in self.subject.strip() or "\r" in self.subject.strip():
            raise TemplateRefused(gettext_noop("the subject must be one line"))
        html, text = self.html, self.text
        if self.signer is not None:
            held, kept = layout.hold(html.replace(_SEAM, ""))
            html = layout.release(
                _LINK.sub(lambda m: _link(m, kept, self.signer, self.tagger), held), kept
            )
            if self.tagger is not None:
                text = _tag_text(text, self.html, self.tagger)
            pixel = '<img src="{{ _open }}" width="1" height="1" alt="" border="0">'
            html = (
                html.replace("</body>", f"{pixel}</body>", 1) if "</body>" in html else html + pixel
            )
            html = _seamed(html, self.fixed)
        environment = Environment(fuel=FUEL, pycompat=False)
        # "semi_strict" is missing from the package's type hints.
        environment.undefined_behavior = "semi_strict"  # type: ignore[assignment]
        environment.add_filter("_tail", self._tail())
        if self.tagger is not None:
            tag = self.tagger.tag
            environment.add_filter("_tag", _Seen(lambda url: tag(url) if url else "").__getitem__)
        try:
            environment.add_template("subject.txt", without_price(self.subject.strip()))
            environment.add_template("body.html", without_price(html))
            environment.add_template("body.txt", without_price(text))
        except TemplateError as error:
            raise TemplateRefused(
                gettext_noop("line %(line)s: %(why)s"),
                line=error.line,
                why=error.detail or error.message,
            ) from None
        self._environment = environment

    def _tail(self) -> Callable[[str | None], str]:
        """What follows the click address of a link that is made of values."""
        if self.signer is None:
            return check_target
        if self.tagger is None:
            return _Seen(self.signer.tail).__getitem__
        sign, tag = self.signer.tail, self.tagger.tag
        # A look-up in a dictionary, without a call of Python for what was seen before.
        return _Seen(lambda url: sign(tag(url) if url else url)).__getitem__

    def render(self, values: Mapping[str, Any]) -> Rendered:
        """The mail for one person; `values` went through `clean`. Raises RenderError."""
        subject = self._part("subject.txt", values).strip()
        if "\n" in subject or "\r" in subject or "\x00" in subject:
            raise RenderError(gettext_noop("the subject holds a line break"), part="subject")
        if not subject:
            raise RenderError(gettext_noop("the subject is empty"), part="subject")
        if len(subject) > SUBJECT_LIMIT:
            raise RenderError(
                gettext_noop("the subject is longer than %(limit)s characters"),
                limit=SUBJECT_LIMIT,
                part="subject",
            )
        html = self._part("body.html", values)
        pieces: Sequence[str] = ()
        if self.fixed:
            pieces = html.split(_SEAM)
            html = "".join(pieces)
        if len(html) > HTML_LIMIT:
            raise RenderError(gettext_noop("the mail is larger than 2 MB"))
        text = _GAP.sub("\n\n", self._part("body.txt", values))
        return Rendered(subject, html, text, pieces)

    def _part(self, name: str, values: Mapping[str, Any]) -> str:
        try:
            return self._environment.render_template(name, **values)
        except TemplateError as error:
            part = {"subject.txt": "subject", "body.html": "html"}.get(name, "text")
            missing = _UNDEFINED.search(error.detail or error.message)
            if missing:
                raise RenderError(
                    gettext_noop("%(name)s is missing"),
                    name=missing[1],
                    variable=missing[1],
                    part=part,
                ) from None
            if error.kind == "OutOfFuel":
                raise RenderError(
                    gettext_noop("the template takes too many steps"), part=part
                ) from None
            raise RenderError("%(why)s", why=error.detail or error.kind, part=part) from None
        except LinkRefused as error:
            raise RenderError(error.template, part="html", **error.params) from None
