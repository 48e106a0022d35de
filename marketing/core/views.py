"""Pages of the floor: jobs, and a person's own settings, API keys and the team."""

import json
import zoneinfo
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core import audit, auth, jobs, progress
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.forms import KeyForm, ProfileForm, show_refusal
from marketing.core.models import ApiKey, Job, User

PER_PAGE = 25


# --- jobs --------------------------------------------------------------------------------------


@page("view")
def job_list(request: HttpRequest) -> HttpResponse:
    """Running and waiting jobs with live progress, then the ended ones, newest first."""
    wanted = request.GET.get("state", "")
    counts = dict(Job.objects.order_by().values_list("state").annotate(Count("id")))
    tabs = [
        _tab(_("All"), "", wanted, sum(counts.values())),
        _tab(_("Running"), "open", wanted, sum(counts.get(state, 0) for state in Job.OPEN)),
        *[
            _tab(str(state.label), state.value, wanted, counts.get(state.value, 0))
            for state in (Job.State.FAILED, Job.State.STOPPED, Job.State.DONE)
        ],
    ]
    rows = Job.objects.select_related("created_by").defer("log", "result", "params")
    running = rows.filter(state__in=Job.OPEN)[:50] if wanted in ("", "open") else []
    ended: QuerySet[Job] = rows.exclude(state__in=Job.OPEN)
    if wanted == "open":
        ended = Job.objects.none()
    elif wanted:
        ended = ended.filter(state=wanted)
    shown = Paginator(ended, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request, "core/job_list.html", {"tabs": tabs, "running": list(running), "page": shown}
    )


def _tab(label: str, state: str, wanted: str, count: int) -> dict[str, Any]:
    url = reverse("core:job-list") + (f"?state={state}" if state else "")
    return {"label": label, "url": url, "current": state == wanted, "count": count}


def _job(public_id: UUID) -> Job:
    return get_object_or_404(Job.objects.select_related("created_by"), public_id=public_id)


def _job_context(job: Job) -> dict[str, Any]:
    scalars = [
        (name.replace("_", " "), value)
        for name, value in job.result.items()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool)
    ]
    return {"job": job, "result": [(name, _plain(value)) for name, value in scalars]}


def _plain(value: str | int | float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else value


@page("view")
def job_detail(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One job: progress, result and log, renewed while it runs."""
    return render(request, "core/job_detail.html", _job_context(_job(public_id)))


def _fragment(request: HttpRequest, template: str, job: Job) -> HttpResponse:
    response = render(request, template, _job_context(job))
    if not job.is_open:
        response["HX-Trigger"] = json.dumps(
            {"job-ended": {"id": str(job.public_id), "kind": job.kind, "state": job.state}}
        )
    return response


@page("view")
def job_live(request: HttpRequest, public_id: UUID) -> HttpResponse:
    return _fragment(request, "core/_job_live.html", _job(public_id))


@page("view")
def job_card(request: HttpRequest, public_id: UUID) -> HttpResponse:
    return _fragment(request, "core/_job_card.html", _job(public_id))


@page("view")
def job_ring(request: HttpRequest) -> HttpResponse:
    """The ring of the top bar; says in a toast which jobs ended since it was last drawn."""
    response = render(request, "core/_job_ring.html", {"ring": progress.ring()})
    try:
        since = datetime.fromtimestamp(float(request.GET.get("since", "")), UTC)
    except (ValueError, OverflowError, OSError):
        return response
    since = max(since, timezone.now() - timedelta(hours=1))
    ended = progress.ended_since(user=request.user, since=since)  # type: ignore[arg-type]
    if ended:
        response["HX-Trigger"] = json.dumps({"toast": _toast(ended[0])})
    return response


def _toast(job: Job) -> dict[str, Any]:
    looks = {
        Job.State.DONE: ("good", "circle-check", _("Done: %(job)s")),
        Job.State.FAILED: ("bad", "alert-triangle", _("Failed: %(job)s")),
    }
    tone, icon, title = looks.get(
        Job.State(job.state), ("warn", "player-stop", _("Stopped: %(job)s"))
    )
    return {
        "title": title % {"job": job.title},
        "body": job.error[:200],
        "tone": tone,
        "icon": icon,
        "action": _("Open"),
        "href": job.result_url or reverse("core:job-detail", args=[job.public_id]),
    }


@page("view")
def job_menu(request: HttpRequest) -> HttpResponse:
    running = Job.objects.filter(state__in=Job.OPEN).defer("log", "result", "params")[:5]
    return render(request, "core/_job_menu.html", {"jobs": list(running)})


@require_POST
@page("data")
def job_cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = _job(public_id)
    try:
        jobs.cancel(job_id=job.id)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        audit.record(actor=request.user, action="job.cancelled", obj=job)  # type: ignore[arg-type]
    return redirect("core:job-detail", public_id=public_id)


@require_POST
@page("data")
def job_retry(request: HttpRequest, public_id: UUID) -> HttpResponse:
    job = _job(public_id)
    try:
        jobs.retry(job_id=job.id)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        audit.record(actor=request.user, action="job.retried", obj=job)  # type: ignore[arg-type]
    return redirect("core:job-detail", public_id=public_id)


# --- settings ----------------------------------------------------------------------------------


def _zones() -> list[str]:
    return sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC")


@page("view")
def profile(request: HttpRequest) -> HttpResponse:
    """The signed-in person's name, language, theme and time zone."""
    user = User.objects.get(pk=auth.person(request).pk)
    form = ProfileForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        with translation.override(user.language):
            messages.success(request, _("Your profile is saved."))
        return redirect("core:profile")
    roles = [auth.ROLE_NAMES[role] for role in sorted(auth.roles_of(user))]
    context = {"form": form, "zones": _zones(), "roles": roles, "version": settings.VERSION}
    return render(request, "core/profile.html", context, status=422 if form.errors else 200)


@require_POST
@page("view")
def theme(request: HttpRequest) -> HttpResponse:
    """Remember the theme that the button in the top bar switched to."""
    wanted = request.POST.get("theme")
    if wanted not in User.Theme.values:
        return HttpResponse(_("There is no such theme."), status=422, content_type="text/plain")
    User.objects.filter(pk=auth.person(request).pk).update(theme=wanted)
    return HttpResponse(status=204)


@page("keys")
def keys(request: HttpRequest) -> HttpResponse:
    """API keys: make one (its text is shown once), see when each was used, revoke."""
    maker = auth.person(request)
    form = KeyForm(request.POST or None, user=maker)
    secret = None
    if request.method == "POST" and form.is_valid():
        try:
            key, secret = auth.create_key(
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                user=maker,
                expires_at=form.expires_at(timezone.now()),
            )
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            audit.record(actor=maker, action="key.created", obj=key)
            form = KeyForm(user=maker)
    response = render(
        request,
        "core/keys.html",
        {
            "form": form,
            "secret": secret,
            "keys": ApiKey.objects.select_related("created_by")[:200],
            "now": timezone.now(),
            "nouns": form.nouns(),
        },
        status=422 if form.errors else 200,
    )
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@page("keys")
def key_revoke(request: HttpRequest, key_id: int) -> HttpResponse:
    key = get_object_or_404(ApiKey, pk=key_id)
    if ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record(actor=request.user, action="key.revoked", obj=key)  # type: ignore[arg-type]
        messages.success(
            request,
            _("The key %(name)s is revoked. Requests with it are refused from now on.")
            % {"name": key.name},
        )
    return redirect("core:keys")


@page("view")
def team(request: HttpRequest) -> HttpResponse:
    """Who can sign in, and what each may do."""
    people = (
        User.objects.select_related("second_factor")
        .prefetch_related("groups")
        .order_by("-is_active", "username")[:200]
    )
    context = {"people": people, "roles": auth.ROLES, "names": auth.ROLE_NAMES}
    return render(request, "core/team.html", context)
