"""Messages that nobody holds any more: of dead senders, of cancelled runs, tried for too long."""

from django.db import connection, transaction

from campaigns.messaging.claims import LAST_DEATH

GIVE_UP_HOURS = 72
_FREE = f"""
    UPDATE campaigns_message m
    SET state = CASE WHEN m.handed_at IS NOT NULL OR r.state = 'cancelled' THEN 'unknown'
                     WHEN m.deaths + 1 >= {LAST_DEATH} THEN 'failed' ELSE 'queued' END,
        reason = CASE WHEN m.handed_at IS NOT NULL OR r.state = 'cancelled' THEN 'sender_died'
                      WHEN m.deaths + 1 >= {LAST_DEATH} THEN 'deadly' ELSE '' END,
        owner = '', lease_until = NULL, fence = m.fence + 1, deaths = m.deaths + 1
    FROM campaigns_run r, (
        SELECT id FROM campaigns_message
        WHERE state = 'sending' AND lease_until < clock_timestamp()
        FOR UPDATE SKIP LOCKED) AS dead
    WHERE m.id = dead.id AND r.id = m.run_id"""
# A paused run tries nothing, so its messages do not grow old.
_GIVE_UP = """
    UPDATE campaigns_message m SET state = 'failed', reason = 'gave_up', next_try_at = NULL
    FROM campaigns_run r
    WHERE m.state = 'queued' AND m.first_try_at < now() - %s * interval '1 hour'
      AND m.next_try_at IS NOT NULL AND r.id = m.run_id AND r.state = 'running'"""
# A sender that gives back or retries in the moment of a cancel leaves such rows.
_CANCELLED = """
    UPDATE campaigns_message SET state = 'skipped', reason = 'cancelled', next_try_at = NULL
    WHERE state = 'queued'
      AND run_id IN (SELECT id FROM campaigns_run WHERE state = 'cancelled')"""
# A campaign may have to be filled or finished; a journey's run has nothing to do but what is due.
_WAITING = """
    SELECT r.id FROM campaigns_run r WHERE r.state = 'running' AND (
        r.campaign_id IS NOT NULL
        OR EXISTS (SELECT FROM campaigns_message m WHERE m.run_id = r.id AND m.state = 'queued'
                   AND m.next_try_at IS NULL)
        OR EXISTS (SELECT FROM campaigns_message m WHERE m.run_id = r.id AND m.state = 'queued'
                   AND m.next_try_at <= now()))"""


def sweep() -> set[int]:
    """Free messages whose sender died; end those tried for three days. Ids of runs to look after.

    A message that was handed over, or is of a cancelled run, may or may not have gone out when its
    sender died: it ends as unknown.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FREE)
        cursor.execute(_GIVE_UP, [GIVE_UP_HOURS])
        cursor.execute(_CANCELLED)
        cursor.execute(_WAITING)
        return {row[0] for row in cursor.fetchall()}
