"""One person through a draft, with a clock that can be moved and answers that can be given.

Nothing is written and nothing is asked of the database, unless somebody real is to be asked about
(`asking_of`): then what the draft wants to know of them is looked up as it is today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from campaigns.journeys import checking, clock, definitions
from campaigns.journeys.asked import Answers
from campaigns.journeys.graph import (
    Graph,
    Node,
    OfBandit,
    OfDay,
    OfRules,
    OfScore,
    Question,
)
from campaigns.journeys.timeline import Ask, Fact, Timeline
from marketing.core.errors import Invalid

LONGEST = timedelta(days=800)


@dataclass(frozen=True)
class Person:
    """Who goes through. Without a `customer_id` nobody real is meant."""

    customer_id: int | None = None
    zone: str = ""


@dataclass(frozen=True)
class Clock:
    """From when, and up to which moment the clock was moved."""

    begins: datetime
    until: datetime


@dataclass(frozen=True)
class Scripted:
    """What is given: answers by step, and events that happen. An answer is a yes or no, the key of
    a way, a score, or a day, as the step asks. `began` holds the properties of the event that
    brings them in.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[tuple[datetime, str, Mapping[str, Any]]] = ()
    began: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """A step of the way. `what` is "passed", "did", "waits", or how it ended. `guessed` says that
    no answer was given, so that the way for everybody else was taken; `did` that something was sent
    or changed there.
    """

    node: str
    at: datetime
    what: str
    branch: str = ""
    until: datetime | None = None
    guessed: bool = False
    did: bool = False


def run(
    definition: object,
    person: Person,
    clock: Clock,
    answers: Scripted | None = None,
    *,
    ask: Ask | None = None,
) -> list[Step]:
    """What happens to somebody who comes in at `clock.begins`, up to `clock.until`.

    Invalid when the drawing has flaws that leave no way to go.
    """
    script = answers or Scripted()
    graph, flaws = definitions.parse(definition)
    if graph is None:
        raise Invalid(
            _("This journey cannot be tried yet: %(why)s")
            % {"why": checking.faults(definition)[0].message if flaws else ""},
            code="journey_faults",
            field="definition",
        )
    if not timedelta(0) <= clock.until - clock.begins <= LONGEST:
        raise Invalid(_("Move the clock ahead, by two years at most."), code="bad_clock")
    guessed: set[str] = set()
    unit = person.customer_id or 0
    line = Timeline(
        graph,
        key="try",
        ask=_asker(graph, script, ask, guessed),
        zone_of=lambda _id: _zone(person.zone),
    )
    line.begin(unit, clock.begins, context=script.began)
    facts = [
        Fact(customer_id=unit, at=at, type=type_, properties=properties)
        for at, type_, properties in sorted(script.events, key=lambda one: one[0])
        if at > clock.begins
    ]
    line.run(facts, begins=clock.begins, until=clock.until)
    return _steps(graph, line, guessed)


def _zone(name: str) -> ZoneInfo:
    return clock.zone_of(name, ZoneInfo("UTC"))


def asking_of(definition: object, *, now: datetime) -> Ask | None:
    """Look up what a draft asks of somebody real, as they are today."""
    graph, _flaws = definitions.parse(definition)
    if graph is None:
        return None
    found = Answers(graph=graph, version_id=0, now=now)
    return lambda _node, question, people, _at: found.of(question, people)


def _asker(graph: Graph, script: Scripted, ask: Ask | None, guessed: set[str]) -> Ask:
    def answer(
        node: Node, question: Question, people: Sequence[int], at: datetime
    ) -> Mapping[int, Any]:
        if node.id in script.answers:
            value = _read(graph, node.id, question, script.answers[node.id])
            return {} if value is None else dict.fromkeys(people, value)
        if ask is not None and not isinstance(question, OfBandit) and people != [0]:
            return ask(node, question, people, at)
        guessed.add(node.id)
        return {}

    return answer


def _read(graph: Graph, node: str, question: Question, said: Any) -> Any:
    """A given answer as `step` takes it."""
    match question:
        case OfRules() if graph.nodes[node].kind == "split_rule":
            return 0 if said in (True, "yes") else None
        case OfRules():
            ruled = [b.key for b in graph.nodes[node].branches if b.settings.get("rule")]
            place = ruled.index(said) if said in ruled else None
            return (place,) if question.each and place is not None else place
        case OfScore():
            number = isinstance(said, int | float) and not isinstance(said, bool)
            return float(said) if number else None
        case OfDay():
            return said if isinstance(said, date) else clock.read_day(said)
    return said


def _steps(graph: Graph, line: Timeline, guessed: set[str]) -> list[Step]:
    did = {deed.node for deed in line.deeds}
    found = [
        Step(
            one.node,
            one.at,
            one.what or ("did" if one.node in did else "passed"),
            one.branch,
            guessed=one.node in guessed,
            did=one.node in did,
        )
        for one in line.lines
    ]
    found.extend(
        Step(walker.node, walker.arrived_at, "waits", until=walker.wake_at)
        for walker in line.stays.values()
        if walker.ended_at is None
    )
    return found
