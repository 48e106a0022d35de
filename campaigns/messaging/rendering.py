"""A template and one person's values become subject, HTML and text. Values are never executed.

What a template may say and print is held by its `grammar`; fuel bounds its steps here. A value that
is missing is an error unless the template names a default.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from minijinja import Environment, TemplateError

from campaigns.messaging import layout
from campaigns.messaging.faults import Fault, gettext_noop
from campaigns.messaging.grammar import MAX_ITEMS as MAX_ITEMS
from campaigns.messaging.grammar import MAX_VALUE
from campaigns.messaging.grammar import TemplateRefused as TemplateRefused
from campaigns.messaging.grammar import variables as variables
from campaigns.messaging.grammar import without_price as without_price
from campaigns.messaging.links import LinkRefused, Signer, check_target
from campaigns.messaging.markup import check_html as check_html
from campaigns.messaging.markup import link, tag_text
from campaigns.messaging.seams import SEAM, seamed
from campaigns.messaging.seams import long_pieces as long_pieces
from campaigns.messaging.tags import Tagger

FUEL = 100_000
SUBJECT_LIMIT = 500
HTML_LIMIT = 2_000_000
_KEPT_TAILS = 20_000
_GAP = re.compile(r"\n\s*\n")
_UNDEFINED = re.compile(r"`([^`]+)` is undefined")


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


class RenderError(Fault):
    """The template does not render for this person; `variable` names the missing value, if any."""

    def __init__(
        self, template: str, *, variable: str | None = None, part: str = "html", **params: Any
    ) -> None:
        super().__init__(template, **params)
        self.variable = variable
        self.part = part


def broken(error: TemplateError, *, part: str) -> RenderError:
    """What a template that does not render for somebody says of it."""
    if missing := _UNDEFINED.search(error.detail or error.message):
        said = gettext_noop("%(name)s is missing")
        return RenderError(said, name=missing[1], variable=missing[1], part=part)
    if error.kind == "OutOfFuel":
        return RenderError(gettext_noop("the template takes too many steps"), part=part)
    return RenderError("%(why)s", why=error.detail or error.kind, part=part)


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
            held, kept = layout.hold(html.replace(SEAM, ""))
            html = layout.release(
                layout.LINK.sub(lambda m: link(m, kept, self.signer, self.tagger), held), kept
            )
            if self.tagger is not None:
                text = tag_text(text, self.html, self.tagger)
            pixel = '<img src="{{ _open }}" width="1" height="1" alt="" border="0">'
            html = (
                html.replace("</body>", f"{pixel}</body>", 1) if "</body>" in html else html + pixel
            )
            html = seamed(html, self.fixed)
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
            pieces = html.split(SEAM)
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
            raise broken(error, part=part) from None
        except LinkRefused as error:
            raise RenderError(error.template, part="html", **error.params) from None
