"""One message of the tracking protocol → one event of ours. Touches no database itself.

A fault raises Invalid with the name of the field as the client wrote it.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from django.utils.translation import gettext as _

from ingestion import events, orders
from ingestion.events import clock
from ingestion.identity import guard, identify
from ingestion.identity.names import ANONYMOUS, DEVICE, EMAIL, EXTERNAL, PHONE, Name
from ingestion.preprocess import values
from ingestion.tracking import commerce, traits
from marketing.core.errors import Invalid

CALLS = ("identify", "track", "page", "screen", "group", "alias")
NAME_LIMIT = 100
_NAMES = {
    "userId": EXTERNAL,
    "anonymousId": ANONYMOUS,
    "previousId": EXTERNAL,
    "groupId": EXTERNAL,
}
FIELDS = {
    EXTERNAL: "userId",
    EMAIL: "traits.email",
    PHONE: "traits.phone",
    DEVICE: "context.device.id",
    ANONYMOUS: "anonymousId",
}
_DROPPED = ("ip", "traits", "protocols", "integrations")

Body = Mapping[str, Any]
Allowed = Callable[[], frozenset[Name]]


class Call(NamedTuple):
    """What one message says: an event, and the order in it if there is one."""

    event: events.Incoming
    order: orders.Incoming | None = None


def read(
    message: Any,
    *,
    kind: str = "",
    sent_at: Any = "",
    makes_orders: bool = True,
    default_currency: str,
    now: datetime,
    allowed: Allowed = frozenset,
) -> Call:
    """Read a message of `kind`, or of the type it names. `sent_at` is that of its batch.

    `allowed` is asked for names that somebody allowed as soon as one seems to stand for nobody.
    """
    if not isinstance(message, dict):
        raise _wrong("", _("Each call is a JSON object."), "not_an_object")
    kind = kind or _kind(message)
    context = _object(message, "context")
    properties = _object(message, "properties")
    given = _object(message, "traits")
    _check_size(message)
    message_id = _text(message, "messageId", NAME_LIMIT)
    stamp, at, flag = _when(message, sent_at, now)
    if not message_id and not stamp:
        # Nothing tells it from the same deed on another day, so it is one of its own.
        message_id = uuid.uuid4().hex
    ignored: list[str] = []
    names = {
        name: _identifier(message, name, ignored, allowed)
        for name in ("userId", "anonymousId", "previousId")
    }
    told, email, phone = traits.read(given) if kind == "identify" else ({}, "", "")
    hinted = context.get("traits")
    if isinstance(hinted, dict) and not email:
        email = traits.hint(values.email, hinted.get("email"))
    device = context.get("device")
    device_id = device.get("id") if isinstance(device, dict) else None
    user = names["userId"]
    if not email and "@" in user:
        email = traits.hint(values.email, user)
    if kind == "alias":
        _need(names["previousId"], "previousId", _("An alias names the old number: previousId."))
        _need(user, "userId", _("An alias names the new number: userId."))
    named = user or names["anonymousId"] or email or phone
    if kind != "alias" and not named and not {"userId", "anonymousId"}.intersection(ignored):
        raise _wrong(
            "userId",
            _("Nobody is named: give a userId or an anonymousId."),
            "no_person",
        )
    name = _name(message, kind)
    kept = {key: value for key, value in context.items() if key not in _DROPPED}
    body = dict(properties)
    if kind == "track":
        name_of_type = commerce.type_of(name)
        if name_of_type != name:
            kept["event"] = name
        sku = commerce.stock_code(properties)
        if sku:
            body["sku"] = sku
    else:
        name_of_type = kind
        if name:
            body.setdefault("name", name)
        category = message.get("category")
        if isinstance(category, str) and category:
            body.setdefault("category", category)
    group = ""
    if kind == "group":
        group = _identifier(message, "groupId", ignored, allowed)
        _need(group, "groupId", _("A group call names its group: groupId."))
        body = {**given, **body}
    if ignored:
        kept["ignored"] = ignored
    order = None
    if kind == "track" and makes_orders and name_of_type in _ORDERS:
        order = commerce.order_of(
            kind=name_of_type,
            properties=properties,
            person=identify.Person(
                external_id=user,
                email=email or traits.hint(values.email, properties.get("email")),
                anonymous_id=names["anonymousId"],
            ),
            message_id=message_id or str(at.timestamp()),
            at=at,
            default_currency=default_currency,
        )
    return Call(
        events.Incoming(
            type=name_of_type,
            call=kind,
            at=at,
            message_id=message_id,
            # One that stands for nobody goes along, so that it is listed and may be allowed.
            external_id=user or _text(message, "userId", NAME_LIMIT),
            email=email,
            phone=phone,
            anonymous_id=names["anonymousId"]
            or ("" if named else _text(message, "anonymousId", NAME_LIMIT)),
            device_id=device_id.strip()[:NAME_LIMIT] if isinstance(device_id, str) else "",
            previous_id=names["previousId"],
            group_id=group,
            properties=body,
            traits=told,
            context=kept,
            stamp=stamp,
            flags=flag,
        ),
        order,
    )


_ORDERS = {commerce.ORDER, commerce.REFUND, commerce.CANCEL}


def _wrong(field: str, message: str, code: str, remedy: str | None = None) -> Invalid:
    return Invalid(message, code=code, field=field, remedy=remedy)


def _kind(message: Body) -> str:
    found = message.get("type")
    if found not in CALLS:
        raise _wrong(
            "type",
            _("The type is one of identify, track, page, screen, group and alias."),
            "bad_type",
        )
    return str(found)


def _name(message: Body, kind: str) -> str:
    if kind == "track":
        return _text(message, "event", NAME_LIMIT, required=True)
    return _text(message, "name", 1_000) if kind in ("page", "screen") else ""


def _object(message: Body, name: str) -> dict[str, Any]:
    value = message.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong(name, _("Send a JSON object."), "not_an_object")
    return value


def _check_size(message: Body) -> None:
    try:
        packed = orjson.dumps(message)
    except (TypeError, ValueError):
        raise _wrong("", _("This is nested too deeply to be stored."), "too_deep") from None
    if len(packed) > events.EVENT_LIMIT:
        raise _wrong(
            "",
            _("This call is larger than 32 KB."),
            "too_large",
            _("Send fewer or shorter properties."),
        )
    if b"\\u0000" in packed:
        raise _wrong("", _("A text in this call holds a zero byte."), "nul_byte", _("Take it out."))


def _text(message: Body, name: str, limit: int, *, required: bool = False) -> str:
    value = message.get(name)
    if value is None:
        value = ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _wrong(name, _("This must be a text."), "not_text")
    value = value.strip()
    if required:
        _need(value, name, _("This may not be empty."))
    if len(value) > limit:
        raise _wrong(name, _("This is longer than %(n)d characters.") % {"n": limit}, "too_long")
    return value


def _need(value: str, field: str, message: str) -> None:
    if not value:
        raise _wrong(field, message, "missing")


def _identifier(message: Body, name: str, ignored: list[str], allowed: Allowed) -> str:
    """A name of somebody; what programs send for nobody is left out, and told."""
    value = _text(message, name, NAME_LIMIT)
    known = _NAMES[name], value
    if value and guard.is_placeholder(known) and known not in allowed():
        ignored.append(name)
        return ""
    return value


def _when(message: Body, sent_at: Any, now: datetime) -> tuple[str, datetime, str]:
    """What the sender said about time, the moment by our clock, and how that was changed."""
    name = "originalTimestamp" if message.get("originalTimestamp") else "timestamp"
    stamp = message.get(name) or ""
    moment = _lenient(stamp)
    if stamp and moment is None:
        raise _wrong(
            name,
            _("This is no moment in time."),
            "not_a_date",
            _("Write it as 2026-01-31T09:30:00.000Z."),
        )
    try:
        at, flag = clock.correct(
            timestamp=moment,
            sent_at=_lenient(message.get("sentAt") or sent_at),
            received_at=now,
        )
    except Invalid as fault:
        raise _wrong(
            name, fault.message, fault.code, _("Check the clock of the sending machine.")
        ) from None
    return str(stamp), at, flag


def _lenient(value: Any) -> datetime | None:
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
