"""What the time machine found, as numbers."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from campaigns.journeys.graph import Graph
from campaigns.journeys.timeline import Timeline


@dataclass(frozen=True)
class Replayed:
    """What a draft would have done. Numbers are of the `share` of people who were walked."""

    since: datetime
    until: datetime
    share: float
    facts: int
    timeline: Timeline
    graph: Graph
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The numbers, as JSON."""
        line = self.timeline
        passed: Counter[tuple[str, str]] = Counter()
        ended: Counter[str] = Counter()
        for one in line.lines:
            if not (one.what in ("goal", "exit") and self._taken_out(one.node)):
                passed[one.node, one.branch] += 1
            if one.what:
                ended[one.what] += 1
        waiting = Counter(w.node for w in line.stays.values() if w.ended_at is None)
        sends: Counter[tuple[str, str]] = Counter()
        for deed in line.deeds:
            if deed.kind in ("send", "webhook", "notify"):
                channel = self.graph.nodes[deed.node].settings.get("channel") or deed.kind
                sends[line.day_of(deed.at).isoformat(), channel] += 1
        days = [
            {
                "day": day.isoformat(),
                "entered": line.entered.get(day, 0),
                "sends": {c: n for (d, c), n in sorted(sends.items()) if d == day.isoformat()},
                "capped": day in line.capped_days,
            }
            for day in _days(self.since, self.until)
        ]
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "share": self.share,
            "facts": self.facts,
            "entered": sum(line.entered.values()),
            "people": len({w.customer_id for w in line.stays.values()}),
            "inside": sum(waiting.values()),
            "goals": sum(w.goal_at is not None for w in line.stays.values()),
            "ended": dict(ended),
            "turned_away": dict(line.turned_away),
            "messages": sum(sends.values()),
            "busiest": max(_per_person_day(line), default=0),
            "days": days,
            "nodes": {
                node: {
                    "passed": sum(n for (id_, _way), n in passed.items() if id_ == node),
                    "waiting": waiting.get(node, 0),
                    "ways": {way: n for (id_, way), n in passed.items() if id_ == node},
                }
                for node in self.graph.nodes
            },
            "dead": self._dead(passed, waiting),
            "notes": list(self.notes),
        }

    def _taken_out(self, node: str) -> bool:
        return self.graph.nodes[node].kind not in ("goal", "exit")

    def _dead(
        self, passed: Mapping[tuple[str, str], int], waiting: Mapping[str, int]
    ) -> list[dict[str, str]]:
        """Ways that nobody took: of splits that somebody came to, and steps nobody reached."""
        reached = {node for node, _way in passed} | set(waiting) | {self.graph.start}
        found = []
        for node in self.graph.nodes.values():
            if node.id not in reached:
                found.append({"node": node.id, "branch": ""})
            elif node.branches and any((node.id, b.key) in passed for b in node.branches):
                found += [
                    {"node": node.id, "branch": b.key}
                    for b in node.branches
                    if (node.id, b.key) not in passed
                ]
        return found


def _per_person_day(line: Timeline) -> Iterator[int]:
    counted = Counter(
        (deed.customer_id, line.day_of(deed.at)) for deed in line.deeds if deed.kind == "send"
    )
    yield from counted.values()


def _days(since: datetime, until: datetime) -> Iterator[date]:
    day = timezone.localdate(since)
    while day <= timezone.localdate(until):
        yield day
        day += timedelta(days=1)
