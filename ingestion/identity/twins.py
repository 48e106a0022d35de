"""Look for people who seem to be one: pairs that share something, scored, kept as suggestions.

Pairs are found in SQL by keys that two rows share; a key that more rows have than a household is
no evidence. What somebody decided about a pair is never asked again.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.identity import likeness
from ingestion.identity.likeness import POSTCODES, SUGGESTED, Row
from marketing.core import jobs

HOUSEHOLD = 30  # rows that may share a key before it says nothing
PART = 5_000  # pairs compared at a time
_KEYS = f"""
CREATE TEMP TABLE twin_keys AS
SELECT id, 'p' || right(regexp_replace(phone, '\\D', '', 'g'), 9) AS key FROM ingestion_customer
WHERE merged_into_id IS NULL AND length(phone) >= 7
UNION ALL
SELECT id, 'm' || replace(split_part(split_part(email, '@', 1), '+', 1), '.', '')
FROM ingestion_customer WHERE merged_into_id IS NULL AND email IS NOT NULL
  AND length(replace(split_part(split_part(email, '@', 1), '+', 1), '.', '')) >= 3
UNION ALL
SELECT id, 'n' || (SELECT string_agg(w, ' ' ORDER BY w)
                   FROM regexp_split_to_table(lower(first_name || ' ' || last_name), '\\s+') w)
       || coalesce(nullif(lower(coalesce({", ".join(f"attributes ->> '{k}'" for k in POSTCODES)})),
                          ''), country)
FROM ingestion_customer WHERE merged_into_id IS NULL AND first_name <> '' AND last_name <> ''
UNION ALL
SELECT id, 'l' || lower(last_name) || left(lower(first_name), 1)
       || coalesce({", ".join(f"attributes ->> '{k}'" for k in POSTCODES)})
FROM ingestion_customer WHERE merged_into_id IS NULL AND first_name <> '' AND last_name <> ''
  AND coalesce({", ".join(f"attributes ->> '{k}'" for k in POSTCODES)}) IS NOT NULL
UNION ALL
SELECT DISTINCT p.customer_id, 's' || l.weaker_id
FROM ingestion_identitylink l JOIN ingestion_identity w ON w.id = l.weaker_id
CROSS JOIN LATERAL (
    SELECT customer_id FROM ingestion_identity WHERE id IN (l.stronger_id, l.weaker_id)
) p
WHERE l.state = 'waiting' AND NOT w.refused AND p.customer_id IS NOT NULL
"""
_PAIRS = """
CREATE TEMP TABLE twin_pairs AS
WITH few AS (
    SELECT key FROM twin_keys GROUP BY key HAVING count(DISTINCT id) BETWEEN 2 AND %s
)
SELECT DISTINCT a.id AS one, b.id AS other
FROM twin_keys a JOIN few USING (key) JOIN twin_keys b USING (key)
WHERE a.id < b.id AND NOT EXISTS (
    SELECT FROM ingestion_twins t
    WHERE t.left_id = a.id AND t.right_id = b.id AND t.state = 'apart'
)
"""


def run(*, job: jobs.Running, now: datetime) -> dict[str, Any]:
    """Compare everybody who shares something with somebody; how many pairs are suggested."""
    job.step(
        1, gettext_lazy("Looking for people who share a name, a phone or a mailbox"), unit="pairs"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("DROP TABLE IF EXISTS twin_keys, twin_pairs")
        cursor.execute(_KEYS)
        cursor.execute("ANALYZE twin_keys")
        cursor.execute(_PAIRS, [HOUSEHOLD])
        cursor.execute("SELECT count(*) FROM twin_pairs")
        total = int(cursor.fetchone()[0])
    job.step(2, gettext_lazy("Weighing what speaks for each pair"), total=total, unit="pairs")
    found = done = 0
    for pairs in _parts():
        found += _keep(pairs, now)
        done += len(pairs)
        job.progress(done, total)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM ingestion_twins WHERE state = 'open' AND found_at < %s", [now])
        cursor.execute("DROP TABLE twin_keys, twin_pairs")
    job.log(
        lambda: (
            _("%(pairs)d pairs compared, %(found)d look like one person.")
            % {"pairs": total, "found": found}
        )
    )
    return {"compared": total, "suggested": found}


def _parts() -> Iterator[list[tuple[int, int]]]:
    last = (0, 0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT one, other FROM twin_pairs WHERE (one, other) > (%s, %s)"
                " ORDER BY one, other LIMIT %s",
                [*last, PART],
            )
            pairs = cursor.fetchall()
        if not pairs:
            return
        yield pairs
        last = pairs[-1]


def rows_of(ids: set[int]) -> dict[int, Row]:
    """What is compared of these people."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, coalesce(external_id, ''), coalesce(email, ''), phone, first_name,"
            " last_name, country, attributes::text FROM ingestion_customer WHERE id = ANY(%s)",
            [sorted(ids)],
        )
        return {row[0]: Row._make([*row[:-1], orjson.loads(row[-1])]) for row in cursor.fetchall()}


def shared_names(ids: set[int]) -> dict[tuple[int, int], list[tuple[str, str]]]:
    """Names that two of these people have claimed, by the pair of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT least(s.customer_id, w.customer_id),"
            " greatest(s.customer_id, w.customer_id), w.kind, w.value"
            " FROM ingestion_identitylink l JOIN ingestion_identity s ON s.id = l.stronger_id"
            " JOIN ingestion_identity w ON w.id = l.weaker_id"
            " WHERE l.state = 'waiting' AND NOT w.refused AND s.customer_id = ANY(%(ids)s)"
            " AND w.customer_id = ANY(%(ids)s) AND s.customer_id <> w.customer_id",
            {"ids": sorted(ids)},
        )
        shared: dict[tuple[int, int], list[tuple[str, str]]] = {}
        for one, other, kind, value in cursor.fetchall():
            shared.setdefault((one, other), []).append((kind, value))
    return shared


def _keep(pairs: list[tuple[int, int]], now: datetime) -> int:
    """Score these pairs and store those that are worth a look."""
    ids = {key for pair in pairs for key in pair}
    rows, shared = rows_of(ids), shared_names(ids)
    kept = []
    for one, other in pairs:
        points, evidence = likeness.compare(rows[one], rows[other], shared.get((one, other), []))
        if points >= SUGGESTED:
            kept.append(
                (one, other, points, orjson.dumps([list(piece) for piece in evidence]).decode())
            )
    if not kept:
        return 0
    columns = [list(column) for column in zip(*kept, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_twins (left_id, right_id, score, evidence, state, found_at,"
            " decided_by) SELECT l, r, score, evidence, 'open', %s, ''"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::jsonb[])"
            " AS n (l, r, score, evidence)"
            " ON CONFLICT (left_id, right_id) DO UPDATE SET score = excluded.score,"
            " evidence = excluded.evidence, found_at = excluded.found_at, state = 'open'"
            " WHERE ingestion_twins.state <> 'apart'",
            [now, *columns],
        )
    return len(kept)
