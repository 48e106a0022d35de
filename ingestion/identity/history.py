"""What was stored before somebody said who they are: it joins them as soon as they do."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection

from ingestion.identity import names
from ingestion.identity.names import ANONYMOUS, DEVICE, Node

LATELY = timedelta(minutes=30)
_GIVE = (
    "UPDATE ingestion_event e SET customer_id = n.customer_id, identity_id = n.identity_id"
    " FROM unnest(%s::text[], %s::bigint[], %s::bigint[])"
    " AS n (anonymous_id, customer_id, identity_id)"
    " WHERE e.anonymous_id = n.anonymous_id AND e.customer_id IS NULL"
)


def join(nodes: Iterable[Node]) -> int:
    """Give events under these names that are nobody's yet to the people they stand for."""
    rows = [node for node in nodes if node.customer is not None and not node.refused]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            _GIVE,
            [[n.value for n in rows], [n.customer for n in rows], [n.id for n in rows]],
        )
        return int(cursor.rowcount)


def adopt(pairs: Iterable[tuple[str, int | None]]) -> int:
    """Give events of these visitors (anonymous id, customer id) that are nobody's yet to them.

    How many events were adopted. Names that belong to somebody else are passed over: whoever
    claimed them first has their history.
    """
    wanted = {(anonymous, customer) for anonymous, customer in pairs if anonymous and customer}
    if not wanted:
        return 0
    known = names.known((ANONYMOUS, anonymous) for anonymous, _customer in wanted)
    return join(known.values())


def adopt_lately(*, now: datetime) -> int:
    """The same for everybody who said who they are within the last half hour.

    An event may be stored in the same moment as its visitor becomes known, each unseen by the
    other; this catches it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_event e SET customer_id = i.customer_id, identity_id = i.id"
            " FROM ingestion_identity i WHERE i.joined_at > %s AND i.kind = ANY(%s)"
            " AND i.customer_id IS NOT NULL AND NOT i.refused"
            " AND e.anonymous_id = i.value AND e.anonymous_id <> '' AND e.customer_id IS NULL",
            [now - LATELY, [DEVICE, ANONYMOUS]],
        )
        return int(cursor.rowcount)
