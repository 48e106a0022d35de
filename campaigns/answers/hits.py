"""Openings and clicks on their way in: a signed token, one row, and the answer.

Nothing is looked up while a reader waits. Requests that arrive together share one commit, and what
a hit means is found out by a worker, in batches.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection

from campaigns.messaging import addresses
from marketing.core.grouped import Grouped
from marketing.core.nudger import Nudger

AGENT_LIMIT = 200
_collector = Nudger("campaigns.tasks.collect_hits", queue="fast", pause=0.5)
heard = _collector.heard


class Taken(NamedTuple):
    """One hit as it is stored; `key` is the message's own id."""

    kind: str
    key: str
    at: datetime
    url: str
    agent: str


_INSERT = (
    "INSERT INTO campaigns_hit (kind, key, at, url, agent) SELECT * FROM"
    " unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[])"
)


def _write(hits: Sequence[Taken]) -> None:
    columns = [list(column) for column in zip(*hits, strict=True)]
    for again in (False, True):
        try:
            with connection.cursor() as cursor:
                cursor.execute(_INSERT, columns)
                return
        except (OperationalError, InterfaceError):
            # No request's end looks after this connection: one that went away is opened again.
            if again or connection.in_atomic_block:
                raise
            connection.close()


_together = Grouped(_write)


def _take(hit: Taken) -> None:
    if connection.in_atomic_block:
        _write([hit])
    else:
        _together.submit(hit)
    _collector.nudge()


def opened(*, token: str, agent: str, now: datetime) -> bool:
    """Note that a mail's picture was fetched. False for a token not made here."""
    key = addresses.signer().read(token, "open")
    if key is None:
        return False
    _take(Taken("open", key.hex, now, "", _plain(agent)))
    return True


def clicked(*, token: str, mac: str, url: str, agent: str, now: datetime) -> str | None:
    """Where a click leads, after noting it; None unless message and target are both ours."""
    target = addresses.signer().target(mac, url)
    key = addresses.signer().read(token, "click") if target is not None else None
    if target is None or key is None:
        return None
    _take(Taken("click", key.hex, now, target, _plain(agent)))
    return target


def _plain(agent: str) -> str:
    return agent.replace("\x00", "")[:AGENT_LIMIT]
