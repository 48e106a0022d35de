"""People in journeys for integrators: send somebody in, count them, list them."""

import dataclasses
import uuid
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api import journey_shapes as shapes
from campaigns.api import journeys
from campaigns.api.journeys import NOUN, body_of, found, number
from campaigns.journeys import figures, graphs, triggers
from campaigns.models import Enrollment, JourneyVersion
from ingestion.models import Customer
from marketing.core.api import View
from marketing.core.errors import Conflict, Invalid, NotFound

MOST_PROPERTIES = 50


class JourneyTrigger(View):
    scope_noun = NOUN

    @extend_schema(
        operation_id="journeys_trigger",
        request=shapes.TriggerWrite,
        responses={200: shapes.TriggerShape, 201: shapes.TriggerShape},
    )
    def post(self, request: Request, journey_id: int) -> Response:
        """Send somebody into a journey that begins with the API. The same key counts once."""
        data = body_of(request, {"customer_id", "external_id", "email", "key", "properties"})
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
        journey = found(journey_id)
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
            "reason": "held" if entered.held else next(iter(entered.refused), None),
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
    value = number(data, "customer_id") if named[0] == "customer_id" else str(data[named[0]])
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
        """Who came in, where everybody is, what became of messages: of one version, or of all."""
        journey = found(journey_id)
        wanted = request.query_params.get("version")
        rows = JourneyVersion.objects.filter(journey=journey)
        if wanted == "all":
            return Response(_figures(journey.pk, None, list(rows)))
        if wanted is not None:
            good = wanted.isascii() and wanted.isdigit() and len(wanted) < 10
            rows = rows.filter(number=int(wanted) if good else -1)
        version = rows.first()
        if version is None:
            raise NotFound(_("There is no such version."), code="version_unknown")
        return Response(_figures(journey.pk, version, [version]))


def _figures(
    journey_id: int, version: JourneyVersion | None, versions: list[JourneyVersion]
) -> dict[str, Any]:
    totals = figures.totals(journey_id=journey_id, version_id=version.pk if version else None)
    nodes = [
        {"node": node, **dataclasses.asdict(one)} for node, one in figures.of(*versions).items()
    ]
    return {
        "version": version.number if version else None,
        **dataclasses.asdict(totals),
        "nodes": nodes,
    }


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
        rows = Enrollment.objects.filter(journey=found(journey_id)).select_related("version")
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
            rows = rows.filter(ended_at__isnull=state == "inside")
        if node is not None:
            rows = rows.filter(node=node)
        return self.paginate(rows, stay_body)


ACTS: dict[str, type[View]] = {
    "publish": journeys.JourneyPublish,
    "pause": journeys.JourneyPause,
    "resume": journeys.JourneyResume,
    "close": journeys.JourneyClose,
    "move": journeys.JourneyMove,
    "replay": journeys.JourneyReplay,
    "trigger": JourneyTrigger,
    "figures": JourneyFigures,
    "people": JourneyPeople,
}
