"""Segments for integrators: keep rules, count them, and read who is in."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.models import Segment, SegmentMove, SegmentUpkeep
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, membership, moves
from campaigns.segments.rules import Node
from ingestion.models import Customer
from marketing.core.api import View
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

FIELDS = ("name", "description", "rule")


class SegmentWrite(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=500, required=False)
    rule = serializers.JSONField(
        help_text="all, any, not, field/op/value, did, bought or in_segment"
    )


class SegmentShape(SegmentWrite):
    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Segment.State.choices)
    size = serializers.IntegerField(allow_null=True)
    counted_at = serializers.DateTimeField(allow_null=True)
    origin = serializers.DictField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.CharField()


COUNT = inline_serializer(
    "SegmentCount",
    {
        "people": serializers.IntegerField(allow_null=True),
        "exact": serializers.BooleanField(),
        "seconds": serializers.FloatField(),
        "meaning": serializers.CharField(),
    },
)
MEMBER = inline_serializer(
    "SegmentMember",
    {
        "id": serializers.IntegerField(),
        "external_id": serializers.CharField(allow_null=True),
        "email": serializers.EmailField(allow_null=True),
        "first_name": serializers.CharField(),
        "last_name": serializers.CharField(),
        "country": serializers.CharField(),
        "since": serializers.DateTimeField(allow_null=True),
    },
    many=True,
)
MOVE = inline_serializer(
    "SegmentMove",
    {
        "id": serializers.IntegerField(),
        "segment_id": serializers.IntegerField(),
        "customer_id": serializers.IntegerField(),
        "kind": serializers.ChoiceField(choices=("entered", "left")),
        "cause": serializers.ChoiceField(choices=SegmentMove.Cause.choices),
        "at": serializers.DateTimeField(),
    },
)
MOVES = inline_serializer(
    "SegmentMoves",
    {"moves": serializers.ListField(child=MOVE), "after": serializers.IntegerField()},
)


def segment_body(segment: Segment) -> dict[str, Any]:
    """How a segment looks to an integrator."""
    return {
        "id": segment.pk,
        "name": segment.name,
        "description": segment.description,
        "rule": segment.rule,
        "state": segment.state,
        "size": segment.size,
        "counted_at": segment.counted_at,
        "origin": segment.origin,
        "created_at": segment.created_at,
        "updated_at": segment.updated_at,
        "url": reverse("api:segment-detail", args=[segment.pk]),
    }


def member_body(person: Customer) -> dict[str, Any]:
    """A person of a segment; `since` when they entered, unknown until the members are stored."""
    return {
        "id": person.pk,
        "external_id": person.external_id,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "country": person.country,
        "since": getattr(person, "since", None),
    }


def move_body(move: SegmentMove) -> dict[str, Any]:
    return {
        "id": move.pk,
        "segment_id": move.segment_id,
        "customer_id": move.customer_id,
        "kind": "entered" if move.entered else "left",
        "cause": move.cause,
        "at": move.at,
    }


def count_body(node: Node, size: membership.Size) -> dict[str, Any]:
    return {
        "people": size.people,
        "exact": size.exact,
        "seconds": round(size.seconds, 3),
        "meaning": definitions.meaning(node),
    }


def _actor(request: Request) -> User | ApiKey:
    return request.auth if isinstance(request.auth, ApiKey) else request.user  # type: ignore[return-value]


def _found(segment_id: int) -> Segment:
    segment = Segment.objects.filter(pk=segment_id).first() if segment_id < 2**63 else None
    if segment is None:
        raise NotFound(_("There is no such segment."), code="segment_unknown")
    return segment


def _values(data: Any, required: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Invalid(_("Send one JSON object."), code="not_an_object")
    for name in data:
        if name not in FIELDS:
            raise Invalid(
                _("There is no field called %(name)s.") % {"name": str(name)[:80]},
                code="unknown_field",
                field=str(name)[:80],
                remedy=_("Fields: %(names)s.") % {"names": ", ".join(FIELDS)},
            )
    for name in required:
        if name not in data:
            raise Invalid(_("This is missing."), code="missing", field=name)
    for name in ("name", "description"):
        if name in data and not isinstance(data[name], str):
            raise Invalid(_("This needs some text."), code="not_text", field=name)
    return data


class SegmentList(View):
    scope_noun = "segments"

    @extend_schema(operation_id="segments_list", responses=SegmentShape(many=True))
    def get(self, request: Request) -> Response:
        """All live segments, newest first."""
        return self.paginate(Segment.objects.filter(state=Segment.State.LIVE), segment_body)

    @extend_schema(
        operation_id="segments_create", request=SegmentWrite, responses={201: SegmentShape}
    )
    def post(self, request: Request) -> Response:
        """Keep a rule as a segment. A fault in it is told with its path in `field`."""
        values = _values(request.data, ("name", "rule"))
        segment = definitions.save(
            name=values["name"],
            description=values.get("description", ""),
            rule=values["rule"],
            actor=_actor(request),
        )
        body = segment_body(segment)
        return Response(body, status=201, headers={"Location": body["url"]})


class SegmentDetail(View):
    scope_noun = "segments"

    @extend_schema(operation_id="segments_get", responses=SegmentShape)
    def get(self, request: Request, segment_id: int) -> Response:
        """One segment with its rule and last counted size."""
        return Response(segment_body(_found(segment_id)))

    @extend_schema(operation_id="segments_update", request=SegmentWrite, responses=SegmentShape)
    def patch(self, request: Request, segment_id: int) -> Response:
        """Change name, description or rule; what is left out stays."""
        segment = _found(segment_id)
        values = _values(request.data, ())
        saved = definitions.save(
            segment=segment,
            name=values.get("name", segment.name),
            description=values.get("description", segment.description),
            rule=values.get("rule", segment.rule),
            actor=_actor(request),
        )
        return Response(segment_body(saved))

    @extend_schema(operation_id="segments_archive", responses={204: None})
    def delete(self, request: Request, segment_id: int) -> Response:
        """Archive the segment; 409 while something stands on it."""
        definitions.archive(segment=_found(segment_id), actor=_actor(request))
        return Response(status=204)


class SegmentCount(View):
    scope_noun = "segments"

    @extend_schema(operation_id="segments_count", responses=COUNT)
    def get(self, request: Request, segment_id: int) -> Response:
        """How many people are in it now, counted on asking; `exact` is false for an estimate."""
        segment = _found(segment_id)
        node = compiler.read(segment.rule)
        return Response(count_body(node, membership.count(node, within=(segment.pk,))))


class RuleCount(View):
    scope_noun = "segments"
    reads_only = True

    @extend_schema(
        operation_id="segments_count_rule",
        request=inline_serializer("RuleToCount", {"rule": serializers.JSONField()}),
        responses=COUNT,
    )
    def post(self, request: Request) -> Response:
        """How many people a rule means, without keeping it."""
        values = _values(request.data, ("rule",))
        node = definitions.read(values["rule"])
        return Response(count_body(node, membership.count(node)))


class SegmentMembers(View):
    scope_noun = "segments"
    lists_people = True

    @extend_schema(operation_id="segments_members", responses=MEMBER)
    def get(self, request: Request, segment_id: int) -> Response:
        """Everyone in it, by id, page after page."""
        segment = _found(segment_id)
        if SegmentUpkeep.objects.filter(pk=segment.pk).exists():
            people = moves.people(segment_id=segment.pk)
        else:
            people = membership.members(compiler.read(segment.rule), within=(segment.pk,))
        return self.paginate(people, member_body, ordering="id")


class SegmentMoves(View):
    scope_noun = "segments"

    @extend_schema(
        operation_id="segments_moves",
        parameters=[
            OpenApiParameter("after", int, description="Moves after this number; 0 for all kept."),
            OpenApiParameter("segment_id", int, description="Of this segment alone."),
            OpenApiParameter("limit", int, description="At most so many, up to 1000."),
        ],
        responses=MOVES,
    )
    def get(self, request: Request) -> Response:
        """Who entered and left, in the order in which it was stored.

        Ask again with `after` as answered: no move is missed and none is told twice. Moves are kept
        for 90 days.
        """
        after = _whole(request, "after", 0, 2**63 - 1, 0)
        segment_id = _whole(request, "segment_id", 1, 2**63 - 1, None)
        limit = _whole(request, "limit", 1, moves.PAGE, moves.PAGE)
        if segment_id is not None:
            _found(segment_id)
        found = moves.since(after=after or 0, segment_id=segment_id, limit=limit or moves.PAGE)
        last = found[-1].pk if found else after
        return Response({"moves": [move_body(move) for move in found], "after": last})


def _whole(request: Request, name: str, low: int, high: int, default: int | None) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not low <= int(text) <= high:
        raise Invalid(
            _("%(name)s is a whole number from %(low)s to %(high)s.")
            % {"name": name, "low": low, "high": high},
            code="bad_number",
            field=name,
        )
    return int(text)
