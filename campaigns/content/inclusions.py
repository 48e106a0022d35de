"""Saved blocks in mails that are written in MJML or HTML: {% include "footer" %}.

The tag is read when a mail is saved, never when it is sent, and the template language itself knows
no include: what came in for it is checked with the mail, against the same limits. A block holds no
other block, so nothing is included twice over or by itself.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _

from campaigns.content import references
from campaigns.content.blocks import compile_blocks
from campaigns.messaging import layout
from campaigns.models import SavedBlock
from marketing.core.errors import Invalid

# So many in one mail; each may hold a dozen blocks.
MOST = 30
_ANY = re.compile(r"\{%[-+]?\s*include\b")
_TAG = re.compile(r"""\{%[-+]?\s*include\s+(["'])([\w-]{1,60})\1\s*[-+]?%\}""")
_PLACE = re.compile(r"pnb(\d{4})bnp")
# MJML elements; comments are passed over.
_ELEMENT = re.compile(r"<!--.*?-->|<(/?)(mj[a-z-]*)\b[^>]*?(/?)>|pnb(\d{4})bnp", re.DOTALL)
_HOLD_HTML = frozenset(["mj-raw", "mj-text", "mj-table", "mj-accordion-text"])
_STYLE = re.compile(r"<style[^>]*>(?:(?!</style>).)*\.mj-column.*?</style>", re.DOTALL)
_BODY = re.compile(r"<body[^>]*>\s*<div[^>]*>(.*)</div>\s*</body>", re.DOTALL)


def tag(key: str) -> str:
    """What stands in a mail for the block of this key."""
    return f'{{% include "{key}" %}}'


def keys(sources: Iterable[str]) -> set[str]:
    """The keys of the blocks that sources include, whether there are such blocks or not."""
    found = set()
    for source in sources:
        if "include" in source:
            for expression in layout.EXPRESSION.findall(source):
                if match := _TAG.fullmatch(expression):
                    found.add(match[2])
    return found


def stand_in(source: str) -> bool:
    """Whether a source includes anything, or tries to."""
    return any(_ANY.match(expression) for expression in layout.EXPRESSION.findall(source))


class Inclusions:
    """The blocks that a source includes, in a language or its nearest.

    `source` has a word in place of each tag; `put` exchanges the words for the blocks.
    """

    def __init__(self, source: str, *, language: str = "", mjml: bool = True) -> None:
        if _PLACE.search(source):
            raise _refuse(_("The text holds a word that is reserved for saved blocks."))
        self._names: list[str] = []
        self._language = language
        self.source = layout.EXPRESSION.sub(self._take, source)
        rows = SavedBlock.objects.filter(key__in=set(self._names)) if self._names else ()
        self._rows = {row.key: row for row in rows}
        for name in self._names:
            if name not in self._rows:
                raise _refuse(
                    _("There is no saved block called “%(name)s”.") % {"name": name},
                    _("Choose one of the list of saved blocks, or take it out."),
                )
        if mjml and self._names:
            self.source = _placed(self.source, self._names)

    def _take(self, match: re.Match[str]) -> str:
        if not _ANY.match(match[0]):
            return match[0]
        named = _TAG.fullmatch(match[0])
        if named is None:
            raise _refuse(
                _("Name one saved block, such as %(tag)s.") % {"tag": tag("footer")},
            )
        if len(self._names) == MOST:
            raise _refuse(_("A mail includes at most %(n)d saved blocks.") % {"n": MOST})
        self._names.append(named[2])
        return f"pnb{len(self._names) - 1:04d}bnp"

    def put(self, html: str) -> str:
        """The HTML with the blocks in their places."""
        if not self._names:
            return html
        made = {key: self._made(row) for key, row in self._rows.items()}
        html = _PLACE.sub(lambda match: made[self._names[int(match[1])]][0], html)
        styles = dict.fromkeys(style for _html, some in made.values() for style in some)
        fresh = "".join(style for style in styles if style not in html)
        if not fresh:
            return html
        return html.replace("</head>", f"{fresh}</head>", 1) if "</head>" in html else fresh + html

    def _made(self, row: SavedBlock) -> tuple[str, list[str]]:
        """A block as a piece of HTML, and the styles by which its columns stand side by side."""
        html = layout.compile_mjml(compile_blocks(references.said(row, self._language)))
        body = _BODY.search(html)
        return (body[1] if body else html), _STYLE.findall(html)


def _placed(source: str, names: Sequence[str]) -> str:
    """MJML in which what stands between two sections is kept, as in mj-raw.

    Where MJML drops text, or lets it fall between the cells of a table, it is refused.
    """
    held, kept = layout.hold(source)
    within: list[str] = []

    def place(match: re.Match[str]) -> str:
        closes, name, alone, number = match.groups()
        if number is not None:
            if within[-1:] == ["mj-body"]:
                return f"<mj-raw>{match[0]}</mj-raw>"
            if within[-1:] and within[-1] not in _HOLD_HTML:
                raise _refuse(
                    _("%(tag)s cannot stand inside %(element)s.")
                    % {"tag": tag(names[int(number)]), "element": within[-1]},
                    _("Put it between two sections, or inside mj-text, mj-table or mj-raw."),
                )
        elif name and closes and name in within:
            del within[len(within) - 1 - within[::-1].index(name) :]
        elif name and not closes and not alone:
            within.append(name)
        return match[0]

    return layout.release(_ELEMENT.sub(place, held), kept)


def _refuse(why: str, remedy: str | None = None) -> Invalid:
    return Invalid(why, code="bad_template", field="mjml", remedy=remedy)


def sources_of(said: dict[str, Any]) -> list[str]:
    """What a mail says in all of its languages, as it was written."""
    others = (said.get("languages") or {}).values()
    return [one.get("mjml") or "" for one in (said, *others)]
