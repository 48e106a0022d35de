"""What could not be stored: kept as it came, with a reason and a remedy, so nothing is lost."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from django.db import connection
from django.utils.translation import gettext as _

from ingestion.events.incoming import EVENT_LIMIT, TRACK, Incoming
from ingestion.models import Refusal
from marketing.core.errors import Refused

# What is kept of each text at most: as much as its column holds.
COLUMNS: dict[str, int | None] = {
    "message_id": 200,
    "type": 100,
    "code": 40,
    "field": 100,
    "message": 300,
    "remedy": 300,
    "raw": None,
}
# The texts of an event that its refusal keeps as they are.
NAMES = (
    "message_id",
    "external_id",
    "email",
    "phone",
    "anonymous_id",
    "device_id",
    "previous_id",
    "group_id",
)


class Rejected(NamedTuple):
    """One call that is not taken, and why. `raw` is what came, as JSON text where it was JSON."""

    code: str
    message: str
    field: str = ""
    remedy: str = ""
    message_id: str = ""
    type: str = ""
    raw: str = ""


def reject(item: Any, fault: Refused) -> Rejected:
    """A call as it was parsed, refused for a fault."""
    named = item if isinstance(item, dict) else {}
    return Rejected(
        code=fault.code[:40],
        message=str(fault.message)[:300],
        field=(fault.field or "")[:100],
        remedy=(fault.remedy or "")[:300],
        message_id=_name(named.get("message_id") or named.get("messageId"), 200),
        type=_name(named.get("type") or named.get("event"), 100),
        raw=raw_of(item),
    )


def raw_of(item: Any) -> str:
    """A parsed call as text again; as much as one event may hold."""
    try:
        text = orjson.dumps(item, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        text = repr(item)
    return text[:EVENT_LIMIT]


def raw_event(event: Incoming) -> str:
    """An event that had been read, as JSON that can be sent again."""
    found: dict[str, Any] = {"type": event.type, "at": event.at.isoformat()}
    found |= {name: value for name in NAMES if (value := getattr(event, name))}
    if event.stamp is not None:
        found["stamp"] = event.stamp
    found["properties"] = (
        orjson.Fragment(event.properties_json) if event.properties_json else dict(event.properties)
    )
    if event.traits:
        found["traits"] = dict(event.traits)
    if event.call != TRACK:
        found["call"] = event.call
    if event.context:
        found["context"] = dict(event.context)
    if event.flags:
        found["flags"] = event.flags
    return orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS).decode()


def conflict(event: Incoming) -> Rejected:
    """The refusal of a message id that was used for another event."""
    return Rejected(
        code="conflict",
        message=conflict_message(),
        field="message_id",
        remedy=conflict_remedy(),
        message_id=event.message_id,
        type=event.type,
        raw=raw_event(event),
    )


def conflict_message() -> str:
    return _("This message_id was used for another event; nothing was stored.")


def conflict_remedy() -> str:
    return _("Give every event a message_id of its own.")


def _name(value: object, limit: int) -> str:
    return value.replace("\0", "")[:limit] if isinstance(value, str) else ""


def keep(*, rejected: Sequence[Rejected], source: str, door: str, now: datetime) -> None:
    """Write refusals within the caller's transaction."""
    if not rejected:
        return
    columns = [
        [str(getattr(r, name)).replace("\0", "�")[:limit] for r in rejected]
        for name, limit in COLUMNS.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_refusal"
            f" (source, door, received_at, state, {', '.join(COLUMNS)})"
            f" SELECT %s, %s, %s, 'open', * FROM unnest({', '.join(['%s::text[]'] * 7)})",
            [source, door, now, *columns],
        )


def discard(*, ids: Iterable[int]) -> int:
    """Put open refusals away; how many."""
    open_ = Refusal.objects.filter(pk__in=list(ids), state=Refusal.State.OPEN)
    return open_.update(state=Refusal.State.DISCARDED)
