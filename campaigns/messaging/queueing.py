"""Putting messages on a run's queue: rows first, and a nudge once they are committed."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from campaigns.messaging.contents import key_of
from ingestion import consent
from marketing.core import bus

_AT_ONCE = 5_000
# Numbered as they were asked for. A person who is gone by now gets no row. Where no address is
# given it is the person's own.
_INSERT = f"""
    INSERT INTO campaigns_message (run_id, customer_id, entry, step, channel, address, state,
        reason, variant, attempt, fence, owner, next_try_at, message_id, provider_ref, subject,
        error, queued_at, expires_at)
    SELECT %(run)s, n.customer, n.entry, n.step, n.channel,
        coalesce(nullif(n.address, ''), {consent.address_sql("n.channel", "c")}),
        CASE WHEN n.reason = '' THEN 'queued' ELSE 'skipped' END, n.reason, n.variant, 0, 0, '',
        CASE WHEN n.reason = '' THEN n.due END, CASE WHEN n.reason = '' THEN n.key END, '', '', '',
        %(now)s, n.expires
    FROM unnest(%(customer)s::bigint[], %(entry)s::bigint[], %(step)s::text[], %(channel)s::text[],
            %(address)s::text[], %(variant)s::text[], %(reason)s::text[], %(due)s::timestamptz[],
            %(key)s::text[], %(expires)s::timestamptz[]) WITH ORDINALITY
        AS n (customer, entry, step, channel, address, variant, reason, due, key, expires, place)
    JOIN ingestion_customer c ON c.id = n.customer
    ORDER BY n.place
    ON CONFLICT (run_id, customer_id, entry, step, channel) DO NOTHING"""


@dataclass(frozen=True)
class NewMessage:
    """A message for one person.

    An empty `address` means the person's own; `not_before` None means at once. After `expires_at`
    it is of no use any more. A `reason` says why it is not sent: such a row is kept for the answer
    to 'why not'.
    """

    customer_id: int
    channel: str
    address: str = ""
    step: str = ""
    entry: int = 0
    variant: str = "a"
    not_before: datetime | None = None
    reason: str = ""
    expires_at: datetime | None = None


def insert(*, run_id: int, rows: Iterable[NewMessage], now: datetime) -> int:
    """Queue messages of a run, each once however often it is asked for; how many are new.

    What is already there is left as it is. After the commit a sender is nudged, if anything is due.
    """
    asked = list(rows)
    made = 0
    with transaction.atomic(), connection.cursor() as cursor:
        for first in range(0, len(asked), _AT_ONCE):
            cursor.execute(_INSERT, _columns(run_id, asked[first : first + _AT_ONCE], now))
            made += cursor.rowcount
        if made and any(not r.reason and (r.not_before or now) <= now for r in asked):
            bus.announce("messages.queued", run_id=run_id)
    return made


def _columns(run_id: int, rows: list[NewMessage], now: datetime) -> dict[str, Any]:
    return {
        "run": run_id,
        "now": now,
        "customer": [r.customer_id for r in rows],
        "entry": [r.entry for r in rows],
        "step": [r.step for r in rows],
        "channel": [r.channel for r in rows],
        "address": [r.address for r in rows],
        "variant": [r.variant for r in rows],
        "reason": [r.reason for r in rows],
        "due": [
            None if r.not_before is None or r.not_before <= now else r.not_before for r in rows
        ],
        "key": [key(run_id, r) for r in rows],
        "expires": [r.expires_at for r in rows],
    }


def key(run_id: int, row: NewMessage) -> str:
    """The message's own id: the same whenever it is made, and not to be guessed."""
    place = f"{run_id}:{row.customer_id}:{row.entry}:{key_of(row.step, row.channel)}"
    return hashlib.blake2b(
        place.encode(), digest_size=16, key=settings.SECRET_KEY.encode()[:64], person=b"message"
    ).hexdigest()
