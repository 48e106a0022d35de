"""Campaigns for integrators: make, change, start, pause, resume, cancel, and watch each message."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import drafts
from campaigns.api import shapes
from campaigns.locks import known
from campaigns.models import Campaign, Message
from campaigns.recipients import routes
from campaigns.review import approval, fairness
from campaigns.sending import late, runs
from marketing.core.api import View
from marketing.core.auth import ApiKey, may
from marketing.core.errors import Forbidden, Invalid


def actor(request: Request) -> Any:
    """Who asks: a key, or the person who is signed in."""
    return request.auth if isinstance(request.auth, ApiKey) else request.user


def campaign_body(campaign: Campaign) -> dict[str, Any]:
    """How a campaign looks to an integrator."""
    return {
        "id": campaign.pk,
        "name": campaign.name,
        "state": campaign.state,
        "segment_id": campaign.segment_id,
        "exclude_id": campaign.exclude_id,
        "template_id": campaign.template_id,
        "holdout_percent": campaign.holdout_percent,
        "goal": campaign.goal,
        "utm": campaign.utm,
        "from_name": campaign.from_name,
        "from_email": campaign.from_email,
        "reply_to": campaign.reply_to,
        "scheduled_at": campaign.scheduled_at,
        "archived_at": campaign.archived_at,
        "timing": campaign.timing,
        "local_time": f"{campaign.local_time:%H:%M}",
        "if_passed": campaign.if_passed,
        "useful_hours": campaign.useful_hours,
        "urgent": campaign.urgent,
        "created_at": campaign.created_at,
        "updated_at": campaign.updated_at,
        "url": reverse("api:campaign-detail", args=[campaign.pk]),
    }


def approval_body(campaign: Campaign) -> dict[str, Any]:
    """How it stands with the second person."""
    found = approval.standing(campaign=campaign)
    last = found.latest
    return {
        "needed": found.needed,
        "state": found.word,
        "asked_by": last.asked_by.display_name if last and last.asked_by else None,
        "asked_at": last.asked_at if last else None,
        "decided_by": last.decided_by.display_name if last and last.decided_by else None,
        "decided_at": last.decided_at if last else None,
        "comment": last.comment if last else "",
    }


def _detail(campaign: Campaign) -> dict[str, Any]:
    body = campaign_body(campaign)
    run = campaign.runs.order_by("-id").first()
    body["run"] = None
    body["approval"] = approval_body(campaign)
    if run is not None:
        progress = runs.progress(run_id=run.pk)
        body["run"] = {
            "id": run.pk,
            "state": run.state,
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "error": run.error or None,
            "total": progress.total,
            "percent": progress.percent,
            "counts": {state: getattr(progress, state) for state in Message.State.values},
            "reasons": progress.reasons,
            "too_late": late.of(run=run, now=timezone.now()).people,
        }
    return body


def _values(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Invalid(_("Send one JSON object."), code="not_an_object")
    unknown = sorted(set(data) - set(drafts.FIELDS))
    if unknown:
        raise Invalid(
            _("There is no field called %(name)s.") % {"name": unknown[0]},
            code="unknown_field",
            field=unknown[0],
            remedy=_("Fields: %(names)s.") % {"names": ", ".join(drafts.FIELDS)},
        )
    return data


class CampaignList(View):
    scope_noun = "campaigns"

    @extend_schema(operation_id="campaigns_list", responses=shapes.CampaignShape(many=True))
    def get(self, request: Request) -> Response:
        """All campaigns, newest first."""
        return self.paginate(Campaign.objects.all(), campaign_body)

    @extend_schema(
        operation_id="campaigns_create",
        request=shapes.CampaignWrite,
        responses={201: shapes.CampaignShape},
    )
    def post(self, request: Request) -> Response:
        """Make a draft. Nothing is sent until it is started."""
        campaign = drafts.save(
            values=_values(request.data), user=actor(request), now=timezone.now()
        )
        body = _detail(campaign)
        return Response(body, status=201, headers={"Location": body["url"]})


class CampaignDetail(View):
    scope_noun = "campaigns"

    @extend_schema(operation_id="campaigns_get", responses=shapes.CampaignShape)
    def get(self, request: Request, campaign_id: int) -> Response:
        """One campaign with the counts of its run."""
        return Response(_detail(known(campaign_id)))

    @extend_schema(
        operation_id="campaigns_update",
        request=shapes.CampaignWrite,
        responses=shapes.CampaignShape,
    )
    def patch(self, request: Request, campaign_id: int) -> Response:
        """Change a draft."""
        campaign = drafts.save(
            campaign_id=campaign_id,
            values=_values(request.data),
            user=actor(request),
            now=timezone.now(),
        )
        return Response(_detail(campaign))


class _Move(View):
    """A change of state: 202 with the campaign, whose run tells how far it is."""

    scope_noun = "campaigns"
    move: Any = None

    def post(self, request: Request, campaign_id: int) -> Response:
        type(self).move(campaign_id=campaign_id, user=actor(request), now=timezone.now())
        body = _detail(known(campaign_id))
        return Response({"campaign": body}, status=202, headers={"Location": body["url"]})


@extend_schema_view(
    post=extend_schema(
        operation_id="campaigns_start", request=None, responses={202: shapes.CampaignAnswer}
    )
)
class CampaignStart(_Move):
    move = staticmethod(runs.start)


@extend_schema_view(
    post=extend_schema(
        operation_id="campaigns_pause", request=None, responses={202: shapes.CampaignAnswer}
    )
)
class CampaignPause(_Move):
    move = staticmethod(runs.pause)


@extend_schema_view(
    post=extend_schema(
        operation_id="campaigns_resume",
        request=shapes.ResumeWrite,
        responses={202: shapes.CampaignAnswer},
    )
)
class CampaignResume(View):
    scope_noun = "campaigns"

    def post(self, request: Request, campaign_id: int) -> Response:
        """Go on with whoever has not got it. 409 when it would come too late for some of them."""
        data = request.data if isinstance(request.data, dict) else {}
        choice = data.get("late", "")
        runs.resume(
            campaign_id=campaign_id,
            user=actor(request),
            now=timezone.now(),
            too_late=choice if isinstance(choice, str) else "?",
        )
        body = _detail(known(campaign_id))
        return Response({"campaign": body}, status=202, headers={"Location": body["url"]})


@extend_schema_view(
    post=extend_schema(
        operation_id="campaigns_cancel", request=None, responses={202: shapes.CampaignAnswer}
    )
)
class CampaignCancel(_Move):
    move = staticmethod(runs.cancel)


def _one(request: Request, name: str) -> Any:
    """The value of the one field that must be there."""
    if not isinstance(request.data, dict) or name not in request.data:
        raise Invalid(
            _("Send one object with %(name)s.") % {"name": name}, code="missing_field", field=name
        )
    return request.data[name]


def _flag(request: Request, name: str) -> bool:
    value = _one(request, name)
    if not isinstance(value, bool):
        raise Invalid(_("This is true or false."), code="bad_flag", field=name)
    return value


def _answer(campaign_id: int) -> Response:
    body = _detail(known(campaign_id))
    return Response({"campaign": body}, headers={"Location": body["url"]})


class CampaignSchedule(View):
    scope_noun = "campaigns"

    @extend_schema(
        operation_id="campaigns_schedule",
        request=shapes.ScheduleWrite,
        responses=shapes.CampaignAnswer,
    )
    def post(self, request: Request, campaign_id: int) -> Response:
        """Send it by itself at a moment, or take it back to a draft."""
        given = _one(request, "at")
        try:
            at = parse_datetime(given) if isinstance(given, str) else None
        except ValueError:  # written as a moment, but there is no such day
            at = None
        if given is not None and (at is None or at.tzinfo is None):
            raise Invalid(
                _("Give a moment with its zone, such as 2027-03-01T09:00:00+01:00."),
                code="bad_moment",
                field="at",
            )
        runs.schedule(campaign_id=campaign_id, at=at, user=actor(request), now=timezone.now())
        return _answer(campaign_id)


class CampaignArchive(View):
    scope_noun = "campaigns"

    @extend_schema(
        operation_id="campaigns_archive",
        request=shapes.ArchiveWrite,
        responses=shapes.CampaignAnswer,
    )
    def post(self, request: Request, campaign_id: int) -> Response:
        """Take a campaign that is over out of the list, or back into it."""
        back = not _flag(request, "archived")
        drafts.archive(campaign_id=campaign_id, back=back, user=actor(request), now=timezone.now())
        return _answer(campaign_id)


class CampaignApproval(View):
    scope_noun = "campaigns"

    @extend_schema(
        operation_id="campaigns_ask_approval", request=None, responses=shapes.CampaignAnswer
    )
    def post(self, request: Request, campaign_id: int) -> Response:
        """Ask for a second person's yes to the campaign as it is now."""
        approval.ask(campaign_id=campaign_id, actor=actor(request), now=timezone.now())
        return _answer(campaign_id)

    @extend_schema(
        operation_id="campaigns_decide_approval",
        request=shapes.ApprovalWrite,
        responses=shapes.CampaignAnswer,
    )
    def put(self, request: Request, campaign_id: int) -> Response:
        """Say yes or no. Never whoever asked; a key counts as the person who made it."""
        approval.decide(
            campaign_id=campaign_id,
            yes=_flag(request, "approved"),
            comment=_one(request, "comment") if "comment" in request.data else "",
            actor=actor(request),
            now=timezone.now(),
        )
        return _answer(campaign_id)


class CampaignWaive(View):
    scope_noun = "campaigns"

    @extend_schema(
        operation_id="campaigns_waive",
        request=shapes.WaiverWrite,
        responses={201: shapes.WaiverShape},
    )
    def post(self, request: Request, campaign_id: int) -> Response:
        """Answer with a reason for groups that a model chooses too seldom, so that it may start.

        Needs the right of an admin, or a key that an admin made. It holds for this audience and
        these versions of models only, and is kept in the audit log.
        """
        if not may(request.user, "fairness"):
            raise Forbidden(
                _("Only an admin, or a key that an admin made, can answer for that."),
                code="forbidden",
            )
        data = request.data if isinstance(request.data, dict) else {}
        made = fairness.waive(
            campaign_id=campaign_id,
            reason=data.get("reason", ""),
            actor=actor(request),
            now=timezone.now(),
        )
        names = ("id", "campaign_id", "reason", "groups", "digest", "given_at")
        return Response({name: getattr(made, name) for name in names}, status=201)


def message_body(message: Message) -> dict[str, Any]:
    """How a message looks to an integrator."""
    return {
        "id": message.pk,
        "customer_id": message.customer_id,
        "channel": message.channel,
        "variant": message.variant,
        "reach": message.reach.split() if message.reach not in ("", routes.NONE) else [],
        "chance": message.chance,
        "address": message.address,
        "state": message.state,
        "reason": message.reason or None,
        "by_channel": dict(routes.read_why(message.error)) if message.reach else {},
        "attempt": message.attempt,
        "subject": message.subject or None,
        "error": message.error or None,
        "queued_at": message.queued_at,
        "sent_at": message.sent_at,
        "opened_at": message.opened_at,
        "clicked_at": message.clicked_at,
    }


class MessageList(View):
    scope_noun = "campaigns"
    lists_people = True

    @extend_schema(
        operation_id="campaigns_messages",
        parameters=[OpenApiParameter("state", str, enum=Message.State.values)],
        responses=shapes.MessageShape(many=True),
    )
    def get(self, request: Request, campaign_id: int) -> Response:
        """Everybody the campaign meant and what became of each; `?state=` narrows it."""
        campaign = known(campaign_id)
        rows = Message.objects.filter(run=campaign.runs.order_by("-id").first())
        state = request.query_params.get("state")
        if state is not None:
            if state not in Message.State.values:
                raise Invalid(
                    _("There is no such state."),
                    code="bad_state",
                    field="state",
                    remedy=", ".join(Message.State.values),
                )
            rows = rows.filter(state=state)
        return self.paginate(rows, message_body, ordering="id")
