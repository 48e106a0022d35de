"""The long pieces of a template, the same in every mail of a run, which kept copies share."""

import re

from campaigns.messaging import layout

# Stands around long pieces of a template that are the same in every mail; no text may hold it.
SEAM = "\x1e"
_PIECE_LEAST = 40


def long_pieces(html: str) -> list[str]:
    """The pieces of a template, of a length worth it, that stand in every mail as they are."""
    found: list[str] = []
    for text in layout.EXPRESSION.split(layout.LINK.sub(_without_address, html.replace(SEAM, ""))):
        found += [core for part in text.split(SEAM) if len(core := part.strip()) >= _PIECE_LEAST]
    return found


def _without_address(match: re.Match[str]) -> str:
    is_left = re.match(r"[\"']?\s*(?:#|mailto:|tel:)", match[2], re.IGNORECASE)
    return match[0] if is_left else f"{match[1]}{match[2][0]}{SEAM}{match[2][-1]}"


def seamed(html: str, fixed: set[str]) -> str:
    """The template with seams around its long pieces, which `fixed` collects.

    A seam that is there already ends a piece.
    """

    def piece(text: str) -> str:
        core = text.strip()  # what is around it may be trimmed by an expression
        if len(core) < _PIECE_LEAST:
            return text
        fixed.add(core)
        return text.replace(core, f"{SEAM}{core}{SEAM}", 1)

    parts, at = [], 0
    for match in [*layout.EXPRESSION.finditer(html), None]:
        text = html[at : match.start()] if match else html[at:]
        parts += [piece(part) for part in text.split(SEAM)]
        if match:
            parts.append(match[0])
            at = match.end()
    return "".join(parts)
