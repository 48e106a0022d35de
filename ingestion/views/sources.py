"""Sources: how each is, adding one, and everything about one that is fetched from."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_POST

from ingestion import sources
from ingestion.connectors import configuring
from ingestion.imports import wording
from ingestion.models import Connector, ImportJob, Mention, Pull, Source
from ingestion.views import source_forms
from marketing.core.auth import page, person
from marketing.core.errors import Refused

CHART_DAYS = 14
SHOWN = 12
# health → (tone of its badge, its word)
HEALTH = {
    sources.OK: ("good", gettext_lazy("OK")),
    sources.RUNNING: ("accent", gettext_lazy("Running")),
    sources.LATE_: ("warn", gettext_lazy("Late")),
    sources.QUIET_: ("warn", gettext_lazy("Quiet")),
    sources.FAILING: ("bad", gettext_lazy("Failing")),
    sources.PAUSED: ("bad", gettext_lazy("Paused")),
    sources.WAITING: ("warn", gettext_lazy("Needs columns")),
    sources.NEW: ("", pgettext_lazy("source", "New")),
    sources.OFF: ("", gettext_lazy("Off")),
}
# kind → (icon, colour)
LOOKS = {
    "upload": ("table-import", "k2"),
    "demo": ("table-import", "k8"),
    "api": ("api", "k1"),
    "tracking": ("world", "k5"),
    "webhook": ("webhook", "k4"),
    "sql": ("database", "k6"),
    "folder": ("device-floppy", "k3"),
    "http_json": ("code", "k1"),
    "feed": ("message", "k5"),
}


def _line(line: sources.Line) -> dict[str, Any]:
    tone, word = HEALTH[line.health]
    icon, hue = LOOKS.get(line.kind, ("database", "k8"))
    return {"line": line, "tone": tone, "word": word, "icon": icon, "hue": hue}


@page("view")
def source_list(request: HttpRequest) -> HttpResponse:
    """Every source: health, last and next fetch, volume."""
    sources.adopt_api()
    lines = sources.overview(now=timezone.now())
    total, day = sources.Volume(), sources.Volume()
    for line in lines:
        total, day = total + line.total, day + line.day
    troubled = (sources.FAILING, sources.PAUSED, sources.LATE_)
    context = {
        "rows": [_line(line) for line in lines],
        "total": total,
        "day": day,
        "troubled": sum(line.health in troubled for line in lines),
        "waiting": sum(line.health == sources.WAITING for line in lines),
    }
    return render(request, "ingestion/sources/list.html", context)


# (icon, colour, name, what it is for, url name, argument)
GALLERY = (
    (
        "table-import", "k2", gettext_lazy("File"),
        gettext_lazy("Upload CSV, Excel, JSON Lines or Parquet by hand."), "import-new", (),
    ),
    (
        "world", "k5", gettext_lazy("Website or app"),
        gettext_lazy("Page views, carts and orders as they happen, with one line of script."),
        "tracking-new", (),
    ),
    (
        "api", "k1", gettext_lazy("API"),
        gettext_lazy("Send people, orders, events and mentions from your own programs."),
        "core:keys", (),
    ),
    (
        "shopping-bag", "k4", "Shopify",
        gettext_lazy("Orders, customers and products, signed by the shop."),
        "webhook-new", ("shopify",),
    ),
    (
        "building-store", "k4", "WooCommerce",
        gettext_lazy("Orders, customers and products, signed by the shop."),
        "webhook-new", ("woocommerce",),
    ),
    (
        "webhook", "k4", gettext_lazy("Webhook"),
        gettext_lazy("Any system that can send signed JSON."), "webhook-new", ("standard",),
    ),
    (
        "database", "k6", gettext_lazy("Database"),
        gettext_lazy("A table or query of PostgreSQL, MySQL, SQLite and others, on a schedule."),
        "connector-new", ("sql",),
    ),
    (
        "device-floppy", "k3", gettext_lazy("Folder or bucket"),
        gettext_lazy("New files of a folder, S3, Google Cloud Storage, SFTP or a web page."),
        "connector-new", ("folder",),
    ),
    (
        "code", "k1", gettext_lazy("HTTP API"),
        gettext_lazy("Rows of an API that answers in JSON, page by page."),
        "connector-new", ("http_json",),
    ),
    (
        "message", "k5", gettext_lazy("Feed"),
        gettext_lazy("Articles and posts that mention you, from RSS or Atom."),
        "connector-new", ("feed",),
    ),
)  # fmt: skip


def _address(name: str, arguments: tuple[str, ...]) -> str:
    """Where a kind begins; empty while this installation has no such page."""
    full = name if ":" in name else f"ingestion:{name}"
    for given in (arguments, ()):
        try:
            found = reverse(full, args=given)
        except NoReverseMatch:
            continue
        return f"{found}?scheme={arguments[0]}" if arguments and not given else found
    return ""


@page("data")
def source_new(request: HttpRequest) -> HttpResponse:
    """What can be added."""
    cards = [
        {"icon": icon, "hue": hue, "name": name, "text": text, "url": url}
        for icon, hue, name, text, address, arguments in GALLERY
        if (url := _address(address, arguments))
    ]
    return render(request, "ingestion/sources/new.html", {"cards": cards})


def _panel(kind: str) -> str:
    """The part of the page that belongs to one kind of source, where there is one."""
    name = f"ingestion/sources/_{kind}.html"
    try:
        get_template(name)
    except TemplateDoesNotExist:
        return ""
    return name


def _panels(line: sources.Line) -> list[str]:
    """The parts of a source's page that belong to its kind; mentions have no recipe."""
    wanted = [line.source.kind]
    if line.kind not in (Connector.Kind.FEED, Source.Kind.TRACKING, Source.Kind.API):
        wanted.append("recipe")
    return [found for name in wanted if (found := _panel(name))]


@page("view")
def source_detail(request: HttpRequest, source_id: int) -> HttpResponse:
    """One source: health, volume, fetches, settings."""
    now = timezone.now()
    found = sources.overview(now=now, only=[source_id])
    if not found:
        raise Http404
    line = found[0]
    chart = _chart(now, source_id)
    context = {
        **_line(line),
        "source": line.source,
        "connector": line.connector,
        "chart": chart,
        "peak": max(bar["volume"].received for bar in chart),
        "imports": line.source.imports.select_related("job").defer("report", "trial")[:SHOWN],
        "panels": _panels(line),
        "mentions": [],
        "tracking_url": _address("tracking", (str(source_id),)),
    }
    if line.connector is not None:
        context |= _connector_context(line.connector)
    if Mention.objects.filter(source=line.source).exists():
        context["mentions"] = Mention.objects.filter(source=line.source).order_by("-published_at")[
            :SHOWN
        ]
    return render(request, "ingestion/sources/detail.html", context)


def _connector_context(connector: Connector) -> dict[str, Any]:
    pulls = connector.pulls.select_related("job").prefetch_related("imports")[:SHOWN]
    mapping = connector.source.mapping
    return {
        "pulls": pulls,
        "settings": source_forms.shown(connector),
        "timing": source_forms.timing_in_words(connector),
        "columns": [
            (ImportJob.Kind(kind).label, [(wording.field(f), c) for f, c in columns.items()])
            for kind, columns in mapping.items()
            if kind in ImportJob.Kind.values
        ],
        "files": connector.files.select_related("import_job").order_by("-id")[:SHOWN],
        "open_pull": next((pull for pull in pulls if pull.state == Pull.State.OPEN), None),
    }


def _chart(now: datetime, source_id: int) -> list[dict[str, Any]]:
    """Bars of the last days: height of the day, and how it divides."""
    found = sources.by_day(now=now, days=CHART_DAYS, source=source_id).get(source_id, {})
    days = sources.last_days(now=now, days=CHART_DAYS)
    top = max((volume.received for volume in found.values()), default=0)
    bars = []
    for day in days:
        volume = found.get(day, sources.Volume())
        share = 100 / volume.received if volume.received else 0
        bars.append(
            {
                "day": day,
                "volume": volume,
                "height": f"{100 * volume.received / top:.1f}%" if top else "0%",
                "stored": f"{volume.stored * share:.1f}%",
                "duplicate": f"{volume.duplicate * share:.1f}%",
                "quarantined": f"{volume.quarantined * share:.1f}%",
            }
        )
    return bars


@require_POST
@page("data")
def source_remove(request: HttpRequest, source_id: int) -> HttpResponse:
    """Remove a source that nothing stored belongs to."""
    source = get_object_or_404(Source, pk=source_id)
    try:
        configuring.remove(source=source, actor=person(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("ingestion:source-detail", source_id)
    messages.success(request, _("%(name)s is removed.") % {"name": source.name})
    return redirect("ingestion:source-list")
