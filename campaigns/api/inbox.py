"""The in-app inbox, for the person it belongs to."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.open_doors import OpenView
from campaigns.channels import inbox
from campaigns.models import InboxItem
from marketing.core.api import Cursor
from marketing.core.errors import Invalid

LIMIT = 1_000


class InboxItemShape(serializers.Serializer):
    id = serializers.IntegerField()
    title = serializers.CharField()
    body = serializers.CharField()
    url = serializers.CharField(help_text="where it leads; empty for nowhere")
    icon = serializers.CharField()
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class UnreadShape(serializers.Serializer):
    unread = serializers.IntegerField()


class ReadWrite(serializers.Serializer):
    ids = serializers.ListField(child=serializers.IntegerField(), required=False, max_length=LIMIT)
    all = serializers.BooleanField(required=False)


def _body(item: InboxItem) -> dict[str, Any]:
    return {
        "id": item.pk,
        "title": item.title,
        "body": item.body,
        "url": item.url,
        "icon": item.icon,
        "created_at": item.created_at,
        "read_at": item.read_at,
    }


class InboxList(OpenView):
    @extend_schema(operation_id="inbox_list", responses=InboxItemShape(many=True))
    def get(self, request: Request) -> Response:
        """The person's messages, newest first."""
        pager = Cursor()
        rows = pager.paginate_queryset(inbox.of(self.person), request, view=self)
        return pager.get_paginated_response([_body(row) for row in rows or []])


class InboxUnread(OpenView):
    @extend_schema(operation_id="inbox_unread", responses=UnreadShape)
    def get(self, request: Request) -> Response:
        """How many messages are unread, for a badge."""
        return Response({"unread": inbox.unread(self.person)})


class InboxRead(OpenView):
    @extend_schema(operation_id="inbox_mark_read", request=ReadWrite, responses=UnreadShape)
    def post(self, request: Request) -> Response:
        """Mark messages as read, by their ids or all of them; how many are unread after."""
        data = request.data if isinstance(request.data, dict) else {}
        ids = data.get("ids")
        if data.get("all") is True:
            ids = None
        elif (
            not isinstance(ids, list)
            or len(ids) > LIMIT
            or not all(isinstance(one, int) and 0 < one < 2**63 for one in ids)
        ):
            raise Invalid(
                _("Give ids, a list of up to %(n)d numbers, or all: true.") % {"n": LIMIT},
                code="bad_ids",
                field="ids",
            )
        inbox.mark_read(self.person, ids=ids, now=timezone.now())
        return Response({"unread": inbox.unread(self.person)})
