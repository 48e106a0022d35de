"""What every template may say: icons, small drawings, numbers, money and time in words."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketing.core import navigation, progress
from marketing.core.models import Job

register = template.Library()

Number = int | float | Decimal

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "CNY": "¥", "JPY": "¥", "INR": "₹", "KRW": "₩"}
DASH = "–"
TONES = {
    "draft": "",
    "queued": "",
    "uploaded": "",
    "mapped": "",
    "building": "",
    "retired": "",
    "archived": "",
    "skipped": "",
    "cancelled": "",
    "stopped": "warn",
    "scheduled": "accent",
    "running": "accent",
    "sending": "accent",
    "candidate": "accent",
    "live": "good",
    "done": "good",
    "sent": "good",
    "finished": "good",
    "complete": "good",
    "paused": "warn",
    "cancelling": "warn",
    "unknown": "warn",
    "failed": "bad",
    "refused": "bad",
}


# --- drawings ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _sprite() -> str:
    return static("icons.svg")


@register.simple_tag
def icon_sprite() -> str:
    """The address of the icon file, for scripts that draw icons."""
    return _sprite()


@register.simple_tag
def icon(name: str, cls: str = "") -> SafeString:
    """One icon of the sprite; it is decoration, so the words beside it must carry the meaning."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>', cls, _sprite(), name
    )


def _points(
    values: Sequence[Number], w: float, h: float, pad: float = 2
) -> list[tuple[float, float]]:
    heights = [float(v) for v in values]
    low, high = min(heights), max(heights)
    span = (high - low) or 1.0
    steps = len(heights) - 1
    return [
        (
            round(pad + i * (w - 2 * pad) / steps, 1),
            round(h - pad - (v - low) / span * (h - 2 * pad), 1),
        )
        for i, v in enumerate(heights)
    ]


@register.simple_tag
def spark(
    values: Sequence[Number], w: int = 96, h: int = 28, k: str = "k1", area: bool = True
) -> SafeString | str:
    """A sparkline as inline SVG; nothing is drawn for fewer than two values."""
    if not values or len(values) < 2:
        return format_html('<span class="spark empty-spark {}" aria-hidden="true"></span>', k)
    points = _points(values, w, h)
    line = " ".join(f"{x},{y}" for x, y in points)
    fill: SafeString | str = ""
    if area:
        fill = format_html(
            '<polygon class="sp-a" points="{},{} {} {},{}"/>',
            points[0][0],
            h,
            line,
            points[-1][0],
            h,
        )
    return format_html(
        '<svg class="spark {}" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '{}<polyline class="sp-l" points="{}"/></svg>',
        k,
        w,
        h,
        fill,
        line,
    )


def _outline(points: Sequence[tuple[float, float]]) -> str:
    path = f"{points[0][0]:.1f},{points[0][1]:.1f}"
    for i in range(1, len(points)):
        (x0, y0), (x1, y1) = points[i - 1], points[i]
        if i % 2:
            path += f" L{x1:.1f},{y1:.1f}"
        else:
            middle = (x0 + x1) / 2
            path += f" C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
    return path


@register.simple_tag
def funnel_shape(
    stages: Sequence[Mapping[str, Any]], w: int = 1000, h: int = 150
) -> SafeString | str:
    """One silhouette, flat inside each stage and sloped between; a stage has a number `n`."""
    if not stages:
        return ""
    top = max(float(stages[0]["n"]), 1.0)
    column = w / len(stages)
    heights = [min(max(0.05, float(s["n"]) / top), 1.0) * (h - 6) for s in stages]
    upper: list[tuple[float, float]] = []
    lower: list[tuple[float, float]] = []
    for i, height in enumerate(heights):
        start = i * column + (0.0 if i == 0 else column * 0.14)
        end = (i + 1) * column - (0.0 if i == len(heights) - 1 else column * 0.14)
        upper += [(start, (h - height) / 2), (end, (h - height) / 2)]
        lower += [(start, (h + height) / 2), (end, (h + height) / 2)]
    path = "M" + _outline(upper) + " L" + _outline(lower[::-1]) + " Z"
    return format_html(
        '<svg class="funnel-svg" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '<defs><linearGradient id="fg" x1="0" x2="1"><stop class="fg0" offset="0"/>'
        '<stop class="fg1" offset="1"/></linearGradient></defs>'
        '<path d="{}" fill="url(#fg)"/></svg>',
        w,
        h,
        path,
    )


# --- numbers -----------------------------------------------------------------------------------


def _number(value: Any) -> float | None:
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


@register.filter
def comma(value: Any) -> str:
    """A whole number with thousands marked; a dash when there is none."""
    number = _number(value)
    return DASH if number is None else f"{number:,.0f}"


@register.filter
def decimal(value: Any, digits: int = 2) -> str:
    """A number with so many decimals."""
    number = _number(value)
    return DASH if number is None else f"{number:,.{digits}f}"


@register.filter
def short(value: Any) -> str:
    """A number in little room: 950, 1.2k, 3.4M."""
    number = _number(value)
    if number is None:
        return DASH
    for limit, mark in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit:
            return f"{number / limit:.1f}".removesuffix(".0") + mark
    return f"{number:,.0f}"


def _money(value: Any, currency: str | None, digits: int) -> str:
    number = _number(value)
    if number is None:
        return DASH
    if isinstance(value, Decimal):
        amount = f"{abs(value):,.{digits}f}"  # exact: a float would round large sums
    else:
        amount = f"{abs(number):,.{digits}f}"
    code = (currency or "").upper()
    sign = "−" if number < 0 and amount.strip("0.,") else ""
    return f"{sign}{SYMBOLS[code]}{amount}" if code in SYMBOLS else f"{sign}{code} {amount}".strip()


@register.filter
def money(value: Any, currency: str | None = None) -> str:
    """An amount to the cent with its currency."""
    return _money(value, currency, 2)


@register.filter
def money0(value: Any, currency: str | None = None) -> str:
    """An amount in whole units, where cents would only be noise."""
    return _money(value, currency, 0)


@register.filter
def pct(value: Any, digits: int = 1) -> str:
    """A share (0 to 1) in percent."""
    number = _number(value)
    return DASH if number is None else f"{number * 100:,.{digits}f}%"


@register.filter
def of(value: Any, whole: Any) -> float:
    """value / whole as a percentage for bars, between 0 and 100."""
    part, total = _number(value), _number(whole)
    if part is None or not total:
        return 0.0
    return round(min(max(part / total, 0.0), 1.0) * 100, 1)


@register.filter
def bytes_short(value: Any) -> str:
    """A size of a file: 812 B, 45.6 MB."""
    number = _number(value)
    if number is None:
        return DASH
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


# --- time --------------------------------------------------------------------------------------


@register.filter
def ago(value: datetime | None, now: datetime | None = None) -> str:
    """How long since, in one unit; a date once it is more than a week old."""
    if value is None:
        return DASH
    now = now or timezone.now()
    seconds = int((now - value).total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        n = seconds // 60
        return ngettext("%(n)d min ago", "%(n)d min ago", n) % {"n": n}
    if seconds < 86400:
        n = seconds // 3600
        return ngettext("%(n)d h ago", "%(n)d h ago", n) % {"n": n}
    if seconds < 7 * 86400:
        n = seconds // 86400
        return ngettext("%(n)d day ago", "%(n)d days ago", n) % {"n": n}
    return day(value)


@register.filter
def day(value: Any) -> str:
    """A day: 9 Dec 2011 (2011年12月9日), in the reader's time zone."""
    if not value:
        return DASH
    moment = (
        timezone.localtime(value)
        if isinstance(value, datetime) and timezone.is_aware(value)
        else value
    )
    # Translators: format of a short date, see the Django docs of the `date` filter
    return date_format(moment, _("j M Y"))


@register.filter
def moment(value: datetime | None) -> str:
    """A day and the minute: 9 Dec 2011, 12:50."""
    if not value:
        return DASH
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return f"{day(value)}, {local:%H:%M}"


@register.filter
def clock(value: Any) -> str:
    """The time of day with seconds, from a datetime or an ISO text."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{timezone.localtime(at) if timezone.is_aware(at) else at:%H:%M:%S}"


@register.filter
def duration(seconds: Any) -> str:
    """A length of time: 4 s, 2 min 05 s, 1 h 12 min."""
    number = _number(seconds)
    if number is None:
        return DASH
    whole = round(number)
    if whole < 60:
        return _("%(s)d s") % {"s": whole}
    if whole < 3600:
        return _("%(m)d min %(s)02d s") % {"m": whole // 60, "s": whole % 60}
    return _("%(h)d h %(m)d min") % {"h": whole // 3600, "m": whole % 3600 // 60}


@register.filter
def time_left(seconds: Any) -> str:
    """A rounded promise: 20 s left, about 2 min left."""
    number = _number(seconds)
    if number is None:
        return ""
    if number < 90:
        return _("%(s)d s left") % {"s": max(5, 5 * math.ceil(number / 5))}
    return _("about %(m)d min left") % {"m": round(number / 60)}


@register.filter
def since(later: datetime | None, earlier: datetime | None) -> float | None:
    """Seconds between two moments, for `duration`."""
    return (later - earlier).total_seconds() if later and earlier else None


# --- words and links ---------------------------------------------------------------------------


@register.filter
def tone(state: str) -> str:
    """The badge colour of a state; the word itself is always shown too."""
    return TONES.get(str(state), "")


@register.filter
def initials(name: str) -> str:
    """Up to two letters for an avatar."""
    words = [word for word in str(name or "").replace("@", " ").split() if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@register.filter
def hue(value: Any) -> str:
    """A steady colour class k1…k7 for a name or an id."""
    return f"k{sum(str(value).encode()) % 7 + 1}"


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """A value of a dictionary by a variable key."""
    return mapping.get(key) if isinstance(mapping, Mapping) else None


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """This page's query string with some values changed; None or empty removes one."""
    params = context["request"].GET.copy()
    for name, value in changes.items():
        if value in (None, ""):
            params.pop(name, None)
        else:
            params[name] = str(value)
    return f"?{params.urlencode()}"


@register.simple_tag(takes_context=True)
def navigation_groups(context: template.Context) -> list[navigation.Group]:
    """The main navigation for this person and page."""
    request = context.get("request")
    return navigation.groups(path=request.path if request else "/")


@register.simple_tag(takes_context=True)
def creations(context: template.Context) -> list[navigation.Link]:
    """What this person may make from anywhere."""
    return navigation.creations(rights=context.get("rights") or {})


# --- jobs --------------------------------------------------------------------------------------

_JOB_LOOKS = {
    "import": ("table-import", "k2"),
    "features": ("stack-2", "k5"),
    "tree": ("binary-tree-2", "k6"),
    "recommenders": ("brain", "k6"),
    "recommendations": ("sparkles", "k6"),
    "run": ("send", "k1"),
    "campaign": ("send", "k1"),
    "demo": ("send", "k1"),
    "segment": ("chart-pie-2", "k5"),
    "export": ("download", "k8"),
}


@register.filter
def job_icon(kind: str) -> str:
    """The icon of a kind of job, by its first word."""
    return _JOB_LOOKS.get(str(kind).split(".")[0], ("history", "k8"))[0]


@register.filter
def job_hue(kind: str) -> str:
    """The colour class of a kind of job."""
    return _JOB_LOOKS.get(str(kind).split(".")[0], ("history", "k8"))[1]


@register.filter
def in_words(text: str) -> str:
    """A text stored in English, such as a job's title, in the reader's language if it is known."""
    return _(text) if text else ""


@register.filter
def unit_word(unit: str) -> str:
    """What a job counts, in the reader's language."""
    return {
        "rows": _("rows"),
        "people": _("people"),
        "mails": _("mails"),
        "rounds": _("rounds"),
        "purchases": _("purchases"),
        "products": _("products"),
        "lines": _("lines"),
    }.get(unit, unit)


@register.filter
def poll_seconds(job: Job) -> int:
    """Seconds until a page should ask about this job again."""
    return progress.poll_seconds(job, timezone.now())
