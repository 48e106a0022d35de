"""What a drawing alone shows: steps that nobody reaches, circles without a wait, no step at all."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.journeys.graph import Graph
from campaigns.journeys.kinds import TRIGGER, WAIT
from campaigns.segments.terms import gettext_noop


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with which setting of which node, and what to do; texts to be translated.

    `node` is "" for the journey itself. Branches are fields such as `branches[1].percent`.
    """

    node: str
    field: str
    message: str
    remedy: str = ""
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def flaws(graph: Graph) -> Iterator[Flaw]:
    """Flaws of the whole drawing."""
    reached, ahead = {graph.start}, [graph.start]
    while ahead:
        for way in graph.nodes[ahead.pop()].leads():
            if way not in reached:
                reached.add(way)
                ahead.append(way)
    for node in graph.nodes.values():
        if node.id not in reached:
            yield Flaw(
                node.id,
                "",
                gettext_noop("Nobody gets here."),
                gettext_noop("Connect this step, or remove it."),
            )
        elif node.group == TRIGGER and node.id != graph.start:
            yield Flaw(
                node.id,
                "kind",
                gettext_noop("People can come in at one place only."),
                gettext_noop("Make a journey of its own for this trigger."),
            )
    if not graph.trigger.leads():
        yield Flaw(
            graph.start, "next", gettext_noop("Nothing happens yet."), gettext_noop("Add a step.")
        )
    yield from _circles(graph)
    yield from _again(graph)


def _circles(graph: Graph) -> Iterator[Flaw]:
    """Circles in which nobody would ever wait."""
    state: dict[str, int] = {}
    for first in graph.nodes:
        stack = [(first, iter(graph.nodes[first].leads()))]
        if state.get(first) or graph.nodes[first].group == WAIT:
            continue
        state[first] = 1
        while stack:
            here, ways = stack[-1]
            way = next(ways, None)
            if way is None:
                state[here] = 2
                stack.pop()
            elif graph.nodes[way].group == WAIT or state.get(way) == 2:
                continue
            elif state.get(way) == 1:
                yield Flaw(
                    here,
                    "next",
                    gettext_noop("This leads round in a circle without a wait."),
                    gettext_noop("Put a wait into the circle, or let it end."),
                )
                state[here] = 2
                stack.pop()
            else:
                state[way] = 1
                stack.append((way, iter(graph.nodes[way].leads())))


def _again(graph: Graph) -> Iterator[Flaw]:
    """Steps that can be come to a second time and yet act once a stay, as messages do."""
    for node in graph.nodes.values():
        if node.kind not in ("send", "webhook", "notify", "start_journey"):
            continue
        seen: set[str] = set()
        ahead = list(node.leads())
        while ahead:
            here = ahead.pop()
            if here not in seen:
                seen.add(here)
                ahead.extend(graph.nodes[here].leads())
        if node.id in seen:
            yield Flaw(
                node.id,
                "next",
                gettext_noop("This step would be come to again, but does its work once a stay."),
                gettext_noop("Let the journey end, and let people come in again."),
            )
