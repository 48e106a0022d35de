"""Rounds of a send: what variants were answered, and what becomes of the people who wait.

A part of the audience goes out at once by fixed shares. The rest waits: for the winner, or for
rounds whose shares follow the answers. Deciding is one statement over the rows that wait, with the
run's row locked, so that a variant is settled before any of them can be claimed.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from campaigns import audience
from campaigns.experiments import bandits, winners
from campaigns.experiments.winners import Arm
from campaigns.manners import tried
from campaigns.models import Message, Round, Run, Trial
from campaigns.reporting import costs, settled, tallies
from marketing.core import audit, bus

# Before so many people got each, chance alone makes winners.
LEAST_SENT = 100
WON, SHARED, KEPT, SUITED = "won", "shared", "kept", "suited"
FOLLOWING = (Trial.Mode.BANDIT, Trial.Mode.PERSON)
_SENT = """
    SELECT variant, count(*) FILTER (WHERE state = 'sent'), count({answer})
    FROM campaigns_message
    WHERE run_id = %s AND state <> 'skipped' AND {slot} < %s GROUP BY variant"""
# Whoever is beyond the budget is drawn by the hash of their message, so nobody is favoured.
_BEYOND = """
    UPDATE campaigns_message SET state = 'skipped', reason = 'budget', next_try_at = NULL
    WHERE id IN (
        SELECT id FROM campaigns_message
        WHERE run_id = %s AND state = 'queued' AND first_try_at IS NULL AND {slot} {which}
        ORDER BY md5('budget:' || id) OFFSET %s)"""
_RELEASE = """
    UPDATE campaigns_message SET variant = {variant}, next_try_at = NULL
    WHERE run_id = %s AND state = 'queued' AND first_try_at IS NULL AND {slot} {which}"""
# Released people wait for the hour of the variant that they were given.
_AT_HOURS = """
    UPDATE campaigns_message AS given
    SET next_try_at = due.at,
        expires_at = CASE WHEN given.expires_at IS NULL THEN NULL
                          ELSE due.at + %s::int * interval '1 hour' END
    FROM (SELECT m.id, coalesce(hour_there.at, hour_home.at) AS at
          FROM campaigns_message AS m {joined}
          WHERE m.run_id = %s AND m.state = 'queued' AND m.first_try_at IS NULL
            AND {slot} {which}) AS due
    WHERE given.id = due.id AND due.at IS NOT NULL"""


class Chosen(NamedTuple):
    """What a chooser did. `people` None: it had no reason to, and left everybody waiting."""

    people: int | None
    shares: dict[str, float]
    said: dict[str, Any]
    reason: str


class Chooser(Protocol):
    def __call__(
        self, *, run: Run, trial: Trial, number: int, shares: dict[str, float]
    ) -> Chosen: ...


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
        if number > draw.rounds or run.rounds.filter(reason__in=(WON, KEPT)).exists():
            return False
        due = now >= run.started_at + number * timedelta(hours=run.snapshot["hours"])
        if not due and trial.mode in FOLLOWING:
            return False
        arms = answers(run=run, metric=trial.metric, before_round=number, now=now)
        shares, reason = _shares(trial, draw, arms)
        if not due and reason != WON:
            return False
        _keep_to(run, trial, draw, number, last=reason == WON)
        said: dict[str, Any] = {}
        people = None
        if trial.mode == Trial.Mode.PERSON and chooser is not None:
            chosen = chooser(run=run, trial=trial, number=number, shares=shares)
            people, said, reason = chosen.people, chosen.said, chosen.reason
            shares = chosen.shares
        if people is None:
            people = _release(run, draw, number, shares, last=reason == WON)
        _at_hours(run, draw, number, now, last=reason == WON)
        Round.objects.create(
            run=run, number=number, shares=shares, people=people, reason=reason, at=now,
            seen={key: [arm.n, arm.converted] for key, arm in arms.items()}, policies=said,
        )  # fmt: skip
        audit.record(
            actor=None, action="campaign.round", obj=run.campaign,
            detail={"round": number, "shares": shares, "reason": reason},
        )  # fmt: skip
        bus.announce("run.started", run_id=run.pk)
    return True


def _shares(
    trial: Trial, draw: audience.Draw, arms: Mapping[str, Arm]
) -> tuple[dict[str, float], str]:
    """The shares of the next round, and why."""
    total = sum(weight for _key, weight in draw.variants)
    fixed = {key: weight / total for key, weight in draw.variants}
    tried = {key: arm for key, arm in arms.items() if fixed[key] > 0}
    if trial.mode in FOLLOWING:
        shares = bandits.thompson(tried, floor=trial.floor_percent / 100)
        return {key: shares.get(key, 0.0) for key in fixed}, SHARED
    if min((arm.n for arm in tried.values()), default=0) >= LEAST_SENT:
        chances = dict(zip(tried, winners.by_share(list(tried.values())), strict=True))
        best = max(chances, key=lambda key: chances[key])
        if chances[best] >= trial.win_percent / 100:
            return {key: float(key == best) for key in fixed}, WON
    return fixed, KEPT


def _keep_to(run: Run, trial: Trial, draw: audience.Draw, number: int, *, last: bool) -> None:
    """Skip whom the budget does not reach among those whose turn it is, by chance."""
    price = costs.totals(campaign_ids=[run.campaign_id]).prices.get(run.campaign_id or 0)
    if trial.budget is None or not price:
        return
    slot, of_slot = audience.slot_sql("customer_id", draw)
    gone = run.messages.exclude(state__in=[Message.State.QUEUED, Message.State.SKIPPED]).count()
    given = Q(first_try_at__isnull=False)
    if settled.hours_of(run.snapshot):  # who was released before may still wait for their hour
        given |= Q(pk__in=_in_slots(run, draw, "< %s", number))
    waits = run.messages.filter(given, state=Message.State.QUEUED).count()
    left = max(int(trial.budget / price) - gone - waits, 0)
    which = ">= %s" if last else "= %s"
    with connection.cursor() as cursor:
        cursor.execute(
            _BEYOND.format(slot=f"({slot})", which=which), [run.pk, *of_slot, number, left]
        )


def _release(
    run: Run, draw: audience.Draw, number: int, shares: Mapping[str, float], *, last: bool
) -> int:
    """Give the round's people their variants and let them go; whoever waits, when it is the last.

    People who keep their own shares keep the variant that their own hash gave them.
    """
    slot, of_slot = audience.slot_sql("customer_id", draw)
    total = sum(weight for _key, weight in draw.variants)
    fixed = {key: weight / total for key, weight in draw.variants}
    key = f"{draw.key}:variant" if shares == fixed else f"{draw.key}:round{number}"
    variant, of_variant = audience.variant_sql("customer_id", key=key, shares=list(shares.items()))
    sql = _RELEASE.format(variant=variant, slot=f"({slot})", which=">= %s" if last else "= %s")
    with connection.cursor() as cursor:
        cursor.execute(sql, [*of_variant, run.pk, *of_slot, number])
        return int(cursor.rowcount)


def _at_hours(run: Run, draw: audience.Draw, number: int, now: datetime, *, last: bool) -> None:
    """Let the round's people wait for the hour of their variant, where it has one."""
    hours = settled.hours_of(run.snapshot)
    if not hours:
        return
    slot, of_slot = audience.slot_sql("m.customer_id", draw)
    joined, of_hours = tried.joined(
        hours=hours, person="m.customer_id", variant="m.variant", since=now
    )
    sql = _AT_HOURS.format(joined=joined, slot=f"({slot})", which=">= %s" if last else "= %s")
    useful = run.snapshot.get("useful_hours")
    with connection.cursor() as cursor:
        cursor.execute(sql, [useful, *of_hours, run.pk, *of_slot, number])


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
        if {WON, KEPT} & set(reasons):
            return 0
        draw = audience.Draw.of_json(run.snapshot["draw"])
        found = found.filter(pk__in=_in_slots(run, draw, "> %s", len(reasons)))
    return found.count()
