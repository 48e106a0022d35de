"""The facts of a time gone by, as they were known then: views of a connection hide what came later.

In this session alone – and never in a table – the names of the tables of facts mean the same tables
up to a moment. A question asked meanwhile is answered as it would have been then. What is kept as
it is today alone (profiles, consent, predictions, running totals) is answered as of today.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

from django.db import connection
from psycopg2.extensions import AsIs

from campaigns.segments import asking
from campaigns.segments.nodes import Node

_SETTING = "perennial.then"
_SECOND = timedelta(seconds=1)
# An event that was told more than a day late was imported; its own time is all there is to go by.
TOLD_IN_TIME = "CASE WHEN received_at - at > interval '1 day' THEN at ELSE received_at END"
_VIEWS = {
    "ingestion_event": "received_at",
    "ingestion_order": "placed_at",
    "ingestion_orderline": "placed_at",
    "campaigns_message": "queued_at",
}


@contextmanager
def hidden(*, imported: bool = False) -> Iterator[None]:
    """Hide what came after the moment of `until`; the moment must be set before each question."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = cursor.fetchone()[0]
        for table, moment in _VIEWS.items():
            column = TOLD_IN_TIME if imported and table == "ingestion_event" else moment
            cursor.execute(
                f'CREATE TEMPORARY VIEW {table} AS SELECT * FROM "{schema}".{table} '
                f"WHERE {column} <= current_setting('{_SETTING}')::timestamptz"
            )
    try:
        yield
    finally:
        if not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                for table in _VIEWS:
                    cursor.execute(f"DROP VIEW IF EXISTS pg_temp.{table}")


def until(moment: datetime) -> None:
    """From now on nothing is known that came later."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [_SETTING, moment.isoformat()])


# So many are asked in one statement; for fewer than `FEW` none is made.
AT_ONCE, FEW = 2_000, 10
_Pairs = Sequence[tuple[int, datetime]]
# One statement for each person and moment, planned once: what is known moves on with the moments.
_LOOP = """
CREATE OR REPLACE FUNCTION pg_temp.then_holding(_people bigint[], _moments timestamptz[])
RETURNS SETOF boolean LANGUAGE plpgsql AS {tag}
#variable_conflict use_column
DECLARE _who bigint; _then timestamptz; _now timestamptz;
BEGIN
    FOR _k IN 1 .. cardinality(_people) LOOP
        _who := _people[_k];
        _now := _moments[_k];
        IF _then IS DISTINCT FROM _now THEN
            _then := _now;
            PERFORM set_config('{setting}', _then::text, false);
        END IF;
        RETURN NEXT EXISTS ({asked});
    END LOOP;
END {tag}
"""


def holding(
    node: Node, pairs: _Pairs, *, progress: Callable[[int], None] | None = None
) -> list[bool]:
    """Whether an expanded rule held of each person at each moment, while facts are hidden."""
    if len(pairs) < FEW or asking.needs(node).midnights:
        return _by_moment(node, pairs, progress)
    found: list[bool] = []
    with connection.cursor() as cursor:
        text, params = asking.of_one(
            node,
            person=AsIs("_who"),
            moment=lambda later: AsIs(f"(_then + interval '{later / _SECOND!r} seconds')"),
        )
        asked = cursor.mogrify(text, params).decode()
        tag = f"$f{secrets.token_hex(8)}$"
        cursor.execute(_LOOP.format(tag=tag, setting=_SETTING, asked=asked))
        for first in range(0, len(pairs), AT_ONCE):
            some = pairs[first : first + AT_ONCE]
            cursor.execute(
                "SELECT * FROM pg_temp.then_holding(%s::bigint[], %s::timestamptz[])",
                [asking.array(one[0] for one in some), [one[1] for one in some]],
            )
            found += [row[0] for row in cursor.fetchall()]
            if progress is not None:
                progress(len(some))
    return found


def _by_moment(node: Node, pairs: _Pairs, progress: Callable[[int], None] | None) -> list[bool]:
    """Rules that count days of a calendar are written anew for each moment."""
    held: set[tuple[int, datetime]] = set()
    for moment, some in groupby(sorted(pairs, key=itemgetter(1)), key=itemgetter(1)):
        people = [one[0] for one in some]
        text, params = asking.some(node, people=people, as_of=moment)
        until(moment)
        with connection.cursor() as cursor:
            cursor.execute(text, params)
            held.update((row[0], moment) for row in cursor.fetchall())
        if progress is not None:
            progress(len(people))
    return [pair in held for pair in pairs]
