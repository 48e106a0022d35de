"""What became of claimed messages, written durably by whoever still holds them."""

from collections.abc import Sequence
from typing import NamedTuple

from marketing.core.db import patiently
from marketing.core.prepared import Question

# It is asked for every few mails.
_MARK = Question(
    "mark",
    {
        "ids": "bigint[]", "fences": "bigint[]", "states": "text[]", "reasons": "text[]",
        "errors": "text[]", "subjects": "text[]", "waits": "float8[]", "refs": "text[]",
    },
    """
    UPDATE campaigns_message m
    SET state = v.state, reason = v.reason, error = v.error, subject = v.subject, owner = '',
        lease_until = NULL, provider_ref = v.ref,
        deaths = CASE WHEN v.state <> 'queued' THEN m.deaths ELSE 0 END,
        handed_at = CASE WHEN v.state <> 'queued' THEN m.handed_at END,
        sent_at = CASE WHEN v.state = 'sent' THEN clock_timestamp() END,
        next_try_at = CASE WHEN v.state = 'queued'
            THEN clock_timestamp() + v.wait * interval '1 second' END
    FROM unnest(%(ids)s, %(fences)s, %(states)s, %(reasons)s, %(errors)s, %(subjects)s,
            %(waits)s, %(refs)s)
        AS v(id, fence, state, reason, error, subject, wait, ref)
    WHERE m.id = v.id AND m.fence = v.fence AND m.state = 'sending'
    RETURNING m.id, (SELECT r.state FROM campaigns_run r WHERE r.id = m.run_id)""",
)  # fmt: skip


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
    columns = (list(column) for column in zip(*outcomes, strict=True))
    return dict(_MARK.rows(**dict(zip(_MARK.types, columns, strict=True))))
