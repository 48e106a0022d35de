"""Events that the tracking plan refuses, told before the answer; the drain sees to the rest."""

from collections.abc import Mapping
from datetime import datetime

import orjson

from ingestion import registry
from ingestion.events import refusals
from ingestion.events.incoming import Incoming
from ingestion.events.refusals import Rejected
from ingestion.models import Policy
from ingestion.registry.discovery import observe_refused
from marketing.core.errors import Invalid


def faults(*, good: Mapping[int, Incoming], source: str, now: datetime) -> dict[int, Invalid]:
    """Which of these events the plan refuses, and why, by their places."""
    if not good:
        return {}
    batch = list(good.values())
    found = registry.judge(batch=batch, source=source, now=now)
    stopped = {i: verdict for i, verdict in found.items() if verdict.action == Policy.REFUSE}
    if not stopped:
        return {}
    observe_refused(batch=batch, source=source, now=now, verdicts=stopped)
    places = list(good)
    return {
        places[i]: Invalid(
            verdict.message, code=verdict.code, field=verdict.field, remedy=verdict.remedy
        )
        for i, verdict in stopped.items()
    }


def rejected(event: Incoming, fault: Invalid) -> Rejected:
    """The refusal of such an event, from which it can be tried again; its id was not taken."""
    raw = {"claimed": False, **orjson.loads(refusals.raw_event(event))}
    return refusals.reject({"type": event.type, "message_id": event.message_id}, fault)._replace(
        raw=orjson.dumps(raw).decode()
    )
