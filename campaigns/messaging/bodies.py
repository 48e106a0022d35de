"""Mails kept as they were sent, in little room: what a run's mails share is not stored again.

What the template says to everybody is the compressor's dictionary, so a kept mail is mostly what is
particular to one person. Reading needs the same dictionary, which a packed mail names.
"""

import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from campaigns.messaging import mime, rendering

# The window of deflate; a longer dictionary would be cut to its end anyway.
_WINDOW = 32_768


def shared(template: Mapping[str, Any]) -> bytes:
    """What the mails of a run have in common, from the template in its snapshot."""
    text = mime.body_part("plain", template.get("text", ""))
    pieces = rendering.long_pieces(template.get("html", ""))
    return (text + mime.Pieces(()).part(pieces))[-_WINDOW:]


@lru_cache(maxsize=32)
def _primed(common: bytes) -> Any:
    """A compressor that has read what is common: copying it costs less than reading that again."""
    return zlib.compressobj(1, zdict=common)


def pack(mail: bytes, common: bytes) -> bytes:
    """A mail, compressed."""
    packer = _primed(common).copy()
    return bytes(packer.compress(mail) + packer.flush())


def number_of(common: bytes) -> int:
    """The checksum by which a packed mail names what it was packed with (RFC 1950, DICTID)."""
    return zlib.adler32(common)


def packed_with(data: bytes) -> int | None:
    """The number of what this was packed with; None when that was nothing."""
    has_dictionary = len(data) >= 6 and data[1] & 0x20
    return int.from_bytes(data[2:6], "big") if has_dictionary else None


def unpack(data: bytes, common: bytes) -> bytes:
    """The very bytes that were packed; zlib.error when the data is damaged."""
    reader = zlib.decompressobj(zdict=common) if common else zlib.decompressobj()
    return reader.decompress(data) + reader.flush()
