"""Write keys: which shop's events these are. A key lets events in and shows nothing."""

import secrets
import time
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from ingestion.models import Order, Source
from marketing.core import audit
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import ApiKey, User

KIND = "tracking"
REMEMBERED = 2.0  # seconds a process may go on taking a key that was turned off
_CACHE_LIMIT = 1_000
_cache: dict[str, tuple[float, "Door"]] = {}


class Door(NamedTuple):
    """What a request needs to know about the source whose key it brought."""

    source_id: int
    name: str
    makes_orders: bool


def find(key: str) -> Door | None:
    """The source of this key; None if there is none or it was turned off up to two seconds ago."""
    moment = time.monotonic()
    kept = _cache.get(key)
    if kept is not None and kept[0] > moment:
        return kept[1]
    _cache.pop(key, None)
    if not 8 <= len(key) <= 40 or "\0" in key:
        return None
    row = (
        Source.objects.filter(write_key=key, enabled=True)
        .values_list("pk", "name", "options")
        .first()
    )
    if row is None:
        return None
    door = Door(row[0], row[1], bool(row[2].get("orders", True)))
    if len(_cache) >= _CACHE_LIMIT:
        _cache.clear()
    _cache[key] = (moment + REMEMBERED, door)
    return door


def create(*, name: str, actor: User | ApiKey | None, now: datetime) -> Source:
    """A new web source with its key. Orders are made of its events if no other source has any."""
    name = " ".join(name.split())
    if not name or len(name) > 100 or "\0" in name:
        raise Invalid(
            _("Give the source a name of up to 100 characters."), code="bad_name", field="name"
        )
    try:
        with transaction.atomic():
            source = Source.objects.create(
                name=name,
                kind=KIND,
                write_key=_fresh(),
                options={"orders": not Order.objects.exists()},
                created_at=now,
            )
    except IntegrityError:
        raise Conflict(
            _("There is a source of this name already."), code="name_taken", field="name"
        ) from None
    audit.record(actor=actor, action="write_key.created", obj=source)
    return source


def rotate(*, source: Source, actor: User | ApiKey | None) -> Source:
    """Give the source another key; pages that carry the old one are refused within seconds."""
    old = source.write_key or ""
    source.write_key = _fresh()
    source.save(update_fields=["write_key"])
    _cache.pop(old, None)
    audit.record(actor=actor, action="write_key.rotated", obj=source, detail={"old": f"{old[:7]}…"})
    return source


def switch(*, source: Source, enabled: bool, actor: User | ApiKey | None) -> Source:
    """Turn the key off, or on again."""
    if source.enabled == enabled:
        return source
    source.enabled = enabled
    source.save(update_fields=["enabled"])
    _cache.pop(source.write_key or "", None)
    audit.record(
        actor=actor,
        action="write_key.enabled" if enabled else "write_key.disabled",
        obj=source,
    )
    return source


def take_orders(*, source: Source, wanted: bool, actor: User | ApiKey | None) -> Source:
    """Whether `Order Completed` of this source becomes an order."""
    source.options = {**source.options, "orders": wanted}
    source.save(update_fields=["options"])
    _cache.pop(source.write_key or "", None)
    audit.record(actor=actor, action="source.changed", obj=source, detail={"orders": wanted})
    return source


def _fresh() -> str:
    return f"wk_{secrets.token_hex(14)}"
