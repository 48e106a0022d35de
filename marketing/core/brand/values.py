"""What may be said of the business: each value as it is kept, or a refusal that names its field."""

import re
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from marketing.core.brand import pictures
from marketing.core.errors import Invalid

COLOR = "#a4451f"
LOGO_BYTES = 300_000
LOGO_LEAST, LOGO_MOST = 16, 2_000
_LONGEST = {
    "name": 100, "site_url": 500, "postal_address": 300, "sender_name": 100, "sender_email": 254,
    "cancel_prefix": 8,
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SITE = re.compile(r"https?://[^\s/?#@<>\"'\\]+(?:[/?#][^\s<>\"'\\]*)?", re.IGNORECASE)


def _within(name: str, text: str) -> str:
    if len(text) > _LONGEST[name]:
        raise Invalid(
            _("At most %(n)d characters.") % {"n": _LONGEST[name]}, code="too_long", field=name
        )
    return text


def _line(name: str, value: Any) -> str:
    """One line of text, within its length."""
    return _within(name, " ".join(_CONTROL.sub(" ", str(value or "")).split()))


def _name(name: str, value: Any) -> str:
    text = _line(name, value)
    if not text:
        raise Invalid(_("Say what the business is called."), code="name_missing", field=name)
    return text


def _lines(name: str, value: Any) -> str:
    """Several lines of text."""
    given = str(value or "").replace("\r\n", "\n").split("\n")
    return _within(name, "\n".join(line for line in (_line(name, one) for one in given) if line))


def _site(name: str, value: Any) -> str:
    text = _line(name, value)
    if text and not re.match(r"[a-z]+://", text, re.IGNORECASE):
        text = f"https://{text}"
    if text and not _SITE.fullmatch(text):
        raise Invalid(
            _("This is not the address of a web site."),
            code="bad_address",
            field=name,
            remedy=_("Write it as https://shop.example.org."),
        )
    return text


def _email(name: str, value: Any) -> str:
    text = _line(name, value)
    if text:
        try:
            validate_email(text)
        except ValidationError:
            raise Invalid(
                _("This is not an e-mail address."),
                code="bad_email",
                field=name,
                remedy=_("Write it as hello@shop.example.org."),
            ) from None
    return text


def _color(name: str, value: Any) -> str:
    """White words stand on it, so it must be dark enough to read them (WCAG 2.2, 1.4.3)."""
    text = str(value or "").strip().lower()
    if not text:
        return ""
    if not re.fullmatch(r"#[0-9a-f]{6}", text):
        raise Invalid(
            _("Write the colour as # and six digits, such as %(color)s.") % {"color": COLOR},
            code="bad_color",
            field=name,
        )
    if (ratio := contrast_with_white(text)) < 4.5:
        raise Invalid(
            _("White words on this colour are hard to read: a contrast of %(ratio).1f of 4.5.")
            % {"ratio": ratio},
            code="pale_color",
            field=name,
            remedy=_("Choose a darker one."),
        )
    return text


def contrast_with_white(color: str) -> float:
    """The contrast ratio of white on `#rrggbb` by WCAG's relative luminance, from 1 to 21."""
    light = []
    for at in (1, 3, 5):
        part = int(color[at : at + 2], 16) / 255
        light.append(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
    return 1.05 / (0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] + 0.05)


def _currency(name: str, value: Any) -> str:
    text = str(value or "").strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise Invalid(
            _("A currency is three letters, such as EUR."), code="bad_currency", field=name
        )
    return text


def _timezone(name: str, value: Any) -> str:
    text = str(value or "").strip()
    if text not in zoneinfo.available_timezones():
        raise Invalid(
            _("There is no time zone %(name)s. Choose one of the list, such as Europe/London.")
            % {"name": text[:64]},
            code="bad_timezone",
            field=name,
        )
    return text


def _language(name: str, value: Any) -> str:
    if value not in dict(settings.LANGUAGES):
        raise Invalid(
            _("Choose one of the languages."),
            code="bad_language",
            field=name,
            remedy=", ".join(code for code, _label in settings.LANGUAGES),
        )
    return str(value)


def _prefix(name: str, value: Any) -> str:
    text = _line(name, value)
    if not re.fullmatch(r"[A-Za-z_./-]*", text):
        raise Invalid(
            _("Letters and the signs - _ . / only, such as C or CN-."),
            code="bad_prefix",
            field=name,
        )
    return text


CHECKS: Mapping[str, Callable[[str, Any], str]] = {
    "name": _name,
    "site_url": _site,
    "postal_address": _lines,
    "sender_name": _line,
    "sender_email": _email,
    "color": _color,
    "currency": _currency,
    "timezone": _timezone,
    "language": _language,
    "cancel_prefix": _prefix,
}


def logo(data: bytes) -> dict[str, Any]:
    if len(data) > LOGO_BYTES:
        raise Invalid(
            _("The logo is larger than %(kb)d kB.") % {"kb": LOGO_BYTES // 1000},
            code="logo_too_large",
            field="logo",
            remedy=_("Save it smaller; 360 pixels of width are enough."),
        )
    found = pictures.read(data)
    if found is None:
        raise Invalid(
            _("This is not a picture that mailboxes show."),
            code="logo_unreadable",
            field="logo",
            remedy=_("Choose a PNG, a JPEG or a GIF."),
        )
    if not all(LOGO_LEAST <= side <= LOGO_MOST for side in (found.width, found.height)):
        raise Invalid(
            _("The logo is %(width)d × %(height)d pixels; each side may have %(low)d to %(high)d.")
            % {
                "width": found.width, "height": found.height, "low": LOGO_LEAST, "high": LOGO_MOST,
            },
            code="logo_size",
            field="logo",
        )  # fmt: skip
    return {
        "logo": data,
        "logo_kind": found.kind,
        "logo_digest": found.digest,
        "logo_width": found.width,
        "logo_height": found.height,
    }
