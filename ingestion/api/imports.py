"""Imports for integrators: send a file, get a job, read its ledger."""

from typing import Any
from uuid import UUID

import orjson
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.api import shapes
from ingestion.imports import choosing, starting, uploads
from ingestion.models import ImportJob, Reject
from marketing.core.api import View, accepted
from marketing.core.errors import Invalid


def body_of(row: ImportJob) -> dict[str, Any]:
    header = row.options.get("header", [])
    return {
        "id": row.public_id,
        "kind": row.kind,
        "source": row.source.name,
        "name": row.original_name,
        "state": row.state,
        "received": row.received,
        "stored": row.stored,
        "duplicate": row.duplicate,
        "quarantined": row.quarantined,
        "left_out": row.left_out,
        "mapping": {
            name: header[index] for name, index in row.mapping.items() if index < len(header)
        },
        "options": {name: row.options.get(name) for name in choosing.OPTIONS},
        "rules": {name: entry["rows"] for name, entry in row.report.get("rules", {}).items()},
        "created_at": row.created_at,
        "finished_at": row.finished_at,
        "job": reverse("api:job-detail", args=[row.job.public_id]) if row.job else None,
        "url": reverse("api:import-detail", args=[row.public_id]),
    }


def _json(data: Any, name: str) -> dict[str, Any]:
    text = data.get(name)
    if not text:
        return {}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(_("Send a JSON object."), code="not_json", field=name)
    return found


def _columns(chosen: dict[str, Any], header: list[str]) -> dict[str, int]:
    """Column names or positions → positions."""
    found: dict[str, int] = {}
    for field, column in chosen.items():
        if isinstance(column, str) and column in header:
            found[field] = header.index(column)
        elif isinstance(column, int) and not isinstance(column, bool) and 0 <= column < len(header):
            found[field] = column
        else:
            raise Invalid(
                _("The file has no column “%(column)s”.") % {"column": str(column)[:60]},
                code="no_such_column",
                field=f"mapping.{field}",
                remedy=", ".join(header)[:300],
            )
    return found


class ImportList(View):
    scope_noun = "imports"
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="imports_list",
        responses=shapes.ImportOut(many=True),
        parameters=[OpenApiParameter("limit", int)],
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        return self.paginate(ImportJob.objects.select_related("source", "job"), body_of)

    @extend_schema(
        operation_id="imports_start",
        request={"multipart/form-data": shapes.ImportIn},
        responses={202: shapes.IMPORT_STARTED},
    )
    def post(self, request: Request) -> Response:
        """Import a file: CSV, JSON Lines, Parquet or .xlsx, also as gzip, xz or zip.

        What is not said is guessed as on the page.
        """
        now = timezone.now()
        file = request.FILES.get("file")
        if file is None:
            raise Invalid(
                _("Send the file as the form field “file”."), code="file_missing", field="file"
            )
        form: Any = request.data
        user: Any = request.user
        chosen, options = _json(form, "mapping"), _json(form, "options")
        unknown = sorted(set(options) - set(choosing.OPTIONS))
        if unknown:
            raise Invalid(
                _("There is no such option."),
                code="unknown_option",
                field=f"options.{unknown[0]}",
                remedy=", ".join(choosing.OPTIONS),
            )
        with transaction.atomic():
            record = uploads.receive(
                chunks=file.chunks(),
                name=file.name or "",
                kind=form.get("kind", ""),
                source_name=form.get("source", ""),
                user=user,
                now=now,
            )
            seen = choosing.look(record, again=options, kind=record.kind)
            mapping = {**seen.mapping, **_columns(chosen, seen.detected.header)}
            choosing.choose(
                record=record,
                kind=record.kind,
                mapping=mapping,
                options={**seen.options, **options},
                now=now,
            )
            job = starting.start(record=record, user=user, now=now)
        response = accepted(job)
        record.refresh_from_db()
        response.data = {**response.data, "import": body_of(record)}
        return response


class ImportDetail(View):
    scope_noun = "imports"

    @extend_schema(operation_id="imports_get", responses=shapes.ImportOut)
    def get(self, request: Request, public_id: UUID) -> Response:
        rows = ImportJob.objects.select_related("source", "job")
        return Response(body_of(get_object_or_404(rows, public_id=public_id)))


class ImportRejects(View):
    scope_noun = "imports"
    lists_people = True

    @extend_schema(
        operation_id="imports_rejects",
        responses=shapes.RejectOut(many=True),
        parameters=[OpenApiParameter("limit", int)],
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """The quarantined lines with their reasons, in the order of the file."""
        record = get_object_or_404(ImportJob, public_id=public_id)

        def shown(row: Reject) -> dict[str, Any]:
            return {
                name: getattr(row, name)
                for name in ("line", "code", "field", "message", "remedy", "raw")
            }

        return self.paginate(Reject.objects.filter(import_job=record), shown, ordering="line")
