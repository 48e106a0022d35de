"""People as ad networks want them in a file: columns by name, values made alike, then SHA-256.

Each network says for itself what it compares: Google Ads help "Format your customer data file"
(answers 7659867 and 7476159), Meta "How to format a customer list" and its customer information
parameters, TikTok "List of supported IDs and formats for a customer file". Pure text in and out.
"""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from marketing.core.cells import safe_cell

_SPACE = re.compile(r"\s+")
_NO_DIGIT = re.compile(r"\D")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Known(NamedTuple):
    """What may be said of one person: empty where it is unknown or was not agreed to."""

    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    country: str = ""
    postcode: str = ""


@dataclass(frozen=True)
class Layout:
    """A network's file. `least` people are needed for the network to take or use the list."""

    header: tuple[str, ...]
    row: Callable[[Known], tuple[str, ...]]
    least: int


def sha256(text: str) -> str:
    """Lower-case hex, and nothing for nothing."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def email(text: str) -> str:
    """In small letters, without any space."""
    plain = _SPACE.sub("", text).lower()
    return plain if _MAIL.fullmatch(plain) else ""


def untagged(text: str) -> str:
    """The same without what stands from a plus to the @, as TikTok asks."""
    plain = email(text)
    local, _at, domain = plain.partition("@")
    local = local.partition("+")[0]
    return f"{local}@{domain}" if local and local[0].isalnum() else ""


def e164(text: str) -> str:
    """A number with its plus and country; nothing where the country is unknown."""
    if text.strip()[:1] != "+":
        return ""
    plain = "+" + _NO_DIGIT.sub("", text)
    return plain if _E164.fullmatch(plain) else ""


def digits(text: str) -> str:
    """The same without the plus."""
    return e164(text)[1:]


def spaced_name(text: str) -> str:
    """In small letters, without spaces before, after or twice in between."""
    return _SPACE.sub(" ", text).strip().lower()


def bare_name(text: str) -> str:
    """In small letters without punctuation, composed as UTF-8 usually is."""
    plain = unicodedata.normalize("NFC", spaced_name(text))
    return "".join(c for c in plain if unicodedata.category(c)[0] not in "PS")


def _google(one: Known) -> tuple[str, ...]:
    # Names are compared together with a country and a postcode, so alone they are not told.
    placed = one.first_name and one.last_name and one.country and one.postcode
    return (
        sha256(email(one.email)),
        sha256(e164(one.phone)),
        sha256(spaced_name(one.first_name)) if placed else "",
        sha256(spaced_name(one.last_name)) if placed else "",
        safe_cell(one.country.strip().upper()) if placed else "",
        safe_cell(_SPACE.sub(" ", one.postcode).strip()) if placed else "",
    )


def _meta(one: Known) -> tuple[str, ...]:
    return (
        sha256(email(one.email)),
        sha256(digits(one.phone)),
        sha256(bare_name(one.first_name)),
        sha256(bare_name(one.last_name)),
        sha256(one.country.strip().lower()),
    )


def _tiktok(one: Known) -> tuple[str, ...]:
    return sha256(untagged(one.email)), sha256(digits(one.phone))


LAYOUTS = {
    "google": Layout(
        ("Email", "Phone", "First Name", "Last Name", "Country", "Zip"), _google, least=100
    ),
    "meta": Layout(("email", "phone", "fn", "ln", "country"), _meta, least=100),
    "tiktok": Layout(("Email_SHA256", "Phone_SHA256"), _tiktok, least=1_000),
}


def lines(people: Iterable[Known], *, layout: Layout) -> Iterator[tuple[bytes, int]]:
    """The file in pieces, each with how many people stand in it; UTF-8 with a header.

    Somebody without a usable address or number is left out: nothing could be found by the rest.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(layout.header)
    count = 0
    for one in people:
        row = layout.row(one)
        if row[0] or row[1]:
            writer.writerow(row)
            count += 1
        if count >= 2_000:
            yield out.getvalue().encode(), count
            out.seek(0)
            out.truncate()
            count = 0
    yield out.getvalue().encode(), count
