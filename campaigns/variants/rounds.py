"""Rounds of a send: what variants were answered, and what becomes of the people who wait.

A part of the audience goes out at once by fixed shares. The rest waits: for the winner, or for
rounds whose shares follow the answers. Deciding is one statement over the rows that wait, with the
run's row locked, so that a variant is settled before any of them can be claimed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns.experiments.winners import Arm
from campaigns.manners import tried
from campaigns.models import Message, Round, Run, Trial
from campaigns.recipients import audience, limits
from campaigns.reporting import settled, tallies
from campaigns.variants import routed, shares
from campaigns.variants.shares import FOLLOWING, KEPT, PARTED, WON, Chooser, Held
from marketing.core import audit, bus

# After these nobody waits for another round.
ENDS = frozenset({WON, PARTED, KEPT})
_SENT = """
    SELECT variant, count(*) FILTER (WHERE state = 'sent'), count({answer})
    FROM campaigns_message
    WHERE run_id = %s AND state <> 'skipped' AND {slot} < %s GROUP BY variant"""
_RELEASE = """
    UPDATE campaigns_message SET variant = {variant}, next_try_at = NULL
    WHERE run_id = %s AND state = 'queued' AND first_try_at IS NULL AND {slot} {which}"""


def answers(*, run: Run, metric: str, before_round: int, now: datetime) -> dict[str, Arm]:
    """How many got each variant in the rounds before this one, and how many answered."""
    found: dict[str, Arm]
    draw = audience.Draw.of_json(run.snapshot["draw"])
    if settled.hours_of(run.snapshot):
        found = settled.counts(run=run, metric=metric, before_round=before_round, now=now)
    elif metric == Trial.Metric.ORDERED:
        arms = tallies.of_run(run=run, until=max(now, run.started_at))
        found = {}
        for arm, tally in arms.items():
            if arm != tallies.HELD and (before_round > 1 or not arm.endswith(tallies.LATER)):
                name = arm.removesuffix(tallies.LATER)
                known = found.get(name, Arm(0, 0))
                found[name] = Arm(known.n + tally.sent, known.converted + tally.ordered)
    else:
        slot, of_slot = audience.slot_sql("customer_id", draw)
        answer = "opened_at" if metric == Trial.Metric.OPENED else "clicked_at"
        with connection.cursor() as cursor:
            cursor.execute(
                _SENT.format(answer=answer, slot=f"({slot})"), [run.pk, *of_slot, before_round]
            )
            found = {arm: Arm(sent, n) for arm, sent, n in cursor.fetchall()}
    return {
        key: Arm(max(arm.n, arm.converted), arm.converted)
        for key, _weight in draw.variants
        for arm in [found.get(key, Arm(0, 0))]
    }


def turn_all(*, now: datetime, chooser: Chooser | None = None) -> int:
    """Hold every round that is due; how many were held."""
    due = Run.objects.filter(state=Run.State.RUNNING, snapshot__draw__rounds__gt=0)
    return sum(
        turn(run_id=run_id, now=now, chooser=chooser) for run_id in due.values_list("id", flat=True)
    )


def turn(*, run_id: int, now: datetime, chooser: Chooser | None = None) -> bool:
    """Decide over the next part of those who wait, if it is time. True when a round was held.

    `chooser` chooses for each person by what is known of them; without it shares are everybody's.
    """
    with transaction.atomic():
        run = Run.objects.select_for_update(of=("self",)).select_related("campaign").get(pk=run_id)
        draw = audience.Draw.of_json(run.snapshot["draw"])
        number = run.rounds.count() + 1
        trial = Trial.objects.filter(campaign=run.campaign).first()
        if trial is None or run.state != Run.State.RUNNING or not run.snapshot.get("filled"):
            return False
        if number > draw.rounds or run.rounds.filter(reason__in=ENDS).exists():
            return False
        due = now >= run.started_at + number * timedelta(hours=run.snapshot["hours"])
        if not due and trial.mode in FOLLOWING:
            return False
        asked: dict[str, Any] = {"trial": trial, "draw": draw, "number": number, "now": now}
        held = (routed.hold if draw.routes else _hold)(
            run=run, due=due, chooser=chooser if trial.mode == Trial.Mode.PERSON else None, **asked
        )
        if held is None:
            return False
        tried.wait_for_hours(limits.Turn(run, draw, number, last=held.reason == WON), now=now)
        Round.objects.create(run=run, number=number, at=now, **held._asdict())
        audit.record(
            actor=None, action="campaign.round", obj=run.campaign,
            detail={"round": number, "shares": held.shares, "reason": held.reason},
        )  # fmt: skip
        bus.announce("run.started", run_id=run.pk)
    return True


def _hold(
    *, run: Run, trial: Trial, draw: audience.Draw, number: int, due: bool, now: datetime,
    chooser: Chooser | None,
) -> Held | None:  # fmt: skip
    arms = answers(run=run, metric=trial.metric, before_round=number, now=now)
    total = sum(weight for _key, weight in draw.variants)
    fixed = {key: weight / total for key, weight in draw.variants}
    given, reason = shares.of(trial, fixed, arms)
    if not due and reason != WON:
        return None
    turn = limits.Turn(run, draw, number, last=reason == WON)
    limits.keep_to(turn, trial.budget)
    most = limits.left(turn)
    if most:
        given = limits.capped({"": given}, turn.people(), most, {"": fixed})[""]
    said: dict[str, Any] = {}
    people = None
    if chooser is not None:
        chosen = chooser(run=run, trial=trial, number=number, shares=given, sets=None, most=most)
        people, given, said, reason = chosen
    if people is None and most:
        key = f"{draw.key}:round{number}"
        dealt = limits.deal(turn, sets={"": given}, most=most, otherwise={"": fixed}, key=key)
        people = sum(dealt.values())
        given = {key: dealt.get(key, 0) / (people or 1) for key in given}
    elif people is None:
        people = _release(run, draw, number, given, last=reason == WON)
    got = {key: round(people * share) for key, share in given.items()}
    seen = {key: [arm.n, arm.converted] for key, arm in arms.items()}
    return Held(given, {}, seen, people, reason, said, limits.reached(most, got))


def _release(
    run: Run, draw: audience.Draw, number: int, given: Mapping[str, float], *, last: bool
) -> int:
    """Give the round's people their variants and let them go; whoever waits, when it is the last.

    People who keep their own shares keep the variant that their own hash gave them.
    """
    slot, of_slot = audience.slot_sql("customer_id", draw)
    total = sum(weight for _key, weight in draw.variants)
    fixed = {key: weight / total for key, weight in draw.variants}
    key = f"{draw.key}:variant" if given == fixed else f"{draw.key}:round{number}"
    variant, of_variant = audience.variant_sql("customer_id", key=key, shares=list(given.items()))
    sql = _RELEASE.format(variant=variant, slot=f"({slot})", which=">= %s" if last else "= %s")
    with connection.cursor() as cursor:
        cursor.execute(sql, [*of_variant, run.pk, *of_slot, number])
        return int(cursor.rowcount)


def _in_slots(run: Run, draw: audience.Draw, which: str, number: int) -> QuerySet[Message, Any]:
    """Messages of people whose round is such, sent or not."""
    slot, of_slot = audience.slot_sql("campaigns_message.customer_id", draw)
    return run.messages.extra(where=[f"({slot}) {which}"], params=[*of_slot, number]).values("pk")


def waiting(*, run: Run) -> int:
    """How many wait for a round."""
    found = run.messages.filter(
        state=Message.State.QUEUED, first_try_at=None, next_try_at__isnull=False
    )
    if settled.hours_of(run.snapshot):  # of them some wait for an hour alone
        reasons = list(run.rounds.order_by("number").values_list("reason", flat=True))
        if ENDS & set(reasons):
            return 0
        draw = audience.Draw.of_json(run.snapshot["draw"])
        found = found.filter(pk__in=_in_slots(run, draw, "> %s", len(reasons)))
    return found.count()
