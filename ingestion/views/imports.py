"""Imports: upload, map columns, watch, read the report, download what was refused."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from ingestion import health, queries, schemas
from ingestion.imports import rejects, uploads, wording
from ingestion.models import ImportJob, Source
from ingestion.preprocess import detect, values
from marketing.core.auth import page
from marketing.core.errors import Refused

PER_PAGE = 25
SHOWN_REJECTS = 20
PREVIEW = 8
# rules in the order in which a person reads a report
RULE_ORDER = tuple(wording.RULES)
ENCODINGS = {
    "utf-8": "UTF-8",
    "cp1252": "Windows-1252",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "gb18030": "GB 18030",
    "shift_jis": "Shift JIS",
    "euc_kr": "EUC-KR",
    "big5": "Big5",
    "iso8859_2": "ISO 8859-2",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
}


@page("view")
def import_list(request: HttpRequest) -> HttpResponse:
    """What there is, and every import with its ledger, newest first."""
    rows = ImportJob.objects.select_related("source", "job", "created_by").defer("report")
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    running = [row.job for row in shown.object_list if row.job is not None and row.job.is_open]
    context = {"page": shown, "running": running, "overview": queries.overview()}
    return render(request, "ingestion/import_list.html", context)


@page("view")
def data_health(request: HttpRequest) -> HttpResponse:
    """Whether every row is accounted for, and what is missing."""
    context = {
        "ledgers": health.ledgers(),
        "shares": [{"row": row, **_SHARES[row.key]} for row in health.shares()],
        "reasons": [
            {**row, "title": wording.fault(row["code"], row["field"], _ANY)[0]}
            for row in health.reject_reasons()
        ],
    }
    return render(request, "ingestion/data_health.html", context)


# Stands in for the facts of a fault where only its kind is told.
_ANY = dict.fromkeys(("value", "found", "expected", "megabytes", "byte", "encoding"), "…")
_SHARES: dict[str, dict[str, Any]] = {
    "people_without_email": {
        "label": gettext_lazy("People without an e-mail address"),
        "means": gettext_lazy("They cannot be mailed. Import a file of people with addresses."),
    },
    "people_without_country": {
        "label": gettext_lazy("People without a country"),
        "means": gettext_lazy("Segments by country leave them out."),
    },
    "guest_orders": {
        "label": gettext_lazy("Orders of guests"),
        "means": gettext_lazy("They count as revenue but belong to nobody, so no model sees them."),
    },
    "returns_without_order": {
        "label": gettext_lazy("Returns without an order"),
        "means": gettext_lazy(
            "The sale was before the data begins, or the line does not say whose it was."
        ),
    },
    "unusual_lines": {
        "label": gettext_lazy("Unusual quantities and prices"),
        "means": gettext_lazy("Flagged, not removed."),
    },
    "products_without_name": {
        "label": gettext_lazy("Products without a name"),
        "means": gettext_lazy("A mail would show their code. Import a catalogue with names."),
    },
    "products_without_price": {
        "label": gettext_lazy("Products without a price"),
        "means": gettext_lazy("Price rules leave them out."),
    },
}


@page("data")
def import_new(request: HttpRequest) -> HttpResponse:
    """Choose a file. A file that is no table is refused here, and nothing is kept of it."""
    context: dict[str, Any] = {"sources": Source.objects.filter(is_demo=False).order_by("name")}
    if request.method == "POST":
        file = request.FILES.get("file")
        if file is None:
            context["refused"] = Refused(
                _("No file was chosen."), remedy=_("Choose a CSV file first.")
            )
            return render(request, "ingestion/import_new.html", context, status=422)
        try:
            record = uploads.receive(
                chunks=file.chunks(),
                name=file.name or "",
                source_name=request.POST.get("source", ""),
                user=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except Refused as refusal:
            context["refused"] = refusal
            return render(request, "ingestion/import_new.html", context, status=422)
        return redirect("ingestion:import-map", record.public_id)
    return render(request, "ingestion/import_new.html", context)


def _record(public_id: UUID) -> ImportJob:
    return get_object_or_404(
        ImportJob.objects.select_related("source", "job", "created_by"), public_id=public_id
    )


@page("data")
def import_map(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Say which column is which, seeing the first rows; then start."""
    record = _record(public_id)
    if record.state not in (ImportJob.State.UPLOADED, ImportJob.State.MAPPED) or record.job:
        return redirect("ingestion:import-detail", record.public_id)
    context: dict[str, Any] = {"record": record}
    status = 200
    if request.method == "POST":
        now = timezone.now()
        options, mapping = _chosen(request, record)
        try:
            uploads.choose(
                record=record,
                kind=request.POST.get("kind", record.kind),
                mapping=mapping,
                options=options,
                source_name=request.POST.get("source", ""),
                now=now,
            )
            uploads.start(record=record, user=request.user, now=now)  # type: ignore[arg-type]
        except Refused as refusal:
            context["refused"], status = refusal, 422
        else:
            messages.success(request, _("The import has started."))
            return redirect("ingestion:import-detail", record.public_id)
    try:
        context |= _mapping_context(request, record)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("ingestion:import-list")
    return render(request, "ingestion/import_map.html", context, status=status)


@require_POST
@page("data")
def import_preview(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The mapping again, with other reading choices. Stores nothing."""
    record = _record(public_id)
    try:
        context = {"record": record, **_mapping_context(request, record)}
    except Refused as refusal:
        context = {"record": record, "refused": refusal}
    template = "_import_mapping.html" if request.headers.get("HX-Request") else "import_map.html"
    return render(request, f"ingestion/{template}", context)


def _chosen(request: HttpRequest, record: ImportJob) -> tuple[dict[str, Any], dict[str, int]]:
    """Reading choices and mapping from a posted form."""
    post = request.POST
    options: dict[str, Any] = {
        name: post[name]
        for name in ("encoding", "delimiter", "timezone", "date_style", "decimal", "currency")
        if post.get(name)
    }
    if options.get("delimiter") == "tab":
        options["delimiter"] = "\t"
    if "currency" in options:
        options["currency"] = options["currency"].strip().upper()
    options["has_header"] = "has_header" in post
    mapping = {
        field.name: int(column)
        for field in schemas.KINDS.get(post.get("kind", record.kind), ())
        if (column := post.get(f"column-{field.name}", "")).isdigit()
    }
    return options, mapping


def _mapping_context(request: HttpRequest, record: ImportJob) -> dict[str, Any]:
    """What the mapping page shows: fields with their columns and samples, choices, first rows."""
    again: dict[str, Any] = {}
    mapping: dict[str, int] = {}
    kind = record.kind
    if request.method == "POST":
        again, mapping = _chosen(request, record)
        kind = request.POST.get("kind", kind)
        kind = kind if kind in schemas.KINDS else record.kind
    seen = uploads.look(record, again=again, kind=kind)
    same = seen.detected.header == record.options["header"] and kind == request.POST.get(
        "was", kind
    )
    mapping = mapping if mapping and same else seen.mapping
    rows = seen.detected.rows
    columns = [
        {
            "index": i,
            "name": name,
            "sample": next((r[i] for r in rows if i < len(r) and r[i].strip()), ""),
        }
        for i, name in enumerate(seen.detected.header)
    ]
    named = {index: wording.field(name) for name, index in mapping.items()}
    return {
        "look": seen,
        "kind": kind,
        "kinds": ImportJob.Kind.choices,
        "fields": [
            {
                "field": field,
                "label": wording.field(field.name),
                "column": mapping.get(field.name, -1),
                "needed": field.required,
                "sample": columns[mapping[field.name]]["sample"]
                if mapping.get(field.name, -1) in range(len(columns))
                else "",
            }
            for field in schemas.KINDS[kind]
        ],
        "columns": columns,
        "preview_head": [
            (name, named.get(index, "")) for index, name in enumerate(seen.detected.header)
        ],
        "preview": [row[: len(columns)] for row in rows[:PREVIEW]],
        "encodings": [(name, ENCODINGS[name]) for name in detect.ENCODINGS],
        "delimiters": [
            (",", _("Comma ,")),
            (";", _("Semicolon ;")),
            ("tab", _("Tab")),
            ("|", _("Bar |")),
        ],
        "delimiter": "tab" if seen.options["delimiter"] == "\t" else seen.options["delimiter"],
        "styles": list(values.FORMATS.items()),
        "unclear_date": len(seen.date_styles) > 1,
        "decimals": [(".", _("Point: 1,234.56")), (",", _("Comma: 1.234,56"))],
        "source_name": request.POST.get("source", record.source.name),
        "sources": Source.objects.filter(is_demo=False).order_by("name"),
    }


@page("view")
def import_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One import: progress while it runs, then its report."""
    record = _record(public_id)
    if record.job is None and record.state in (ImportJob.State.UPLOADED, ImportJob.State.MAPPED):
        return redirect("ingestion:import-map", record.public_id)
    return render(request, "ingestion/import_detail.html", report_context(record))


@require_GET
@page("view")
def import_live(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The part of the page that renews itself while the import runs."""
    return render(request, "ingestion/_import_live.html", report_context(_record(public_id)))


def report_context(record: ImportJob) -> dict[str, Any]:
    """An import as its page shows it."""
    rules = record.report.get("rules", {})
    shown = []
    for code in sorted(rules, key=lambda c: RULE_ORDER.index(c) if c in RULE_ORDER else 99):
        title, done = wording.RULES.get(code, (code, ""))
        entry = rules[code]
        shown.append(
            {
                "code": code,
                "title": title,
                "done": done,
                "rows": entry["rows"],
                "limit": entry.get("limit"),
                "examples": [
                    {
                        "line": example.get("line"),
                        "before": _pairs(example.get("before", {})),
                        "after": _pairs(example.get("after", {})),
                    }
                    for example in entry.get("examples", [])
                ],
            }
        )
    seconds = None
    if record.started_at and record.finished_at:
        seconds = (record.finished_at - record.started_at).total_seconds()
    return {
        "record": record,
        "job": record.job,
        "open": record.job is not None and record.job.is_open,
        "rules": shown,
        "seconds": seconds,
        "rejects": list(record.rejects.all()[:SHOWN_REJECTS]) if record.quarantined else [],
        "adds_up": record.received == record.stored + record.duplicate + record.quarantined,
    }


def _pairs(values_: dict[str, Any]) -> list[tuple[str, str]]:
    return [(wording.field(name), str(value)) for name, value in values_.items()]


@require_GET
@page("view")
def import_rejects(request: HttpRequest, public_id: UUID) -> Any:
    """The quarantined lines as a CSV; cells that a spreadsheet would run are made harmless."""
    record = _record(public_id)
    response = StreamingHttpResponse(
        rejects.as_csv(import_job=record), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="rejects-{record.public_id}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
