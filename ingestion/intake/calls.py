"""Events from JSON: what every program sends most, so the usual shape has a short way."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from django.utils.translation import gettext as _

from ingestion import events
from ingestion.events import clock, incoming
from ingestion.intake import fields
from ingestion.preprocess import values

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
        body = fields.an_object(body, EVENT_FIELDS)
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
    phone = fields.phone(body) if "phone" in body else ""
    device = _plain(body, "device_id") if "device_id" in body else ""
    if not (external or email or phone or anonymous or device):
        raise fields.wrong(
            "external_id",
            _("Give an external_id, an e-mail address, a phone number or an anonymous_id."),
            "no_person",
        )
    kind = _plain(body, "type")
    if not kind:
        raise fields.wrong("type", _("This may not be empty."), "missing")
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
        raise fields.wrong("", _("This event is larger than 32 KB."), "too_large")
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


def _plain(body: fields.Body, name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if value.__class__ is str and len(value) <= 100 and "\0" not in value:
        return value.strip()
    return fields.text(body, name, 100)


def _stamp(body: fields.Body, name: str) -> str:
    value = body.get(name)
    return value.strip() if value.__class__ is str else fields.text(body, name, 60)


def _when(body: fields.Body, name: str) -> datetime | None:
    """A moment as the sender's clock has it."""
    try:
        found = datetime.fromisoformat(body[name].strip())
    except (ValueError, AttributeError, KeyError):
        found = None
    if found is not None and found.tzinfo is UTC:
        return found
    text = fields.text(body, name, 60)
    if not text:
        return None
    if found is None:
        raise fields.wrong(name, _("Write the time as 2026-01-31T09:30:00Z."), "not_a_date")
    if found.tzinfo is None:
        raise fields.wrong(name, _("The time needs its zone: end it with Z or +02:00."), "no_zone")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise fields.wrong(name, _("The time lies before 1970."), "date_too_old") from None


@lru_cache(maxsize=20_000)
def _known_address(text: str) -> tuple[str, str]:
    return values.email(text)


def _address(text: Any) -> str:
    if text.__class__ is not str or len(text) > 254 or "\0" in text:
        return fields.email({"email": text})
    value, fault = _known_address(text)
    return fields.email({"email": text}) if fault else value


def _inner(body: fields.Body, name: str, small: bool) -> Mapping[str, Any]:
    value = body.get(name)
    return value if small and value.__class__ is dict else fields.a_dict(body, name)
