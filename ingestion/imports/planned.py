"""The events of one chunk against the tracking plan, before any of them is stored.

What the plan sets aside or refuses becomes a quarantined line; what it warns of is stored and
counted. A line that was stored at an earlier time stays the duplicate that it is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ingestion.events import claims
from ingestion.events.incoming import CONFLICT, DUPLICATE, Incoming
from ingestion.imports.outcome import Stored, conflict
from ingestion.models import Policy
from ingestion.preprocess import findings
from ingestion.preprocess.events import Clean
from ingestion.preprocess.faults import Fault
from ingestion.registry import columns, discovery, judging
from ingestion.registry.judging import Verdict

FIELD_LIMIT = 60  # characters of a property's name that a quarantined line keeps
WARNED, STOPPED = "plan_warned", "plan_stopped"  # rules of the report
_PASSING = (Policy.ALLOW, Policy.WARN)


class Broken(NamedTuple):
    """An event that breaks the plan: its type, its moment in epoch seconds, and its line."""

    verdict: Verdict
    type: str
    moment: float
    line: int


class Stopped(NamedTuple):
    """One that may not be stored, and what the ledger would know it by."""

    broken: Broken
    raw: str
    key: str
    digest: int
    message_id: str


def judge_columns(clean: Clean) -> dict[int, Verdict]:
    """Verdicts by place of a chunk held as columns, of those events alone that break the plan."""
    assert clean.columns is not None
    types, details = clean.columns["type"], clean.columns["properties"]
    return columns.judge(
        types=types.values,
        type_codes=types.codes,
        details=details.values,
        detail_codes=details.codes,
    )


def judge_events(*, batch: Sequence[Incoming], source: str, now: datetime) -> dict[int, Verdict]:
    """The same of single events."""
    return judging.judge(batch=batch, source=source, now=now)


def stopped_by(verdicts: Mapping[int, Verdict]) -> list[int]:
    """The places of the events that may not be stored."""
    return [place for place, verdict in verdicts.items() if verdict.action not in _PASSING]


def turn_away(*, stopped: Sequence[Stopped], source: str, now: datetime) -> Stored:
    """The lines that events become which may not be stored.

    One that the ledger knows is a duplicate or in conflict, as if the plan had not spoken.
    """
    known = claims.look_up({event.key for event in stopped})
    duplicate, faults, broken = 0, [], []
    for event in stopped:
        digest = known.get(event.key)
        outcome = "" if digest is None else claims.judge(event.digest, digest)
        verdict, name, _moment, line = event.broken
        if outcome == DUPLICATE:
            duplicate += 1
        elif outcome == CONFLICT:
            faults.append(conflict(line, event.raw, event.message_id))
        else:
            facts = {"message": verdict.message, "remedy": verdict.remedy, "event": name}
            field = verdict.field[:FIELD_LIMIT]
            faults.append(Fault(line, event.raw, verdict.code, field, facts))
            broken.append(event.broken)
    rules = note(STOPPED, broken, source=source, now=now)
    return Stored(duplicate=duplicate, faults=faults, rules=rules)


def note(
    rule: str, broken: Sequence[Broken], *, source: str, now: datetime
) -> dict[str, dict[str, Any]]:
    """Tell the registry what was broken, and the report, with a few lines as examples."""
    if not broken:
        return {}
    told = [(event.type, event.moment, event.verdict) for event in broken]
    discovery.observe_broken(broken=told, source=source, now=now)
    found = findings.Findings()
    examples = [
        findings.example(event.line, {"type": event.type}, {"plan": event.verdict.message})
        for event in broken[: findings.EXAMPLES]
    ]
    found.add(rule, len(broken), examples)
    return found.rules
