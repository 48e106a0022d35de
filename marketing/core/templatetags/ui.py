"""What every template may say: icons, small drawings, numbers, money and time in words."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from marketing.core import hosts, navigation, progress, wording
from marketing.core.models import Job

register = template.Library()
for _filter in (
    wording.comma,
    wording.decimal,
    wording.trimmed,
    wording.short,
    wording.money,
    wording.money0,
    wording.pct,
    wording.of,
    wording.bytes_short,
    wording.ago,
    wording.day,
    wording.moment,
    wording.clock,
    wording.duration,
    wording.time_left,
    wording.since,
    wording.tone,
    wording.initials,
    wording.hue,
    wording.unit_word,
    wording.in_words,
    wording.log_line,
):
    register.filter(_filter)
register.filter("readable", hosts.both)

Number = int | float | Decimal


# --- drawings ----------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _sprite() -> str:
    return static("icons.svg")


@register.simple_tag
def data_tabs() -> list[navigation.Link]:
    """The tabs under Data."""
    return navigation.data_tabs()


@register.simple_tag
def insight_tabs() -> list[navigation.Link]:
    """The tabs under Insights."""
    return navigation.insight_tabs()


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


# --- words and links ---------------------------------------------------------------------------


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """A value of a dictionary by a variable key."""
    return mapping.get(key) if isinstance(mapping, Mapping) else None


@register.filter
def opens(number: Any, url: str) -> SafeString:
    """A whole number as the link to what it counts, for the middle of a sentence."""
    return format_html('<a class="opens num" href="{}">{}</a>', url, wording.comma(number))


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
    "insights": ("chart-area-line", "k5"),
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
def poll_seconds(job: Job) -> int:
    """Seconds until a page should ask about this job again."""
    return progress.poll_seconds(job, timezone.now())
