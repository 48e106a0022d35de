"""What was stored before somebody said who they are: it joins them as soon as they do."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection

from ingestion.identity import names, profile
from ingestion.identity.names import ANONYMOUS, DEVICE, Node

LATELY = timedelta(minutes=30)
_GIVE = (
    "UPDATE ingestion_event e SET customer_id = n.customer_id, identity_id = n.identity_id"
    " FROM unnest(%s::text[], %s::bigint[], %s::bigint[])"
    " AS n (anonymous_id, customer_id, identity_id)"
    " WHERE e.anonymous_id = n.anonymous_id AND e.customer_id IS NULL"
)
_GIVE_LATELY = (
    "UPDATE ingestion_event e SET customer_id = i.customer_id, identity_id = i.id"
    " FROM ingestion_identity i WHERE i.joined_at > %s AND i.kind = ANY(%s)"
    " AND i.customer_id IS NOT NULL AND NOT i.refused"
    " AND e.anonymous_id = i.value AND e.anonymous_id <> '' AND e.customer_id IS NULL"
)
# How many were given, on every row, beside those of them in which a visitor said something of
# themselves: as the call "identify" keeps it.
_GIVEN = """
WITH given AS ({} RETURNING e.customer_id, e.identity_id, e.at, e.message_id, e.type, e.properties)
SELECT (SELECT count(*) FROM given), said.customer_id, said.at, said.message_id,
    said.properties::text, said.identity_id
FROM (SELECT) one LEFT JOIN given said ON said.type = 'identify'
"""


def join(nodes: Iterable[Node], *, now: datetime) -> int:
    """Give events under these names that are nobody's yet to the people they stand for."""
    rows = [node for node in nodes if node.customer is not None and not node.refused]
    if not rows:
        return 0
    return _give(
        _GIVE, [[n.value for n in rows], [n.customer for n in rows], [n.id for n in rows]], now
    )


def _give(statement: str, values: list[Any], now: datetime) -> int:
    """Give events, and what was said in them; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN.format(statement), values)
        found = cursor.fetchall()
    said = [
        profile.Change(customer, at, message_id, orjson.loads(told), identity)
        for _count, customer, at, message_id, told, identity in found
        if customer is not None
    ]
    if said:
        profile.apply(changes=said, now=now)
    return int(found[0][0])


def adopt(pairs: Iterable[tuple[str, int | None]], *, now: datetime) -> int:
    """Give events of these visitors (anonymous id, customer id) that are nobody's yet to them.

    How many events were adopted. Names that belong to somebody else are passed over: whoever
    claimed them first has their history.
    """
    wanted = {(anonymous, customer) for anonymous, customer in pairs if anonymous and customer}
    if not wanted:
        return 0
    known = names.known((ANONYMOUS, anonymous) for anonymous, _customer in wanted)
    return join(known.values(), now=now)


def adopt_lately(*, now: datetime) -> int:
    """The same for everybody who said who they are within the last half hour.

    An event may be stored in the same moment as its visitor becomes known, each unseen by the
    other; this catches it.
    """
    return _give(_GIVE_LATELY, [now - LATELY, [DEVICE, ANONYMOUS]], now)
