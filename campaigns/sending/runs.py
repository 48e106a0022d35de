"""A campaign's life: start, pause, resume, cancel, finish. Every move locks the campaign's row.

Starting only writes two rows, so a button answers at once; the audience becomes Message rows in a
worker (`filling`), in one statement and one transaction, and from then on those rows are the truth.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campaigns import locks, uses
from campaigns.manners import timing
from campaigns.messaging import contents
from campaigns.models import Campaign, Message, Run, Trial
from campaigns.recipients import audience
from campaigns.review import approval, fairness
from campaigns.sending import filling, late
from campaigns.sending.filling import fill as fill
from campaigns.sending.progress import progress as progress
from campaigns.sending.readiness import check as check
from campaigns.sending.readiness import compiled as compiled
from campaigns.sending.readiness import mails as mails
from campaigns.sending.readiness import sender as sender
from campaigns.sending.readiness import utm as utm
from marketing.core import audit, bus
from marketing.core.errors import Conflict, Invalid, Unavailable
from marketing.core.models import ApiKey, User

State = Campaign.State
# Every legal move, and nothing else.
MOVES: dict[str, frozenset[str]] = {
    State.DRAFT: frozenset({State.SCHEDULED, State.RUNNING, State.CANCELLED}),
    State.SCHEDULED: frozenset({State.DRAFT, State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.PAUSED, State.FINISHED, State.CANCELLED}),
    State.PAUSED: frozenset({State.RUNNING, State.CANCELLED}),
    State.FINISHED: frozenset(),
    State.CANCELLED: frozenset(),
}
HELD = "held"
Actor = User | ApiKey | None


def _move(campaign: Campaign, to: str, now: datetime) -> None:
    if to not in MOVES[campaign.state]:
        raise Conflict(
            _("This campaign is %(now)s, so it cannot become %(then)s. Nothing was changed.")
            % {"now": campaign.get_state_display().lower(), "then": State(to).label.lower()},
            code="illegal_move",
            field="state",
        )
    campaign.state, campaign.updated_at = to, now
    campaign.save(update_fields=["state", "updated_at", "scheduled_at", "held_because"])


def start(*, campaign_id: int, user: Actor, now: datetime) -> Run:
    """Begin sending: keep the mail and the rule as they are now, and nudge a worker."""
    looked_at = _fair(campaign_id)
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        if State.RUNNING not in MOVES[campaign.state] or campaign.state == State.PAUSED:
            raise Conflict(
                _("This campaign is already %(state)s. Nothing was changed.")
                % {"state": campaign.get_state_display().lower()},
                code="already_started",
                remedy=_("Make a copy to send it again."),
            )
        segment, template = check(campaign)
        approval.refuse_unapproved(campaign)
        uses.refuse_held(campaign)
        if fairness.digest_of(campaign=campaign) != looked_at:
            raise Conflict(
                _("The audience or its model was changed this moment. Nothing was sent."),
                code="changed_meanwhile",
                remedy=_("Look at the campaign again, then send it."),
            )
        draw, words = audience.draw_of(campaign), utm(campaign, template)
        trial = Trial.objects.filter(campaign=campaign).first()
        run = Run.objects.create(
            campaign=campaign,
            started_at=now,
            snapshot={
                "filled": False,
                "salt": secrets.token_hex(16),
                "rule": segment.rule,
                "segment": segment.name,
                "exclude": campaign.exclude.rule if campaign.exclude else None,
                "holdout_percent": campaign.holdout_percent,
                "channel": template.kind,
                "goal": campaign.goal,
                **timing.kept(campaign),
                "draw": draw.as_json(),
                **_hours_tried(campaign),
                "hours": trial.hours if trial else 0,
                "contents": {
                    key: contents.freeze(
                        template=mail,
                        sender=sender(campaign),
                        channel=mail.kind,
                        utm=words[key],
                    )
                    for key, mail in mails(campaign, template)
                },
            },
        )
        campaign.held_because = ""
        _move(campaign, State.RUNNING, now)
        audit.record(actor=user, action="campaign.started", obj=campaign, detail={"run": run.pk})
        bus.announce("run.started", run_id=run.pk)
    return run


def _hours_tried(campaign: Campaign) -> dict[str, Any]:
    """At which hours of people's clocks variants go out, where any has one."""
    rows = list(campaign.variants.all())
    hours = {row.key: row.hour for row in rows if row.hour is not None}
    return {"at_hours": hours} if hours and len(rows) > 1 else {}


def _fair(campaign_id: int) -> str:
    """What was looked at for fairness, before the campaign is locked: people may be many."""
    campaign = Campaign.objects.select_related("segment").filter(pk=campaign_id).first()
    if campaign is None or campaign.state not in (State.DRAFT, State.SCHEDULED):
        return ""
    return fairness.refuse_unequal(campaign=campaign)


def pause(
    *, campaign_id: int, user: Actor, now: datetime, reason: str = "", held: bool = False
) -> Campaign:
    """Stop after the mails that are on their way this moment.

    `held` says that a problem with the data did it, so that its end may undo it.
    """
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        _move(campaign, State.PAUSED, now)
        for run in campaign.runs.select_for_update().filter(state=Run.State.RUNNING):
            run.state, run.error = Run.State.PAUSED, reason[:1000]
            run.snapshot[HELD] = held
            late.note_pause(run, now)
            run.save(update_fields=["state", "error", "snapshot"])
        audit.record(
            actor=user, action="campaign.paused", obj=campaign, detail={"reason": reason[:300]}
        )
    return campaign


def halt(*, run_id: int, now: datetime, reason: str) -> None:
    """Stop a run because of what its own sending showed; the reason is shown where it is seen."""
    campaign_id = Run.objects.values_list("campaign_id", flat=True).get(pk=run_id)
    if campaign_id is not None:
        pause(campaign_id=campaign_id, user=None, now=now, reason=reason)
        return
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.state != Run.State.RUNNING:
            return
        run.state, run.error = Run.State.PAUSED, reason[:1000]
        run.save(update_fields=["state", "error"])
        audit.record(actor=None, action="run.paused", obj=run, detail={"reason": reason[:300]})


def resume(*, campaign_id: int, user: Actor, now: datetime, too_late: str = "") -> Campaign:
    """Go on with whoever has not got the mail yet.

    `too_late` says what becomes of those whose mail lost its use during the pause (late.CHOICES);
    without a word about them it is refused where there are some.
    """
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        if campaign.state != State.PAUSED:
            raise Conflict(
                _("Only a paused campaign can be resumed. Nothing was changed."), code="not_paused"
            )
        uses.refuse_held(campaign)
        _move(campaign, State.RUNNING, now)
        run = campaign.runs.select_for_update().filter(state=Run.State.PAUSED).get()
        run.state, run.error = Run.State.RUNNING, ""
        lost = late.settle(run=run, choice=too_late, now=now)
        run.save(update_fields=["state", "error", "snapshot"])
        # The days of the pause are none of the days for which a message is tried.
        run.messages.filter(state=Message.State.QUEUED, first_try_at__isnull=False).update(
            first_try_at=None
        )
        audit.record(
            actor=user,
            action="campaign.resumed",
            obj=campaign,
            detail={"too_late": lost, "choice": too_late} if lost else {},
        )
        bus.announce("run.started", run_id=run.pk)
    return campaign


def cancel(*, campaign_id: int, user: Actor, now: datetime) -> Campaign:
    """End it: whoever waits is skipped with that reason; what was sent stays sent."""
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        _move(campaign, State.CANCELLED, now)
        open_runs = campaign.runs.filter(state__in=[Run.State.RUNNING, Run.State.PAUSED])
        for run in open_runs.select_for_update():
            run.state, run.finished_at = Run.State.CANCELLED, now
            run.save(update_fields=["state", "finished_at"])
            filling.skip_waiting(run)
        audit.record(actor=user, action="campaign.cancelled", obj=campaign)
    return campaign


def schedule(*, campaign_id: int, at: datetime | None, user: Actor, now: datetime) -> Campaign:
    """Send later, at `at`; None takes the campaign back to a draft."""
    if at is not None:
        _fair(campaign_id)
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        if at is not None:
            if at <= now:
                raise Invalid(
                    _("Choose a time that has not passed yet."), code="past", field="scheduled_at"
                )
            check(campaign)
            approval.refuse_unapproved(campaign)
        campaign.scheduled_at, campaign.held_because = at, ""
        if campaign.state != State.SCHEDULED or at is None:
            _move(campaign, State.DRAFT if at is None else State.SCHEDULED, now)
        else:
            campaign.save(update_fields=["scheduled_at", "held_because"])
        audit.record(actor=user, action="campaign.scheduled", obj=campaign)
    return campaign


def start_due(*, now: datetime) -> list[int]:
    """Start every scheduled campaign whose time has come; the ids of their runs.

    One that cannot be sent any more, or whose time passed hours ago while nothing ran, goes back to
    draft with the reason: a person decides whether it is still meant to go out.
    """
    started = []
    due = Campaign.objects.filter(state=State.SCHEDULED, scheduled_at__lte=now)
    late = now - timedelta(hours=settings.LATE_HOURS)
    for campaign_id, at in due.values_list("id", "scheduled_at"):
        if at is not None and at < late:
            _hold(
                campaign_id,
                _(
                    "It was due on %(then)s and could not be sent then. Hours have passed, so it "
                    "was not sent late: send it now, or choose another time."
                )
                % {"then": date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")},
                now,
            )
            continue
        try:
            started.append(start(campaign_id=campaign_id, user=None, now=now).pk)
        except (Conflict, Unavailable):  # another worker was first, or tries again
            continue
        except Invalid as refusal:
            _hold(campaign_id, str(refusal), now)
    return started


def _hold(campaign_id: int, reason: str, now: datetime) -> None:
    with transaction.atomic():
        campaign = locks.locked(campaign_id)
        if campaign.state != State.SCHEDULED or campaign.scheduled_at is None:
            return
        campaign.held_because = reason[:300]
        _move(campaign, State.DRAFT, now)
        audit.record(
            actor=None, action="campaign.not_started", obj=campaign, detail={"reason": reason}
        )


def finish(*, run_id: int, now: datetime) -> bool:
    """Call the run finished when every row is in an end state; False when some are not.

    The run of a journey goes on until the journey is closed.
    """
    with transaction.atomic():
        campaign_id = Run.objects.values_list("campaign_id", flat=True).get(pk=run_id)
        if campaign_id is None:
            return False
        campaign = locks.locked(campaign_id)
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.state != Run.State.RUNNING or not run.snapshot.get("filled"):
            return False
        if run.messages.filter(state__in=Message.OPEN).exists():
            return False
        run.state, run.finished_at, run.error = Run.State.FINISHED, now, ""
        run.save(update_fields=["state", "finished_at", "error"])
        _move(campaign, State.FINISHED, now)
        audit.record(actor=None, action="campaign.finished", obj=campaign, detail={"run": run.pk})
    return True


def unfinished() -> QuerySet[Run]:
    """Runs that a worker should look at."""
    return Run.objects.filter(state=Run.State.RUNNING)
