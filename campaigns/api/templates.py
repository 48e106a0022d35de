"""Messages as they were written, for integrators who start campaigns: which there are."""

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.models import Channel, Template
from marketing.core.api import View
from marketing.core.errors import Invalid

FIELDS = ("id", "name", "kind", "subject", "version", "created_at", "updated_at")


class TemplateShape(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="`template_id` of a campaign")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Channel.Kind.choices, help_text="how it is sent")
    subject = serializers.CharField(help_text="of a mail, as it was written")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class TemplateList(View):
    scope_noun = "campaigns"

    @extend_schema(
        operation_id="templates_list",
        parameters=[OpenApiParameter("kind", str, enum=Channel.Kind.values)],
        responses=TemplateShape(many=True),
    )
    def get(self, request: Request) -> Response:
        """Messages that a campaign can send, newest first; `?kind=` those of one kind."""
        rows = Template.objects.all()
        if kind := request.query_params.get("kind"):
            if kind not in Channel.Kind.values:
                raise Invalid(
                    _("There is no such kind."),
                    code="bad_kind",
                    field="kind",
                    remedy=", ".join(Channel.Kind.values),
                )
            rows = rows.filter(kind=kind)
        return self.paginate(rows, lambda row: {name: getattr(row, name) for name in FIELDS})
