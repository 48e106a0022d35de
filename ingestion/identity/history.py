"""What was stored before somebody said who they are: it joins them, and moves with their names."""

from collections.abc import Iterable

from django.db import connection


def adopt(pairs: Iterable[tuple[str, int | None]]) -> int:
    """Give events of these visitors (anonymous id, customer id) that are nobody's yet to them.

    How many events were adopted. Pairs without one of the two are passed over.
    """
    known = {anonymous: customer for anonymous, customer in pairs if anonymous and customer}
    if not known:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_event e SET customer_id = n.customer_id"
            " FROM unnest(%s::text[], %s::bigint[]) AS n (anonymous_id, customer_id)"
            " WHERE e.anonymous_id = n.anonymous_id AND e.customer_id IS NULL",
            [list(known), list(known.values())],
        )
        return int(cursor.rowcount)
