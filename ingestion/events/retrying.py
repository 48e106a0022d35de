"""Refused events tried again: once their plan was changed they are stored as if never refused.

An event that the plan kept out had its message id claimed when it came, so it cannot come in by the
door a second time; it is stored from the refusal itself, under the lock of its row. Whatever else
was refused never counted as taken, and goes through the door again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson
from django.db import transaction
from django.utils.translation import gettext as _

from ingestion import registry
from ingestion.events import claims, draining, refusals, storing, tallies
from ingestion.events.incoming import STORED, TRACK, Incoming, digest_of, key_of, made_id
from ingestion.models import Policy, Refusal
from marketing.core.errors import Conflict

CHUNK = 1_000
PLAN = "plan_"
_STOPPED = (Policy.QUARANTINE, Policy.REFUSE)


def retry(*, ids: Iterable[int], now: datetime) -> int:
    """Take events that the plan kept out, if it lets them in now; how many were stored.

    One that still breaks the plan stays refused, with the present reason. Raises Conflict when
    none of them was kept out by the plan: such a call has to be sent again by its sender.
    """
    wanted = sorted(set(ids))
    planned = list(
        Refusal.objects.filter(
            pk__in=wanted, state=Refusal.State.OPEN, code__startswith=PLAN
        ).values_list("pk", flat=True)
    )
    if wanted and not planned:
        raise Conflict(
            _("These events could not be read or used a name twice. Nothing was changed."),
            code="not_retriable",
            remedy=_("Correct them where they are sent and send them again, then discard these."),
        )
    stored = 0
    for start in range(0, len(planned), CHUNK):
        with transaction.atomic():
            rows = Refusal.objects.select_for_update().filter(
                pk__in=planned[start : start + CHUNK], state=Refusal.State.OPEN
            )
            for (source, door), mine in groupby(
                rows.order_by("source", "door", "id"), lambda row: (row.source, row.door)
            ):
                stored += _retry(list(mine), source, door, now)
    return stored


def _retry(rows: Sequence[Refusal], source: str, door: str, now: datetime) -> int:
    events = [_event(row) for row in rows]
    verdicts = registry.judge(batch=events, source=source, now=now)
    passed: list[tuple[Refusal, Incoming]] = []
    for place, (row, event) in enumerate(zip(rows, events, strict=True)):
        verdict = verdicts.get(place)
        if verdict is not None and verdict.action in _STOPPED:
            row.code, row.field = verdict.code, verdict.field[:100]
            row.message, row.remedy = verdict.message, verdict.remedy
            continue
        row.state = Refusal.State.RETRIED
        passed.append((row, event))
    Refusal.objects.bulk_update(rows, ["state", "code", "field", "message", "remedy"])
    ours = _ours(passed, source, now)
    if not ours:
        return 0
    fresh = [event for _row, event in ours]
    received = [row.received_at.isoformat() for row, _event in ours]
    registry.observe(batch=fresh, source=source, now=now)
    found = storing.store(batch=fresh, source=source, received=received, now=now)
    draining.apply(fresh, found, now)
    tallies.add(source=source, door=door, now=now, received=0, stored=len(fresh))
    return len(fresh)


def _ours(
    passed: Sequence[tuple[Refusal, Incoming]], source: str, now: datetime
) -> list[tuple[Refusal, Incoming]]:
    """Those that are not stored yet, each with a message id.

    One that the drain set aside holds its id, so nothing else can have been stored under it. One
    that was refused at the door does not: its sender may have sent it again since.
    """
    if not passed:
        return []
    cores = [event.core() for _row, event in passed]
    ids = [
        event.message_id or made_id(core) for (_row, event), core in zip(passed, cores, strict=True)
    ]
    told = claims.claim(
        keys=[key_of(source, name) for name in ids],
        digests=[digest_of(core) for core in cores],
        now=now,
    )
    return [
        (row, event._replace(message_id=name))
        for (row, event), name, outcome in zip(passed, ids, told, strict=True)
        if outcome == STORED or orjson.loads(row.raw).get("claimed", True)
    ]


def _event(row: Refusal) -> Incoming:
    """The event as `refusals.raw_event` wrote it."""
    said: dict[str, Any] = orjson.loads(row.raw)
    return Incoming(
        type=said["type"],
        at=datetime.fromisoformat(said["at"]),
        call=said.get("call", TRACK),
        properties=said.get("properties") or {},
        traits=said.get("traits") or {},
        context=said.get("context") or {},
        stamp=said.get("stamp"),
        flags=said.get("flags", ""),
        **{name: said[name] for name in refusals.NAMES if name in said},
    )
