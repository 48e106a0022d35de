"""Store events now, in the caller's transaction: for our own callers and for files."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion import registry
from ingestion.events import claims, clock, refusals, storing, tallies
from ingestion.events.incoming import (
    CONFLICT,
    DUPLICATE,
    ID_LIMIT,
    STORED,
    Incoming,
    cores,
    digest_of,
    key_of,
    made_id,
)
from marketing.core.errors import Invalid

SEEN = 4  # of thousands of rows at once one in so many is looked at, and counts for as many


def record(
    *,
    batch: Sequence[Incoming | Mapping[str, Any]],
    source: str,
    now: datetime,
    door: str = "own",
) -> list[str]:
    """Store a batch once each, durably when the transaction commits; an outcome per event.

    An event may be given as a mapping with Incoming's names. Times more than five minutes ahead
    of `now` are set back to `now`. What is a duplicate or a conflict is the caller's to report.
    """
    incoming = [e if isinstance(e, Incoming) else Incoming(**e) for e in batch]
    if not incoming:
        return []
    with transaction.atomic():
        return _record(incoming, source, now, door)


def _record(batch: list[Incoming], source: str, now: datetime, door: str) -> list[str]:
    contents = cores(batch)
    names = [e.message_id or made_id(core) for e, core in zip(batch, contents, strict=True)]
    if any(len(name) > ID_LIMIT for name in names):
        raise Invalid(
            _("A message_id has at most 100 characters."), code="too_long", field="message_id"
        )
    outcomes = claims.claim(
        keys=[key_of(source, name) for name in names],
        digests=[digest_of(core) for core in contents],
        now=now,
    )
    fresh = [
        _at_our_clock(event, name, now)
        for event, name, outcome in zip(batch, names, outcomes, strict=True)
        if outcome == STORED
    ]
    came = now.isoformat()
    storing.store(batch=fresh, source=source, received=[came] * len(fresh), now=now)
    registry.observe(batch=fresh, source=source, now=now, every=SEEN)
    if door != "file":  # a file's import keeps its own ledger
        clashes = [e for e, outcome in zip(batch, outcomes, strict=True) if outcome == CONFLICT]
        refusals.keep(
            rejected=[refusals.conflict(event) for event in clashes],
            source=source,
            door=door,
            now=now,
        )
        tallies.add(
            source=source,
            door=door,
            now=now,
            received=len(batch),
            stored=len(fresh),
            duplicate=outcomes.count(DUPLICATE),
        )
    return outcomes


def _at_our_clock(event: Incoming, name: str, now: datetime) -> Incoming:
    if event.at > now + clock.AHEAD:
        return event._replace(at=now, message_id=name, flags=clock.CLAMPED)
    return event if event.message_id else event._replace(message_id=name)
