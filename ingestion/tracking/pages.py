"""Web sources on pages: a key, what to copy, and whether the first event has come."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from ingestion.events import tallies
from ingestion.models import Refusal, Source
from ingestion.tracking import commerce, keys, serving, snippets
from marketing.core.auth import page, person
from marketing.core.errors import Refused

SHOWN = 6
LOOKED_AT = 5_000
WAITING_POLL, POLL = 2, 10
_LATEST = f"""
SELECT e.type, e.at, e.received_at, e.customer_id, e.flags, e.context->>'event' AS name
FROM (SELECT * FROM ingestion_event ORDER BY id DESC LIMIT {LOOKED_AT}) e
WHERE e.source = %s ORDER BY e.id DESC LIMIT {SHOWN}
"""


# What the vocabulary calls it, our type, and how the tag tells it.
_NAMES = [
    (name, commerce.type_of(name), call)
    for name, call in (
        ("Product Viewed", 'perennial("product", …)'),
        ("Product Added", 'perennial("cart", "add", …)'),
        ("Product Removed", 'perennial("cart", "remove", …)'),
        ("Cart Viewed", 'perennial("cart", "view", …)'),
        ("Products Searched", 'perennial("search", …)'),
        ("Checkout Started", 'perennial("track", "Checkout Started", …)'),
        ("Order Completed", 'perennial("order", …)'),
        ("Order Refunded", 'perennial("track", "Order Refunded", …)'),
    )
]


class SourceForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("Such as the address of the shop. Events carry it as their source."),
        widget=forms.TextInput(attrs={"class": "input", "placeholder": "shop.example.com"}),
    )


@page("data")
def new(request: HttpRequest) -> HttpResponse:
    """Name a website or app and get its key."""
    form = SourceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            source = keys.create(
                name=form.cleaned_data["name"], actor=person(request), now=timezone.now()
            )
        except Refused as fault:
            form.add_error("name", str(fault))
        else:
            return redirect("ingestion:tracking", source.pk)
    return render(
        request, "ingestion/tracking/new.html", {"form": form}, status=422 if form.errors else 200
    )


@page("view")
def detail(request: HttpRequest, source_id: int) -> HttpResponse:
    """A web source: its key, what to copy, and what comes in."""
    source = _source(source_id)
    script = serving.tracker()
    context = {
        "source": source,
        "makes_orders": source.options.get("orders", True),
        "snippets": snippets.of(
            key=source.write_key or "",
            host=settings.PUBLIC_URL.rstrip("/"),
            version=script.version,
            integrity=script.integrity,
        ),
        "names": _NAMES,
        **_arrivals(source),
    }
    return render(request, "ingestion/tracking/detail.html", context)


@require_GET
@page("view")
def live(request: HttpRequest, source_id: int) -> HttpResponse:
    """Whether something has come, and the last few events; asked again by the page itself."""
    source = _source(source_id)
    return render(
        request, "ingestion/tracking/_arrivals.html", {"source": source, **_arrivals(source)}
    )


@require_POST
@page("data")
def rotate(request: HttpRequest, source_id: int) -> HttpResponse:
    """Another key."""
    source = keys.rotate(source=_source(source_id), actor=person(request))
    messages.success(request, _("The key was replaced. Pages with the old one are refused now."))
    return redirect("ingestion:tracking", source.pk)


@require_POST
@page("data")
def switch(request: HttpRequest, source_id: int) -> HttpResponse:
    """Turn the key off or on."""
    wanted = request.POST.get("enabled") == "1"
    source = keys.switch(source=_source(source_id), enabled=wanted, actor=person(request))
    messages.success(
        request,
        _("Events are taken again.") if wanted else _("The key is off. Events are refused now."),
    )
    return redirect("ingestion:tracking", source.pk)


@require_POST
@page("data")
def orders(request: HttpRequest, source_id: int) -> HttpResponse:
    """Whether completed orders of this source become orders here."""
    wanted = request.POST.get("orders") == "1"
    source = keys.take_orders(source=_source(source_id), wanted=wanted, actor=person(request))
    messages.success(request, _("Saved. It holds for what comes from now on."))
    return redirect("ingestion:tracking", source.pk)


def _source(source_id: int) -> Source:
    found: Source = get_object_or_404(Source, pk=source_id, kind=keys.KIND)
    return found


def _arrivals(source: Source) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, [source.name])
        names = [column.name for column in cursor.description]
        latest = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    ledger = tallies.ledger(source.name)
    refused = Refusal.objects.filter(source=source.name, state=Refusal.State.OPEN)
    return {
        "ledger": ledger,
        "latest": latest,
        "waiting": ledger.received + ledger.waiting == 0,
        "refused": list(refused.order_by("-id")[:3]),
        "refused_count": refused.count(),
        "poll": WAITING_POLL if ledger.received == 0 else POLL,
    }
