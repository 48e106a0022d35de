"""The audience of a run as rows: everybody it means, once, in one statement and one transaction."""

from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.manners import timing, tried
from campaigns.models import Message, Run, Trial
from campaigns.recipients import audience, limits, routes
from marketing.core.db import advisory_lock

_FILL_LIMIT = "900s"
_FILL = """
    INSERT INTO campaigns_message (run_id, customer_id, channel, address, state, reason,
        variant, attempt, fence, owner, message_id, subject, error, queued_at, next_try_at,
        expires_at{also})
    SELECT %s, customer_id, {channel}, address,
           CASE WHEN reason = '' THEN 'queued' ELSE 'skipped' END, reason,
           variant, 0, 0, '',
           CASE WHEN reason = '' THEN md5(%s || ':' || customer_id) END, '', {why}, %s,
           CASE WHEN reason <> '' THEN NULL
                WHEN slot > 0 THEN greatest(
                    due, %s + slot * %s * interval '1 hour' + {grace})
                ELSE due END,
           CASE WHEN reason = '' THEN expires END{values}
    FROM ({judged}) AS judged"""
_BY_ONE = {"also": "", "channel": "%s", "why": "''", "values": ""}
# Why not by each of several channels stands with whoever none of them reaches.
_BY_SEVERAL = {
    "also": ", reach, chance",
    "channel": "channel",
    "why": "CASE WHEN reach = '' THEN why ELSE '' END",
    "values": f""", coalesce(nullif(reach, ''), '{routes.NONE}'),
           CASE WHEN reason = '' THEN chance END""",
}
# Who waits for a round is sent without one this long after it, should nobody have held it.
_GRACE = "interval '1 hour'"
# Of those who share an address one is written to. Equal is all that matters here, so the order of
# the bytes will do, which is many times faster than that of a language.
_ONCE = """
    SELECT customer_id, address, variant, slot, due, expires,
           CASE WHEN reason = '' AND address <> '' AND row_number() OVER (
                    PARTITION BY reason, lower(address) COLLATE "C" ORDER BY customer_id) > 1
                THEN 'duplicate_address' ELSE reason END AS reason
    FROM ({judged}) AS judged"""


def fill(*, run_id: int, now: datetime) -> bool:
    """Make one Message row per member: queued, or skipped with its reason. True when they stand.

    A second call changes nothing; a call beside a running one returns False. The run's own row is
    locked only at the end, so pause and cancel answer at once while a large audience is written.
    """
    with advisory_lock(f"fill:{run_id}", wait=False) as mine, connection.cursor() as cursor:
        run = Run.objects.select_related("campaign").get(pk=run_id)
        if run.campaign is None or run.snapshot.get("filled"):
            return True
        if not mine or run.state != Run.State.RUNNING:
            return False
        cursor.execute("SET LOCAL statement_timeout = %s", [_FILL_LIMIT])
        channel = run.snapshot.get("channel", "email")
        draw = audience.Draw.of_json(run.snapshot["draw"])
        judged, params = audience.judged_sql(
            rule=run.snapshot["rule"],
            draw=draw,
            channel=channel,
            exclude=run.snapshot.get("exclude"),
        )
        judged, of_due = _timed(run, judged, now)
        params += of_due
        # Of several channels each is asked by itself who shares an address.
        rows = judged if draw.routes else _ONCE.format(judged=judged)
        form = _BY_SEVERAL if draw.routes else _BY_ONE
        cursor.execute(
            _FILL.format(judged=rows, grace=_GRACE, **form),
            [
                run.pk, *([] if draw.routes else [channel]), run.snapshot["salt"], now,
                run.started_at, run.snapshot["hours"], *params,
            ],
        )  # fmt: skip
        count = cursor.rowcount
        _keep_within(run, draw, now)
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.state == Run.State.CANCELLED:
            skip_waiting(run)
        run.audience = count
        run.snapshot["filled"] = True
        run.save(update_fields=["audience", "snapshot"])
    return True


def _keep_within(run: Run, draw: audience.Draw, now: datetime) -> None:
    """Hold the budget and the limits of variants over those who go first."""
    first = limits.Turn(run, draw)
    trial = Trial.objects.filter(campaign=run.campaign_id).only("budget").first()
    limits.keep_to(first, trial.budget if trial else None)
    if limits.begin(first):
        tried.wait_for_hours(first, now=now)


def _timed(run: Run, judged: str, now: datetime) -> tuple[str, list[Any]]:
    """The audience with when each person gets it, and from when on it is of no use.

    Who waits for a round gets the hour of their own variant a day after it, should nobody hold it.
    """
    meant = timing.moments(snapshot=run.snapshot, now=now)
    due, expires, join, params = meant.not_before, meant.expires, meant.join, meant.params
    if hours := run.snapshot.get("at_hours"):
        more, of_hours = tried.joined(
            hours=hours, person="judged.customer_id", variant="judged.variant", since=now
        )
        join, params = join + more, [*params, *of_hours]
        hour = "coalesce(hour_there.at, hour_home.at)"
        spacing = int(run.snapshot["hours"])
        wait = f"(slot * {spacing} + 24) * interval '1 hour'"
        due = f"coalesce({hour} + CASE WHEN slot > 0 THEN {wait} ELSE interval '0' END, {due})"
        if useful := run.snapshot.get("useful_hours"):
            expires = f"coalesce({due} + interval '{int(useful)} hours', {expires})"
    return (
        f"SELECT judged.*, {due} AS due, {expires} AS expires FROM ({judged}) AS judged {join}",
        params,
    )


def skip_waiting(run: Run) -> None:
    """Whoever has not got it never will."""
    run.messages.filter(state=Message.State.QUEUED).update(
        state=Message.State.SKIPPED, reason="cancelled", next_try_at=None
    )
