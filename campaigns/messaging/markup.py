"""The HTML of a template: what has no place in a mail, and its links, tracked and tagged."""

import json
import re
from html import unescape

from campaigns.messaging import layout
from campaigns.messaging.faults import gettext_noop
from campaigns.messaging.grammar import TemplateRefused
from campaigns.messaging.links import LinkRefused, Signer, check_target
from campaigns.messaging.seams import SEAM
from campaigns.messaging.tags import Tagger

_ADDRESS = re.compile(
    r"\s(?:href|src|action|background|poster|xlink:href)\s*=\s*[\"']?\s*([^\"'>\s]*)", re.IGNORECASE
)
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_UNSAFE_TAG = re.compile(
    r"<\s*(script|iframe|object|embed|form|base|svg|link\b(?![^>]*stylesheet))\b", re.IGNORECASE
)
_HANDLER = re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.IGNORECASE)


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
    for match in layout.LINK.finditer(held):
        link(match, kept, None)


def link(
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
                return f'{match[1]}"{{{{ _click }}}}{signer.tail(target)}{SEAM}"'
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


def tag_text(text: str, html: str, tagger: Tagger) -> str:
    """The plain text, in which links stand in brackets, with the same words on the same links."""
    held, kept = layout.hold(html)
    for written in dict.fromkeys(match[2][1:-1] for match in layout.LINK.finditer(held)):
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
