"""Pages of manners: how often and when the shop writes, and what was therefore not sent."""

from datetime import timedelta
from typing import Any

from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from campaigns.manners import pressure, rules, unsent
from campaigns.models import Message, SendingRules
from campaigns.recipients import audience
from campaigns.views.people import signed_in
from marketing.core.auth import may, page
from marketing.core.db import statement_timeout
from marketing.core.errors import Refused
from marketing.core.forms import whole_number

PERIODS = (7, 30, 90)
PER_PAGE = 50
SPARE_LINES = 2
COUNT_MS = 4_000


@page("view")
@require_http_methods(["GET", "POST"])
def sending_rules(request: HttpRequest) -> HttpResponse:
    """Caps and quiet hours. Everybody may look; a marketer may change them."""
    row = SendingRules.objects.select_related("updated_by").filter(pk=1).first()
    caps: list[dict[str, Any]] = list(row.caps) if row else []
    quiet: dict[str, list[str]] = dict(row.quiet) if row else {}
    error: Refused | None = None
    if request.method == "POST":
        if not may(request.user, "edit"):
            raise PermissionDenied(
                _("Your role may look at this but not change it. Ask an admin for more rights.")
            )
        if request.POST.get("usual"):
            caps, quiet = [dict(cap) for cap in rules.USUAL_CAPS], dict(rules.USUAL_QUIET)
        else:
            caps, quiet = _sent(request)
        try:
            rules.save(caps=caps, quiet=quiet, actor=signed_in(request), now=timezone.now())
        except Refused as refusal:
            error = refusal
        else:
            notes.success(request, _("Saved. It holds for whatever is sent from now on."))
            return redirect("campaigns:sending-rules")
    lines = [*caps, *({"channel": "email", "days": "", "most": ""},) * SPARE_LINES]
    return render(
        request,
        "campaigns/manners/rules.html",
        {
            "row": row,
            "none": not caps and not quiet,
            "lines": lines,
            "channels": {
                rules.ALL: _("All together"),
                **{key: name for key, name in rules.CHANNELS.items() if key != "webhook"},
            },
            "hours": [
                {"channel": key, "name": name, "hours": quiet.get(key, ("", ""))}
                for key, name in rules.CHANNELS.items()
                if key not in rules.SILENT
            ],
            "error": error,
            "waiting": [
                {"reason": reason, "label": unsent.WAITING[reason], "n": n}
                for reason, n in unsent.waiting().items()
            ],
        },
        status=422 if error else 200,
    )


@page("view")
@require_GET
def sending_pressure(request: HttpRequest) -> HttpResponse:
    """How many people are at the limits now; asked for once the page stands: it may take long."""
    lines: list[dict[str, Any]] | None = None
    try:
        with statement_timeout(COUNT_MS):
            lines = [
                {
                    "channel": rules.CHANNELS.get(row.cap.channel, _("All together")),
                    "row": row,
                }
                for row in pressure.now_at(now=timezone.now())
            ]
    except OperationalError:
        lines = None
    return render(request, "campaigns/manners/_pressure.html", {"lines": lines})


def _sent(request: HttpRequest) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    columns = [request.POST.getlist(name) for name in ("channel", "days", "most")]
    caps = [
        {"channel": channel, "days": days, "most": most}
        for channel, days, most in zip(*columns, strict=False)
        if days.strip() or most.strip()
    ]
    quiet = {}
    for channel in rules.CHANNELS:
        hours = [request.POST.get(f"{channel}-{end}", "").strip() for end in ("from", "to")]
        if any(hours):
            quiet[channel] = hours
    return caps, quiet


def _days(request: HttpRequest) -> int:
    asked = whole_number(request.GET.get("days"))
    return asked if asked in PERIODS else PERIODS[1]


@page("view")
@require_GET
def not_sent(request: HttpRequest) -> HttpResponse:
    """What was to be sent in a period and did not go out, by reason, with what can be done."""
    days, until = _days(request), timezone.now()
    lines: list[unsent.Line] | None = None
    try:
        with statement_timeout(COUNT_MS):
            lines = unsent.totals(since=until - timedelta(days=days), until=until)
    except OperationalError:
        notes.error(request, _("There is too much to count here. Choose a shorter period."))
    wrong = [line for line in lines or [] if not line.meant]
    channels = sorted({channel for line in lines or [] for channel in line.channels})
    return render(
        request,
        "campaigns/manners/not_sent.html",
        {
            "days": days,
            "periods": PERIODS,
            "lines": [
                {
                    "line": line,
                    "counts": [(channel, line.channels.get(channel, 0)) for channel in channels],
                }
                for line in lines or []
            ],
            "channels": [rules.CHANNELS.get(channel, channel) for channel in channels],
            "total": sum(line.total for line in wrong),
            "meant": sum(line.total for line in lines or [] if line.meant),
            "counted": lines is not None,
            "waiting": [
                {"reason": reason, "label": unsent.WAITING[reason], "n": n}
                for reason, n in unsent.waiting().items()
            ],
        },
    )


@page("view")
@require_GET
def not_sent_people(request: HttpRequest, reason: str) -> HttpResponse:
    """To whom, for one reason; or, of a reason to wait, who waits now."""
    days, until = _days(request), timezone.now()
    waits = bool(request.GET.get("waits")) and reason in unsent.WAITING
    channel = request.GET.get("channel", "")
    asked: dict[str, Any] = {"channel": channel if channel in rules.CHANNELS else ""}
    if waits:
        found = unsent.waiting_messages(reason=reason)
    else:
        since = until - timedelta(days=days)
        found = unsent.messages(since=since, until=until, reason=reason, **asked)
    first = whole_number(request.GET.get("page")) or 1
    # Without a count of all: pages go on while there is more.
    shown = list(found[(first - 1) * PER_PAGE : first * PER_PAGE + 1])
    return render(
        request,
        "campaigns/manners/not_sent_people.html",
        {
            "days": days,
            "reason": reason,
            "label": unsent.label_of(reason, Message.State.QUEUED if waits else ""),
            "remedy": "" if waits else unsent.REMEDIES.get(reason, ""),
            "channel": rules.CHANNELS.get(asked["channel"], ""),
            "known": reason in audience.REASONS,
            "rows": [
                {"message": row, "channel": rules.CHANNELS.get(row.channel, row.channel)}
                for row in shown[:PER_PAGE]
            ],
            "before": first - 1 if first > 1 else None,
            "after": first + 1 if len(shown) > PER_PAGE else None,
        },
    )
