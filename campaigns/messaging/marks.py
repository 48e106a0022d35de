"""What became of claimed messages, written durably by whoever still holds them."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from django.db import connection

from marketing.core.db import patiently

# Planned once a session: it is asked for every few mails.
_MARK = """
    PREPARE mark (bigint[], bigint[], text[], text[], text[], text[], float8[], text[]) AS
    UPDATE campaigns_message m
    SET state = v.state, reason = v.reason, error = v.error, subject = v.subject, owner = '',
        lease_until = NULL, provider_ref = v.ref,
        deaths = CASE WHEN v.state <> 'queued' THEN m.deaths ELSE 0 END,
        handed_at = CASE WHEN v.state <> 'queued' THEN m.handed_at END,
        sent_at = CASE WHEN v.state = 'sent' THEN clock_timestamp() END,
        next_try_at = CASE WHEN v.state = 'queued'
            THEN clock_timestamp() + v.wait * interval '1 second' END
    FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
        AS v(id, fence, state, reason, error, subject, wait, ref)
    WHERE m.id = v.id AND m.fence = v.fence AND m.state = 'sending'
    RETURNING m.id, (SELECT r.state FROM campaigns_run r WHERE r.id = m.run_id)"""
# The sessions that know the statement; a session that ends leaves by itself.
_ready: WeakSet[Any] = WeakSet()


class Outcome(NamedTuple):
    """What became of one claimed message. `wait_seconds` is for a message that is tried again."""

    id: int
    fence: int
    state: str
    reason: str
    error: str
    subject: str
    wait_seconds: float
    ref: str = ""


def mark(outcomes: Sequence[Outcome]) -> dict[int, str]:
    """Write outcomes durably, in one statement. Message id -> its run's state, where still ours."""
    return patiently(lambda: _mark(outcomes)) if outcomes else {}


def _mark(outcomes: Sequence[Outcome]) -> dict[int, str]:
    connection.ensure_connection()
    session: Any = connection.connection
    with connection.wrap_database_errors, session.cursor() as bare:
        if session not in _ready:
            bare.execute(_MARK)
            _ready.add(session)
        columns = [list(column) for column in zip(*outcomes, strict=True)]
        bare.execute("EXECUTE mark (%s, %s, %s, %s, %s, %s, %s::float8[], %s)", columns)
        return dict(bare.fetchall())
