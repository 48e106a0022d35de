"""Journeys for integrators: draw, publish, pause, resume, close, send people in, and watch."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api import journey_shapes as shapes
from campaigns.journeys import checking, replay, versions
from campaigns.models import Journey, JourneyVersion
from marketing.core.api import View, accepted
from marketing.core.auth import ApiKey
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import User

NOUN = "campaigns"


def _actor(request: Request) -> Any:
    return request.auth if isinstance(request.auth, ApiKey) else request.user


def found(journey_id: int) -> Journey:
    journey = Journey.objects.filter(pk=journey_id).prefetch_related("versions").first()
    if journey is None:
        raise NotFound(_("There is no such journey."), code="journey_unknown")
    return journey


def body_of(request: Request, fields: set[str]) -> dict[str, Any]:
    data = request.data
    if not isinstance(data, dict):
        raise Invalid(_("Send one JSON object."), code="not_an_object")
    unknown = sorted(set(data) - fields)
    if unknown:
        raise Invalid(
            _("There is no field called %(name)s.") % {"name": unknown[0]},
            code="unknown_field",
            field=unknown[0],
            remedy=_("Fields: %(names)s.") % {"names": ", ".join(sorted(fields))},
        )
    return data


def number(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(_("This must be a whole number."), code="not_a_number", field=name)
    return value


def journey_body(journey: Journey) -> dict[str, Any]:
    """How a journey looks to an integrator."""
    return {
        "id": journey.pk,
        "name": journey.name,
        "state": journey.state,
        "number": journey.draft_number,
        "definition": journey.draft,
        "versions": [
            {
                "id": version.pk,
                "number": version.number,
                "state": version.state,
                "published_at": version.published_at,
                "closed_at": version.closed_at,
            }
            for version in journey.versions.all()
        ],
        "paused_reason": journey.paused_reason or None,
        "created_at": journey.created_at,
        "updated_at": journey.updated_at,
        "url": reverse("api:journey-detail", args=[journey.pk]),
    }


def _detail(journey_id: int) -> dict[str, Any]:
    journey = found(journey_id)
    faults = [
        {**fault.as_item(), "serious": fault.serious} for fault in checking.faults(journey.draft)
    ]
    return {**journey_body(journey), "faults": faults}


class JourneyList(View):
    scope_noun = NOUN

    @extend_schema(operation_id="journeys_list", responses=shapes.JourneyShape(many=True))
    def get(self, request: Request) -> Response:
        """All journeys, newest first."""
        return self.paginate(Journey.objects.prefetch_related("versions"), journey_body)

    @extend_schema(
        operation_id="journeys_create",
        request=shapes.JourneyWrite,
        responses={201: shapes.JourneyDetailShape},
    )
    def post(self, request: Request) -> Response:
        """Make a draft. Nobody comes in until it is published."""
        data = body_of(request, {"name", "definition"})
        journey = versions.create(
            name=data.get("name", ""),
            definition=data.get("definition"),
            user=_actor(request),
            now=timezone.now(),
        )
        body = _detail(journey.pk)
        return Response(body, status=201, headers={"Location": body["url"]})


class JourneyDetail(View):
    scope_noun = NOUN

    @extend_schema(operation_id="journeys_get", responses=shapes.JourneyDetailShape)
    def get(self, request: Request, journey_id: int) -> Response:
        """One journey: its draft, what is wrong with it, and its versions."""
        return Response(_detail(journey_id))

    @extend_schema(
        operation_id="journeys_update",
        request=shapes.JourneyWrite,
        responses=shapes.JourneyDetailShape,
    )
    def patch(self, request: Request, journey_id: int) -> Response:
        """Change the draft. What is live stays as it is until this is published."""
        data = body_of(request, {"name", "definition", "number"})
        versions.save_draft(
            journey_id=journey_id,
            definition=data.get("definition"),
            name=data.get("name"),
            number=None if data.get("number") is None else number(data, "number"),
            user=_actor(request),
            now=timezone.now(),
        )
        return Response(_detail(journey_id))


class _Move(View):
    """A change of state: the journey as it is after it."""

    scope_noun = NOUN
    move: Any = None

    def post(self, request: Request, journey_id: int) -> Response:
        type(self).move(journey_id=journey_id, user=_actor(request), now=timezone.now())
        return Response(_detail(journey_id))


@extend_schema_view(
    post=extend_schema(
        operation_id="journeys_publish", request=None, responses=shapes.JourneyDetailShape
    )
)
class JourneyPublish(_Move):
    """Make the draft the version that new people enter. Whoever is inside stays on theirs."""

    move = staticmethod(versions.publish)


@extend_schema_view(
    post=extend_schema(
        operation_id="journeys_pause", request=None, responses=shapes.JourneyDetailShape
    )
)
class JourneyPause(_Move):
    """Nobody comes in, nobody goes on, nothing is sent."""

    move = staticmethod(versions.pause)


@extend_schema_view(
    post=extend_schema(
        operation_id="journeys_resume", request=None, responses=shapes.JourneyDetailShape
    )
)
class JourneyResume(_Move):
    """Go on with everybody who is inside."""

    move = staticmethod(versions.resume)


class JourneyClose(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_close",
        request=shapes.CloseWrite,
        responses=shapes.JourneyDetailShape,
    )
    def post(self, request: Request, journey_id: int) -> Response:
        """End it for everybody at once, or with `finish` let those inside go on to the end."""
        data = body_of(request, {"finish"}) if request.data else {}
        finish = data.get("finish", False)
        if not isinstance(finish, bool):
            raise Invalid(_("This is true or false."), code="bad_flag", field="finish")
        versions.close(
            journey_id=journey_id,
            finish=finish,
            user=_actor(request),
            now=timezone.now(),
        )
        return Response(_detail(journey_id))


class JourneyMove(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_move", request=shapes.MoveWrite, responses=shapes.MovedShape
    )
    def post(self, request: Request, journey_id: int) -> Response:
        """Move everybody inside one version to another one of the same journey."""
        data = body_of(request, {"version_id", "to_version_id", "mapping"})
        mapping = data.get("mapping") or {}
        if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
            raise Invalid(
                _("Say for each step the step to go to."), code="bad_mapping", field="mapping"
            )
        wanted = number(data, "version_id")
        if not JourneyVersion.objects.filter(pk=wanted, journey_id=journey_id).exists():
            raise NotFound(_("There is no such version."), code="version_unknown")
        moved = versions.move_people(
            version_id=wanted,
            to_version_id=number(data, "to_version_id"),
            mapping=mapping,
            user=_actor(request),
            now=timezone.now(),
        )
        return Response({"moved": moved})


class JourneyReplay(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_replay",
        request=shapes.ReplayWrite,
        responses={202: shapes.ReplayShape},
    )
    def post(self, request: Request, journey_id: int) -> Response:
        """Walk the draft through the last days of real events, in a job. Nothing is written."""
        data = body_of(request, {"days"})
        user = request.user if isinstance(request.user, User) else None
        return accepted(replay.start(journey_id=journey_id, days=number(data, "days"), user=user))
