"""JSON objects from a caller → typed items, or what is wrong with them. Touches no database.

Each reader raises Invalid with the field's name; a batch collects those by item.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from ingestion import catalogue, consent, events, orders
from ingestion.events import clock, incoming, nameless
from ingestion.identity import guard, identify
from ingestion.preprocess import codes, countries, titles, values
from marketing.core.errors import Invalid

PROPERTIES_LIMIT = 32_000  # bytes of one event's properties, or one person's attributes
LINES_LIMIT = 1_000
FUTURE = timedelta(days=1)
CHANNELS = consent.CHANNELS

Body = Mapping[str, Any]


def _wrong(field: str, message: str, code: str = "invalid") -> Invalid:
    return Invalid(message, code=code, field=field)


def _object(body: Any, allowed: tuple[str, ...]) -> Body:
    if not isinstance(body, dict):
        raise _wrong("", _("Send a JSON object."), "not_an_object")
    unknown = sorted(set(body) - set(allowed))
    if unknown:
        raise _wrong(unknown[0][:60], _("There is no field of this name."), "unknown_field")
    return body


def _text(body: Body, name: str, limit: int, *, required: bool = False) -> str:
    value = body.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise _wrong(name, _("This must be a text."), "not_text")
    if "\0" in value:
        raise _wrong(name, _("This text holds a zero byte."), "nul_byte")
    value = value.strip()
    if required and not value:
        raise _wrong(name, _("This may not be empty."), "missing")
    if len(value) > limit:
        raise _wrong(name, _("This is longer than %(n)d characters.") % {"n": limit}, "too_long")
    return value


def _checked(name: str, pair: tuple[str, str], message: str) -> str:
    value, fault = pair
    if fault:
        raise _wrong(name, message, fault)
    return value


def _moment(body: Body, name: str, *, now: datetime, required: bool = False) -> datetime | None:
    text = _text(body, name, 60, required=required)
    if not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise _wrong(name, _("Write the time as 2026-01-31T09:30:00Z."), "not_a_date")
    if found.tzinfo is None:
        raise _wrong(name, _("The time needs its zone: end it with Z or +02:00."), "no_zone")
    try:
        found = found.astimezone(UTC)
    except OverflowError:
        raise _wrong(name, _("There is no such moment."), "not_a_date") from None
    if found.year < 1970:
        raise _wrong(name, _("The time lies before 1970."), "date_too_old")
    if found > now + FUTURE:
        raise _wrong(name, _("The time lies more than a day in the future."), "date_in_future")
    return found


def _decimal(
    body: Body, name: str, *, required: bool = False, low: Decimal | None = None
) -> Decimal | None:
    value = body.get(name)
    if value is None:
        if required:
            raise _wrong(name, _("This may not be empty."), "missing")
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or len(str(value)) > 40:
        raise _wrong(name, _("This must be a number."), "not_a_number")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise _wrong(name, _("This must be a number."), "not_a_number") from None
    if not number.is_finite() or abs(number) > values.PRICE_MAX:
        raise _wrong(name, _("This number is too large."), "number_too_large")
    if low is not None and number < low:
        raise _wrong(name, _("This may not be negative."), "negative")
    return number


def _integer(body: Body, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, _("This must be a whole number."), "not_whole")
    if abs(value) > values.INT_MAX:
        raise _wrong(name, _("This number is too large."), "number_too_large")
    return value


def _dict(body: Body, name: str) -> dict[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(name, _("Send a JSON object."), "not_an_object")
    try:
        packed = orjson.dumps(value)
    except (TypeError, ValueError):
        raise _wrong(
            name, _("This holds a text or number that cannot be stored."), "not_json"
        ) from None
    if len(packed) > PROPERTIES_LIMIT:
        raise _wrong(name, _("This is larger than 32 kB."), "too_large")
    if b"\\u0000" in packed:
        raise _wrong(name, _("This text holds a zero byte."), "nul_byte")
    return value


def _country(body: Body) -> str:
    found = countries.code(_text(body, "country", 80))
    if found is None:
        raise _wrong("country", _("Use a two-letter country code such as GB."), "unknown_country")
    return found


def _email(body: Body) -> str:
    return _checked(
        "email", values.email(_text(body, "email", 254)), _("This is not an e-mail address.")
    )


def _phone(body: Body) -> str:
    return _checked(
        "phone", values.phone(_text(body, "phone", 30)), _("This is not a phone number.")
    )


def _currency(body: Body, default: str) -> str:
    found = _checked(
        "currency",
        values.currency(_text(body, "currency", 20)),
        _("Use a three-letter code such as GBP."),
    )
    return found or default


@dataclass(frozen=True)
class CustomerItem:
    """A person and, per channel, what they answered."""

    person: identify.Person
    answers: tuple[tuple[str, str, bool, datetime | None, dict[str, Any]], ...]


CUSTOMER_FIELDS = (
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "country",
    "language",
    "timezone",
    "attributes",
    "consent",
)


def customer(body: Any, *, now: datetime) -> CustomerItem:
    """A person; at least one of external_id, email and phone is needed."""
    body = _object(body, CUSTOMER_FIELDS)
    zone = _text(body, "timezone", 64)
    if zone and values.zone(zone) is None:
        raise _wrong("timezone", _("There is no time zone of this name."), "unknown_zone")
    person = identify.Person(
        external_id=_text(body, "external_id", 100),
        email=_email(body),
        phone=_phone(body),
        first_name=titles.tidy(_text(body, "first_name", 100)),
        last_name=titles.tidy(_text(body, "last_name", 100)),
        country=_country(body),
        language=_text(body, "language", 10),
        timezone=zone,
        attributes=_dict(body, "attributes"),
    )
    if person.phone and not person.names:
        raise _wrong(
            "phone",
            nameless.countryless(),
            "no_country_code",
        )
    if not person.names:
        raise _wrong(
            "external_id",
            _("Give an external_id, an e-mail address or a phone number."),
            "no_person",
        )
    if all(guard.is_placeholder(name) for name in person.names):
        raise _wrong(
            "external_id",
            nameless.message(),
            nameless.CODE,
        )
    return CustomerItem(person, tuple(_answers(body, now)))


def _answers(
    body: Body, now: datetime
) -> list[tuple[str, str, bool, datetime | None, dict[str, Any]]]:
    given = body.get("consent")
    if given is None:
        return []
    if not isinstance(given, dict) or set(given) - set(CHANNELS):
        raise _wrong("consent", _("Give answers by channel: email, sms or push."), "bad_consent")
    found = []
    for channel, answer in given.items():
        field = f"consent.{channel}"
        if not isinstance(answer, dict) or not isinstance(answer.get("granted"), bool):
            raise _wrong(field, _("Say granted: true or false."), "bad_consent")
        proof = _dict(answer, "proof")
        if answer["granted"] and not proof:
            raise _wrong(
                field, _("Consent needs proof: when and how the person agreed."), "proof_missing"
            )
        purpose = answer.get("purpose", "marketing")
        if not isinstance(purpose, str) or not consent.is_purpose(purpose):
            raise _wrong(field, _("There is no such purpose."), "bad_consent")
        at = _moment(answer, "at", now=now)
        # Without its own moment a yes tells nothing about a no that may have come since.
        found.append((channel, purpose, answer["granted"], at, proof))
    return found


PRODUCT_FIELDS = (
    "sku",
    "name",
    "category",
    "price",
    "currency",
    "url",
    "image_url",
    "stock",
    "active",
)


def product(body: Any, *, default_currency: str) -> catalogue.Item:
    """A product."""
    body = _object(body, PRODUCT_FIELDS)
    active = body.get("active", True)
    if not isinstance(active, bool):
        raise _wrong("active", _("This must be true or false."), "not_yes_or_no")
    for name in ("url", "image_url"):
        if (text := _text(body, name, 500)) and not text.startswith(("http://", "https://", "/")):
            raise _wrong(name, _("An address begins with https://."), "bad_address")
    return catalogue.Item(
        sku=codes.unify(_text(body, "sku", 60, required=True)),
        name=titles.tidy(_text(body, "name", 300)),
        category=titles.tidy(_text(body, "category", 100)),
        price=_decimal(body, "price", low=Decimal(0)),
        currency=_currency(body, default_currency),
        url=_text(body, "url", 500),
        image_url=_text(body, "image_url", 500),
        stock=_integer(body, "stock"),
        active=active,
    )


ORDER_FIELDS = (
    "external_id",
    "placed_at",
    "currency",
    "country",
    "customer",
    "lines",
    "attributes",
    "source",
)
LINE_FIELDS = ("sku", "quantity", "unit_price", "description")


def order(body: Any, *, default_currency: str, now: datetime) -> orders.Incoming:
    """An order with its lines. Without a customer it is a guest order."""
    body = _object(body, ORDER_FIELDS)
    lines = body.get("lines")
    if not isinstance(lines, list) or not lines:
        raise _wrong("lines", _("Give at least one line."), "missing")
    if len(lines) > LINES_LIMIT:
        raise _wrong("lines", _("An order has at most 1,000 lines."), "too_many")
    person = identify.Person()
    if body.get("customer") is not None:
        try:
            person = customer(body["customer"], now=now).person
        except Invalid as error:
            if error.code not in (nameless.CODE, "no_country_code"):  # a guest's order
                raise _wrong(f"customer.{error.field}", error.message, error.code) from None
    placed = _moment(body, "placed_at", now=now, required=True)
    return orders.Incoming(
        external_id=_text(body, "external_id", 100, required=True),
        placed_at=placed or now,
        lines=tuple(_line(line, number) for number, line in enumerate(lines)),
        person=person,
        currency=_currency(body, default_currency),
        country=_country(body),
        attributes=_dict(body, "attributes"),
    )


def _line(body: Any, number: int) -> orders.Line:
    try:
        body = _object(body, LINE_FIELDS)
        quantity = _integer(body, "quantity")
        if not quantity:
            raise _wrong("quantity", _("Say how many; a return is negative."), "missing")
        price = _decimal(body, "unit_price", required=True, low=Decimal(0)) or Decimal(0)
        line = orders.Line(
            sku=codes.unify(_text(body, "sku", 60, required=True)),
            quantity=quantity,
            unit_price=price.quantize(Decimal("0.0001")),
            description=titles.tidy(_text(body, "description", 300)),
        )
        if abs(line.total) >= Decimal(10) ** 11:
            raise _wrong("quantity", _("This number is too large."), "number_too_large")
    except Invalid as error:
        raise _wrong(f"lines[{number}].{error.field}", error.message, error.code) from None
    return line


EVENT_FIELDS = (
    "type",
    "at",
    "sent_at",
    "message_id",
    "external_id",
    "email",
    "phone",
    "anonymous_id",
    "device_id",
    "properties",
    "context",
)
_EVENT_NAMES = frozenset(EVENT_FIELDS)
_USUAL_NAMES = _EVENT_NAMES - {"sent_at", "email", "phone", "device_id"}


def event(body: Any, *, now: datetime, small: bool = False) -> events.Incoming:
    """An event. Without `at` it happened now; without `message_id` its content is its name.

    `small` says that the whole body it came in holds no more than one event may, and no zero byte,
    so that nothing in it has to be measured.
    """
    if small and (usual := _usual_event(body, now)) is not None:
        return usual
    if body.__class__ is not dict or not body.keys() <= _EVENT_NAMES:
        body = _object(body, EVENT_FIELDS)
    stamp = _stamp(body, "at")
    at, flags = now, ""
    if stamp:
        at, flags = clock.correct(
            timestamp=_when(body, "at"),
            sent_at=_when(body, "sent_at") if "sent_at" in body else None,
            received_at=now,
        )
    external = _plain(body, "external_id") if "external_id" in body else ""
    anonymous = _plain(body, "anonymous_id") if "anonymous_id" in body else ""
    email = "" if body.get("email") is None else _address(body["email"])
    phone = _phone(body) if "phone" in body else ""
    device = _plain(body, "device_id") if "device_id" in body else ""
    if not (external or email or phone or anonymous or device):
        raise _wrong(
            "external_id",
            _("Give an external_id, an e-mail address, a phone number or an anonymous_id."),
            "no_person",
        )
    kind = _plain(body, "type")
    if not kind:
        raise _wrong("type", _("This may not be empty."), "missing")
    made = events.Incoming(
        kind,
        at,
        _plain(body, "message_id"),
        None,
        external,
        email,
        anonymous,
        _inner(body, "properties", small),
        b"",
        incoming.TRACK,
        phone,
        device,
        "",
        "",
        events.NOTHING,
        _inner(body, "context", small) if "context" in body else events.NOTHING,
        # Without a name and a time two equal calls are two deeds: each is told by when it came.
        stamp if stamp or body.get("message_id") else None,
        flags,
    )
    if not small and len(orjson.dumps(body)) > events.EVENT_LIMIT:
        raise _wrong("", _("This event is larger than 32 KB."), "too_large")
    return made


def _usual_event(body: Any, now: datetime) -> events.Incoming | None:
    """What most events are, read in one go: plain names, a moment near now. None for any other.

    It says the same of them as `event` does, which costs three times as much.
    """
    if body.__class__ is not dict or not body.keys() <= _USUAL_NAMES:
        return None
    get = body.get
    kind, stamp, name = get("type"), get("at"), get("message_id", "")
    external, anonymous = get("external_id", ""), get("anonymous_id", "")
    properties, context = get("properties"), get("context", events.NOTHING)
    if not (
        kind.__class__ is str
        and stamp.__class__ is str
        and name.__class__ is str
        and external.__class__ is str
        and anonymous.__class__ is str
        and properties.__class__ is dict
        and (context is events.NOTHING or context.__class__ is dict)
        and len(kind) <= 100
        and len(name) <= 100
        and len(external) <= 100
        and len(anonymous) <= 100
    ):
        return None
    kind, stamp = kind.strip(), stamp.strip()
    external, anonymous = external.strip(), anonymous.strip()
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    if (
        not kind
        or not (external or anonymous)
        or at.tzinfo is not UTC
        or at > now
        or at < clock.EPOCH
    ):
        return None
    return tuple.__new__(
        events.Incoming,
        (
            kind,
            at,
            name.strip(),
            None,
            external,
            "",
            anonymous,
            properties,
            b"",
            incoming.TRACK,
            "",
            "",
            "",
            "",
            events.NOTHING,
            context,
            stamp,
            "",
        ),
    )


def _plain(body: Body, name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if value.__class__ is str and len(value) <= 100 and "\0" not in value:
        return value.strip()
    return _text(body, name, 100)


def _stamp(body: Body, name: str) -> str:
    value = body.get(name)
    return value.strip() if value.__class__ is str else _text(body, name, 60)


def _when(body: Body, name: str) -> datetime | None:
    """A moment as the sender's clock has it."""
    try:
        found = datetime.fromisoformat(body[name].strip())
    except (ValueError, AttributeError, KeyError):
        found = None
    if found is not None and found.tzinfo is UTC:
        return found
    text = _text(body, name, 60)
    if not text:
        return None
    if found is None:
        raise _wrong(name, _("Write the time as 2026-01-31T09:30:00Z."), "not_a_date")
    if found.tzinfo is None:
        raise _wrong(name, _("The time needs its zone: end it with Z or +02:00."), "no_zone")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise _wrong(name, _("The time lies before 1970."), "date_too_old") from None


@lru_cache(maxsize=20_000)
def _known_address(text: str) -> tuple[str, str]:
    return values.email(text)


def _address(text: Any) -> str:
    if text.__class__ is not str or len(text) > 254 or "\0" in text:
        return _email({"email": text})
    value, fault = _known_address(text)
    return _email({"email": text}) if fault else value


def _inner(body: Body, name: str, small: bool) -> Mapping[str, Any]:
    value = body.get(name)
    return value if small and value.__class__ is dict else _dict(body, name)
