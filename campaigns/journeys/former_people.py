"""Stays of people who were found to be somebody else."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

# Where both are inside, the stay of the one who is no more ends; else it goes on as the other's.
_END = """
WITH gone AS (
    UPDATE campaigns_enrollment e
    SET ended_at = %(now)s, outcome = 'merged', wake_at = NULL, steps = e.steps + 1
    FROM ingestion_customer c
    WHERE c.id = e.customer_id AND c.merged_into_id IS NOT NULL AND e.ended_at IS NULL
      AND e.customer_id = ANY(%(ids)s) AND EXISTS (
        SELECT FROM campaigns_enrollment o
        JOIN ingestion_customer oc ON oc.id = o.customer_id
        WHERE o.journey_id = e.journey_id AND o.slot = e.slot AND o.ended_at IS NULL
          AND coalesce(oc.merged_into_id, oc.id) = c.merged_into_id AND o.id <> e.id
          AND (o.customer_id = c.merged_into_id OR o.id < e.id))
    RETURNING e.id, e.steps - 1 AS n, e.version_id, e.node)
INSERT INTO campaigns_journeystep (enrollment_id, n, version_id, node, branch, what, at)
SELECT id, n, version_id, node, '', 'merged', %(now)s FROM gone
"""
_FOLLOW = """
UPDATE campaigns_enrollment e SET customer_id = c.merged_into_id
FROM ingestion_customer c
WHERE c.id = e.customer_id AND c.merged_into_id IS NOT NULL AND e.ended_at IS NULL
  AND e.customer_id = ANY(%(ids)s)
"""


def follow(*, customer_ids: Sequence[int], now: datetime) -> int:
    """Let open stays of merged people go on as whoever they are today; how many moved.

    What has ended stays with the row it was: a merge that is undone finds its history there.
    """
    if not customer_ids:
        return 0
    values: dict[str, Any] = {"ids": list(customer_ids), "now": now}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_END, values)
        cursor.execute(_FOLLOW, values)
        return int(cursor.rowcount)
