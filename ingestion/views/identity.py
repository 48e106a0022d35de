"""Duplicates and merges: suggestions with their evidence, side by side, merged and parted."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from ingestion.identity import suggestions, wording
from ingestion.models import Customer, Identity, Merge, RefusedName, Twins
from marketing.core import audit
from marketing.core.auth import page, person
from marketing.core.errors import Refused
from marketing.core.models import Job

PER_PAGE = 20
NAMES_SHOWN = 8
VIEWS = ("open", "apart")


@page("view")
@require_GET
def duplicate_list(request: HttpRequest) -> HttpResponse:
    """Pairs to decide, the surest first, and names that join nobody."""
    view = request.GET.get("show", "open")
    rows = suggestions.waiting()
    if view == "apart":
        rows = Twins.objects.filter(state=Twins.State.APART).order_by("-decided_at", "-id")
    counts = suggestions.waiting().aggregate(
        open=Count("pk"), certain=Count("pk", filter=Q(score__gte=suggestions.CERTAIN))
    )
    shown = Paginator(rows.select_related("left", "right"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    refused = list(RefusedName.objects.filter(allowed=False)[:10])
    context = {
        "page": shown,
        "view": view if view in VIEWS else "open",
        "pairs": [_pair(row) for row in shown.object_list],
        "counts": counts,
        "merged": Merge.objects.filter(undone_at=None).count(),
        "apart": Twins.objects.filter(state=Twins.State.APART).count(),
        "refused": [{"row": row, "remedy": wording.remedy(row)} for row in refused],
        "refused_total": RefusedName.objects.filter(allowed=False).count(),
        "recent": [_told(row) for row in _merges()[:5]],
        "job": Job.objects.filter(kind__in=("people.compare", "people.merge"))
        .order_by("-id")
        .first(),
        "kinds": wording.KINDS,
    }
    return render(request, "ingestion/identity/duplicates.html", context)


def _pair(row: Twins) -> dict[str, Any]:
    kept, _gone = _order(row.left, row.right)
    other = row.right if kept == row.left else row.left
    return {
        "row": row,
        "kept": kept,
        "gone": other,
        "evidence": wording.evidence(row.evidence),
        "certain": row.score >= suggestions.CERTAIN,
    }


def _order(one: Customer, other: Customer) -> tuple[Customer, Customer]:
    """Whoever has a customer number stays, else the older row."""
    kept = min((one, other), key=lambda row: (not row.external_id, row.pk))
    return kept, other if kept == one else one


def _merges() -> Any:
    return Merge.objects.select_related("kept", "gone")


def _told(row: Merge) -> dict[str, Any]:
    return {"row": row, "because": wording.because(row)}


@page("view")
@require_GET
def merge_preview(request: HttpRequest, kept: int, gone: int) -> HttpResponse:
    """Two people side by side, and what one of them would be."""
    try:
        shown = suggestions.preview(kept=kept, gone=gone)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("ingestion:duplicate-list")
    one, other = sorted((kept, gone))
    pair = Twins.objects.filter(left_id=one, right_id=other).first()
    known = dict(wording.COLUMNS)
    context = {
        "preview": shown,
        "lines": [{"label": known.get(line.name, line.name), "line": line} for line in shown.lines],
        "pair": pair,
        "evidence": wording.evidence(pair.evidence) if pair else [],
        "sides": [_side(row, shown.names[row.pk]) for row in (shown.kept, shown.gone)],
        "joint": {
            "orders": sum(_rollup(row, "orders") for row in (shown.kept, shown.gone)),
            "revenue": sum(_rollup(row, "revenue") for row in (shown.kept, shown.gone)),
        },
    }
    return render(request, "ingestion/identity/preview.html", context)


def _rollup(row: Customer, column: str) -> Any:
    rollup = getattr(row, "rollup", None)
    return getattr(rollup, column) if rollup is not None else 0


def _side(row: Customer, names: list[Identity]) -> dict[str, Any]:
    return {
        "row": row,
        "orders": _rollup(row, "orders"),
        "revenue": _rollup(row, "revenue"),
        "names": [_name(name) for name in names[:NAMES_SHOWN]],
        "more": max(0, len(names) - NAMES_SHOWN),
    }


def _name(name: Identity) -> dict[str, Any]:
    return {
        "kind": wording.KINDS.get(name.kind, name.kind),
        "icon": wording.KIND_ICONS.get(name.kind, "user"),
        "value": name.value,
    }


@page("data")
@require_POST
def merge_people(request: HttpRequest, kept: int, gone: int) -> HttpResponse:
    """Make two people one."""
    try:
        done = suggestions.merge(kept=kept, gone=gone, actor=person(request), now=timezone.now())
    except Refused as refusal:
        messages.error(request, str(refusal))
        return _back(request)
    row = Customer.objects.get(pk=done.kept_id)
    messages.success(
        request,
        _("One person now: %(name)s. %(events)d events and %(orders)d orders moved.")
        % {"name": row.display_name, "events": done.events, "orders": done.orders},
    )
    return _back(request)


@page("data")
@require_POST
def keep_apart(request: HttpRequest, kept: int, gone: int) -> HttpResponse:
    """Remember that two people are not the same."""
    try:
        suggestions.keep_apart(left=kept, right=gone, actor=person(request), now=timezone.now())
        messages.success(request, _("Noted. This pair will not be suggested again."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _back(request)


@page("data")
@require_POST
def merge_certain(request: HttpRequest) -> HttpResponse:
    """Merge every pair that is certain, as a job."""
    try:
        suggestions.start_certain(user=person(request))
        messages.success(request, _("The certain pairs are being merged. Each can be undone."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ingestion:duplicate-list")


@page("data")
@require_POST
def compare_people(request: HttpRequest) -> HttpResponse:
    """Look for duplicates now."""
    if suggestions.start(user=person(request)) is None:
        messages.info(request, _("People are being compared already."))
    return redirect("ingestion:duplicate-list")


@page("view")
@require_GET
def merge_history(request: HttpRequest) -> HttpResponse:
    """Every merge with its reason, newest first."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:100]
    rows = _merges()
    if text:
        people = Customer.every.filter(
            Q(email__startswith=text.lower())
            | Q(external_id__startswith=text)
            | Q(first_name__istartswith=text)
            | Q(last_name__istartswith=text)
        ).values("pk")[:1000]
        rows = rows.filter(Q(kept__in=people) | Q(gone__in=people))
    shown = Paginator(rows, 50).get_page(request.GET.get("page"))
    context = {"page": shown, "merges": [_told(row) for row in shown.object_list], "q": text}
    return render(request, "ingestion/identity/history.html", context)


@page("data")
@require_POST
def merge_undo(request: HttpRequest, merge_id: int) -> HttpResponse:
    """Part two merged people again."""
    try:
        back = suggestions.undo(merge_id=merge_id, actor=person(request), now=timezone.now())
        row = Customer.objects.get(pk=back)
        messages.success(
            request,
            _("%(name)s stands alone again, with everything that was theirs.")
            % {"name": row.display_name},
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return _back(request)


@page("data")
@require_POST
def name_allow(request: HttpRequest, name_id: int) -> HttpResponse:
    """Let a refused name join people after all."""
    row = get_object_or_404(RefusedName, pk=name_id)
    RefusedName.objects.filter(pk=row.pk).update(allowed=True)
    Identity.objects.filter(kind=row.kind, value=row.value).update(refused=False)
    audit.record(actor=person(request), action="name.allowed", obj=row)
    messages.success(
        request, _("“%(name)s” is a name like any other from now on.") % {"name": row.value}
    )
    return redirect("ingestion:duplicate-list")


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """To the page the form stood on, if it is one of ours."""
    target = request.POST.get("next", "")
    ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    return redirect(target if ours else reverse("ingestion:duplicate-list"))
