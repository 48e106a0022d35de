"""One field of a JSON object, typed, or what is wrong with it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from ingestion.preprocess import countries, values
from marketing.core.errors import Invalid

PROPERTIES_LIMIT = 32_000  # bytes of one event's properties, or one person's attributes
FUTURE = timedelta(days=1)

Body = Mapping[str, Any]


def wrong(field: str, message: str, code: str = "invalid") -> Invalid:
    """What is wrong with one field."""
    return Invalid(message, code=code, field=field)


def an_object(body: Any, allowed: tuple[str, ...]) -> Body:
    """The body, when it is an object with fields of these names alone."""
    if not isinstance(body, dict):
        raise wrong("", _("Send a JSON object."), "not_an_object")
    unknown = sorted(set(body) - set(allowed))
    if unknown:
        raise wrong(unknown[0][:60], _("There is no field of this name."), "unknown_field")
    return body


def text(body: Body, name: str, limit: int, *, required: bool = False) -> str:
    """A text without zero bytes and outer space; empty when it is not there."""
    value = body.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise wrong(name, _("This must be a text."), "not_text")
    if "\0" in value:
        raise wrong(name, _("This text holds a zero byte."), "nul_byte")
    value = value.strip()
    if required and not value:
        raise wrong(name, _("This may not be empty."), "missing")
    if len(value) > limit:
        raise wrong(name, _("This is longer than %(n)d characters.") % {"n": limit}, "too_long")
    return value


def checked(name: str, pair: tuple[str, str], message: str) -> str:
    """A cleaned value, or the message when cleaning found a fault."""
    value, fault = pair
    if fault:
        raise wrong(name, message, fault)
    return value


def moment(body: Body, name: str, *, now: datetime, required: bool = False) -> datetime | None:
    """A moment from 1970 to a day ahead, in UTC."""
    said = text(body, name, 60, required=required)
    if not said:
        return None
    try:
        found = parse_datetime(said)
    except ValueError:
        found = None
    if found is None:
        raise wrong(name, _("Write the time as 2026-01-31T09:30:00Z."), "not_a_date")
    if found.tzinfo is None:
        raise wrong(name, _("The time needs its zone: end it with Z or +02:00."), "no_zone")
    try:
        found = found.astimezone(UTC)
    except OverflowError:
        raise wrong(name, _("There is no such moment."), "not_a_date") from None
    if found.year < 1970:
        raise wrong(name, _("The time lies before 1970."), "date_too_old")
    if found > now + FUTURE:
        raise wrong(name, _("The time lies more than a day in the future."), "date_in_future")
    return found


def decimal(
    body: Body, name: str, *, required: bool = False, low: Decimal | None = None
) -> Decimal | None:
    """A finite number, at least `low`."""
    value = body.get(name)
    if value is None:
        if required:
            raise wrong(name, _("This may not be empty."), "missing")
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or len(str(value)) > 40:
        raise wrong(name, _("This must be a number."), "not_a_number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise wrong(name, _("This must be a number."), "not_a_number") from None
    if not number.is_finite() or abs(number) > values.PRICE_MAX:
        raise wrong(name, _("This number is too large."), "number_too_large")
    if low is not None and number < low:
        raise wrong(name, _("This may not be negative."), "negative")
    return number


def integer(body: Body, name: str) -> int | None:
    """A whole number that the database holds."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, _("This must be a whole number."), "not_whole")
    if abs(value) > values.INT_MAX:
        raise wrong(name, _("This number is too large."), "number_too_large")
    return value


def a_dict(body: Body, name: str) -> dict[str, Any]:
    """An object of at most 32 kB that can be stored."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, _("Send a JSON object."), "not_an_object")
    try:
        packed = orjson.dumps(value)
    except (TypeError, ValueError):
        raise wrong(
            name, _("This holds a text or number that cannot be stored."), "not_json"
        ) from None
    if len(packed) > PROPERTIES_LIMIT:
        raise wrong(name, _("This is larger than 32 kB."), "too_large")
    if b"\\u0000" in packed:
        raise wrong(name, _("This text holds a zero byte."), "nul_byte")
    return value


def country(body: Body) -> str:
    """A country's two letters."""
    found = countries.code(text(body, "country", 80))
    if found is None:
        raise wrong("country", _("Use a two-letter country code such as GB."), "unknown_country")
    return found


def email(body: Body) -> str:
    """A mail address, cleaned."""
    return checked(
        "email", values.email(text(body, "email", 254)), _("This is not an e-mail address.")
    )


def phone(body: Body) -> str:
    """A phone number, cleaned."""
    return checked("phone", values.phone(text(body, "phone", 30)), _("This is not a phone number."))


def currency(body: Body, default: str) -> str:
    """A currency's three letters; `default` when none is named."""
    found = checked(
        "currency",
        values.currency(text(body, "currency", 20)),
        _("Use a three-letter code such as GBP."),
    )
    return found or default
