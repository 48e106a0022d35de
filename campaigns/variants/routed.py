"""Rounds of a send by several channels: what people answered who could have got another.

People whom the same channels reach are one set, and every set is learned by itself: whoever has a
phone number is another kind of person than who has none. Whoever one channel alone reaches gets it
in their turn and teaches nothing, for nothing was chosen.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.experiments.winners import Arm
from campaigns.models import Run, Trial
from campaigns.recipients import audience, limits, routes
from campaigns.reporting import settled
from campaigns.variants import shares
from campaigns.variants.shares import KEPT, PARTED, SHARED, WON, Chooser, Held
from ingestion.models import Customer

# By which channels people can still be reached when it is their turn; never by more than at first,
# since of those who share an address the first has it.
_NARROW = """
    UPDATE campaigns_message AS m
    SET reach = CASE WHEN n.reach = '' THEN '{none}' ELSE n.reach END,
        state = CASE WHEN n.reach = '' THEN 'skipped' ELSE m.state END,
        reason = CASE WHEN n.reach = '' THEN n.alike ELSE '' END,
        error = CASE WHEN n.reach = '' THEN n.why ELSE '' END,
        next_try_at = CASE WHEN n.reach = '' THEN NULL ELSE m.next_try_at END
    FROM (SELECT m.id, {reach} AS reach, {why} AS why,
                 coalesce(nullif({alike}, ''), '{unreachable}') AS alike
          FROM campaigns_message AS m JOIN ({named}) AS named ON named.id = m.customer_id
          WHERE {waits}) AS n
    WHERE m.id = n.id AND m.reach <> n.reach"""
_RELEASE = """
    UPDATE campaigns_message AS m
    SET variant = plan.variant, channel = plan.channel, chance = plan.chance, next_try_at = NULL,
        address = {address}
    FROM ingestion_customer AS c, {plan}
    WHERE {waits} AND c.id = m.customer_id AND plan.reach = m.reach AND {between}"""
# Somebody may have got an address since that another of the send has.
_ONCE = """
    UPDATE campaigns_message SET state = 'skipped', reason = 'duplicate_address', next_try_at = NULL
    WHERE id IN (
        SELECT id FROM (
            SELECT id, state, first_try_at, row_number() OVER (
                PARTITION BY channel, lower(address) COLLATE "C"
                ORDER BY state = 'queued' AND first_try_at IS NULL, id) AS n
            FROM campaigns_message
            WHERE run_id = %s AND state <> 'skipped' AND address <> '') AS those
        WHERE n > 1 AND state = 'queued' AND first_try_at IS NULL)"""


def hold(
    *, run: Run, trial: Trial, draw: audience.Draw, number: int, due: bool, now: datetime,
    chooser: Chooser | None,
) -> Held | None:  # fmt: skip
    """Decide over the next part of those who wait; None while it is not time."""
    sure = routes.fixed(draw.routes, draw.variants)
    free = routes.choices(draw.routes)
    metric = routes.metric_of(draw.routes, trial.metric)
    found = settled.of_sets(run=run, metric=metric, before_round=number, now=now)
    arms = {
        reach: {key: found.get((reach, key), Arm(0, 0)) for key in sure[reach]} for reach in free
    }
    decided = {reach: shares.of(trial, sure[reach], arms[reach]) for reach in free}
    rest = limits.Turn(run, draw, number, last=True)
    there = {reach for reach, _variant, _n in rest.given()}
    reason = _reason([why for reach, (_shares, why) in decided.items() if reach in there])
    if not due and reason != WON:
        return None
    turn = rest if reason == WON else limits.Turn(run, draw, number)
    narrow(turn)
    most = limits.left(turn)
    wanted = {reach: decided[reach][0] if reach in decided else sure[reach] for reach in sure}
    theirs: dict[str, int] = {}
    if most:
        people = turn.people()
        wanted = limits.capped(wanted, people, most, sure)
        own = limits.parted(wanted, people, most)
        # Whoever has no choice keeps the part that they would have of what is left.
        theirs = {key: int(sum(own[reach].get(key, 0) for reach in free)) for key in most}
    sets = {reach: wanted[reach] for reach in free}
    said: dict[str, Any] = {}
    given: dict[str, int] = {}
    if chooser is not None:
        chosen = chooser(run=run, trial=trial, number=number, shares={}, sets=sets, most=theirs)
        said, reason = chosen.said, chosen.reason
        if chosen.people is not None:
            given = {key: round(chosen.people * share) for key, share in chosen.shares.items()}
            wanted = {reach: part for reach, part in wanted.items() if reach not in free}
    if most:
        still = {key: roof - given.get(key, 0) for key, roof in most.items()}
        limits.deal(turn, sets=wanted, most=still, otherwise=sure, key=f"{draw.key}:round{number}")
    else:
        _release(turn, wanted, sure)
    with connection.cursor() as cursor:
        cursor.execute(_ONCE, [run.pk])
    limits.keep_to(turn, trial.budget)
    rows = turn.given()
    return Held(
        _shared(draw, [row for row in rows if row[0] in free]),
        {
            reach: {
                "shares": sets[reach],
                "seen": {key: [arm.n, arm.converted] for key, arm in arms[reach].items()},
            }
            for reach in free
        },
        _summed(draw, arms),
        sum(n for _reach, _variant, n in rows),
        reason,
        said,
        limits.reached(most, limits.by_variant(rows)),
    )


def _reason(reasons: Sequence[str]) -> str:
    """Of all sets that somebody waits in."""
    if SHARED in reasons:
        return SHARED
    if WON not in reasons:
        return KEPT
    return WON if set(reasons) == {WON} else PARTED


def _shared(draw: audience.Draw, rows: Sequence[tuple[str, str, int]]) -> dict[str, float]:
    """What part of those who had a choice got each variant."""
    total = sum(n for _reach, _variant, n in rows) or 1
    return {
        key: sum(n for _reach, variant, n in rows if variant == key) / total
        for key, _weight in draw.variants
    }


def _summed(draw: audience.Draw, arms: Mapping[str, Mapping[str, Arm]]) -> dict[str, list[int]]:
    found = {key: [0, 0] for key, _weight in draw.variants}
    for by_variant in arms.values():
        for key, arm in by_variant.items():
            found[key][0] += arm.n
            found[key][1] += arm.converted
    return found


def narrow(turn: limits.Turn) -> int:
    """Take channels away that people cannot or may not be reached by any more; how many changed."""
    by = turn.draw.routes
    waits, asked = turn.sql()
    whose = (
        f"ingestion_customer.id IN (SELECT m.customer_id FROM campaigns_message m WHERE {waits})"
    )
    people = Customer.objects.extra(where=[whose], params=asked)
    named, params = routes.named_sql(people, by)
    sql = _NARROW.format(
        named=named, waits=waits, none=routes.NONE, unreachable=routes.UNREACHABLE,
        reach=routes.reach_sql(by, "named.n_", within="m.reach"),
        why=routes.why_sql(by, "named.n_"),
        alike=routes.reason_sql(by, "named.n_"),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, [*params, *asked])
        return int(cursor.rowcount)


def _release(turn: limits.Turn, wanted: routes.Sets, sure: routes.Sets) -> None:
    """Give people their variant and the channel of it, and let them go.

    Where the shares are those of the beginning, so is everybody's own hash.
    """
    key = turn.draw.key
    keys = {
        reach: f"{key}:variant" if given == sure[reach] else f"{key}:round{turn.number}"
        for reach, given in wanted.items()
    }
    plan, of_plan = routes.plan_sql(turn.draw.routes, wanted, keys)
    bucket = "substr(md5(plan.key || ':' || m.customer_id), 1, 8) COLLATE \"C\""
    waits, params = turn.sql()
    sql = _RELEASE.format(
        plan=plan, waits=waits, between=routes.between(bucket),
        address=routes.ADDRESS.format(channel="plan.channel"),
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, [*of_plan, *params])
