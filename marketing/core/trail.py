"""The page of the audit trail: what was done, whether it is whole, and taking it out."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from marketing.core import audit, refusals, sealing
from marketing.core.auth import page, person
from marketing.core.cells import safe_cell
from marketing.core.models import AuditCheck, AuditEntry
from marketing.core.wording import in_words

PER_PAGE = 50
COLUMNS = (
    "id", "at", "actor_label", "action", "object_type", "object_id", "object_label", "detail",
    "erased_at",
)  # fmt: skip


def _asked(request: HttpRequest) -> dict[str, str]:
    names = {"action": "action", "actor": "who", "text": "q"}
    return {key: request.GET.get(name, "").strip()[:100] for key, name in names.items()}


@page("team")
@require_GET
def trail(request: HttpRequest) -> HttpResponse:
    """What was done, newest first, by action, person and object."""
    asked = _asked(request)
    shown = Paginator(sealing.entries_of(**asked), PER_PAGE).get_page(request.GET.get("page"))
    found = AuditCheck.objects.first()
    return render(
        request,
        "core/audit.html",
        {
            "page": shown,
            "rows": [
                {
                    "entry": row,
                    "who": row.actor_label if row.actor_id else in_words(row.actor_label),
                    "what": row.object_label or in_words(refusals.unknown(row)),
                    "told": refusals.explain(row),
                    "detail": plainly(row.detail)[:500],
                }
                for row in shown.object_list
            ],
            "asked": asked,
            "refused": refusals.ACTION,
            "found": found,
            "fault": sealing.explain(found.fault, found.fault_entry) if found else "",
        },
    )


def plainly(detail: dict[str, Any]) -> str:
    """What an entry says besides, to be read: "door: pages · fields: name, price"."""

    def said(value: Any) -> str:
        if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
            return ", ".join(str(one) for one in value)
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return " · ".join(f"{key}: {said(value)}" for key, value in detail.items())


@page("team")
@require_POST
def trail_check(request: HttpRequest) -> HttpResponse:
    """Read the whole trail against its chain now."""
    found = sealing.check(now=timezone.now())
    if found.fault:
        messages.error(request, sealing.explain(found.fault, found.entry))
    else:
        messages.success(request, _("The audit trail is whole."))
    return redirect("core:audit")


@page("team")
@require_GET
def trail_export(request: HttpRequest) -> StreamingHttpResponse:
    """What is searched for, oldest first, as CSV or, with `as=json`, one JSON object a line."""
    asked = _asked(request)
    rows: QuerySet[AuditEntry] = sealing.entries_of(**asked).order_by("id")
    as_json = request.GET.get("as") == "json"
    told = {"entries": rows.count(), "as": "json" if as_json else "csv"}
    audit.record(actor=person(request), action="audit.exported", detail=told)
    kind = "application/x-ndjson" if as_json else "text/csv"
    answer = StreamingHttpResponse(
        (_objects if as_json else _lines)(rows), content_type=f"{kind}; charset=utf-8"
    )
    name = f"audit-{timezone.now():%Y%m%d}.{'jsonl' if as_json else 'csv'}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _values(rows: QuerySet[AuditEntry]) -> Iterator[dict[str, Any]]:
    for row in rows.values(*COLUMNS).iterator(chunk_size=2_000):
        for moment in ("at", "erased_at"):
            row[moment] = row[moment].isoformat() if row[moment] else ""
        yield row


def _objects(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    for row in _values(rows):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _lines(rows: QuerySet[AuditEntry]) -> Iterator[str]:
    yield "\ufeff" + ",".join(COLUMNS) + "\r\n"
    for row in _values(rows):
        out = io.StringIO()
        row["detail"] = json.dumps(row["detail"], ensure_ascii=False)
        csv.writer(out).writerow([safe_cell(str(row[name])) for name in COLUMNS])
        yield out.getvalue()
