"""Descriptions and product names."""

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Words that stay in capitals when a name in capitals is put into sentence case.
_KEPT = {
    "LED",
    "DIY",
    "USB",
    "UK",
    "USA",
    "TV",
    "CD",
    "DVD",
    "XL",
    "XXL",
    "XXS",
    "PC",
    "MP3",
    "BBQ",
    "IVORY ST",
}
# Notes that staff typed into the description of stock corrections: never the name of a product.
_NOTE = re.compile(
    r"\?+|.*\b(damage[sd]?|damges|wet|lost|missing|faulty|broken|thrown|destroyed|found|mailout|"
    r"sold as|wrongly|incorrect|crushed|rusty|unsaleable|smashed|counted|check(ed)?|amazon|ebay|"
    r"adjust(ment)?|dotcom(\s.*)?|mouldy|cracked|mixed up|returned|samples?|sale error|"
    r"printing)\b.*",
    re.IGNORECASE,
)


def tidy(text: str) -> str:
    """One form of a text: composed characters, no invisible ones, single spaces, trimmed."""
    return " ".join(_CONTROL.sub(" ", unicodedata.normalize("NFC", text)).split())


def is_note(text: str) -> bool:
    """Whether a description reads as a remark about stock rather than as a name."""
    return not text or (text != text.upper() and _NOTE.fullmatch(text) is not None) or len(text) < 3


def sentence_case(text: str) -> str:
    """A name all in capitals in sentence case; every other name as it is."""
    if not text or text != text.upper():
        return text
    seen = False

    def soften(match: re.Match[str]) -> str:
        nonlocal seen
        word = match.group()
        if word in _KEPT or (len(word) == 1 and word != "A"):
            seen = True
            return word
        small = word.lower()
        if not seen:
            seen = True
            return small[0].upper() + small[1:]
        return small

    return _WORD.sub(soften, text)
