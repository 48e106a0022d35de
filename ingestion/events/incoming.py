"""One event on its way in, and the bytes by which it is known and kept."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

STORED, DUPLICATE, CONFLICT = "stored", "duplicate", "conflict"
TRACK, IDENTIFY, PAGE, SCREEN, GROUP, ALIAS = (
    "track",
    "identify",
    "page",
    "screen",
    "group",
    "alias",
)
ID_LIMIT = 100  # characters of a message id
EVENT_LIMIT = 32 << 10  # bytes of one event
NOTHING: Mapping[str, Any] = MappingProxyType({})
_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


class Incoming(NamedTuple):
    """One call about one person. Texts are normalised; either `customer_id` (ours) or names.

    `type` is the event's name; for the calls page and screen it is "page" or "screen", for
    identify, group and alias the call itself. `at` is the corrected moment, `stamp` what the
    sender said about time ("" for nothing, None where that is `at` itself): a repeat of the same
    call carries the same stamp whenever it comes. `properties` may be given as JSON text in
    `properties_json` instead, already compact.
    """

    type: str
    at: datetime
    message_id: str = ""
    customer_id: int | None = None
    external_id: str = ""
    email: str = ""
    anonymous_id: str = ""
    properties: Mapping[str, Any] = NOTHING
    properties_json: bytes = b""
    call: str = TRACK
    phone: str = ""
    device_id: str = ""
    previous_id: str = ""
    group_id: str = ""
    traits: Mapping[str, Any] = NOTHING
    context: Mapping[str, Any] = NOTHING
    stamp: str | None = None
    flags: str = ""

    def core(self) -> bytes:
        """Everything that makes two calls the same, as JSON; the order of keys means nothing."""
        stamp = self.at.isoformat() if self.stamp is None else self.stamp
        body = orjson.Fragment(self.properties_json) if self.properties_json else self.properties
        return orjson.dumps(
            (
                self.type,
                self.call,
                stamp,
                self.message_id,
                self.customer_id,
                self.external_id,
                self.email,
                self.phone,
                self.anonymous_id,
                self.device_id,
                self.previous_id,
                self.group_id,
                body,
                self.traits,
            ),
            dict,
            _SORTED,
        )


def digest_of(core: bytes) -> int:
    """64 bits of a call's content, signed as PostgreSQL's bigint is."""
    return int.from_bytes(hashlib.blake2b(core, digest_size=8).digest(), "big", signed=True)


def made_id(core: bytes) -> str:
    """The message id of a call that came without one: its content."""
    return hashlib.blake2b(core, digest_size=16).hexdigest()


def key_of(source: str, message_id: str) -> str:
    """The ledger's key of a message id within its source: 128 bits as 32 hex digits."""
    return hashlib.blake2b(f"{source}\0{message_id}".encode(), digest_size=16).hexdigest()
