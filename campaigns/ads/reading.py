"""Impressions, clicks and conversions from JSON → hits, or what is wrong with one.

A hit is known by its kind and the id that its sender gave it. The sender's words are kept as a
hash, so that the same id with other words is told from a repeat.
"""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.utils.translation import gettext as _

from campaigns.models import AdHit
from ingestion.intake import fields
from marketing.core.errors import Invalid

KINDS = {
    "impression": AdHit.IMPRESSION,
    "click": AdHit.CLICK,
    "conversion": AdHit.CONVERSION,
}
DEVICES = ("", "desktop", "mobile", "tablet", "tv", "other")
FIELDS = (
    "kind", "id", "at", "creative", "placement", "decision", "impression", "click", "external_id",
    "email", "anonymous_id", "consent", "country", "device", "cost", "value",
)  # fmt: skip
_NAMES = frozenset(FIELDS)
NOTHING = Decimal(0)
DEAREST = Decimal(100_000)


class Hit(NamedTuple):
    """One thing that happened to an ad. `cause` is what it followed from: a choice made here, an
    impression or a click. Empty texts are unknown.
    """

    kind: int
    key: UUID
    digest: int
    at: datetime
    creative: str
    placement: str
    cause: UUID | None
    person: tuple[str, str, str]
    consent: bool
    country: str
    device: int
    cost: Decimal
    value: Decimal


def key_of(kind: int, name: str) -> UUID:
    """The key of a hit: 128 bits, so chance never makes two ids one."""
    packed = f"{kind}\0{name}".encode()
    return UUID(bytes=hashlib.blake2b(packed, digest_size=16).digest())


def digest_of(body: Any) -> int:
    """What the sender said, in 64 bits."""
    try:
        packed = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # nested deeper than can be written
        raise fields.wrong(
            "", _("This holds a text or number that cannot be stored."), "not_json"
        ) from None
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "big", signed=True)


def hit(body: Any, *, now: datetime) -> Hit:
    """One hit. Without `at` it happened now."""
    if body.__class__ is not dict or not body.keys() <= _NAMES:
        body = fields.an_object(body, FIELDS)
    kind = KINDS.get(body.get("kind", "")) if body.get("kind").__class__ is str else None
    if kind is None:
        raise fields.wrong("kind", _("Say impression, click or conversion."), "unknown_kind")
    name = _text(body, "id", 100)
    if not name:
        raise fields.wrong("id", _("This may not be empty."), "missing")
    consent = body.get("consent", False)
    if consent.__class__ is not bool:
        raise fields.wrong("consent", _("This must be true or false."), "not_yes_or_no")
    device = device_of(body)
    creative, placement = _text(body, "creative", 60), _text(body, "placement", 60)
    cause = _cause(kind, body)
    if cause is None and not (creative and placement):
        raise fields.wrong(
            "placement" if creative else "creative",
            _("Name the creative and the placement, or what this followed from."),
            "missing",
        )
    return Hit(
        kind,
        key_of(kind, name),
        digest_of(body),
        _moment(body, now),
        creative,
        placement,
        cause,
        _person(body),
        consent,
        fields.country(body) if body.get("country") else "",
        device,
        _money(body, "cost"),
        _money(body, "value"),
    )


def device_of(body: fields.Body) -> int:
    """Its place among the devices; 0 where none is named."""
    device = _text(body, "device", 10)
    if device not in DEVICES:
        raise fields.wrong(
            "device", _("Say desktop, mobile, tablet, tv or other."), "unknown_device"
        )
    return DEVICES.index(device)


def _text(body: fields.Body, name: str, limit: int) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if value.__class__ is str and len(value) <= limit and "\0" not in value:
        return value.strip()
    return fields.text(body, name, limit)


def _moment(body: fields.Body, now: datetime) -> datetime:
    """`at`, in the usual form at once."""
    value = body.get("at")
    if value.__class__ is str:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is not None and found.tzinfo is UTC and found <= now and found.year >= 1970:
            return found
    return fields.moment(body, "at", now=now) or now


def _person(body: fields.Body) -> tuple[str, str, str]:
    """The one name by which a person is looked up: the strongest of those given."""
    if external := _text(body, "external_id", 100):
        return external, "", ""
    if body.get("email"):
        return "", fields.email(body), ""
    return "", "", _text(body, "anonymous_id", 100)


def _cause(kind: int, body: fields.Body) -> UUID | None:
    if kind == AdHit.IMPRESSION:
        given = _text(body, "decision", 40)
        try:
            return UUID(given) if given else None
        except ValueError:
            raise fields.wrong(
                "decision", _("This is no decision that was answered here."), "bad_decision"
            ) from None
    if kind == AdHit.CONVERSION and (click := _text(body, "click", 100)):
        return key_of(AdHit.CLICK, click)
    impression = _text(body, "impression", 100)
    return key_of(AdHit.IMPRESSION, impression) if impression else None


def _money(body: fields.Body, name: str) -> Decimal:
    if body.get(name) is None:
        return NOTHING
    found = fields.decimal(body, name, low=NOTHING) or NOTHING
    if found > DEAREST:
        raise fields.wrong(name, _("This number is too large."), "number_too_large")
    return found.quantize(Decimal("0.000001") if name == "cost" else Decimal("0.0001"))


def fault_unknown(name: str) -> Invalid:
    """A creative, a placement or a cause that nobody told us of."""
    said = {
        "creative": _("There is no creative with this key."),
        "placement": _("There is no placement with this key."),
    }.get(name, _("What this followed from is not known; name the creative and the placement."))
    return Invalid(said, code=f"unknown_{name}", field=name)
