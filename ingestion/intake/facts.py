"""People, products and orders from JSON."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from ingestion import catalogue, consent, orders
from ingestion.events import nameless
from ingestion.identity import guard, identify
from ingestion.intake import fields
from ingestion.preprocess import codes, titles, values
from marketing.core.errors import Invalid

LINES_LIMIT = 1_000
CHANNELS = consent.CHANNELS


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
    body = fields.an_object(body, CUSTOMER_FIELDS)
    zone = fields.text(body, "timezone", 64)
    if zone and values.zone(zone) is None:
        raise fields.wrong("timezone", _("There is no time zone of this name."), "unknown_zone")
    person = identify.Person(
        external_id=fields.text(body, "external_id", 100),
        email=fields.email(body),
        phone=fields.phone(body),
        first_name=titles.tidy(fields.text(body, "first_name", 100)),
        last_name=titles.tidy(fields.text(body, "last_name", 100)),
        country=fields.country(body),
        language=fields.text(body, "language", 10),
        timezone=zone,
        attributes=fields.a_dict(body, "attributes"),
    )
    if person.phone and not person.names:
        raise fields.wrong(
            "phone",
            nameless.countryless(),
            "no_country_code",
        )
    if not person.names:
        raise fields.wrong(
            "external_id",
            _("Give an external_id, an e-mail address or a phone number."),
            "no_person",
        )
    if all(guard.is_placeholder(name) for name in person.names):
        raise fields.wrong(
            "external_id",
            nameless.message(),
            nameless.CODE,
        )
    return CustomerItem(person, tuple(_answers(body, now)))


def _answers(
    body: fields.Body, now: datetime
) -> list[tuple[str, str, bool, datetime | None, dict[str, Any]]]:
    given = body.get("consent")
    if given is None:
        return []
    if not isinstance(given, dict) or set(given) - set(CHANNELS):
        raise fields.wrong(
            "consent", _("Give answers by channel: email, sms or push."), "bad_consent"
        )
    found = []
    for channel, answer in given.items():
        field = f"consent.{channel}"
        if not isinstance(answer, dict) or not isinstance(answer.get("granted"), bool):
            raise fields.wrong(field, _("Say granted: true or false."), "bad_consent")
        proof = fields.a_dict(answer, "proof")
        if answer["granted"] and not proof:
            raise fields.wrong(
                field, _("Consent needs proof: when and how the person agreed."), "proof_missing"
            )
        purpose = answer.get("purpose", "marketing")
        if not isinstance(purpose, str) or not consent.is_purpose(purpose):
            raise fields.wrong(field, _("There is no such purpose."), "bad_consent")
        at = fields.moment(answer, "at", now=now)
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


def _code(body: fields.Body) -> str:
    """A product's code; some letters become two in upper case, so what is kept is measured too."""
    said = codes.unify(fields.text(body, "sku", 60, required=True))
    return fields.text({"sku": said}, "sku", 60, required=True)


def product(body: Any, *, default_currency: str) -> catalogue.Item:
    """A product."""
    body = fields.an_object(body, PRODUCT_FIELDS)
    active = body.get("active", True)
    if not isinstance(active, bool):
        raise fields.wrong("active", _("This must be true or false."), "not_yes_or_no")
    for name in ("url", "image_url"):
        if (text := fields.text(body, name, 500)) and not text.startswith(
            ("http://", "https://", "/")
        ):
            raise fields.wrong(name, _("An address begins with https://."), "bad_address")
    return catalogue.Item(
        sku=_code(body),
        name=titles.tidy(fields.text(body, "name", 300)),
        category=titles.tidy(fields.text(body, "category", 100)),
        price=fields.decimal(body, "price", low=Decimal(0)),
        currency=fields.currency(body, default_currency),
        url=fields.text(body, "url", 500),
        image_url=fields.text(body, "image_url", 500),
        stock=fields.integer(body, "stock"),
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
    body = fields.an_object(body, ORDER_FIELDS)
    lines = body.get("lines")
    if not isinstance(lines, list) or not lines:
        raise fields.wrong("lines", _("Give at least one line."), "missing")
    if len(lines) > LINES_LIMIT:
        raise fields.wrong("lines", _("An order has at most 1,000 lines."), "too_many")
    person = identify.Person()
    if body.get("customer") is not None:
        try:
            person = customer(body["customer"], now=now).person
        except Invalid as error:
            if error.code not in (nameless.CODE, "no_country_code"):  # a guest's order
                raise fields.wrong(f"customer.{error.field}", error.message, error.code) from None
    placed = fields.moment(body, "placed_at", now=now, required=True)
    return orders.Incoming(
        external_id=fields.text(body, "external_id", 100, required=True),
        placed_at=placed or now,
        lines=tuple(_line(line, number) for number, line in enumerate(lines)),
        person=person,
        currency=fields.currency(body, default_currency),
        country=fields.country(body),
        attributes=fields.a_dict(body, "attributes"),
    )


def _line(body: Any, number: int) -> orders.Line:
    try:
        body = fields.an_object(body, LINE_FIELDS)
        quantity = fields.integer(body, "quantity")
        if not quantity:
            raise fields.wrong("quantity", _("Say how many; a return is negative."), "missing")
        price = fields.decimal(body, "unit_price", required=True, low=Decimal(0)) or Decimal(0)
        line = orders.Line(
            sku=_code(body),
            quantity=quantity,
            unit_price=price.quantize(Decimal("0.0001")),
            description=titles.tidy(fields.text(body, "description", 300)),
        )
        if abs(line.total) >= Decimal(10) ** 11:
            raise fields.wrong("quantity", _("This number is too large."), "number_too_large")
    except Invalid as error:
        raise fields.wrong(f"lines[{number}].{error.field}", error.message, error.code) from None
    return line
