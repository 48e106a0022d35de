"""Imports: upload, map columns, watch, read the report, download what was refused."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from ingestion import queries
from ingestion.imports import choosing, rejects, starting, uploads, wording
from ingestion.models import ImportJob, Reject, Source
from ingestion.privacy import retention
from ingestion.recipes import wording as recipe_words
from ingestion.views import mapping
from marketing.core import downloads
from marketing.core.auth import page
from marketing.core.errors import Refused

PER_PAGE = 25
SHOWN_REJECTS = 20
# rules in the order in which a person reads a report
RULE_ORDER = tuple(wording.RULES)


@page("view")
def import_list(request: HttpRequest) -> HttpResponse:
    """What there is, and every import with its ledger, newest first."""
    rows = ImportJob.objects.select_related("source", "job", "created_by").defer("report")
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    running = [row.job for row in shown.object_list if row.job is not None and row.job.is_open]
    context = {"page": shown, "running": running, "overview": queries.overview()}
    return render(request, "ingestion/import_list.html", context)


@page("data")
def import_new(request: HttpRequest) -> HttpResponse:
    """Choose a file. A file that is no table is refused here, and nothing is kept of it."""
    context: dict[str, Any] = {"sources": Source.objects.filter(is_demo=False).order_by("name")}
    if request.method == "POST":
        file = request.FILES.get("file")
        if file is None:
            context["refused"] = Refused(_("No file was chosen."), remedy=_("Choose a file first."))
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
        ImportJob.objects.select_related("source", "job", "trial_job", "mends", "created_by"),
        public_id=public_id,
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
        options, columns = mapping.chosen(request, record)
        try:
            choosing.choose(
                record=record,
                kind=request.POST.get("kind", record.kind),
                mapping=columns,
                options=options,
                source_name=request.POST.get("source", ""),
                now=now,
            )
            if rows := request.POST.get("try"):
                starting.try_out(
                    record=record,
                    rows=int(rows) if rows.isdecimal() else None,
                    user=request.user,  # type: ignore[arg-type]
                    now=now,
                )
                return redirect(reverse("ingestion:import-map", args=[public_id]) + "#trial")
            starting.start(record=record, user=request.user, now=now)  # type: ignore[arg-type]
        except Refused as refusal:
            if refusal.code == "import_started":  # by a second click, or by somebody else
                return redirect("ingestion:import-detail", record.public_id)
            context["refused"], status = refusal, 422
        else:
            messages.success(request, _("The import has started."))
            return redirect("ingestion:import-detail", record.public_id)
    try:
        context |= mapping.context(request, record) | mapping.trial(record)
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
        context = {
            **mapping.trial(record),
            **mapping.context(request, record),
            "changed": request.method == "POST",
        }
    except Refused as refusal:
        context = {"record": record, "refused": refusal}
    template = "_import_mapping.html" if request.headers.get("HX-Request") else "import_map.html"
    return render(request, f"ingestion/{template}", context)


@require_POST
@page("data")
def import_discard(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Delete an upload that was never started."""
    record = _record(public_id)
    try:
        starting.forget(record=record, user=request.user, now=timezone.now())  # type: ignore[arg-type]
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("ingestion:import-detail", public_id)
    messages.success(request, _("The file was deleted; nothing of it was stored."))
    return redirect("ingestion:import-list")


@require_GET
@page("data")
def import_trial(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The panel of the dry run, which renews itself while it runs."""
    return render(request, "ingestion/_import_trial.html", mapping.trial(_record(public_id)))


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
    own = recipe_words.told(record.recipe_version)
    shown = []
    for code in sorted(rules, key=lambda c: RULE_ORDER.index(c) if c in RULE_ORDER else 99):
        title, done = wording.RULES.get(code) or own.get(code, (code, ""))
        entry = rules[code]
        shown.append(
            {
                "code": code,
                "title": title,
                "done": done,
                "rows": recipe_words.rows_of(entry),
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
    mended = record.rejects.filter(mended_by__isnull=False).count() if record.quarantined else 0
    seconds = None
    if record.started_at and record.finished_at:
        seconds = (record.finished_at - record.started_at).total_seconds()
    return {
        "record": record,
        "job": record.job,
        "open": record.job is not None and record.job.is_open,
        "rules": shown,
        "seconds": seconds,
        **_pace(record),
        "rejects": list(record.rejects.filter(mended_by=None)[:SHOWN_REJECTS])
        if record.quarantined
        else [],
        "mended": mended,
        "unmended": record.quarantined - mended,
        "menders": list(record.menders.order_by("id")) if record.quarantined else [],
        "kept_until": _kept_until(record),
        "adds_up": record.received
        == record.stored + record.duplicate + record.quarantined + record.left_out,
    }


def _pace(record: ImportJob) -> dict[str, Any]:
    """Rows a second and seconds left of a running import, since it last began to store."""
    job, since = record.job, record.report.get("since")
    if job is None or not job.is_open or not since or record.state != ImportJob.State.RUNNING:
        return {"rate": None, "left": None}
    passed = (timezone.now() - datetime.fromisoformat(since["at"])).total_seconds()
    done = record.received - since["received"]
    rate = done / passed if passed > 0.5 and done else None
    lines = record.options.get("lines")
    left = (lines - record.received) / rate if rate and lines and lines > record.received else None
    return {"rate": rate and round(rate), "left": left and round(left)}


def _kept_until(record: ImportJob) -> datetime | None:
    """When the raw file of an ended import goes; None for never, or where there is none."""
    if record.finished_at is None or not uploads.is_kept(record) or record.source.is_demo:
        return None
    days = retention.days_for("raw_files")
    return None if days is None else record.finished_at + timedelta(days=days)


def _pairs(values_: dict[str, Any]) -> list[tuple[str, str]]:
    return [(wording.field(name), str(value)) for name, value in values_.items()]


@require_GET
@page("view")
def import_rejects(request: HttpRequest, public_id: UUID) -> Any:
    """The quarantined lines as a CSV that can be mended and imported again.

    Cells that a spreadsheet would run are made harmless, unless `raw` asks for them as they came.
    """
    record = _record(public_id)
    raw = "raw" in request.GET
    elsewhere = downloads.guard(
        request,
        people=Reject.objects.filter(import_job=record).count(),
        what="rejects",
        back=reverse("ingestion:import-detail", args=[public_id]),
        obj=record,
    )
    if elsewhere is not None:
        return elsewhere
    response = StreamingHttpResponse(
        rejects.as_csv(import_job=record, spreadsheet=not raw),
        content_type="text/csv; charset=utf-8",
    )
    name = f"rejects-{'raw-' if raw else ''}{record.public_id}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
