"""Events for integrators."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import events, intake
from ingestion.api import batches, shapes
from ingestion.models import Event
from marketing.core.api import View


def body_of(row: Event) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "received_at": row.received_at,
        "customer": row.customer_id,
        "anonymous_id": row.anonymous_id,
        "type": row.type,
        "properties": row.properties,
        "source": row.source,
        "message_id": row.message_id,
    }


class EventList(View):
    scope_noun = "events"

    @extend_schema(
        operation_id="events_list",
        responses=shapes.EventOut(many=True),
        parameters=[
            OpenApiParameter("limit", int),
            OpenApiParameter("customer", str),
            OpenApiParameter("type", str),
        ],
    )
    def get(self, request: Request) -> Response:
        """Newest first; `?customer=` (external_id) and `?type=` narrow it."""
        rows = Event.objects.all()
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer__external_id=customer)
        if kind := request.query_params.get("type"):
            rows = rows.filter(type=kind)
        return self.paginate(rows, body_of)

    @extend_schema(
        operation_id="events_write", request=shapes.EventIn(many=True), responses=shapes.BatchOut
    )
    def post(self, request: Request) -> Response:
        """Store one event or up to 1,000, each once by its message_id, before the answer."""
        now = timezone.now()
        items, many = batches.items_of(request.data)
        good, results = batches.read_all(items, lambda item: intake.event(item, now=now))
        if not many:
            batches.refuse_single(results[0])
        outcomes = events.record(batch=list(good.values()), source=batches.SOURCE, now=now)
        for index, outcome in zip(good, outcomes, strict=True):
            results[index]["status"] = outcome
            if good[index].message_id:
                results[index]["message_id"] = good[index].message_id
            if outcome == events.CONFLICT:
                results[index]["error"] = {
                    "code": "conflict",
                    "message": _("This message_id was used for another event; nothing was stored."),
                    "field": "message_id",
                    "remedy": _("Give every event a message_id of its own."),
                }
        if many:
            return batches.answer(results)
        batches.refuse_single(results[0])
        return Response(results[0], status=201 if results[0]["status"] == events.STORED else 200)
