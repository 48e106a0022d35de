"""Events for integrators: read by the REST framework's views, written past it.

A body with an API key is one statement: programs send events all day.
"""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import events, intake
from ingestion.api import batches, doors, shapes
from ingestion.events import agreed, bodies, nameless, refusals
from ingestion.models import Event
from marketing.core.api import View
from marketing.core.errors import Invalid

_NUL = b"\\u0000"


def body_of(row: Event) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "received_at": row.received_at,
        "customer": row.customer_id,
        "anonymous_id": row.anonymous_id,
        "type": row.type,
        "properties": row.properties,
        "context": row.context or {},
        "source": row.source,
        "message_id": row.message_id,
        "flags": row.flags.split(",") if row.flags else [],
    }


class EventList(View):
    scope_noun = "events"

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        return doors.beside(
            super().as_view(**initkwargs),
            scope="events:write",
            take=_received,
            limit=bodies.BODY_LIMIT,
        )

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
        operation_id="events_write",
        **shapes.batch("EventsWritten", shapes.EventIn, shapes.ItemResult),
    )
    def post(self, request: Request) -> Response:
        """Take one event or up to 1,000, each once by its message_id.

        What is answered as stored is durable; it stands on the person's page within seconds. A
        body is at most 500 KB, plain or gzipped, and an event 32 KB.
        """
        status, answer = take(request.data, now=timezone.now())
        return Response(answer, status=status)


def _received(body: bytes) -> tuple[int, dict[str, Any]]:
    small = len(body) <= events.EVENT_LIMIT and _NUL not in body
    return take(bodies.parse(body), now=timezone.now(), small=small)


def take(body: Any, *, now: datetime, small: bool = False) -> tuple[int, dict[str, Any]]:
    """The status and the answer for a parsed body. A lone event that is not taken raises."""
    items, many = batches.items_of(body)
    good: dict[int, events.Incoming] = {}
    faults: dict[int, Invalid] = {}
    read = intake.event
    for index, item in enumerate(items):
        try:
            good[index] = read(item, now=now, small=small)
        except Invalid as wrong:
            faults[index] = wrong
    for index, fault in nameless.faults(good=good, source=batches.SOURCE, now=now).items():
        del good[index]
        faults[index] = fault
    rejected = [refusals.reject(items[index], fault) for index, fault in faults.items()]
    for index, fault in agreed.faults(good=good, source=batches.SOURCE, now=now).items():
        rejected.append(agreed.rejected(good.pop(index), fault))
        faults[index] = fault
    told = events.accept(
        batch=list(good.values()),
        source=batches.SOURCE,
        door="api",
        now=now,
        rejected=rejected,
    )
    if faults:
        outcomes = dict(zip(good, told, strict=True))
        results = [
            _result(index, outcomes.get(index), good.get(index), faults.get(index))
            for index in range(len(items))
        ]
    elif told.count(events.STORED) == len(told) and many:
        return 200, _all_stored(good)
    else:
        results = [_result(i, told[i], event, None) for i, event in good.items()]
    if many:
        return 200, batches.counted(results)
    batches.refuse_single(results[0])
    return (201 if results[0]["status"] == events.STORED else 200), results[0]


def _all_stored(good: dict[int, events.Incoming]) -> dict[str, Any]:
    """The answer to what most bodies are: many events, all of them new."""
    stored = events.STORED
    results = [
        {"index": index, "status": stored, "message_id": event.message_id}
        if event.message_id
        else {"index": index, "status": stored}
        for index, event in good.items()
    ]
    return {"received": len(results), "counts": {stored: len(results)}, "results": results}


def _result(
    index: int, outcome: str | None, event: events.Incoming | None, fault: Invalid | None
) -> dict[str, Any]:
    if fault is not None:
        return {"index": index, "status": "invalid", "error": batches.error_of(fault)}
    result: dict[str, Any] = {"index": index, "status": outcome}
    if event is not None and event.message_id:
        result["message_id"] = event.message_id
    if outcome == events.CONFLICT:
        result["error"] = {
            "code": "conflict",
            "message": refusals.conflict_message(),
            "field": "message_id",
            "remedy": refusals.conflict_remedy(),
        }
    return result
