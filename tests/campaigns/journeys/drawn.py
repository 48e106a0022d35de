"""Journeys for tests, and people walked through them with a clock of the test's own."""

from datetime import datetime, timedelta
from typing import Any

from campaigns.journeys import runner, triggers, versions
from campaigns.models import Enrollment, Journey, JourneyStep, JourneyVersion
from ingestion import events
from ingestion.models import Customer
from tests import factories

NOW = factories.NOW
CART = {"kind": "event", "event": "cart"}


def definition(nodes: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A definition that begins with its first node."""
    return {"start": next(iter(nodes)), "nodes": nodes, **parts}


def live(nodes: dict[str, Any], *, name: str = "Journey", at: datetime = NOW, **parts: Any) -> Any:
    """A journey that is live: its published version."""
    journey = versions.create(name=name, definition=definition(nodes, **parts), user=None, now=at)
    return versions.publish(journey_id=journey.pk, user=None, now=at)


def did(
    person: Customer, event: str, *, at: datetime, id: str | None = None, **properties: Any
) -> None:
    """Something that a person did, as it came in."""
    events.record(
        batch=[
            events.Incoming(
                type=event,
                at=at,
                message_id=id or f"{event}:{person.pk}:{at.isoformat()}",
                customer_id=person.pk,
                properties=properties,
            )
        ],
        source="shop",
        now=at,
    )


def look(at: datetime) -> None:
    """What a worker does at a moment."""
    triggers.react(now=at)
    while runner.wake(now=at).people:
        pass


def log(version: JourneyVersion | None = None) -> list[tuple[str, str, str]]:
    """Every line of every log, in order: node, way, what."""
    rows = JourneyStep.objects.order_by("enrollment_id", "n")
    if version is not None:
        rows = rows.filter(version=version)
    return list(rows.values_list("node", "branch", "what"))


def stay(person: Customer) -> Enrollment:
    """The newest stay of a person."""
    return Enrollment.objects.filter(customer=person).latest("id")


def after(**span: float) -> datetime:
    return NOW + timedelta(**span)


def journey_of(version: JourneyVersion) -> Journey:
    return Journey.objects.get(pk=version.journey_id)


def walked(people: list[Customer]) -> Journey:
    """A live journey of every look: the first person waits in it, the second is through."""
    goods = factories.template("Still warm")
    version = live(
        {
            "start": {"kind": "event", "event": "basket", "next": "wait"},
            "wait": {"kind": "wait_for", "for": {"hours": 1}, "next": "asked"},
            "asked": {
                "kind": "split_rule",
                "rule": {"field": "traits.orders", "op": ">=", "value": 3},
                "branches": [
                    {"key": "yes", "label": "Often", "next": "left"},
                    {"key": "no", "label": "Seldom", "next": "mail"},
                ],
            },
            "left": {"kind": "exit", "label": "Needs no word"},
            "mail": {
                "kind": "send",
                "channel": "email",
                "template": goods.pk,
                "next": "heard",
            },
            "heard": {
                "kind": "wait_event",
                "event": "order",
                "for": {"days": 2},
                "branches": [
                    {"key": "happened", "label": "Ordered", "next": "left"},
                    {"key": "timeout", "label": "Did not"},
                ],
            },
        },
        name="Basket left",
        goal={"event": "order"},
    )
    for person, ended in zip(people, [None, after(hours=3)], strict=True):
        stay_ = Enrollment.objects.create(
            journey_id=version.journey_id,
            version=version,
            customer=person,
            key=f"test:{person.pk}",
            node="left" if ended else "wait",
            arrived_at=NOW,
            wake_at=None if ended else after(hours=1),
            entered_at=NOW,
            steps=4 if ended else 1,
            ended_at=ended,
            outcome="exit" if ended else "",
        )
        way = (
            [("start", ""), ("wait", ""), ("asked", "yes"), ("left", "")]
            if ended
            else [("start", "")]
        )
        JourneyStep.objects.bulk_create(
            JourneyStep(
                enrollment=stay_,
                n=n,
                version=version,
                node=node,
                branch=branch,
                what="exit" if node == "left" else "",
                at=NOW,
            )
            for n, (node, branch) in enumerate(way)
        )
    made = journey_of(version)
    made.draft["nodes"]["wait"]["for"] = {"hours": 2}
    made.draft["nodes"]["more"] = {"kind": "send", "channel": "email", "template": None}
    made.draft["nodes"]["heard"]["branches"][1]["next"] = "more"
    made.save()
    return made
