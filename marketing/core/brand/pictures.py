"""What kind of picture some bytes are, and how large: read from their first bytes alone.

PNG (ISO/IEC 15948), JPEG (ITU-T T.81) and GIF (GIF89a): what every mailbox shows. Pixels are never
decoded here, so a picture made to blow up has nothing to blow up.
"""

import hashlib
import struct
from dataclasses import dataclass

MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif"}
# Frame headers of JPEG; C4, C8 and CC in their midst are tables and extensions.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset([0x01, *range(0xD0, 0xD8)])


@dataclass(frozen=True)
class Picture:
    """`kind` is a key of `MEDIA_TYPES`; width and height are pixels."""

    kind: str
    width: int
    height: int
    digest: str


def read(data: bytes) -> Picture | None:
    """What these bytes are; None unless they begin and end as one of the three kinds do."""
    for kind, sizes in (("png", _png), ("gif", _gif), ("jpg", _jpeg)):
        try:
            found = sizes(data)
        except (struct.error, IndexError):
            found = None
        if found and all(found):
            digest = hashlib.blake2b(data, digest_size=8).hexdigest()
            return Picture(kind, found[0], found[1], digest)
    return None


def _png(data: bytes) -> tuple[int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or b"IEND" not in data[-16:]:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif(data: bytes) -> tuple[int, int] | None:
    if data[:6] not in (b"GIF87a", b"GIF89a") or data.rstrip(b"\0")[-1:] != b";":
        return None
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    if data[:3] != b"\xff\xd8\xff" or b"\xff\xd9" not in data[-64:]:
        return None
    at = 2
    while data[at] == 0xFF:
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker in _ALONE:
            at += 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None
