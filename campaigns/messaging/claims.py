"""Taking messages from the queue, renewing them, giving them back: the SQL of the lease.

Times are the database's own, so a wrong clock on a sender breaks nothing. A claim raises the
message's fence; whoever holds an older fence can neither renew nor mark it. A message that may
never go twice is noted as handed over before its provider is called; if its sender dies after
that, it ends as unknown, and one without the note goes back to the queue. One that was held by
several senders that died is taken alone, so that it harms nobody else's, and at last set aside.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg2.extras import execute_values

from campaigns import manners, ways
from campaigns.models import Run
from ingestion import consent
from ingestion.models import Customer
from marketing.core.db import patiently

LEASE_SECONDS = 15
# After so many dead senders in a row a message is taken alone, and after so many it is not tried
# again; a sender that lives to write an answer clears it.
SUSPECT_DEATHS, LAST_DEATH = 3, 6
# A suspect that waited so long for the others goes before them: some runs are never done.
SUSPECT_WAIT_MINUTES = 10
# Without a wait nobody said that it did not leave: one that was handed over then stays as it is
# until its lease ends, and is not known.
_GIVE_BACK = """
    UPDATE campaigns_message m
    SET state = CASE WHEN r.state = 'cancelled' THEN 'skipped' ELSE 'queued' END,
        reason = CASE WHEN r.state = 'cancelled' THEN 'cancelled' ELSE '' END,
        attempt = greatest(attempt - 1, 0), owner = '', lease_until = NULL, handed_at = NULL,
        next_try_at = CASE WHEN r.state = 'cancelled' OR %s = 0 THEN NULL
                           ELSE now() + %s * interval '1 second' END
    FROM campaigns_run r, unnest(%s::bigint[], %s::bigint[]) AS mine(id, fence)
    WHERE r.id = m.run_id AND m.id = mine.id AND m.fence = mine.fence AND m.state = 'sending'
        AND (m.handed_at IS NULL OR %s > 0)"""


class Claimed(NamedTuple):
    """A message that is ours until its lease ends."""

    id: int
    customer_id: int
    address: str
    key: str
    fence: int
    attempt: int
    channel: str = "email"
    step: str = ""
    variant: str = "a"
    entry: int = 0


class Due(NamedTuple):
    """A message that may be wanted no longer."""

    id: int
    customer_id: int
    channel: str
    address: str
    step: str = ""
    variant: str = "a"
    expired: bool = False


Purpose = Callable[[str, str], str]


def marketing(_step: str, _variant: str) -> str:
    """The purpose of what says no other."""
    return "marketing"


def unwanted(messages: Sequence[Due], purpose_of: Purpose = marketing) -> dict[int, str]:
    """Reasons, by message id, why these may not be sent as of now.

    Which consent counts is said in `ways`; where none does there is still to be somebody.
    """
    groups: dict[tuple[str, str], list[Due]] = defaultdict(list)
    for message in messages:
        groups[message.channel, purpose_of(message.step, message.variant)].append(message)
    refused = {}
    for (channel, purpose), asked in groups.items():
        people = {message.customer_id for message in asked}
        column = consent.ADDRESSES.get(channel)
        now_true: dict[int, tuple[str, str | None]]
        asked_for = ways.asks(channel)
        if asked_for == ways.AGREED:
            now_true = consent.judged(people, channel=channel, purpose=purpose)
        else:
            there = Customer.objects.filter(id__in=people)
            now_true = dict.fromkeys(there.values_list("id", flat=True), ("", None))
            if asked_for == ways.UNOPPOSED:
                barred = there.filter(consent.barred_everywhere())
                now_true |= dict.fromkeys(barred.values_list("id", flat=True), ("suppressed", None))
        for message in asked:
            reason, address = now_true.get(message.customer_id, ("gone", None))
            if not reason and message.expired:
                reason = manners.TOO_LATE
            if not reason and column and (address or "").lower() != message.address.lower():
                reason = "address_changed"
            if reason:
                refused[message.id] = reason
    return refused


# Two questions rather than one with an or: each walks its own end of the index of due messages,
# and neither looks at the rows that are due later, however many there are.
_DUE = """
    SELECT id, customer_id, channel, address, step, variant,
        coalesce(expires_at <= (SELECT clock_timestamp()), false)
    FROM campaigns_message WHERE run_id = %s AND state = 'queued' AND next_try_at {when}
      AND deaths {deaths}
    ORDER BY next_try_at, id LIMIT %s FOR UPDATE SKIP LOCKED"""
_IS_FRESH, _HAS_WAITED = "IS NULL", "<= (SELECT clock_timestamp())"
_FRESH, _WAITED = (
    _DUE.format(when=when, deaths=f"< {SUSPECT_DEATHS}") for when in (_IS_FRESH, _HAS_WAITED)
)
_SUSPECTS = tuple(
    _DUE.format(when=when, deaths=f">= {SUSPECT_DEATHS}") for when in (_IS_FRESH, _HAS_WAITED)
)
# Found by the index of first tries, which holds none of the many that were never tried.
_OVERDUE = f"""
    SELECT id, customer_id, channel, address, step, variant,
        coalesce(expires_at <= (SELECT clock_timestamp()), false)
    FROM campaigns_message WHERE run_id = %s AND state = 'queued' AND deaths >= {SUSPECT_DEATHS}
      AND first_try_at < now() - interval '{SUSPECT_WAIT_MINUTES} minutes'
      AND claimed_at < now() - interval '{SUSPECT_WAIT_MINUTES} minutes'
      AND (next_try_at IS NULL OR next_try_at <= now())
    ORDER BY first_try_at LIMIT %s FOR UPDATE SKIP LOCKED"""


def _due(cursor: Any, run_id: int, limit: int) -> list[Due]:
    rows = _suspect(cursor, run_id, [_OVERDUE])
    if not rows:
        cursor.execute(_FRESH, [run_id, limit])
        rows = cursor.fetchall()
        if len(rows) < limit:
            cursor.execute(_WAITED, [run_id, limit - len(rows)])
            rows += cursor.fetchall()
    return [Due(*row) for row in rows or _suspect(cursor, run_id, _SUSPECTS)]


def _suspect(cursor: Any, run_id: int, statements: Sequence[str]) -> list[Any]:
    """One that may be what kills its senders, by the first of these that finds any."""
    for statement in statements:
        cursor.execute(statement, [run_id, 1])
        if rows := cursor.fetchall():
            return list(rows)
    return []


def claim(*, run_id: int, owner: str, limit: int, purpose_of: Purpose = marketing) -> list[Claimed]:
    """Take up to `limit` due messages of a running run; those no longer wanted end as skipped.

    Consent, suppression, caps and quiet hours are read in the claim's own transaction, after the
    rows are locked. Returns nothing when the run is paused or nothing is due.
    """
    # Each round is a transaction of its own, so that nobody whose messages were counted in one is
    # held while the next waits for somebody else.
    while True:
        claimed = patiently(lambda: _claim(run_id, owner, limit, purpose_of))
        if claimed is not None:
            return claimed


def _claim(run_id: int, owner: str, limit: int, purpose_of: Purpose) -> list[Claimed] | None:
    """One round; None when there were messages and none of them may go now."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, clock_timestamp() FROM campaigns_run WHERE id = %s FOR SHARE", [run_id]
        )
        row = cursor.fetchone()
        if row is None or row[0] != Run.State.RUNNING:
            return []
        rows = _due(cursor, run_id, limit)
        if not rows:
            return []
        refused = unwanted(rows, purpose_of)
        verdicts = manners.judge(
            messages=[
                (m.id, m.customer_id, m.channel, m.address, purpose_of(m.step, m.variant))
                for m in rows
                if m.id not in refused
            ],
            now=row[1],
        )
        refused |= {k: v.reason for k, v in verdicts.items() if isinstance(v, manners.Refused)}
        if refused:
            execute_values(
                cursor,
                "UPDATE campaigns_message SET state = 'skipped', reason = v.reason, "
                "next_try_at = NULL FROM (VALUES %s) AS v(id, reason) "
                "WHERE campaigns_message.id = v.id",
                list(refused.items()),
            )
        later = [
            (k, v.until, v.reason) for k, v in verdicts.items() if isinstance(v, manners.Later)
        ]
        if later:
            execute_values(
                cursor,
                "UPDATE campaigns_message SET next_try_at = v.until, reason = v.reason "
                "FROM (VALUES %s) AS v(id, until, reason) WHERE campaigns_message.id = v.id",
                later,
            )
        wanted = [m.id for m in rows if m.id not in refused and m.id not in verdicts]
        if not wanted:
            return None
        cursor.execute(
            """
            UPDATE campaigns_message
            SET state = 'sending', reason = '', owner = %s, attempt = attempt + 1,
                fence = fence + 1, lease_until = clock_timestamp() + %s * interval '1 second',
                next_try_at = NULL, claimed_at = clock_timestamp(),
                first_try_at = coalesce(first_try_at, clock_timestamp())
            WHERE id = ANY(%s)
            RETURNING id, customer_id, address, message_id, fence, attempt, channel, step,
                variant, entry""",
            [owner, LEASE_SECONDS, wanted],
        )
        return sorted(Claimed(*row) for row in cursor.fetchall())


def due_in(*, run_id: int) -> float | None:
    """Seconds until the next message of a running run falls due; None when none waits for that."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT extract(epoch FROM min(next_try_at) - clock_timestamp())::float8
            FROM campaigns_message
            WHERE run_id = %s AND state = 'queued' AND next_try_at IS NOT NULL
              AND (SELECT r.state FROM campaigns_run r WHERE r.id = %s) = 'running'""",
            [run_id, run_id],
        )
        row = cursor.fetchone()
    return None if row is None else row[0]


def hand_over(message: Claimed) -> str | None:
    """Note durably that the message is about to leave: its run's state, None if it is not ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE campaigns_message m SET handed_at = clock_timestamp()
            FROM campaigns_run r
            WHERE m.id = %s AND m.fence = %s AND m.state = 'sending' AND r.id = m.run_id
              AND m.lease_until > clock_timestamp() AND r.state = 'running'
            RETURNING r.state""",
            [message.id, message.fence],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def renew(messages: Collection[Claimed]) -> set[int]:
    """Lengthen the leases that are still ours; the ids of those messages."""
    return patiently(lambda: _renew(messages))


def _renew(messages: Collection[Claimed]) -> set[int]:
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
    if messages:
        patiently(lambda: _give_back(messages, wait_seconds))


def _give_back(messages: Collection[Claimed], wait_seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _GIVE_BACK,
            [
                *(wait_seconds, wait_seconds),
                *([m.id for m in messages], [m.fence for m in messages]),
                wait_seconds,
            ],
        )
