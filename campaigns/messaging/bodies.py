"""Mails kept as they were sent, in little room: what a run's mails share is not stored again.

The run's own template is the compressor's dictionary, so a kept mail is mostly what is particular
to one person. Reading needs the same template, which the run keeps unchanged for good.
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


def unpack(data: bytes, common: bytes) -> bytes:
    """The very bytes that were packed; zlib.error when the data is damaged."""
    reader = zlib.decompressobj(zdict=common)
    return reader.decompress(data) + reader.flush()
