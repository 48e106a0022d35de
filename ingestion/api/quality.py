"""What is seen and agreed of events, and what is wrong with the data, for integrators."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.models import EventPlan, EventType, Problem
from ingestion.quality import listing as quality
from ingestion.quality import problems, wording
from ingestion.registry import listing
from marketing.core.api import View


class PropertyOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    kinds = serializers.DictField(child=serializers.IntegerField())
    filled = serializers.FloatField(help_text="Share of the events in which it has a value.")
    examples = serializers.ListField(child=serializers.CharField())
    plan = serializers.DictField(required=False)


class EventTypeOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    count = serializers.IntegerField()
    broken = serializers.IntegerField(help_text="Events that broke the plan.")
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    url = serializers.CharField()


class EventTypeDetailOut(EventTypeOut):
    description = serializers.CharField()
    owner = serializers.CharField()
    policy = serializers.CharField(help_text="Empty when nothing was agreed.")
    closed = serializers.BooleanField()
    properties = PropertyOut(many=True)


class ProblemOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    title = serializers.CharField()
    means = serializers.CharField()
    remedy = serializers.CharField()
    dimension = serializers.CharField()
    subject = serializers.CharField()
    field = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    severity = serializers.CharField()
    rows = serializers.IntegerField()
    total = serializers.IntegerField()
    since = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    used_by = serializers.ListField(child=serializers.DictField())


class QualityOut(serializers.Serializer[Any]):
    measured_at = serializers.DateTimeField(allow_null=True)
    score = serializers.FloatField(allow_null=True)
    dimensions = serializers.DictField(child=serializers.FloatField())
    problems = ProblemOut(many=True)


def _type_body(row: EventType) -> dict[str, Any]:
    names = ("id", "name", "count", "broken", "first_seen_at", "last_seen_at")
    body = {name: getattr(row, name) for name in names}
    return body | {"url": reverse("api:event-type-detail", args=[row.pk])}


class EventTypeList(View):
    scope_noun = "events"

    @extend_schema(
        operation_id="event_types_list",
        responses=EventTypeOut(many=True),
        parameters=[OpenApiParameter("limit", int)],
    )
    def get(self, request: Request) -> Response:
        """Every kind of event that was seen, newest first."""
        return self.paginate(EventType.objects.order_by("-id"), _type_body)


class EventTypeDetail(View):
    scope_noun = "events"

    @extend_schema(operation_id="event_types_get", responses=EventTypeDetailOut)
    def get(self, request: Request, type_id: int) -> Response:
        """One kind of event with its properties, as they were seen and as they were agreed."""
        row = get_object_or_404(EventType.objects.prefetch_related("properties"), pk=type_id)
        plan = EventPlan.objects.filter(name=row.name).first()
        body = _type_body(row) | {
            "description": plan.description if plan else "",
            "owner": plan.owner if plan else "",
            "policy": plan.policy if plan else "",
            "closed": bool(plan and plan.closed),
            "properties": [
                {
                    "name": item.row.name,
                    "kinds": item.row.kinds,
                    "filled": round(item.filled, 4),
                    "examples": item.row.examples,
                    "plan": item.rule,
                }
                for item in listing.properties(kind=row, plan=plan)
            ],
        }
        return Response(body)


def _problem_body(item: quality.Shown) -> dict[str, Any]:
    row = item.problem
    names = (
        "id", "dimension", "subject", "field", "source", "severity", "rows", "total", "since",
        "ended_at",
    )  # fmt: skip
    words: wording.Words = item.words
    return {name: getattr(row, name) for name in names} | {
        "title": words.title,
        "means": words.means,
        "remedy": words.remedy,
        "used_by": [
            {"kind": use.kind, "name": use.label, "url": use.url, "key": use.key}
            for use in item.users
        ],
    }


class QualityNow(View):
    scope_noun = "sources"

    @extend_schema(operation_id="quality_get", responses=QualityOut)
    def get(self, request: Request) -> Response:
        """The score from 0 to 100, each dimension, and the open problems with who uses the data."""
        now = timezone.now()
        going: list[Problem] = problems.open_now(now=now)
        lines, measured_at = quality.score_lines(now=now)
        whole, *parts = quality.scores(lines=lines, problems=going)
        return Response(
            {
                "measured_at": measured_at,
                "score": whole.score,
                "dimensions": {part.key: part.score for part in parts if part.score is not None},
                "problems": [_problem_body(item) for item in quality.shown(problems=going[:100])],
            }
        )
