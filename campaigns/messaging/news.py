"""What became of a batch is told once: who got something, and which mailboxes do not exist.

A sender tells it after the batch, from the answers that it has. What it is about to send is noted
before, in the commit that keeps the bodies, and struck out in the one that tells. Where a sender
dies between, the note stays; whoever looks after dead senders then tells the same from the rows of
the messages. The message's own id makes a repeat harmless.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from campaigns.messaging import contents
from campaigns.models import Message, Run
from ingestion import consent, events

# A batch that is younger may still be told by its own sender.
WAIT_SECONDS = 20
_AT_ONCE = 200
_BEGIN = """
    INSERT INTO campaigns_untold (run_id, messages, at) VALUES (%s, %s, clock_timestamp())
    RETURNING id"""
# As long as one of them is on its way its sender lives, or its lease is about to end.
_LEFT = """
    SELECT u.id, u.run_id, u.messages FROM campaigns_untold u
    WHERE u.at < clock_timestamp() - %s * interval '1 second' AND NOT EXISTS (
        SELECT FROM campaigns_message m WHERE m.id = ANY(u.messages) AND m.state = 'sending')
    ORDER BY u.id LIMIT %s FOR UPDATE OF u SKIP LOCKED"""


class Got(NamedTuple):
    """Somebody who got a message."""

    customer_id: int
    channel: str
    step: str
    key: str
    at: datetime


def begin(*, run_id: int, messages: Sequence[int]) -> int | None:
    """Note what is about to be sent; for `end`."""
    if not messages:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, [run_id, list(messages)])
        return int(cursor.fetchone()[0])


def end(untold: int | None) -> None:
    """Strike a note out: it was told."""
    if untold is not None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM campaigns_untold WHERE id = %s", [untold])


def tell(*, run: Run, got: Iterable[Got], now: datetime) -> None:
    """Tell the event stream who got something."""
    batch = [
        events.Incoming(
            type=f"{one.channel}_sent",
            at=one.at,
            message_id=f"sent:{one.key}",
            customer_id=one.customer_id,
            properties=contents.about(run, one.step),
        )
        for one in got
    ]
    if batch:
        events.record(batch=batch, source="campaigns", now=now)


def suppress(bounced: Iterable[tuple[str, str]], *, now: datetime) -> None:
    """Never again write to (channel, address) that do not exist."""
    for channel, address in bounced:
        if channel in consent.CHANNELS:
            consent.suppress(addresses=[address], channel=channel, reason="bounced", now=now)


def make_good(*, now: datetime, wait_seconds: float = WAIT_SECONDS) -> int:
    """Tell what senders that died did not, from the rows; how many batches."""
    done = 0
    while some := _some(now, wait_seconds):
        done += some
    return done


def _some(now: datetime, wait_seconds: float) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LEFT, [wait_seconds, _AT_ONCE])
            left = cursor.fetchall()
        runs = Run.objects.in_bulk({run_id for _id, run_id, _messages in left})
        for untold, run_id, messages in left:
            if run := runs.get(run_id):
                _from_rows(run, messages, now)
            end(untold)
    return len(left)


def _from_rows(run: Run, messages: Sequence[int], now: datetime) -> None:
    rows: Any = Message.objects.filter(pk__in=messages, run=run)
    sent = rows.filter(state=Message.State.SENT, message_id__isnull=False)
    names = ("customer_id", "channel", "step", "message_id", "sent_at")
    tell(run=run, got=[Got(*row) for row in sent.values_list(*names)], now=now)
    bounced = rows.filter(state=Message.State.FAILED, reason="bounced")
    suppress(bounced.values_list("channel", "address"), now=now)
