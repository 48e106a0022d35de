"""Messages of people who were merged, and of people who were parted again."""

from collections.abc import Sequence

from django.db import connection

# A run has one message per person, entry, step and channel, and where it has several channels to
# choose from, one per person, entry and step. Where both were written to, the second message stays
# with the row it was sent to, so that no count of the run changes.
_FOLLOW = """
UPDATE campaigns_message m
SET customer_id = t.today, first_customer_id = nullif(t.first, t.today)
FROM (
    SELECT DISTINCT ON (m.run_id, m.entry, m.step, {way}, coalesce(c.merged_into_id, c.id))
           m.id, m.run_id, m.entry, m.step, {way} AS way,
           coalesce(m.first_customer_id, m.customer_id) AS first,
           coalesce(c.merged_into_id, c.id) AS today
    FROM campaigns_message m
    JOIN ingestion_customer c ON c.id = coalesce(m.first_customer_id, m.customer_id)
    WHERE m.first_customer_id = ANY(%(ids)s)
       OR m.first_customer_id IS NULL AND m.customer_id = ANY(%(ids)s)
    ORDER BY m.run_id, m.entry, m.step, {way}, coalesce(c.merged_into_id, c.id), m.id
) t
WHERE m.id = t.id AND m.customer_id <> t.today AND NOT EXISTS (
    SELECT FROM campaigns_message o
    WHERE o.run_id = t.run_id AND o.customer_id = t.today AND o.entry = t.entry
      AND o.step = t.step AND {other} = t.way AND o.id <> m.id
)
""".format(
    way="CASE WHEN m.reach = '' THEN m.channel ELSE '' END",
    other="CASE WHEN o.reach = '' THEN o.channel ELSE '' END",
)


def follow(*, customer_ids: Sequence[int]) -> int:
    """Let messages of these rows stand with whoever the row is today; how many moved.

    Done again it changes nothing.
    """
    if not customer_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, {"ids": list(customer_ids)})
        return int(cursor.rowcount)
