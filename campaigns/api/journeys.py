"""Journeys for integrators: draw, publish, pause, resume, close, send people in, and watch."""

import dataclasses
import uuid
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api import journey_shapes as shapes
from campaigns.journeys import checking, figures, graphs, replay, triggers, versions
from campaigns.models import Enrollment, Journey, JourneyVersion
from ingestion.models import Customer
from marketing.core.api import View, accepted
from marketing.core.auth import ApiKey
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import User

NOUN = "campaigns"
MOST_PROPERTIES = 50


def _actor(request: Request) -> Any:
    return request.auth if isinstance(request.auth, ApiKey) else request.user


def _found(journey_id: int) -> Journey:
    journey = Journey.objects.filter(pk=journey_id).prefetch_related("versions").first()
    if journey is None:
        raise NotFound(_("There is no such journey."), code="journey_unknown")
    return journey


def _body_of(request: Request, fields: set[str]) -> dict[str, Any]:
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


def _number(data: dict[str, Any], name: str) -> int:
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
    journey = _found(journey_id)
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
        data = _body_of(request, {"name", "definition"})
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

    @extend_schema(operation_id="journeys_read", responses=shapes.JourneyDetailShape)
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
        data = _body_of(request, {"name", "definition", "number"})
        versions.save_draft(
            journey_id=journey_id,
            definition=data.get("definition"),
            name=data.get("name"),
            number=None if data.get("number") is None else _number(data, "number"),
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


@extend_schema(request=None, responses=shapes.JourneyDetailShape)
class JourneyPublish(_Move):
    """Make the draft the version that new people enter. Whoever is inside stays on theirs."""

    move = staticmethod(versions.publish)


@extend_schema(request=None, responses=shapes.JourneyDetailShape)
class JourneyPause(_Move):
    """Nobody comes in, nobody goes on, nothing is sent."""

    move = staticmethod(versions.pause)


@extend_schema(request=None, responses=shapes.JourneyDetailShape)
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
        data = _body_of(request, {"finish"}) if request.data else {}
        versions.close(
            journey_id=journey_id,
            finish=data.get("finish") is True,
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
        data = _body_of(request, {"version_id", "to_version_id", "mapping"})
        mapping = data.get("mapping") or {}
        if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
            raise Invalid(
                _("Say for each step the step to go to."), code="bad_mapping", field="mapping"
            )
        wanted = _number(data, "version_id")
        if not JourneyVersion.objects.filter(pk=wanted, journey_id=journey_id).exists():
            raise NotFound(_("There is no such version."), code="version_unknown")
        moved = versions.move_people(
            version_id=wanted,
            to_version_id=_number(data, "to_version_id"),
            mapping=mapping,
            user=_actor(request),
            now=timezone.now(),
        )
        return Response({"moved": moved})


class JourneyTrigger(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_trigger",
        request=shapes.TriggerWrite,
        responses={200: shapes.TriggerShape, 201: shapes.TriggerShape},
    )
    def post(self, request: Request, journey_id: int) -> Response:
        """Send somebody into a journey that begins with the API. The same key counts once."""
        data = _body_of(request, {"customer_id", "external_id", "email", "key", "properties"})
        properties = data.get("properties") or {}
        if not isinstance(properties, dict) or len(properties) > MOST_PROPERTIES:
            raise Invalid(
                _("Send up to %(most)d properties.") % {"most": MOST_PROPERTIES},
                code="bad_properties",
                field="properties",
            )
        key = data.get("key") or request.headers.get("Idempotency-Key") or uuid.uuid4().hex
        if not isinstance(key, str) or len(key) > 100:
            raise Invalid(_("A key has at most 100 characters."), code="bad_key", field="key")
        journey = _found(journey_id)
        live = [one for one in graphs.walked(journey_id=journey.pk) if one.open]
        if not live:
            raise Conflict(_("This journey is not live, so nobody came in."), code="not_live")
        if live[0].graph.trigger.kind != "api":
            raise Conflict(
                _("This journey does not begin with the API, so nobody came in."),
                code="other_trigger",
            )
        entered = triggers.by_api(
            version=live[0],
            customer_id=_person(data),
            key=key,
            context=properties,
            now=timezone.now(),
        )
        body = {
            "entered": bool(entered.entered),
            "before": bool(entered.before),
            "reason": next(iter(entered.refused), None),
        }
        return Response(body, status=201 if entered.entered else 200)


def _person(data: dict[str, Any]) -> int:
    """Whom the call names, by exactly one name."""
    columns = {"customer_id": "pk", "external_id": "external_id", "email": "email"}
    named = [name for name in columns if data.get(name) not in (None, "")]
    if len(named) != 1:
        raise Invalid(
            _("Name one person: customer_id, external_id or email."),
            code="no_person",
            field="customer_id",
        )
    value = _number(data, "customer_id") if named[0] == "customer_id" else str(data[named[0]])
    if named[0] == "email":
        value = str(value).strip().lower()
    pk = (
        Customer.objects.filter(**{columns[named[0]]: value}).values_list("pk", flat=True).first()
        if not isinstance(value, int) or 0 < value < 2**63
        else None
    )
    if pk is None:
        raise NotFound(_("There is no such person."), code="person_unknown", field=named[0])
    return pk


class JourneyFigures(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_figures",
        parameters=[OpenApiParameter("version", int, description="its number; else the newest")],
        responses=shapes.JourneyFiguresShape,
    )
    def get(self, request: Request, journey_id: int) -> Response:
        """Who came in, where everybody is, and what became of messages, of one version."""
        journey = _found(journey_id)
        wanted = request.query_params.get("version")
        rows = JourneyVersion.objects.filter(journey=journey)
        if wanted is not None:
            good = wanted.isascii() and wanted.isdigit() and len(wanted) < 10
            rows = rows.filter(number=int(wanted) if good else -1)
        version = rows.first()
        if version is None:
            raise NotFound(_("There is no such version."), code="version_unknown")
        totals = figures.totals(journey_id=journey.pk, version_id=version.pk)
        nodes = [
            {"node": node, **dataclasses.asdict(one)} for node, one in figures.of(version).items()
        ]
        return Response({"version": version.number, **dataclasses.asdict(totals), "nodes": nodes})


def stay_body(row: Enrollment) -> dict[str, Any]:
    """How somebody's stay looks to an integrator."""
    return {
        "id": row.pk,
        "customer_id": row.customer_id,
        "version": row.version.number,
        "node": row.node,
        "arrived_at": row.arrived_at,
        "wake_at": row.wake_at,
        "entered_at": row.entered_at,
        "goal_at": row.goal_at,
        "ended_at": row.ended_at,
        "outcome": row.outcome or None,
    }


class JourneyPeople(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_people",
        parameters=[
            OpenApiParameter("node", str, description="those who are at this step now"),
            OpenApiParameter("state", str, enum=["inside", "ended", "all"]),
        ],
        responses=shapes.StayShape(many=True),
    )
    def get(self, request: Request, journey_id: int) -> Response:
        """People inside, the newest first; `?node=` those at one step."""
        found = Enrollment.objects.filter(journey=_found(journey_id)).select_related("version")
        node = request.query_params.get("node")
        state = request.query_params.get("state", "inside")
        if state not in ("inside", "ended", "all"):
            raise Invalid(
                _("There is no such state."),
                code="bad_state",
                field="state",
                remedy="inside, ended, all",
            )
        if state != "all":
            found = found.filter(ended_at__isnull=state == "inside")
        if node is not None:
            found = found.filter(node=node)
        return self.paginate(found, stay_body)


class JourneyReplay(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_replay",
        request=shapes.ReplayWrite,
        responses={202: shapes.ReplayShape},
    )
    def post(self, request: Request, journey_id: int) -> Response:
        """Walk the draft through the last days of real events, in a job. Nothing is written."""
        data = _body_of(request, {"days"})
        user = request.user if isinstance(request.user, User) else None
        return accepted(replay.start(journey_id=journey_id, days=_number(data, "days"), user=user))


ACTS: dict[str, type[View]] = {
    "publish": JourneyPublish,
    "pause": JourneyPause,
    "resume": JourneyResume,
    "close": JourneyClose,
    "move": JourneyMove,
    "trigger": JourneyTrigger,
    "figures": JourneyFigures,
    "people": JourneyPeople,
    "replay": JourneyReplay,
}
