"""How a text is cut into SMS: what a phone network counts, and what each message is billed by.

GSM-7 holds 160 characters, or 153 in each part of a longer text; ten more characters count twice.
Any other character turns the whole text into UCS-2: 70, or 67 a part, counted in UTF-16 units.
A character of two units is never cut between two parts.
"""

from typing import NamedTuple

GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")
LIMIT = 10  # parts that networks put together reliably


class Count(NamedTuple):
    """What a text takes: `units` of its alphabet in so many parts; `left` until the next part."""

    alphabet: str
    units: int
    parts: int
    left: int
    odd: str  # the first characters that keep the text from GSM-7


def count(text: str) -> Count:
    """What a text takes as SMS."""
    text = text.replace("\r\n", "\n")
    odd = "".join(dict.fromkeys(c for c in text if c not in GSM7 and c not in EXTENDED))[:5]
    if odd:
        sizes = [2 if ord(c) > 0xFFFF else 1 for c in text]
        return _cut("UCS-2", sizes, 70, 67, odd)
    return _cut("GSM-7", [2 if c in EXTENDED else 1 for c in text], 160, 153, "")


def _cut(alphabet: str, sizes: list[int], alone: int, each: int, odd: str) -> Count:
    units = sum(sizes)
    if units <= alone:
        return Count(alphabet, units, 1 if units else 0, alone - units, odd)
    parts, room = 1, each
    for size in sizes:
        if size > room:
            parts, room = parts + 1, each
        room -= size
    return Count(alphabet, units, parts, room, odd)
