"""Taking messages from the queue, renewing them, giving them back: every SQL of the lease.

Times are the database's own, so a wrong clock on a sender breaks nothing. A claim raises the
message's fence; whoever holds an older fence can neither renew nor mark it.
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from django.db import connection, transaction
from psycopg2.extras import execute_values

from campaigns.models import Run
from ingestion import consent
from ingestion.models import Customer

LEASE_SECONDS = 15
GIVE_UP_HOURS = 72
_MARK_ONE = """
    PREPARE mark_one (text, text, text, text, float8, bigint, bigint) AS
    UPDATE campaigns_message
    SET state = $1, reason = $2, error = $3, subject = $4, owner = '', lease_until = NULL,
        sent_at = CASE WHEN $1 = 'sent' THEN clock_timestamp() END,
        next_try_at = CASE WHEN $1 = 'queued'
            THEN clock_timestamp() + $5 * interval '1 second' END
    WHERE id = $6 AND fence = $7 AND state = 'sending'
    RETURNING id, (SELECT r.state FROM campaigns_run r WHERE r.id = run_id)"""
# The sessions that know the statement; a session that ends leaves by itself.
_ready: WeakSet[Any] = WeakSet()
_GIVE_BACK = """
    UPDATE campaigns_message m
    SET state = CASE WHEN r.state = 'cancelled' THEN 'skipped' ELSE 'queued' END,
        reason = CASE WHEN r.state = 'cancelled' THEN 'cancelled' ELSE '' END,
        attempt = greatest(attempt - 1, 0), owner = '', lease_until = NULL,
        next_try_at = CASE WHEN r.state = 'cancelled' OR %s = 0 THEN NULL
                           ELSE now() + %s * interval '1 second' END
    FROM campaigns_run r, unnest(%s::bigint[], %s::bigint[]) AS mine(id, fence)
    WHERE r.id = m.run_id AND m.id = mine.id AND m.fence = mine.fence AND m.state = 'sending'"""


class Claimed(NamedTuple):
    """A message that is ours until its lease ends."""

    id: int
    customer_id: int
    address: str
    key: str
    fence: int
    attempt: int


class Outcome(NamedTuple):
    """What became of one claimed message. `wait_seconds` is for a message that is tried again."""

    id: int
    fence: int
    state: str
    reason: str
    error: str
    subject: str
    wait_seconds: float


def unwanted(messages: Sequence[tuple[int, int, str]]) -> dict[int, str]:
    """Reasons, by message id, why (id, customer, address) may not be written to as of now."""
    people = Customer.objects.filter(id__in=[customer for _id, customer, _address in messages])
    judged: Any = consent.mailable(people, channel="email", purpose="marketing")
    now_true = {
        key: (reason, (email or "").lower())
        for key, email, reason in judged.values_list("id", "email", "reason")
    }
    refused = {}
    for message, customer, address in messages:
        reason, email = now_true.get(customer, ("gone", ""))
        if not reason and email != address.lower():
            reason = "address_changed"
        if reason:
            refused[message] = reason
    return refused


def claim(*, run_id: int, owner: str, limit: int) -> list[Claimed]:
    """Take up to `limit` due messages of a running run; those no longer wanted end as skipped.

    Consent and suppression are read in the claim's own transaction, after the rows are locked.
    Returns nothing when the run is paused or nothing is due.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT state FROM campaigns_run WHERE id = %s FOR SHARE", [run_id])
        row = cursor.fetchone()
        if row is None or row[0] != Run.State.RUNNING:
            return []
        while True:
            cursor.execute(
                """
                SELECT id, customer_id, address FROM campaigns_message
                WHERE run_id = %s AND state = 'queued'
                  AND (next_try_at IS NULL OR next_try_at <= clock_timestamp())
                ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED""",
                [run_id, limit],
            )
            rows = cursor.fetchall()
            if not rows:
                return []
            refused = unwanted(rows)
            if refused:
                execute_values(
                    cursor,
                    "UPDATE campaigns_message SET state = 'skipped', reason = v.reason, "
                    "next_try_at = NULL FROM (VALUES %s) AS v(id, reason) "
                    "WHERE campaigns_message.id = v.id",
                    list(refused.items()),
                )
            wanted = [message for message, _customer, _address in rows if message not in refused]
            if not wanted:
                continue
            cursor.execute(
                """
                UPDATE campaigns_message
                SET state = 'sending', owner = %s, attempt = attempt + 1, fence = fence + 1,
                    lease_until = clock_timestamp() + %s * interval '1 second', next_try_at = NULL
                WHERE id = ANY(%s)
                RETURNING id, customer_id, address, message_id, fence, attempt""",
                [owner, LEASE_SECONDS, wanted],
            )
            return sorted(Claimed(*row) for row in cursor.fetchall())


def renew(messages: Collection[Claimed]) -> set[int]:
    """Lengthen the leases that are still ours; the ids of those messages."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_message m
            SET lease_until = clock_timestamp() + %s * interval '1 second'
            FROM unnest(%s::bigint[], %s::bigint[]) AS mine(id, fence)
            WHERE m.id = mine.id AND m.fence = mine.fence AND m.state = 'sending'
            RETURNING m.id""",
            [LEASE_SECONDS, [m.id for m in messages], [m.fence for m in messages]],
        )
        return {row[0] for row in cursor.fetchall()}


def give_back(messages: Collection[Claimed], *, wait_seconds: float = 0) -> None:
    """Return claimed messages untried: queued again, or skipped when the run was cancelled."""
    if not messages:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _GIVE_BACK,
            [wait_seconds, wait_seconds, [m.id for m in messages], [m.fence for m in messages]],
        )


def mark(outcomes: Sequence[Outcome]) -> dict[int, str]:
    """Write outcomes durably, in one statement. Message id -> its run's state, where still ours."""
    if len(outcomes) == 1:  # the usual case, once a mail: planned once, and on the bare driver
        return _mark_one(outcomes[0])
    with connection.cursor() as cursor:
        return dict(
            execute_values(
                cursor,
                """
                UPDATE campaigns_message m
                SET state = v.state, reason = v.reason, error = v.error, subject = v.subject,
                    owner = '', lease_until = NULL,
                    sent_at = CASE WHEN v.state = 'sent' THEN clock_timestamp() END,
                    next_try_at = CASE WHEN v.state = 'queued'
                        THEN clock_timestamp() + v.wait * interval '1 second' END
                FROM (VALUES %s) AS v(id, fence, state, reason, error, subject, wait)
                WHERE m.id = v.id AND m.fence = v.fence AND m.state = 'sending'
                RETURNING m.id, (SELECT r.state FROM campaigns_run r WHERE r.id = m.run_id)""",
                outcomes,
                fetch=True,
            )
        )


def _mark_one(outcome: Outcome) -> dict[int, str]:
    connection.ensure_connection()
    session: Any = connection.connection
    with connection.wrap_database_errors, session.cursor() as bare:
        if session not in _ready:
            bare.execute("DEALLOCATE ALL")
            bare.execute(_MARK_ONE)
            _ready.add(session)
        bare.execute(
            "EXECUTE mark_one (%s, %s, %s, %s, %s, %s, %s)",
            [
                outcome.state,
                outcome.reason,
                outcome.error,
                outcome.subject,
                outcome.wait_seconds,
                outcome.id,
                outcome.fence,
            ],
        )
        return dict(bare.fetchall())


def sweep() -> set[int]:
    """Free messages whose sender died; end those tried for three days. Ids of the running runs.

    A message of a cancelled run whose sender died may or may not have gone out: it ends as unknown.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_message m
            SET state = CASE WHEN r.state = 'cancelled' THEN 'unknown' ELSE 'queued' END,
                reason = CASE WHEN r.state = 'cancelled' THEN 'line_broke' ELSE '' END,
                owner = '', lease_until = NULL, fence = m.fence + 1
            FROM campaigns_run r, (
                SELECT id FROM campaigns_message
                WHERE state = 'sending' AND lease_until < clock_timestamp()
                FOR UPDATE SKIP LOCKED) AS dead
            WHERE m.id = dead.id AND r.id = m.run_id"""
        )
        cursor.execute(
            """
            UPDATE campaigns_message SET state = 'failed', reason = 'gave_up', next_try_at = NULL
            WHERE state = 'queued' AND next_try_at IS NOT NULL
              AND queued_at < now() - %s * interval '1 hour'""",
            [GIVE_UP_HOURS],
        )
        # A sender that gives back or retries in the moment of a cancel leaves such rows.
        cursor.execute(
            """
            UPDATE campaigns_message m
            SET state = 'skipped', reason = 'cancelled', next_try_at = NULL
            FROM campaigns_run r
            WHERE r.id = m.run_id AND r.state = 'cancelled' AND m.state = 'queued'"""
        )
    return set(Run.objects.filter(state=Run.State.RUNNING).values_list("id", flat=True))
