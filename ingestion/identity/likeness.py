"""How much speaks for two rows being one person. Pure: the rows are read apart.

Each piece of evidence has a weight; what contradicts weighs negatively. 50 points make a
suggestion, 90 make it certain enough to be merged in bulk.
"""

import re
import unicodedata
from typing import Any, NamedTuple

from rapidfuzz import fuzz

SUGGESTED, CERTAIN = 50, 90
POSTCODES = ("postcode", "postal_code", "zip", "zip_code", "zipcode")
BIRTHDAYS = ("birthday", "birth_date", "date_of_birth", "dob")
_SIGNS = re.compile(r"[^\w]+")


class Row(NamedTuple):
    """What is compared of one person."""

    id: int
    external_id: str
    email: str
    phone: str
    first_name: str
    last_name: str
    country: str
    attributes: dict[str, Any]


class Evidence(NamedTuple):
    """One thing that speaks for or against, and the two values."""

    what: str
    points: int
    left: str
    right: str


def plain(text: str) -> str:
    """A name without case, accents and signs."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(sign for sign in bare if not unicodedata.combining(sign))
    return _SIGNS.sub(" ", kept).strip()


def mailbox(address: str) -> tuple[str, str]:
    """The mailbox behind an address, without dots and plus tags, and its domain."""
    local, _, domain = address.lower().rpartition("@")
    domain = "gmail.com" if domain == "googlemail.com" else domain
    return local.partition("+")[0].replace(".", ""), domain


def compare(one: Row, other: Row, shared: list[tuple[str, str]]) -> tuple[int, list[Evidence]]:
    """Points from 0 to 99, and why. `shared` are names (kind, value) that both have claimed."""
    found: list[Evidence] = []
    for kind, value in sorted(shared):
        points = {"email": 60, "phone": 45, "device": 25, "anonymous": 20}.get(kind, 0)
        found.append(Evidence(f"shared_{kind}", points, value, value))
    seen = {kind for kind, _value in shared}
    if one.phone and one.phone == other.phone and "phone" not in seen:
        found.append(Evidence("phone", 45, one.phone, other.phone))
    found += _mail(one, other)
    found += _names(one, other)
    for what, keys, same, differs in (
        ("postcode", POSTCODES, 20, -10),
        ("birthday", BIRTHDAYS, 25, -40),
    ):
        left, right = _first(one, keys), _first(other, keys)
        if left and right:
            alike = plain(left).replace(" ", "") == plain(right).replace(" ", "")
            found.append(Evidence(what, same if alike else differs, left, right))
    if one.country and other.country:
        same = one.country == other.country
        found.append(Evidence("country", 5 if same else -20, one.country, other.country))
    points = sum(evidence.points for evidence in found)
    return max(0, min(99, points)), found


def _mail(one: Row, other: Row) -> list[Evidence]:
    if not (one.email and other.email):
        return []
    (left, left_domain), (right, right_domain) = mailbox(one.email), mailbox(other.email)
    if left != right or len(left) < 3:
        return []
    if left_domain == right_domain:
        return [Evidence("mailbox", 70, one.email, other.email)]
    return [Evidence("local_part", 25, one.email, other.email)] if len(left) >= 6 else []


def _names(one: Row, other: Row) -> list[Evidence]:
    left, right = (plain(f"{r.first_name} {r.last_name}") for r in (one, other))
    if not (one.last_name and other.last_name):
        return []
    shown = (f"{one.first_name} {one.last_name}".strip(), f"{other.first_name} {other.last_name}")
    if left == right:
        return [Evidence("name", 30, *shown)]
    if sorted(left.split()) == sorted(right.split()):
        return [Evidence("name_turned", 25, *shown)]
    likeness = fuzz.ratio(left, right)
    if likeness >= 85:
        return [Evidence("name_alike", 20, *shown)]
    initial = left[:1] == right[:1] and plain(one.last_name) == plain(other.last_name)
    if initial and 1 in (len(plain(one.first_name)), len(plain(other.first_name))):
        return [Evidence("initial", 15, *shown)]
    return [Evidence("name_differs", -30, *shown)] if likeness < 60 else []


def _first(row: Row, keys: tuple[str, ...]) -> str:
    for key in keys:
        if value := row.attributes.get(key):
            return str(value)[:60]
    return ""
