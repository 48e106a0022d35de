"""Social mentions for integrators."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.api import batches
from ingestion.api.shapes import LEFT, ItemResult, batch
from ingestion.connectors import mentions
from ingestion.models import Mention, Source
from marketing.core.api import View
from marketing.core.errors import Conflict, Invalid

FIELDS = {
    "source": 100, "external_id": 500, "author": 200, "title": 300, "text": 20_000,
    "url": 1000, "language": 10, "published_at": 60,
}  # fmt: skip


class MentionIn(serializers.Serializer):
    source = serializers.CharField(max_length=100, **LEFT)  # type: ignore[assignment]
    external_id = serializers.CharField(max_length=500)
    author = serializers.CharField(max_length=200, **LEFT)
    title = serializers.CharField(max_length=300, **LEFT)
    text = serializers.CharField(max_length=20_000, **LEFT)
    url = serializers.CharField(max_length=1000, **LEFT)
    language = serializers.CharField(max_length=10, **LEFT)
    published_at = serializers.DateTimeField()


class MentionOut(serializers.Serializer):
    id = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    external_id = serializers.CharField()
    author = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField()
    url = serializers.CharField()
    language = serializers.CharField()
    published_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    sentiment = serializers.FloatField(allow_null=True)


def body_of(row: Mention) -> dict[str, Any]:
    return {
        "id": row.pk,
        "source": row.source.name,
        "external_id": row.external_id,
        "author": row.author,
        "title": row.title,
        "text": row.text,
        "url": row.url,
        "language": row.language,
        "published_at": row.published_at,
        "received_at": row.received_at,
        "sentiment": row.sentiment,
    }


def read(body: Any, now: datetime) -> tuple[str, mentions.Found]:
    """(name of the source, mention) of one item. Invalid names the field."""
    if not isinstance(body, dict):
        raise Invalid(_("Send a JSON object."), code="not_an_object", field="")
    if unknown := sorted(set(body) - set(FIELDS)):
        raise Invalid(
            _("There is no field of this name."), code="unknown_field", field=unknown[0][:60]
        )
    found: dict[str, str] = {}
    for name, limit in FIELDS.items():
        value = body.get(name)
        text = "" if value is None else value
        if not isinstance(text, str):
            raise Invalid(_("This must be a text."), code="not_text", field=name)
        if "\0" in text:
            raise Invalid(_("This text holds a zero byte."), code="nul_byte", field=name)
        if len(text) > limit:
            raise Invalid(
                _("This is longer than %(n)d characters.") % {"n": limit},
                code="too_long",
                field=name,
            )
        found[name] = text.strip()
    if not found["external_id"]:
        raise Invalid(_("This may not be empty."), code="missing", field="external_id")
    if not (found["text"] or found["title"]):
        raise Invalid(_("Give a text or a title."), code="missing", field="text")
    if found["url"] and not found["url"].lower().startswith(("https://", "http://")):
        raise Invalid(_("An address begins with https://."), code="bad_address", field="url")
    return found.pop("source") or batches.SOURCE, mentions.Found(
        external_id=found["external_id"],
        published_at=_moment(found["published_at"], now),
        author=found["author"],
        title=found["title"],
        text=found["text"],
        url=found["url"],
        language=found["language"],
    )


def _moment(text: str, now: datetime) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(
            _("Write the time as 2026-01-31T09:30:00Z."), code="not_a_date", field="published_at"
        )
    if not 1990 <= moment.year <= now.year + 1:
        raise Invalid(_("This time cannot be right."), code="bad_date", field="published_at")
    return moment


class MentionList(View):
    scope_noun = "mentions"

    @extend_schema(
        operation_id="mentions_list",
        responses=MentionOut(many=True),
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("source", str)],
    )
    def get(self, request: Request) -> Response:
        """Newest first; `?source=` (its name) narrows it."""
        rows = Mention.objects.select_related("source")
        if name := request.query_params.get("source"):
            rows = rows.filter(source__name=name.replace("\0", ""))
        return self.paginate(rows, body_of)

    @extend_schema(operation_id="mentions_write", **batch("MentionsWritten", MentionIn, ItemResult))
    def post(self, request: Request) -> Response:
        """Store one mention or up to 1,000, each once by source and external_id."""
        now = timezone.now()
        items, many = batches.items_of(request.data)
        good, results = batches.read_all(items, lambda item: read(item, now))
        if not many:
            batches.refuse_single(results[0])
        by_source: dict[str, list[int]] = {}
        for index, (name, _found) in good.items():
            by_source.setdefault(name, []).append(index)
        with transaction.atomic():
            for name, places in by_source.items():
                told = mentions.store(
                    found=[good[i][1] for i in places], source=_source(name, now), now=now
                )
                for index, new in zip(places, told, strict=True):
                    results[index]["status"] = "stored" if new else "duplicate"
        if many:
            return batches.answer(results)
        return Response(results[0], status=201 if results[0]["status"] == "stored" else 200)


def _source(name: str, now: datetime) -> Source:
    """The source of this name, made if there is none. A feed's own is not written to."""
    try:
        with transaction.atomic():
            source, _made = Source.objects.get_or_create(
                name=name, defaults={"kind": Source.Kind.API, "created_at": now}
            )
    except IntegrityError:  # another request made it just now
        source = Source.objects.get(name=name)
    if source.kind != Source.Kind.API:
        raise Conflict(
            _("“%(name)s” is a source of another kind; nothing was stored.") % {"name": name},
            code="source_taken",
            field="source",
            remedy=_("Use another name."),
        )
    return source
