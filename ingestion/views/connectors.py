"""Settings of sources that are fetched from, and the buttons of their pages."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from ingestion.connectors import configuring, kinds, schedule
from ingestion.models import Connector
from ingestion.views import source_forms
from ingestion.views.sources import LOOKS
from marketing.core.auth import page, person
from marketing.core.errors import Refused


def _connector(source_id: int) -> Connector:
    return get_object_or_404(
        Connector.objects.select_related("source", "created_by"), source_id=source_id
    )


def _edit(request: HttpRequest, kind: str, connector: Connector | None) -> HttpResponse:
    made = kinds.load(kind)
    form = source_forms.SettingsForm.of(request, made, connector)
    context: dict[str, Any] = {
        "form": form,
        "kind": kind,
        "kind_name": Connector.Kind(kind).label,
        "connector": connector,
        "source": connector.source if connector else None,
        "icon": LOOKS[kind][0],
        "hue": LOOKS[kind][1],
    }
    status = 200
    if request.method == "POST":
        testing = request.POST.get("do") == "test"
        if testing:
            form.fields["name"].required = False
        if form.is_valid():
            try:
                if testing:
                    one = configuring.trial(
                        kind=kind, given=form.given(), connector=connector, now=timezone.now()
                    )
                    context["sample"] = one.test()
                else:
                    return _saved(request, kind, connector, form)
            except Refused as refusal:
                status = 422
                context["refused"] = refusal
                form.mark(refusal)
        else:
            status = 422
        if testing and request.headers.get("HX-Request"):
            # htmx swaps only what succeeded; the refusal is in the words of the fragment
            return render(request, "ingestion/sources/_test.html", context)
    return render(request, "ingestion/sources/edit.html", context, status=status)


def _saved(
    request: HttpRequest, kind: str, connector: Connector | None, form: source_forms.SettingsForm
) -> HttpResponse:
    common: dict[str, Any] = {
        "name": form.cleaned_data["name"],
        "given": form.given(),
        "timing": form.timing(),
        "actor": person(request),
        "now": timezone.now(),
    }
    if connector is None:
        connector = configuring.create(kind=kind, **common)
        schedule.begin(connector=connector, by_hand=True, user=person(request), now=common["now"])
        messages.success(request, _("The source is added. Its first fetch has begun."))
    else:
        connector = configuring.change(connector=connector, **common)
        messages.success(request, _("The settings are saved."))
    return redirect("ingestion:source-detail", connector.source_id)


@page("data")
def connector_new(request: HttpRequest, kind: str) -> HttpResponse:
    """Settings of a new source; they can be tested before they are saved."""
    if kind not in kinds.KINDS:
        raise Http404
    return _edit(request, kind, None)


@page("data")
def connector_edit(request: HttpRequest, source_id: int) -> HttpResponse:
    """Other settings of a source. Secrets are not shown; an empty field keeps one."""
    connector = _connector(source_id)
    return _edit(request, connector.kind, connector)


@require_POST
@page("data")
def connector_test(request: HttpRequest, source_id: int) -> HttpResponse:
    """Call the other side with the saved settings and say what was seen."""
    connector = _connector(source_id)
    context: dict[str, Any] = {"connector": connector}
    try:
        context["sample"] = configuring.open_up(connector, now=timezone.now()).test()
    except Refused as refusal:
        context["refused"] = refusal
    if request.headers.get("HX-Request"):
        return render(request, "ingestion/sources/_test.html", context)
    if refused := context.get("refused"):
        messages.error(request, str(refused))
    else:
        messages.success(request, context["sample"].message)
    return redirect("ingestion:source-detail", source_id)


@require_POST
@page("data")
def connector_run(request: HttpRequest, source_id: int) -> HttpResponse:
    """Fetch now."""
    try:
        schedule.begin(
            connector=_connector(source_id),
            by_hand=True,
            user=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Fetching has begun."))
    return redirect("ingestion:source-detail", source_id)


@require_POST
@page("data")
def connector_switch(request: HttpRequest, source_id: int) -> HttpResponse:
    """Pause, resume, or ask for the columns again."""
    connector, actor = _connector(source_id), person(request)
    match request.POST.get("do"):
        case "pause":
            configuring.pause(connector=connector, actor=actor)
            messages.success(request, _("The source is paused. Nothing is fetched from it."))
        case "resume":
            configuring.resume(connector=connector, actor=actor, now=timezone.now())
            messages.success(request, _("The source is fetched from again."))
        case "columns":
            configuring.columns_again(connector=connector, actor=actor)
            messages.success(request, _("The next fetch waits until you have chosen its columns."))
    return redirect("ingestion:source-detail", source_id)
