"""Numbers, money, time and states in words, as every page shows them."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language, ngettext, override
from django.utils.translation import gettext as _

# What is told in the language of the moment, where it is lazy or a function.
Words = str | Promise | Callable[[], str]
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


# --- numbers -----------------------------------------------------------------------------------


def _number(value: Any) -> float | None:
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def comma(value: Any) -> str:
    """A whole number with thousands marked; a dash when there is none."""
    number = _number(value)
    return DASH if number is None else f"{number:,.0f}"


def decimal(value: Any, digits: int = 2) -> str:
    """A number with so many decimals."""
    number = _number(value)
    return DASH if number is None else f"{number:,.{digits}f}"


def trimmed(value: Any, digits: int = 2) -> str:
    """A number with at most so many decimals, and none that say nothing."""
    text = decimal(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


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


def money(value: Any, currency: str | None = None) -> str:
    """An amount to the cent with its currency."""
    return _money(value, currency, 2)


def money0(value: Any, currency: str | None = None) -> str:
    """An amount in whole units, where cents would only be noise."""
    return _money(value, currency, 0)


def pct(value: Any, digits: int = 1) -> str:
    """A share (0 to 1) in percent."""
    number = _number(value)
    return DASH if number is None else f"{number * 100:,.{digits}f}%"


def of(value: Any, whole: Any) -> float:
    """value / whole as a percentage for bars, between 0 and 100."""
    part, total = _number(value), _number(whole)
    if part is None or not total:
        return 0.0
    return round(min(max(part / total, 0.0), 1.0) * 100, 1)


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


def moment(value: datetime | None) -> str:
    """A day and the minute: 9 Dec 2011, 12:50."""
    if not value:
        return DASH
    local = timezone.localtime(value) if timezone.is_aware(value) else value
    return f"{day(value)}, {local:%H:%M}"


def clock(value: Any) -> str:
    """The time of day with seconds, from a datetime or an ISO text."""
    if not value:
        return ""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{timezone.localtime(at) if timezone.is_aware(at) else at:%H:%M:%S}"


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


def time_left(seconds: Any) -> str:
    """A rounded promise: 20 s left, about 2 min left."""
    number = _number(seconds)
    if number is None:
        return ""
    if number < 90:
        return _("%(s)d s left") % {"s": max(5, 5 * math.ceil(number / 5))}
    return _("about %(m)d min left") % {"m": round(number / 60)}


def since(later: datetime | None, earlier: datetime | None) -> float | None:
    """Seconds between two moments, for `duration`."""
    return (later - earlier).total_seconds() if later and earlier else None


# --- words -------------------------------------------------------------------------------------


def tone(state: str) -> str:
    """The badge colour of a state; the word itself is always shown too."""
    return TONES.get(str(state), "")


def initials(name: str) -> str:
    """Up to two letters for an avatar."""
    words = [word for word in str(name or "").replace("@", " ").split() if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def hue(value: Any) -> str:
    """A steady colour class k1…k7 for a name or an id."""
    return f"k{sum(str(value).encode()) % 7 + 1}"


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


def in_words(text: str) -> str:
    """A text stored in English, such as a job's title, in the reader's language if it is known.

    “Train: Will buy within 90 days” is known by its two halves, and as it is otherwise.
    """
    if not text:
        return ""
    said = _(text)
    doing, sign, title = text.partition(": ")
    whole = f"{doing}: %(title)s"
    if said == text and sign and (told := _(whole)) != whole:
        return told % {"title": in_words(title)}
    return said


def in_each(words: Words, *, most: int | None = None) -> dict[str, str]:
    """A sentence, or its first `most` characters, in each language that pages have, by the
    language; empty for a plain text."""
    if isinstance(words, str):
        return {}
    told = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            told[language] = in_ours(words)[:most]
    return told


def in_ours(words: Words) -> str:
    """A sentence in the language of the moment."""
    return words() if callable(words) else str(words)


def log_line(line: Mapping[str, Any]) -> str:
    """A line of a job's log in the reader's language where it is kept in it, else as it is."""
    texts = line.get("texts") or {}
    return str(texts.get(get_language() or "") or in_words(str(line["text"])))
