"""Standard traits of the tracking protocol → the columns and attributes of a person."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from ingestion.preprocess import countries, titles, values
from marketing.core.errors import Invalid

# Spellings of the standard traits → the columns of a person.
COLUMNS = {
    "firstName": "first_name",
    "first_name": "first_name",
    "firstname": "first_name",
    "lastName": "last_name",
    "last_name": "last_name",
    "lastname": "last_name",
    "language": "language",
    "locale": "language",
    "timezone": "timezone",
}
_ADDRESS = {
    "street": "street",
    "city": "city",
    "state": "state",
    "postalCode": "postal_code",
    "postal_code": "postal_code",
    "zip": "postal_code",
}

Body = Mapping[str, Any]


def hint(read_value: Any, value: Any) -> str:
    """A value that may help and whose faults do not matter."""
    if not isinstance(value, str) or len(value) > 254:
        return ""
    found, fault = read_value(value)
    return "" if fault else str(found)


def read(given: Body) -> tuple[dict[str, Any], str, str]:
    """Traits under our names, the e-mail address and the phone number."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in ("email", "phone", "name", "address", "country"):
            continue
        column = COLUMNS.get(name, "")
        if not column:
            found[name] = value
        elif isinstance(value, str) and value.strip():
            found[column] = titles.tidy(value) if column.endswith("_name") else value.strip()
    for column, limit in (("first_name", 100), ("last_name", 100)):
        if len(found.get(column, "")) > limit:
            raise _wrong(f"traits.{column}", _("This is longer than 100 characters."), "too_long")
    if len(found.get("language", "")) > 10:
        found.pop("language")
    if "timezone" in found and values.zone(found["timezone"]) is None:
        raise _wrong("traits.timezone", _("There is no time zone of this name."), "unknown_zone")
    whole = given.get("name")
    if isinstance(whole, str) and whole.strip() and "first_name" not in found:
        first, _space, last = titles.tidy(whole[:200]).rpartition(" ")
        found["first_name"] = (first or last)[:100]
        if first:
            found.setdefault("last_name", last[:100])
    email = _checked(given, "email", 254, values.email, _("This is not an e-mail address."))
    phone = _checked(given, "phone", 30, values.phone, _("This is not a phone number."))
    found.update(_place(given))
    return found, email, phone


def _checked(given: Body, name: str, limit: int, read_value: Any, message: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > limit:
        raise _wrong(f"traits.{name}", message, f"bad_{name}")
    found, fault = read_value(value)
    if fault:
        raise _wrong(f"traits.{name}", message, fault)
    return str(found)


def _place(given: Body) -> dict[str, Any]:
    """The parts of an address, and the country by its code."""
    address = given.get("address")
    if address is not None and not isinstance(address, dict):
        return {"address": address} | _country(given.get("country"), "traits.country")
    address = address or {}
    found: dict[str, Any] = {}
    for name, value in address.items():
        if name != "country":
            found[_ADDRESS.get(name) or str(name)] = value
    where = "traits.address.country" if "country" in address else "traits.country"
    return found | _country(address.get("country", given.get("country")), where)


def _country(value: Any, field: str) -> dict[str, str]:
    if not isinstance(value, str) or not value.strip():
        return {}
    found = countries.code(value[:80])
    if not found:
        raise _wrong(field, _("Use a two-letter country code such as GB."), "unknown_country")
    return {"country": found}


def _wrong(field: str, message: str, code: str) -> Invalid:
    return Invalid(message, code=code, field=field)
