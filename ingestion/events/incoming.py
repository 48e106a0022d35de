"""One event on its way in, and the bytes by which it is known and kept."""

import hashlib
import struct
from collections.abc import Iterable, Mapping, Sequence
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
_EMPTY: dict[str, Any] = {}  # which is written sooner than a view of one
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
        return orjson.dumps(_contents([self])[0], dict, _SORTED)


def cores(batch: Sequence[Incoming]) -> list[bytes]:
    """The core of each, written in one go."""
    if len(batch) > 1:
        # No text of JSON holds a line's end, so one between two of them tells where they part.
        told: list[Any] = [orjson.Fragment(b"\n")] * (2 * len(batch) - 1)
        told[::2] = _contents(batch)
        found = orjson.dumps(told, dict, _SORTED)[1:-1].split(b",\n,")
        if len(found) == len(batch):  # else somebody's own JSON has lines
            return found
    return [event.core() for event in batch]


def _contents(batch: Iterable[Incoming]) -> list[tuple[Any, ...]]:
    return [
        (
            kind,
            call,
            at.isoformat() if stamp is None else stamp,
            message_id,
            customer_id,
            external_id,
            email,
            phone,
            anonymous_id,
            device_id,
            previous_id,
            group_id,
            orjson.Fragment(packed) if packed else properties or _EMPTY,
            traits or _EMPTY,
        )
        for (
            kind,
            at,
            message_id,
            customer_id,
            external_id,
            email,
            anonymous_id,
            properties,
            packed,
            call,
            phone,
            device_id,
            previous_id,
            group_id,
            traits,
            _context,
            stamp,
            _flags,
        ) in batch
    ]


def digest_of(core: bytes) -> int:
    """64 bits of a call's content, signed as PostgreSQL's bigint is."""
    return int.from_bytes(hashlib.blake2b(core, digest_size=8).digest(), "big", signed=True)


def digests(cores: Iterable[bytes]) -> list[bytes]:
    """The digest of each, as its 8 bytes."""
    hashed = hashlib.blake2b
    return [hashed(core, digest_size=8).digest() for core in cores]


def numbers(digests: Sequence[bytes]) -> list[int]:
    """Digests as the numbers that PostgreSQL holds."""
    return list(struct.unpack(f">{len(digests)}q", b"".join(digests)))


def made_id(core: bytes) -> str:
    """The message id of a call that came without one: its content."""
    return hashlib.blake2b(core, digest_size=16).hexdigest()


def key_of(source: str, message_id: str) -> str:
    """The ledger's key of a message id within its source: 128 bits as 32 hex digits."""
    return keys_of(source, (message_id,))[0].hex()


def keys_of(source: str, message_ids: Iterable[str]) -> list[bytes]:
    """The key of each, as its 16 bytes."""
    hashed, begin = hashlib.blake2b, f"{source}\0"
    return [hashed((begin + name).encode(), digest_size=16).digest() for name in message_ids]
