"""When a sending had better stop: its provider is down, its messages fail, people complain."""

from collections import deque

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.models import Message, Run

WINDOW, WINDOW_LEAST, WORST_SHARE = 200, 50, 0.5
DOWN_MINUTES, DOWN_LEAST = 5, 5
COMPLAINTS_LEAST, COMPLAINTS_WORST = 5, 0.003
BOUNCES_LEAST, BOUNCES_WORST = 20, 0.05
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
    UPDATE campaigns_run SET snapshot = snapshot || jsonb_build_object('stopped',
        coalesce(snapshot -> 'stopped', '{}') || jsonb_build_object(
            %s::text, jsonb_build_array(%s::int, %s::int))) WHERE id = %s"""


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


def came_back(run: Run) -> str:
    """Why what came back of a run should stop it, in words; empty while it should not."""
    if people := complained(run):
        return _(
            "%(n)d people called this mail spam, more than 3 in 1,000, so sending was paused. "
            "Look at who gets it and what it says; after a resume only new complaints count."
        ) % {"n": people}
    if mailboxes := bounced(run):
        return _(
            "%(n)d mailboxes do not exist, more than 1 in 20, so sending was paused. Look at where "
            "these addresses came from; after a resume only new ones count."
        ) % {"n": mailboxes}
    return ""


def complained(run: Run) -> int:
    """How many people complained, if that is too many of those written to; else 0."""
    told = Q(complained_at__isnull=False)
    return _too_many(run, "complaints", told, COMPLAINTS_LEAST, COMPLAINTS_WORST)


def bounced(run: Run) -> int:
    """How many mailboxes do not exist, if that is too many of those written to; else 0."""
    return _too_many(run, "bounces", Q(bounce="mailbox"), BOUNCES_LEAST, BOUNCES_WORST)


def _too_many(run: Run, what: str, told: Q, least: int, worst: float) -> int:
    """After a pause for this reason only what was sent since counts."""
    messages = Message.objects.filter(run=run)
    all_of_them = messages.filter(told).count()
    before, sent_before = (
        Run.objects.values_list("snapshot__stopped", flat=True).get(pk=run.pk) or {}
    ).get(what, (0, 0))
    new = all_of_them - before
    if new < least:
        return 0
    sent = messages.filter(state=Message.State.SENT).count()
    if new <= worst * (sent - sent_before):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, [what, all_of_them, sent, run.pk])
    return new
