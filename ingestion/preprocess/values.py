"""One text → one typed value. Each reader returns (value, fault code); the code is empty when fine.

These run once per distinct text of a column, so they may be careful rather than quick.
"""

import re
import unicodedata
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation

import orjson
import phonenumbers
from email_validator import EmailNotValidError, validate_email

INT_MAX = 2**31 - 1
PRICE_SCALE = 10_000  # prices are kept as ten-thousandths
PRICE_MAX = 10**8 - 1
FUTURE = timedelta(days=1)

_MONEY_SIGNS = re.compile(r"[\s\u00a0\u202f'’£$€¥￥₹]|[A-Z]{3}(?=[\s\d-])|(?<=\d)[A-Z]{3}$")
_PLAIN = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?|[+-]?\.\d{1,30}")
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d{1,30})?")


def plain_number(text: str, decimal: str = ".") -> Decimal | None:
    """A number as people write it, with a sign of money and thousands marks; None if it is none.

    NaN, infinity and exponents are no numbers here.
    """
    text = _MONEY_SIGNS.sub("", text.strip()).replace("−", "-")
    if text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1]
    if decimal == ",":
        text = text.replace(".", "\0").replace(",", ".").replace("\0", ",")
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if not _PLAIN.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def integer(text: str, decimal: str = ".") -> tuple[int, str]:
    """A whole number that fits 32 bits."""
    number = plain_number(text, decimal)
    if number is None:
        return 0, "missing" if not text.strip() else "not_a_number"
    if number != number.to_integral_value():
        return 0, "not_whole"
    if abs(number) > INT_MAX:
        return 0, "number_too_large"
    return int(number), ""


def price(text: str, decimal: str = ".") -> tuple[int, str]:
    """A price in ten-thousandths, rounded half to even beyond that."""
    number = plain_number(text, decimal)
    if number is None:
        return 0, "missing" if not text.strip() else "not_a_number"
    if abs(number) > PRICE_MAX:
        return 0, "number_too_large"
    return int((number * PRICE_SCALE).to_integral_value()), ""


# Formats by name: how people read them, and what strptime takes. `iso` and `epoch` are read apart.
FORMATS: dict[str, str] = {
    "iso": "YYYY-MM-DD HH:MM",
    "dmy": "DD/MM/YYYY HH:MM",
    "mdy": "MM/DD/YYYY HH:MM",
    "ymd": "YYYY/MM/DD HH:MM",
    "epoch": "seconds or milliseconds since 1970",
}
_CLOCK = (
    r"(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?"
)
_DATE = {
    "iso": re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})" + _CLOCK),
    "ymd": re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})" + _CLOCK),
    "dmy": re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})" + _CLOCK),
    "mdy": re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})" + _CLOCK),
}


# A full stamp reads the same in every style: cleaned moments are written like this.
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})")


def moment(
    text: str, style: str, zone: tzinfo, now: datetime | None = None
) -> tuple[datetime | None, str]:
    """A point in time in UTC. A text without an offset is the local time of `zone`.

    An hour that the clocks skip is moved forward, one that comes twice is the first. Moments before
    1970 or more than a day after `now` are refused.
    """
    text = text.strip()
    if not text:
        return None, "missing"
    try:
        if style == "iso" or _STAMP.fullmatch(text):
            found = _iso(text, zone)
        else:
            found = _epoch(text) if style == "epoch" else _calendar(text, style, zone)
        if found is None:
            return None, "not_a_date"
        found = found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None, "not_a_date"
    if found.year < 1970:
        return None, "date_too_old"
    if now is not None and found > now + FUTURE:
        return None, "date_in_future"
    return found, ""


def _iso(text: str, zone: tzinfo) -> datetime | None:
    """The usual spellings by the library's own reader, the others by pattern."""
    if len(text) in (10, 16, 19, 20, 25) and text[4] == text[7] == "-" and text[11:13] != "24":
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return _calendar(text, "iso", zone)
        return found if found.tzinfo else found.replace(tzinfo=zone)
    return _calendar(text, "iso", zone)


def _epoch(text: str) -> datetime | None:
    if not re.fullmatch(r"\d{9,13}(\.\d{1,6})?", text):
        return None
    number = float(text)
    return datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)


def _calendar(text: str, style: str, zone: tzinfo) -> datetime | None:
    match = _DATE[style].fullmatch(text)
    if match is None:
        return None
    first, second, third, hour, minute, sec, part, half, offset = match.groups()
    year, month, day = {
        "iso": (first, second, third),
        "ymd": (first, second, third),
        "dmy": (third, second, first),
        "mdy": (third, first, second),
    }[style]
    years = int(year) + (0 if len(year) == 4 else 2000 if int(year) < 70 else 1900)
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    micro = int((part or "0")[:6].ljust(6, "0"))
    local = datetime(
        years, int(month), int(day), hours, int(minute or 0), int(sec or 0), micro, zone
    )
    if offset == "Z":
        return local.replace(tzinfo=UTC)
    if offset:
        sign = -1 if offset[0] == "-" else 1
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:])) * sign
        return local.replace(tzinfo=UTC) - shift
    return local


def calendar(text: str, style: str, zone: tzinfo) -> datetime | None:
    """A day or moment of any year in one of the written styles; None if it is none."""
    if style == "epoch":
        return _epoch(text.strip())
    try:
        return _calendar(text.strip(), style, zone)
    except (ValueError, OverflowError):
        return None


def zone(name: str) -> zoneinfo.ZoneInfo | None:
    """A time zone by its name; None when there is none of that name."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


_SIMPLE_EMAIL = re.compile(
    r"[a-z0-9_+-]+(\.[a-z0-9_+-]+)*@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    r"(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\.[a-z]{2,63}"
)


def email(text: str) -> tuple[str, str]:
    """An address in the one form that is compared: lower case, its domain in ASCII."""
    text = text.strip().strip("<>").rstrip(".")
    if not text:
        return "", ""
    if any(ch in text for ch in "\r\n\0,; ") or len(text) > 254:
        return "", "bad_email"
    lower = text.lower()
    if _SIMPLE_EMAIL.fullmatch(lower) and lower.index("@") <= 64:
        return lower, ""
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return "", "bad_email"
    return f"{found.local_part}@{found.ascii_domain}".lower(), ""


_EXTENSION = re.compile(r"\s*(?:;ext=|ext(?:ension)?\.?|x\.?|#)\s*\d{1,7}$", re.IGNORECASE)


def phone(text: str) -> tuple[str, str]:
    """A number in E.164: its + and digits. One without a country prefix keeps its digits only.

    Digits of any script count, an extension is left out, letters and impossible lengths do not.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if not text:
        return "", ""
    text = _EXTENSION.sub("", text)
    if not re.fullmatch(r"\+?[\d\s().\-/]{6,30}", text):
        return "", "bad_phone"
    text = "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in text)
    digits = re.sub(r"\D", "", text)
    if text.startswith("00"):
        text, digits = f"+{text[2:]}", digits[2:]
    if not text.startswith("+"):
        return (digits, "") if 6 <= len(digits) <= 15 else ("", "bad_phone")
    try:
        found = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return "", "bad_phone"
    known = f"+{found.country_code}{phonenumbers.national_significant_number(found)}"
    return (known, "") if 8 <= len(known) <= 16 else ("", "bad_phone")


_YES = {"1", "true", "yes", "y", "t", "on", "subscribed", "opted in", "active", "published", "是"}
_NO = {"0", "false", "no", "n", "f", "off", "unsubscribed", "opted out", "inactive", "draft", "否"}


def flag(text: str) -> tuple[bool | None, str]:
    """Yes, no, or None for an empty text."""
    text = text.strip().casefold()
    if not text:
        return None, ""
    if text in _YES or text in _NO:
        return text in _YES, ""
    return None, "not_yes_or_no"


def json_object(text: str) -> tuple[str, str]:
    """A JSON object written compactly, its keys in order, as their order means nothing.

    NaN, infinity and anything but an object are refused.
    """
    if not text.strip():
        return "{}", ""
    try:
        found = orjson.loads(text)
        if not isinstance(found, dict) or "\\u0000" in text:
            return "", "not_json"
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS).decode(), ""
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return "", "not_json"


def currency(text: str) -> tuple[str, str]:
    """A three-letter code in upper case."""
    text = text.strip().upper()
    if not text or re.fullmatch(r"[A-Z]{3}", text):
        return text, ""
    signs = {"£": "GBP", "€": "EUR", "$": "USD", "¥": "CNY", "￥": "CNY"}
    return (signs[text], "") if text in signs else ("", "bad_currency")
