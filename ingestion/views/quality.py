"""How good the data is, what is wrong and who is touched, what is expected, and who is told."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ingestion import health
from ingestion.imports import wording as import_wording
from ingestion.models import Alert, Customer, EventType, Expectation, Problem, Severity, Source
from ingestion.quality import (
    alerts,
    expectations,
    fields,
    listing,
    problems,
    suggestions,
    uses,
    wording,
)
from ingestion.views import mapping
from marketing.core import jobs
from marketing.core.auth import page, person
from marketing.core.errors import NotFound, Refused
from marketing.core.forms import whole_number
from marketing.core.models import Job

ENDED_SHOWN = timedelta(days=14)
NAMED_SHOWN = 200


@page("view")
def quality_home(request: HttpRequest) -> HttpResponse:
    """The score, what is wrong, every field, every source, and what nobody uses."""
    now = timezone.now()
    everything = list(Problem.objects.filter(ended_at=None))
    going = problems.loud(everything, now=now)
    users = uses.all_uses()
    lines, measured_at = listing.score_lines(now=now)
    newest = max(lines[""], default=None)
    groups = listing.field_rows(newest=newest, users=users)
    whole, *dimensions = listing.scores(lines=lines, problems=going)
    ended = Problem.objects.filter(ended_at__gte=now - ENDED_SHOWN).order_by("-ended_at")[:6]
    reasons = health.reject_reasons()
    for reason in reasons:
        reason["title"] = import_wording.fault(reason["code"], reason["field"], mapping.ANY)[0]
    context = {
        "whole": whole,
        "dimensions": dimensions,
        "trend": listing.trend(lines=lines, now=now),
        "problems": listing.shown(problems=going[:30], among=users),
        "problems_n": len(going),
        "critical_n": sum(p.severity == Severity.CRITICAL for p in going),
        "muted_n": len(everything) - len(going),
        "ended": [(row, wording.describe(row)) for row in ended],
        "groups": groups,
        "unused": listing.unused(groups=groups)[:12],
        "sources": listing.source_rows(newest=newest, now=now),
        "ledgers": health.ledgers(),
        "reasons": reasons[:8],
        "expected_n": Expectation.objects.filter(enabled=True).count(),
        "measured_at": measured_at,
        "job": Job.objects.filter(kind="quality.measure", state__in=Job.OPEN).first(),
    }
    return render(request, "ingestion/quality/home.html", context)


@require_POST
@page("data")
def quality_measure(request: HttpRequest) -> HttpResponse:
    """Measure now rather than within the hour."""
    if not Job.objects.filter(kind="quality.measure", state__in=Job.OPEN).exists():
        jobs.start(
            kind="quality.measure",
            title=_("Measure the quality of the data"),
            user=person(request),
            result_url=reverse("ingestion:quality-home"),
        )
    return redirect("ingestion:quality-home")


@page("view")
def quality_problem(request: HttpRequest, problem_id: int) -> HttpResponse:
    """One problem: what, since when, how much, examples, remedy, and who is touched."""
    now = timezone.now()
    try:
        problem = problems.get(problem_id=problem_id)
    except NotFound as refusal:
        messages.error(request, str(refusal))
        return redirect("ingestion:quality-home")
    people = Customer.objects.in_bulk(
        [example["customer"] for example in problem.examples if example.get("customer")]
    )
    chart = None
    if problem.dimension in (fields.VOLUME, fields.FRESH):
        chart = listing.volume_chart(now=now, subject=problem.subject, source=problem.source)
        if chart is not None:
            chart["words"] = {"rows": _("rows"), "usual": _("usual")}
    kind = None
    if problem.subject.startswith(fields.EVENTS):
        name = problem.subject.removeprefix(fields.EVENTS)
        kind = EventType.objects.filter(name=name).values_list("id", flat=True).first()
    context = {
        "problem": problem,
        "words": wording.describe(problem),
        "share": wording.share(problem),
        "users": uses.of(subject=problem.subject, field=problem.field),
        "place": fields.subject_label(problem.subject),
        "field": fields.field_label(problem.subject, problem.field),
        "dimension": fields.DIMENSIONS.get(problem.dimension, problem.dimension),
        "examples": [
            {
                "label": example["label"] or f"#{example['id']}",
                "person": people.get(example["customer"]),
            }
            for example in problem.examples
        ],
        "volume": chart,
        "line": listing.share_line(problem=problem, now=now),
        "alerts": list(problem.alerts.all()[:20]),
        "kind": kind,
        "muted": bool(problem.muted_until and problem.muted_until > now),
    }
    return render(request, "ingestion/quality/problem.html", context)


@require_POST
@page("data")
def problem_mute(request: HttpRequest, problem_id: int) -> HttpResponse:
    """Say no more of a problem for a while, or speak of it again."""
    days = whole_number(request.POST.get("days"))
    try:
        problems.mute(
            problem_id=problem_id,
            days=7 if days is None else days,
            user=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ingestion:quality-problem", problem_id)


# --- expectations ------------------------------------------------------------------------------


@page("view")
def expectation_list(request: HttpRequest) -> HttpResponse:
    """What is expected and whether it holds, and what could be expected."""
    rows = list(Expectation.objects.all())
    context = {
        "rows": [_expected(row) for row in rows],
        "broken_n": sum(row.met is False for row in rows),
        "holding_n": sum(bool(row.hold) for row in rows),
        "suggestions": suggestions.suggest()[:12],
    }
    return render(request, "ingestion/quality/expectations.html", context)


def _expected(row: Expectation) -> dict[str, Any]:
    return {
        "row": row,
        "sentence": expectations.sentence(
            row.subject, row.field, row.kind, row.params, row.threshold
        ),
        "whole": row.kind in expectations.WHOLE,
    }


@page("data")
def expectation_edit(request: HttpRequest, expectation_id: int | None = None) -> HttpResponse:
    """Make or change an expectation; its form works without JavaScript."""
    row = None
    try:
        if expectation_id is not None:
            row = expectations.get(expectation_id=expectation_id)
        if request.method == "POST":
            made = expectations.save(
                **_read(request), user=person(request), now=timezone.now(),
                expectation_id=expectation_id,
            )  # fmt: skip
            problems.check(now=timezone.now())
            made.refresh_from_db()
            messages.success(request, _saved(made))
            return redirect("ingestion:expectations")
    except NotFound as refusal:
        messages.error(request, str(refusal))
        return redirect("ingestion:expectations")
    except Refused as refusal:
        return _form(request, row, refusal)
    return _form(request, row, None)


def _saved(row: Expectation) -> str:
    if not row.enabled:
        return _("Saved. It is off, so it is not checked.")
    if row.met is None:
        return _("Saved. It is checked within 15 minutes.")
    return _("Saved, and it holds.") if row.met else _("Saved. It does not hold now.")


def _read(request: HttpRequest) -> dict[str, Any]:
    post = request.POST
    subject, _sep, field = post.get("about", "").partition("|")
    if post.get("event"):
        subject, field = fields.EVENTS + post["event"][:100], post.get("property", "")[:200]
    try:
        threshold = float(post.get("threshold") or 100) / 100
    except ValueError:
        threshold = 0.0
    return {
        "subject": subject,
        "field": field,
        "source": post.get("source", ""),
        "kind": post.get("kind", ""),
        "params": {
            "values": post.get("values", "").splitlines(),
            "shape": post.get("shape", ""),
            "min": post.get("min", "").strip(),
            "max": post.get("max", "").strip(),
            "hours": post.get("hours", "").strip(),
        },
        "threshold": threshold,
        "severity": post.get("severity", Severity.WARNING),
        "hold": post.get("hold", ""),
        "held": post.getlist("held"),
        "name": post.get("name", ""),
        "enabled": post.get("enabled", "1") == "1",
    }


def _form(request: HttpRequest, row: Expectation | None, refusal: Refused | None) -> HttpResponse:
    post = request.POST if request.method == "POST" else None
    if post is not None:
        given: dict[str, Any] = _read(request)
    elif row is not None:
        names = ("subject", "field", "source", "kind", "params", "threshold", "severity", "hold")
        given = {name: getattr(row, name) for name in names}
        given |= {"held": row.held, "name": row.name, "enabled": row.enabled}
    else:
        subject, _sep, field = request.GET.get("about", "customers|email").partition("|")
        given = {
            "subject": subject, "field": field, "source": "", "kind": expectations.FILLED,
            "params": {}, "threshold": 0.95, "severity": Severity.WARNING, "hold": "",
            "held": [], "name": "", "enabled": True,
        }  # fmt: skip
    is_event = given["subject"].startswith(fields.EVENTS)
    choices = [u for u in uses.all_uses() if u.kind in ("segment", "campaign")][:NAMED_SHOWN]
    context = {
        "row": row,
        "given": given,
        "about": f"{given['subject']}|{given['field']}",
        "event": given["subject"].removeprefix(fields.EVENTS) if is_event else "",
        "percent": round(100 * given["threshold"], 2),
        "values": "\n".join(given["params"].get("values", [])),
        "tables": [
            (
                str(table.label),
                [(f"{key}|", _("the whole table"))]
                + [(f"{key}|{name}", str(column.label)) for name, column in table.columns.items()],
            )
            for key, table in fields.TABLES.items()
        ],
        "events": list(EventType.objects.values_list("name", flat=True)[:300]),
        "kinds": list(expectations.KINDS.items()),
        "shapes": [(key, str(label)) for key, (label, _re) in fields.SHAPES.items()],
        "severities": Severity.choices,
        "holds": Expectation.Hold.choices,
        "sources": list(Source.objects.order_by("name").values_list("name", flat=True)[:200]),
        "choices": choices,
        "refusal": refusal,
    }
    return render(
        request, "ingestion/quality/expectation.html", context, status=422 if refusal else 200
    )


@require_POST
@page("data")
def expectation_remove(request: HttpRequest, expectation_id: int) -> HttpResponse:
    try:
        expectations.remove(expectation_id=expectation_id, user=person(request), now=timezone.now())
        problems.check(now=timezone.now())
        messages.success(request, _("It is expected no longer."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ingestion:expectations")


@require_POST
@page("data")
def expectation_keep(request: HttpRequest) -> HttpResponse:
    """Take a suggestion: keep it as it is."""
    wanted = (request.POST.get("subject"), request.POST.get("field"), request.POST.get("kind"))
    for item in suggestions.suggest():
        if (item["subject"], item["field"], item["kind"]) == wanted:
            expectations.save(
                subject=item["subject"],
                field=item["field"],
                kind=item["kind"],
                params=item["params"],
                threshold=item["threshold"],
                user=person(request),
                now=timezone.now(),
            )
            problems.check(now=timezone.now())
            messages.success(request, _("It is expected from now on."))
            break
    else:
        messages.error(request, _("This suggestion fits no longer. Nothing was changed."))
    return redirect("ingestion:expectations")


# --- alerts ------------------------------------------------------------------------------------


@page("view")
def alert_list(request: HttpRequest) -> HttpResponse:
    """Who is told, and what was told."""
    return _alerts(request, None)


def _alerts(request: HttpRequest, refusal: Refused | None) -> HttpResponse:
    rule = alerts.rule()
    told = list(Alert.objects.select_related("problem", "problem__expectation")[:50])
    post = request.POST if refusal else None
    context = {
        "rule": rule,
        "emails": post.get("emails", "") if post else "\n".join(rule.emails),
        "webhook_url": post.get("webhook_url", "") if post else rule.webhook_url,
        "least": post.get("least", "") if post else rule.least,
        "has_secret": bool(rule.webhook_secret),
        "severities": Severity.choices,
        "told": [(row, wording.describe(row.problem)) for row in told],
        "refusal": refusal,
    }
    return render(request, "ingestion/quality/alerts.html", context, status=422 if refusal else 200)


@require_POST
@page("data")
def alert_save(request: HttpRequest) -> HttpResponse:
    post = request.POST
    try:
        alerts.choose(
            emails=post.get("emails", "").replace(",", "\n").splitlines(),
            webhook_url=post.get("webhook_url", ""),
            webhook_secret=post.get("webhook_secret", ""),
            least=post.get("least", ""),
            user=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        return _alerts(request, refusal)
    messages.success(request, _("Saved. Problems that begin from now on are told."))
    return redirect("ingestion:alerts")
