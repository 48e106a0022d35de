"""Sources for integrators: health, volume, fetches; start one, change settings."""

from datetime import time
from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import sources
from ingestion.connectors import configuring, kinds, schedule
from ingestion.connectors.configuring import Timing
from ingestion.models import Connector, Pull
from marketing.core.api import View, accepted
from marketing.core.errors import Invalid, NotFound
from marketing.core.jobs_api import JobStarted
from marketing.core.models import ApiKey, User


class VolumeOut(serializers.Serializer):
    received = serializers.IntegerField()
    stored = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    left_out = serializers.IntegerField()


class ConnectorOut(serializers.Serializer):
    state = serializers.CharField()
    settings = serializers.DictField()
    secrets_set = serializers.ListField(child=serializers.CharField())
    every_minutes = serializers.IntegerField(allow_null=True)
    daily_at = serializers.TimeField(allow_null=True)
    failures = serializers.IntegerField()
    last_error = serializers.CharField(allow_null=True)


class SourceOut(serializers.Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    enabled = serializers.BooleanField()
    health = serializers.CharField()
    message = serializers.CharField()
    last_at = serializers.DateTimeField(allow_null=True)
    next_at = serializers.DateTimeField(allow_null=True)
    total = VolumeOut()
    last_24_hours = VolumeOut()
    last_7_days = serializers.ListField(child=serializers.IntegerField())
    connector = ConnectorOut(allow_null=True)
    url = serializers.CharField()


class SourceWrite(serializers.Serializer):
    name = serializers.CharField(required=False, max_length=100)
    settings = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    every_minutes = serializers.IntegerField(required=False, allow_null=True)
    daily_at = serializers.TimeField(required=False, allow_null=True)


class PullOut(serializers.Serializer):
    id = serializers.UUIDField()
    state = serializers.CharField()
    by_hand = serializers.BooleanField()
    rows = serializers.IntegerField()
    error = serializers.CharField(allow_null=True)
    imports = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


def _volume(volume: sources.Volume) -> dict[str, int]:
    return {
        "received": volume.received,
        "stored": volume.stored,
        "duplicate": volume.duplicate,
        "quarantined": volume.quarantined,
        "left_out": volume.left_out,
    }


def _connector(connector: Connector | None) -> dict[str, Any] | None:
    if connector is None:
        return None
    return {
        "state": connector.state,
        "settings": connector.config,
        "secrets_set": sorted(connector.secrets),
        "every_minutes": connector.every_minutes,
        "daily_at": connector.daily_at,
        "failures": connector.failures,
        "last_error": connector.last_error or None,
    }


def body_of(line: sources.Line) -> dict[str, Any]:
    return {
        "id": line.source.pk,
        "name": line.source.name,
        "kind": str(line.kind),
        "enabled": line.source.enabled,
        "health": line.health,
        "message": line.words,
        "last_at": line.last_at,
        "next_at": line.next_at,
        "total": _volume(line.total),
        "last_24_hours": _volume(line.day),
        "last_7_days": line.spark,
        "connector": _connector(line.connector),
        "url": reverse("api:source-detail", args=[line.source.pk]),
    }


def pull_body(pull: Pull) -> dict[str, Any]:
    return {
        "id": pull.public_id,
        "state": pull.state,
        "by_hand": pull.by_hand,
        "rows": pull.rows,
        "error": pull.error or None,
        "imports": [reverse("api:import-detail", args=[i.public_id]) for i in pull.imports.all()],
        "created_at": pull.created_at,
        "finished_at": pull.finished_at,
    }


class SourcesOut(serializers.Serializer):
    data = SourceOut(many=True)  # type: ignore[assignment]


class SourceList(View):
    scope_noun = "sources"

    @extend_schema(operation_id="sources_list", responses=SourcesOut)
    def get(self, request: Request) -> Response:
        """Every source with its health and volume, what needs a person first."""
        lines = sources.overview(now=timezone.now())
        return Response({"data": [body_of(line) for line in lines]})


class SourceDetail(View):
    scope_noun = "sources"

    def _line(self, source_id: int) -> sources.Line:
        found = sources.overview(now=timezone.now(), only=[source_id])
        if not found:
            raise NotFound(_("There is no such source."), code="source_unknown")
        return found[0]

    @extend_schema(operation_id="sources_get", responses=SourceOut)
    def get(self, request: Request, source_id: int) -> Response:
        """One source. Secrets are never shown, only which are set."""
        return Response(body_of(self._line(source_id)))

    @extend_schema(operation_id="sources_update", request=SourceWrite, responses=SourceOut)
    def patch(self, request: Request, source_id: int) -> Response:
        """Other settings of a source that is fetched from; what is left out stays."""
        connector = _fetched(source_id)
        given = SourceWrite(data=request.data)
        given.is_valid(raise_exception=True)
        body = given.validated_data
        if unknown := sorted(set(request.data) - set(SourceWrite().fields)):
            raise Invalid(
                _("There is no field of this name."), code="unknown_field", field=unknown[0][:60]
            )
        settings = {**connector.config, **body.get("settings", {})}
        kind = kinds.load(connector.kind)
        names = {f.name for f in kind.fields} | {"variant"}
        if unknown := sorted(set(settings) - names):
            raise Invalid(
                _("There is no field of this name."), code="unknown_field", field=unknown[0][:60]
            )
        daily: time | None = body.get("daily_at", connector.daily_at)
        every = body.get("every_minutes", connector.every_minutes)
        configuring.change(
            connector=connector,
            name=body.get("name", connector.source.name),
            given=settings,
            timing=Timing(every_minutes=every, daily_at=None if every else daily),
            actor=request.auth if isinstance(request.auth, ApiKey) else _user(request),
            now=timezone.now(),
        )
        return Response(body_of(self._line(source_id)))


class PullList(View):
    scope_noun = "sources"

    @extend_schema(
        operation_id="sources_pulls",
        responses=PullOut(many=True),
        parameters=[OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, source_id: int) -> Response:
        """Fetches from one source, newest first."""
        rows = _fetched(source_id).pulls.prefetch_related("imports")
        return self.paginate(rows, pull_body)

    @extend_schema(operation_id="sources_pull", request=None, responses={202: JobStarted})
    def post(self, request: Request, source_id: int) -> Response:
        """Fetch now. 409 while a fetch from this source is under way."""
        pull = schedule.begin(
            connector=_fetched(source_id),
            by_hand=True,
            user=_user(request),
            now=timezone.now(),
        )
        assert pull.job is not None
        return accepted(pull.job)


def _fetched(source_id: int) -> Connector:
    return get_object_or_404(Connector.objects.select_related("source"), source_id=source_id)


def _user(request: Request) -> User | None:
    """Who is signed in, or whose key it is; None for a key that nobody made."""
    return request.user if isinstance(request.user, User) else None
