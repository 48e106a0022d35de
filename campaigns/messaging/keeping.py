"""Keeping messages as they were sent, for as long as the retention allows, and reading them back.

What the mails of a content share is kept once beside them, so that a mail of years ago is read
with what it was packed with then, whatever today's code would make of the same template.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection
from psycopg2 import Binary
from psycopg2.extras import execute_values

from campaigns.messaging import bodies
from campaigns.models import MailPieces, MessageBody


class Written(NamedTuple):
    """A message as it is about to leave, and what it shares with others of its content."""

    message_id: int
    body: bytes
    common: bytes


def share(*, run_id: int, commons: Sequence[bytes]) -> None:
    """Keep what messages of this run will be packed with; again it changes nothing."""
    MailPieces.objects.bulk_create(
        [
            MailPieces(run_id=run_id, number=number, data=common)
            for number, common in {bodies.number_of(common): common for common in commons}.items()
        ],
        ignore_conflicts=True,
    )


def store(written: Sequence[Written]) -> None:
    """Keep these messages; a second attempt replaces the first."""
    if not written:
        return
    rows = [(one.message_id, Binary(bodies.pack(one.body, one.common))) for one in written]
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO campaigns_messagebody (message_id, mime) VALUES %s "
            "ON CONFLICT (message_id) DO UPDATE SET mime = excluded.mime",
            rows,
            page_size=100,
        )


def read(kept: MessageBody) -> bytes:
    """The very bytes that were handed over. Raises zlib.error when they are damaged."""
    data = bytes(kept.mime)
    number = bodies.packed_with(data)
    if number is None:
        return bodies.unpack(data, b"")
    pieces = MailPieces.objects.get(run__messages__body=kept, number=number)
    return bodies.unpack(data, bytes(pieces.data))
