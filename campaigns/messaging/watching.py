"""When a sending had better stop: its provider is down, its messages fail, people complain."""

from collections import deque

from django.db import connection

from campaigns.models import Message, Run

WINDOW, WINDOW_LEAST, WORST_SHARE = 200, 50, 0.5
DOWN_MINUTES, DOWN_LEAST = 5, 5
COMPLAINTS_LEAST, COMPLAINTS_WORST = 5, 0.003
# A window is judged when it is over and the next one begins; any good answer ends a bad verdict.
_NOTE = """
    INSERT INTO campaigns_pace AS p (key, since, good, bad)
    VALUES (%(key)s, clock_timestamp(), %(good)s, %(bad)s)
    ON CONFLICT (key) DO UPDATE SET
        since = CASE WHEN {over} THEN clock_timestamp()
                     ELSE coalesce(p.since, clock_timestamp()) END,
        good = CASE WHEN {over} THEN 0 ELSE p.good + excluded.good END,
        bad = CASE WHEN {over} THEN 0 ELSE p.bad + excluded.bad END,
        down = excluded.good = 0 AND CASE WHEN {over}
            THEN p.bad + excluded.bad >= %(least)s AND p.bad + excluded.bad > p.good
            ELSE p.down END
    RETURNING p.down"""
_OVER = "p.since < clock_timestamp() - %(minutes)s * interval '1 minute'"
_REMEMBER = """
    UPDATE campaigns_run SET snapshot = snapshot || jsonb_build_object('complaints', %s::int,
        'sent_before', %s::int) WHERE id = %s"""


def failing(window: deque[bool]) -> bool:
    """Whether too many of the last messages failed for good."""
    return len(window) >= WINDOW_LEAST and sum(window) / len(window) > WORST_SHARE


def note(*, lane: str, good: int, bad: int) -> bool:
    """Add answers of a channel; whether for minutes most of them have been bad.

    Good is every answer that says what became of a message, also that it is refused for good.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE.format(over=_OVER),
            {
                "key": lane,
                "good": good,
                "bad": bad,
                "least": DOWN_LEAST,
                "minutes": DOWN_MINUTES,
            },
        )
        return bool(cursor.fetchone()[0])


def complained(run: Run) -> int:
    """How many people complained, if that is too many of those written to; else 0.

    After a pause for this reason only what was sent since counts.
    """
    all_of_them = Message.objects.filter(run=run, complained_at__isnull=False).count()
    kept = Run.objects.values_list("snapshot__complaints", "snapshot__sent_before").get(pk=run.pk)
    new = all_of_them - (kept[0] or 0)
    if new < COMPLAINTS_LEAST:
        return 0
    sent = Message.objects.filter(run=run, state=Message.State.SENT).count()
    if new <= COMPLAINTS_WORST * (sent - (kept[1] or 0)):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [all_of_them, sent, run.pk])
    return new
