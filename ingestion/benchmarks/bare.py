"""The views beside which the doors are measured; served by the same server, never by the platform.

`empty` answers a fixed JSON text, `copy` decodes a batch and COPYs it raw, `framework` validates
it by the REST framework's serializer and stores it by bulk_create. `/door/…` goes past the
middleware like the doors for programs do, `/pages/…` through all of it.
"""

import itertools
import os

import orjson
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion.models import Event
from marketing.core.db import copy_rows

COLUMNS = ("at", "received_at", "type", "properties", "source", "message_id")
_ids = itertools.count(os.getpid() << 40)


@csrf_exempt
def empty(request: HttpRequest) -> HttpResponse:
    request.read()
    return HttpResponse(b'{"status":"stored"}', content_type="application/json")


@csrf_exempt
def copy(request: HttpRequest) -> HttpResponse:
    now = timezone.now().isoformat()
    rows = "".join(
        [
            f"{e['at']}\t{now}\t{e['type']}\t{orjson.dumps(e['properties']).decode()}\tbare"
            f"\t{e['message_id']}\n"
            for e in orjson.loads(request.read())
        ]
    )
    with transaction.atomic(), connection.cursor() as cursor:
        copy_rows(cursor, "ingestion_event", COLUMNS, [rows.encode()])
    return HttpResponse(b'{"received":100}', content_type="application/json")


class EventForm(serializers.Serializer):
    type = serializers.CharField(max_length=100)
    at = serializers.DateTimeField()
    message_id = serializers.CharField(max_length=100)
    external_id = serializers.CharField(max_length=100)
    properties = serializers.DictField()


class Framework(APIView):
    permission_classes = ()
    authentication_classes = ()
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        now = timezone.now()
        form = EventForm(data=request.data, many=True)
        form.is_valid(raise_exception=True)
        Event.objects.bulk_create(
            Event(
                id=next(_ids),
                at=item["at"],
                received_at=now,
                type=item["type"],
                properties=item["properties"],
                source="peer",
                message_id=item["message_id"],
            )
            for item in form.validated_data
        )
        return Response({"received": len(form.validated_data)})


urlpatterns = [
    path(f"{place}/{name}/", view)
    for place in ("door", "pages")
    for name, view in (("empty", empty), ("copy", copy), ("framework", Framework.as_view()))
]
