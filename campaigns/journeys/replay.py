"""The time machine: the real facts of the last days through a draft. Nothing is written.

What would it have done? How many come in, how much is sent on which day, where the cap is hit,
which ways nobody takes. Rules are asked as of the moment at which somebody comes to them. Where
there are too many people to walk all, a stable share of them is walked and the numbers say so.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.journeys import checking, clock, dates, definitions, past
from campaigns.journeys.graph import Graph, OfDay, OfRules, OfScore
from campaigns.journeys.graph import question as question_of
from campaigns.journeys.graphs import Walked
from campaigns.journeys.memory import FEW, Memory
from campaigns.journeys.replayed import Replayed
from campaigns.journeys.timeline import Fact, Timeline
from campaigns.models import Journey
from campaigns.segments import clock as segment_clock
from campaigns.segments.asking import array
from marketing.core import brand, collecting, jobs
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import Job, User
from models_ml.queries import is_over

MOST_DAYS = 60
MOST_FACTS = 300_000
_BUCKETS = 1_000
# A limit of people a day makes the ways of all hang together, so what is left then is asked for.
WALKS = 4
_SHARE = "abs(hashint8(customer_id)::bigint) %% 1000 < %(share)s"
_FROM = f"""
FROM ingestion_event, LATERAL (SELECT {past.TOLD_IN_TIME} AS moment) m
WHERE type = ANY(%(types)s) AND customer_id IS NOT NULL AND at >= %(late)s AND at <= %(until)s
    AND m.moment > %(since)s AND m.moment <= %(until)s AND {_SHARE}
    AND NOT (source = 'campaigns' AND properties @> '{{"machine": true}}')
    AND (%(imported)s OR received_at - at <= interval '1 day')
"""
_COUNT = f"SELECT count(*), count(*) FILTER (WHERE m.moment = at AND received_at > at) {_FROM}"
_EVENTS = f"SELECT customer_id, m.moment, type, properties::text {_FROM} ORDER BY m.moment, id"
_NEWEST = """
SELECT max(at) FROM ingestion_event
WHERE type = ANY(%(types)s) AND at > %(until)s AND at <= %(now)s AND customer_id IS NOT NULL
"""
_MOVES = f"""
SELECT customer_id, at, segment_id, entered FROM campaigns_segmentmove
WHERE segment_id = ANY(%(segments)s) AND at > %(since)s AND at <= %(until)s
    AND cause NOT IN ('rule', 'erased') AND {_SHARE}
ORDER BY id
"""
_ZONES = """
SELECT id, campaigns_zone(timezone, country) FROM ingestion_customer WHERE id = ANY(%s::bigint[])
"""


def run(
    *,
    definition: object,
    since: datetime,
    until: datetime,
    journey_id: int = 0,
    imported: bool = False,
    most: int = MOST_FACTS,
    progress: Callable[[int], None] | None = None,
) -> Replayed:
    """The facts of (since, until] through a definition. Invalid where it cannot be walked.

    With `imported`, events that were told late count as if told when they happened; a live journey
    lets nobody in for them.
    """
    graph, flaws = definitions.parse(definition)
    if graph is None or flaws:
        raise Invalid(
            _("This journey cannot be tried yet: %(why)s")
            % {"why": checking.faults(definition)[0].message},
            code="journey_faults",
            field="definition",
        )
    if not timedelta(0) < until - since <= timedelta(days=MOST_DAYS):
        raise Invalid(
            _("Look back between one and %(most)d days.") % {"most": MOST_DAYS},
            code="bad_days",
            field="days",
        )
    share, facts = _facts(graph, since, until, imported, most)
    zones = _Zones()
    zones.learn({fact.customer_id for fact in facts})
    memory = Memory(graph, (fact.customer_id for fact in facts), progress)
    rule = graph.entry.rule

    def fresh() -> Timeline:
        return Timeline(
            graph,
            key=f"journey:{journey_id}",
            ask=memory,
            may=None if rule is None else lambda ids, at: memory.holding(rule, ids, at),
            zone_of=zones.of,
            day_of=lru_cache(timezone.localdate),
        )

    def walked(some: Sequence[Fact]) -> Timeline:
        line = fresh()
        line.run(some, begins=since, until=until)
        return line

    with past.hidden(imported=imported), collecting.without_pauses():
        heard = list(_heard(fresh(), facts))
        if rule is not None:
            memory.learn(rule, fresh().asked_of(heard, begins=since))
        line = _known(memory, heard, walked)
    return Replayed(since, until, share, len(facts), line, graph, _notes(graph, share))


def _heard(line: Timeline, facts: Iterable[Fact]) -> Iterator[Fact]:
    """What each person did from the first fact on that may bring them in."""
    followed: set[int] = set()
    for fact in facts:
        if fact.customer_id in followed:
            yield fact
        elif line.brings(fact):
            followed.add(fact.customer_id)
            yield fact


def _known(
    memory: Memory, facts: Sequence[Fact], walked: Callable[[Sequence[Fact]], Timeline]
) -> Timeline:
    """A walk of everybody in which nothing was guessed."""
    for _time in range(WALKS):
        line = walked(facts)
        if not memory.guessed:
            return line
        wrong = memory.look_up()
        while wrong:  # those who went another way than was guessed, until all is known of them
            walked([fact for fact in facts if fact.customer_id in wrong])
            if memory.guessed < FEW:
                break
            wrong = memory.look_up()
    memory.guessing = False
    return walked(facts)


def end(*, definition: object, now: datetime) -> datetime:
    """Up to when a draft can look back: now, or where the shop's history ends, unless what the
    draft listens to went on afterwards.
    """
    until = segment_clock.moment(now=now)
    graph, _flaws = definitions.parse(definition)
    types = sorted(graph.listens()) if graph is not None else []
    if until >= now or not types:
        return until
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, {"types": types, "until": until, "now": now})
        newest: datetime | None = cursor.fetchone()[0]
    if newest is None:
        return until
    return newest + timedelta(seconds=1) if is_over(newest=newest, now=now) else now


def _facts(
    graph: Graph, since: datetime, until: datetime, imported: bool, most: int
) -> tuple[float, list[Fact]]:
    """Everything the journey would have heard of, in order; and of which share of people."""
    types, segments = sorted(graph.listens()), sorted(graph.watches())
    values: dict[str, Any] = {
        "types": types,
        "segments": segments,
        "since": since,
        "until": until,
        "late": since - timedelta(days=1),
        "imported": imported,
        "share": _BUCKETS,
    }
    facts: list[Fact] = []
    with connection.cursor() as cursor:
        if types:
            cursor.execute(_COUNT, values)
            n = int(cursor.fetchone()[0])
            if n > most:
                values["share"] = max(1, int(_BUCKETS * most / n))
            cursor.execute(_EVENTS, values)
            facts += [
                Fact(customer_id=person, at=at, type=type_, properties=orjson.loads(properties))
                for person, at, type_, properties in cursor.fetchall()
            ]
        if segments:
            cursor.execute(_MOVES, values)
            facts += [
                Fact(customer_id=person, at=at, segment=segment, entered=entered)
                for person, at, segment, entered in cursor.fetchall()
            ]
    share = values["share"] / _BUCKETS
    facts += _by_calendar(graph, since, until, share)
    facts.sort(key=lambda fact: fact.at)
    return share, facts


def _by_calendar(graph: Graph, since: datetime, until: datetime, share: float) -> Iterator[Fact]:
    kind = graph.trigger.kind
    if kind not in ("date", "schedule"):
        return
    version = Walked(0, 0, 0, True, since, graph)
    brought = dates.dated if kind == "date" else dates.scheduled
    people = list(brought(version, since, until))
    kept = _of_share({one.customer_id for one in people}, share)
    for one in people:
        if one.customer_id in kept:
            yield Fact(customer_id=one.customer_id, at=one.at, brings=one.key)


def _of_share(people: set[int], share: float) -> set[int]:
    if share >= 1:
        return people
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id FROM unnest(%(ids)s::bigint[]) AS n (customer_id) WHERE " + _SHARE,
            {"ids": array(people), "share": int(share * _BUCKETS)},
        )
        return {row[0] for row in cursor.fetchall()}


class _Zones:
    def __init__(self) -> None:
        self._home = brand.now().zone
        self._known: dict[int, ZoneInfo] = {}

    def learn(self, people: set[int]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_ZONES, [array(people)])
            for person, name in cursor.fetchall():
                self._known[person] = clock.zone_of(name, self._home)

    def of(self, person: int) -> ZoneInfo:
        return self._known.get(person, self._home)


def _notes(graph: Graph, share: float) -> tuple[str, ...]:
    """What the numbers leave out, said openly."""
    found = []
    asked = [q for node in graph.nodes.values() if (q := question_of(node)) is not None]
    if (
        any(isinstance(q, OfScore | OfDay) for q in asked)
        or graph.entry.rule
        or any(isinstance(q, OfRules) for q in asked)
    ):
        found.append(
            _(
                "Events, orders and messages count as they were; profiles, consent and predictions"
                " as they are today."
            )
        )
    if share < 1:
        found.append(
            _("There were too many events to walk all, so %(share)s%% of people were taken.")
            % {"share": f"{100 * share:g}"}
        )
    match graph.trigger.kind:
        case "api":
            found.append(_("Nobody comes in: calls of the API are not known beforehand."))
        case "segment_enter" | "segment_leave":
            found.append(_("Moves of a segment are known since it was made, for 90 days."))
        case "schedule":
            found.append(_("Everyone in the segment today was taken."))
    if any(node.kind == "split_bandit" for node in graph.nodes.values()):
        found.append(_("Ways that learn were taken by equal shares."))
    if sum(node.kind == "attribute" for node in graph.nodes.values()):
        found.append(_("Profiles were not updated, so later steps do not see it."))
    return tuple(found)


def start(*, journey_id: int, days: int, user: User | None) -> Job:
    """Ask a worker to walk the draft of a journey through the last days."""
    journey = Journey.objects.filter(pk=journey_id).first()
    if journey is None:
        raise NotFound(_("There is no such journey."), code="journey_unknown")
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(
            _("Look back between one and %(most)d days.") % {"most": MOST_DAYS},
            code="bad_days",
            field="days",
        )
    _graph, flaws = definitions.parse(journey.draft)
    if flaws:
        raise Invalid(
            _("This journey cannot be tried yet: %(why)s")
            % {"why": checking.faults(journey.draft)[0].message},
            code="journey_faults",
            field="definition",
        )
    return jobs.start(
        kind="journey.replay",
        title=_("The last %(days)d days through %(name)s") % {"days": days, "name": journey.name},
        params={"journey": journey_id, "days": days, "definition": journey.draft},
        user=user,
    )
