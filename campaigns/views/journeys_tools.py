"""Trying a journey: one person with a movable clock, and the last days of real events."""

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from campaigns.journeys import definitions, matching, replay, simulator
from campaigns.journeys.graph import Graph, Node, OfBandit, OfDay, OfRules, OfScore, asks
from campaigns.journeys.graph import question as question_of
from campaigns.messaging import occasions
from campaigns.models import Enrollment, Journey, JourneyTally
from campaigns.segments.nodes import Where
from campaigns.views import journeys_words as words
from campaigns.views.builder import whole
from campaigns.views.journeys_steps import Sayings
from campaigns.views.people import signed_in
from ingestion.models import Customer
from marketing.core import auth, jobs
from marketing.core.auth import page
from marketing.core.errors import Refused
from marketing.core.models import Job
from marketing.core.wording import comma

MOVES = (
    (3_600, gettext_lazy("+ 1 hour")),
    (86_400, gettext_lazy("+ 1 day")),
    (604_800, gettext_lazy("+ 1 week")),
)
WHAT = {
    "passed": gettext_lazy("went on"),
    "did": gettext_lazy("done"),
    "waits": gettext_lazy("is here"),
    **words.ENDED,
}
AWAY = {**dict(JourneyTally.Reason.choices), "held": Enrollment.Outcome.HELD.label}
DAYS = (7, 14, 30, 60)
MOST_EVENTS = 50


@page("view")
@require_http_methods(["GET", "POST"])
def journey_test(request: HttpRequest, pk: int) -> HttpResponse:
    """The panel of the simulator. It is asked anew with all that was said so far."""
    journey = get_object_or_404(Journey, pk=pk)
    now = timezone.now().replace(second=0, microsecond=0)
    said = request.POST
    try:
        definition = orjson.loads(said["definition"]) if "definition" in said else journey.draft
    except orjson.JSONDecodeError:
        return HttpResponseBadRequest()
    begins = _moment(said.get("begins")) or now
    until = max(_moment(said.get("until")) or begins, begins)
    happened = _events(said.get("events"))
    if event := said.get("happens", "")[:100]:
        until += timedelta(minutes=1)
        happened = [*happened, (until, event)][-MOST_EVENTS:]
        until += timedelta(minutes=1)
    move = whole(said.get("move"))
    if said.get("move") == "next":
        until = max(_moment(said.get("next")) or until, until)
    elif move is not None:
        until = until + timedelta(seconds=move) if move else begins
        happened = happened if move else []
    who, person = said.get("who", "").strip()[:100], None
    if who:
        person = _found(who)
    tried = _Tried(definition, person, begins, until, happened, _answers(said), now)
    context = {
        "journey": journey,
        "who": who,
        "person": person,
        "begins": timezone.localtime(begins),
        "until": until,
        "events": orjson.dumps([[at.isoformat(), event] for at, event in happened]).decode(),
        "happened": happened,
        "moves": MOVES,
        "tried": tried,
    }
    return render(request, "campaigns/journeys/_test.html", context)


def _moment(text: str | None) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        found = datetime.fromisoformat(text or "")
        return found if found.tzinfo else timezone.make_aware(found)
    return None


def _events(text: str | None) -> list[tuple[datetime, str]]:
    """What was said to have happened: [[moment, event]]."""
    found = []
    with contextlib.suppress(orjson.JSONDecodeError, TypeError, ValueError):
        for at, event in orjson.loads(text or "[]"):
            moment = _moment(at)
            if moment is not None and isinstance(event, str):
                found.append((moment, event[:100]))
    return found[:MOST_EVENTS]


def _answers(said: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix("answer-"): value
        for key, value in said.items()
        if key.startswith("answer-") and value
    }


def _found(who: str) -> Customer | None:
    """The person whose address, number or name was typed."""
    exact = Customer.objects.filter(Q(email__iexact=who) | Q(external_id=who)).order_by("pk")
    first, _space, last = who.partition(" ")
    named = Q(first_name__iexact=first) & (Q(last_name__istartswith=last) if last else Q())
    return exact.first() or Customer.objects.filter(named).order_by("pk").first()


class _Tried:
    """One walk through a draft, as the panel shows it."""

    def __init__(
        self,
        definition: Any,
        person: Customer | None,
        begins: datetime,
        until: datetime,
        happened: list[tuple[datetime, str]],
        answers: dict[str, str],
        now: datetime,
    ) -> None:
        self.fault = ""
        self.steps: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.trace, self.here, self.hears = "[]", "", list[str]()
        self.over, self.next = False, None
        graph, _flaws = definitions.parse(definition)
        self.began = _began(graph, person)
        try:
            walked = simulator.run(
                definition,
                simulator.Person(person.pk if person else None, person.timezone if person else ""),
                simulator.Clock(begins, until),
                simulator.Scripted(
                    answers={node: _typed(graph, node, said) for node, said in answers.items()},
                    events=[(at, event, _fitting(graph, event)) for at, event in happened],
                    began=self.began,
                ),
                ask=simulator.asking_of(definition, now=now) if person else None,
            )
        except Refused as refusal:
            self.fault = str(refusal)
            return
        assert graph is not None
        sayings = Sayings(definition)
        self.steps = [_line(graph, sayings, step) for step in walked]
        self.hears = sorted(graph.listens())
        self.trace = orjson.dumps([{"node": s.node, "way": s.branch} for s in walked]).decode()
        self.here = walked[-1].node if walked else ""
        self.over = bool(walked) and walked[-1].what != "waits"
        self.next = walked[-1].until if walked else None
        met = dict.fromkeys(step.node for step in walked)
        self.asked = [
            {"node": node, "title": sayings.title(node), "said": answers.get(node, ""), **asks}
            for node in met
            if (asks := _asks(graph.nodes[node]))
        ]


def _line(graph: Graph, sayings: Sayings, step: simulator.Step) -> dict[str, Any]:
    node = graph.nodes[step.node]
    way = next((b.label or b.key for b in node.branches if b.key == step.branch), "")
    look = words.LOOKS.get(node.kind) or words.MESSAGES.get(node.settings.get("channel", ""))
    return {
        "step": step,
        "title": sayings.title(step.node),
        "what": " · ".join(
            str(WHAT.get(word, word))
            for word in dict.fromkeys([*(["did"] if step.did else []), step.what])
        ),
        "way": str(words.BRANCHES.get(way, way)),
        "look": look or words.MESSAGES["email"],
    }


def _asks(node: Node) -> dict[str, Any]:
    """How a step's question may be answered by hand; empty for a step that asks nothing."""
    ways = [(branch.key, branch.label or words.BRANCHES.get(branch.key, branch.key))
            for branch in node.branches]  # fmt: skip
    match question_of(node):
        case OfRules(each=True):  # tests of the event are answered by the event itself
            ruled = {branch.key for branch in node.branches
                     if branch.settings.get("rule") or not asks(branch)}  # fmt: skip
            return {"type": "choice", "ways": [way for way in ways if way[0] in ruled]}
        case OfRules() | OfBandit():
            return {"type": "choice", "ways": ways}
        case OfScore():
            return {"type": "number"}
        case OfDay():
            return {"type": "date"}
    return {}


def _typed(graph: Graph | None, node_id: str, said: str) -> Any:
    node = graph.nodes.get(node_id) if graph else None
    if node is not None and isinstance(question_of(node), OfScore):
        with contextlib.suppress(ValueError):
            return float(said)
    return said


def _began(graph: Graph | None, person: Customer | None) -> dict[str, Any]:
    """The properties with which somebody comes in: of a real event, if there was one that fits."""
    if graph is None or graph.trigger.kind != "event" or not graph.trigger.settings["event"]:
        return {}
    event, where = graph.trigger.settings["event"], graph.trigger.settings["where"]
    found = occasions.newest(type=event, customer_id=person.pk if person else None)
    return found if found and matching.passes(where, found) else _fitting(graph, event)


def _fitting(graph: Graph | None, event: str) -> dict[str, Any]:
    """Properties with which an event is just what this journey waits for."""
    found: dict[str, Any] = {}
    if graph is None:
        return found
    signs = [*graph.exits, *([graph.goal] if graph.goal else [])]
    tests: list[Where] = [test for sign in signs if sign.event == event for test in sign.where]
    for node in graph.nodes.values():
        if node.settings.get("event") == event:
            tests += node.settings["where"]
    for test in tests:
        number = isinstance(test.value, int | float) and not isinstance(test.value, bool)
        value: Any = test.value
        if test.op == "known":
            value = "1"
        elif number and test.op in (">", "<"):
            value = test.value + (1 if test.op == ">" else -1)  # type: ignore[operator]
        elif test.op == "!=":
            value = f"not {test.value}"
        found.setdefault(test.property, value)
    return found


@page("view")
@require_http_methods(["GET", "POST"])
def journey_replay(request: HttpRequest, pk: int) -> HttpResponse:
    """The panel of the time machine: asks for the days, shows the job, then what it found."""
    journey = get_object_or_404(Journey, pk=pk)
    fault = ""
    if request.method == "POST":
        try:
            _look_back(request, journey)
        except Refused as refusal:
            fault = str(refusal)
    job = _jobs(journey).first()
    done = _jobs(journey).filter(state=Job.State.DONE).first()
    context: dict[str, Any] = {
        "journey": journey,
        "days": DAYS,
        "chosen": job.params["days"] if job else 30,
        "fault": fault,
        "job": job if job and (done is None or job.pk != done.pk) else None,
        "may": auth.may(request.user, "edit"),
    }
    if done is not None:
        context |= {"done": done, **_result(done)}
    return render(request, "campaigns/journeys/_replay.html", context)


def _jobs(journey: Journey) -> Any:
    return Job.objects.filter(kind="journey.replay", params__journey=journey.pk).order_by("-pk")


def _look_back(request: HttpRequest, journey: Journey) -> None:
    """Start looking back, unless that is being done already."""
    if not auth.may(request.user, "edit"):
        raise PermissionDenied
    days = whole(request.POST.get("days")) or 30
    if not 0 < days <= replay.MOST_DAYS:
        raise Refused(_("Look back between one and %(most)d days.") % {"most": replay.MOST_DAYS})
    definition = journey.draft
    with contextlib.suppress(orjson.JSONDecodeError):
        definition = orjson.loads(request.POST.get("definition") or b"") or definition
    _graph, flaws = definitions.parse(definition)
    if _graph is None or flaws:
        raise Refused(_("The draft has faults. Put them right, then look back."))
    if _jobs(journey).filter(state__in=[Job.State.QUEUED, Job.State.RUNNING]).exists():
        raise Refused(_("It is looking back already."))
    jobs.start(
        kind="journey.replay",
        title=_("Time machine: %(name)s") % {"name": journey.name},
        params={"journey": journey.pk, "days": days, "definition": definition},
        user=signed_in(request),
        result_url=reverse("campaigns:journey-edit", args=[journey.pk]) + "?panel=replay",
    )


def _result(done: Job) -> dict[str, Any]:
    """What a look back found, with bars from 0 to 100 and the names of steps."""
    found = done.result
    sayings = Sayings(done.params.get("definition") or {})
    most_in = max((day["entered"] for day in found["days"]), default=0) or 1
    most_out = max((sum(day["sends"].values()) for day in found["days"]), default=0) or 1
    days = [
        {
            "day": datetime.fromisoformat(day["day"]).date(),
            "entered": day["entered"],
            "sent": sum(day["sends"].values()),
            "capped": day["capped"],
            "in_bar": round(100 * day["entered"] / most_in),
            "out_bar": round(100 * sum(day["sends"].values()) / most_out),
        }
        for day in found["days"]
    ]
    figures = {
        node: {
            "count": comma(one["passed"] or one["waiting"])
            if one["passed"] or one["waiting"]
            else "",
            "passed": one["passed"],
            "ways": {way or "next": n for way, n in one["ways"].items()},
            "numbers": [],
            "all": [],
        }
        for node, one in found["nodes"].items()
    }
    return {
        "found": found,
        "since": datetime.fromisoformat(found["since"]),
        "until": datetime.fromisoformat(found["until"]),
        "bars": days,
        "most_in": most_in,
        "most_out": most_out,
        "capped": sum(day["capped"] for day in days),
        "away": [(AWAY.get(key, key), n) for key, n in found["turned_away"].items()],
        "dead": [
            {**one, "title": sayings.title(one["node"]), "way": sayings.way(**one)}
            for one in found["dead"]
        ],
        "figures": orjson.dumps(figures).decode(),
    }
