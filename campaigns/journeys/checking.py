"""What keeps a journey from going live: flaws of its drawing, and names of what is not there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, gettext_noop

from campaigns.journeys import definitions, frozen, mentions
from campaigns.journeys.graph import Graph, Node, Sign
from campaigns.journeys.shape import Flaw
from campaigns.messaging import parts, rendering, wording
from campaigns.models import Channel, Journey, PersonList, Segment, Template
from campaigns.segments import compile as compiler
from campaigns.segments import definitions as segment_words
from campaigns.segments.terms import RuleFault
from ingestion.models import EventType
from models_ml.models import Prediction


@dataclass(frozen=True)
class Fault:
    """What is wrong where, for people to read. One that is not `serious` is a warning."""

    node: str
    field: str
    message: str
    remedy: str = ""
    serious: bool = True

    def as_item(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "field": self.field,
            "message": self.message,
            "remedy": self.remedy,
        }


def faults(definition: object) -> list[Fault]:
    """Everything wrong with a definition, serious faults first; empty when it may go live."""
    graph, flaws = definitions.parse(definition)
    found = [_said(flaw) for flaw in flaws]
    if graph is not None:
        lookup = _Lookup(graph)
        found += [_said(flaw) for flaw in lookup.flaws()]
        found += [_said(flaw, serious=False) for flaw in lookup.doubts()]
    return sorted(found, key=lambda fault: not fault.serious)


def _said(flaw: Flaw, serious: bool = True) -> Fault:
    message = gettext(flaw.message)
    if flaw.params:
        message = message % flaw.params
    elif "%%" in message:
        message = message % ()
    remedy = gettext(flaw.remedy) if flaw.remedy else ""
    return Fault(flaw.node, flaw.field, message, remedy, serious)


class _Lookup:
    """What a definition names, looked up once for all of its steps."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        named: dict[str, set[Any]] = {}
        for node in graph.nodes.values():
            for one in node.spec.fields:
                value = node.settings.get(one.key)
                if value is not None:
                    named.setdefault(one.key, set()).add(value if _plain(value) else None)
        segments = named.get("segment", set()) | {
            sign.segment for sign in self.signs() if sign.segment is not None
        }
        self.segments = dict(Segment.objects.filter(pk__in=segments).values_list("pk", "state"))
        self.templates = Template.objects.in_bulk(named.get("template", set()) - {None})
        self.lists = set(
            PersonList.objects.filter(pk__in=named.get("list", ())).values_list("pk", flat=True)
        )
        self.channels = dict(
            Channel.objects.filter(pk__in=named.get("channel_id", ())).values_list("pk", "kind")
        )
        self.defaults = set(
            Channel.objects.filter(is_default=True, enabled=True).values_list("kind", flat=True)
        )
        self.predictions = set(
            Prediction.objects.filter(key__in=named.get("prediction", ())).values_list(
                "key", flat=True
            )
        )
        self.journeys = Journey.objects.in_bulk(named.get("journey", set()) - {None})

    def signs(self) -> Iterator[Sign]:
        yield from self.graph.exits
        if self.graph.goal is not None:
            yield self.graph.goal

    def flaws(self) -> Iterator[Flaw]:
        for node in self.graph.nodes.values():
            yield from self._named(node)
            for path, rule in _rules(node):
                yield from _rule(node.id, path, rule)
            match node.kind:
                case "send":
                    yield from self._send(node)
                case "webhook" | "notify":
                    yield from _words(node)
                case "start_journey":
                    yield from self._starts(node)
        if self.graph.entry.rule is not None:
            yield from _rule("", "entry.rule", self.graph.entry.rule)
        for sign in self.signs():
            if sign.segment is not None and sign.segment not in self.segments:
                field = "goal" if sign is self.graph.goal else "exits"
                yield Flaw(
                    "",
                    field,
                    gettext_noop("This segment is gone."),
                    gettext_noop("Choose another."),
                )

    def _named(self, node: Node) -> Iterator[Flaw]:
        said, other = node.settings, gettext_noop("Choose another.")
        segment = said.get("segment")
        if segment is not None and self.segments.get(segment) != Segment.State.LIVE:
            yield Flaw(node.id, "segment", gettext_noop("This segment is gone."), other)
        if said.get("list") is not None and said["list"] not in self.lists:
            yield Flaw(node.id, "list", gettext_noop("This list is gone."), other)
        if said.get("prediction") is not None and said["prediction"] not in self.predictions:
            yield Flaw(node.id, "prediction", gettext_noop("There is no such prediction."), other)
        channel = said.get("channel_id")
        kind = said.get("channel", "webhook")
        if channel is not None and self.channels.get(channel) != kind:
            yield Flaw(node.id, "channel_id", gettext_noop("This channel is gone."), other)

    def _send(self, node: Node) -> Iterator[Flaw]:
        template = self.templates.get(node.settings["template"])
        if node.settings["template"] is None:
            return
        if template is None:
            yield Flaw(
                node.id,
                "template",
                gettext_noop("This message is gone."),
                gettext_noop("Choose another."),
            )
        elif template.kind != node.settings["channel"]:
            yield Flaw(
                node.id,
                "template",
                gettext_noop("This message was written for another channel."),
                gettext_noop("Choose one that fits."),
            )
        elif why := unusable(template):
            yield Flaw(
                node.id,
                "template",
                gettext_noop("The message cannot be used: %(why)s."),
                gettext_noop("Open it and correct it."),
                {"why": why},
            )

    def _starts(self, node: Node) -> Iterator[Flaw]:
        journey = self.journeys.get(node.settings["journey"])
        if node.settings["journey"] is None:
            return
        if journey is None:
            yield Flaw(
                node.id,
                "journey",
                gettext_noop("This journey is gone."),
                gettext_noop("Choose another."),
            )

    def doubts(self) -> Iterator[Flaw]:
        """What may be right and will probably not do what is meant."""
        heard = {
            node.settings["event"]: node.id
            for node in self.graph.nodes.values()
            if node.settings.get("event")
        } | {sign.event: "" for sign in self.signs() if sign.event}
        known = set(EventType.objects.filter(name__in=heard).values_list("name", flat=True))
        for event, node_id in heard.items():
            if event not in known:
                yield Flaw(
                    node_id,
                    "event",
                    gettext_noop("No event called “%(event)s” has come in yet."),
                    gettext_noop("Check the name, or send one."),
                    {"event": event},
                )
        for node in self.graph.nodes.values():
            if (
                node.kind == "send"
                and node.settings["channel_id"] is None
                and node.settings["channel"] not in ("email", *self.defaults)
            ):
                yield Flaw(
                    node.id,
                    "channel",
                    gettext_noop("There is no channel for such messages yet, so they would wait."),
                    gettext_noop("Add one in the settings."),
                )
            journey = self.journeys.get(node.settings.get("journey") or 0)
            if journey is not None and journey.state != Journey.State.LIVE:
                yield Flaw(
                    node.id,
                    "journey",
                    gettext_noop("That journey is not live, so nobody would come into it."),
                    gettext_noop("Publish it first."),
                )
        yield from mentions.doubts(self.graph, self.templates)
        if self.graph.goal is None:
            yield Flaw(
                "",
                "goal",
                gettext_noop("Without a goal nobody can tell whether the journey helps."),
                gettext_noop("Say what it is for."),
            )


def _plain(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _rules(node: Node) -> Iterator[tuple[str, Any]]:
    if node.settings.get("rule"):
        yield "rule", node.settings["rule"]
    for place, branch in enumerate(node.branches):
        if branch.settings.get("rule"):
            yield f"branches[{place}].rule", branch.settings["rule"]


def _rule(node_id: str, path: str, rule: Any) -> Iterator[Flaw]:
    try:
        compiler.to_q(compiler.read(rule))
    except RuleFault as fault:
        yield Flaw(
            node_id,
            path,
            gettext_noop("The condition cannot be read: %(why)s"),
            "",
            {"why": segment_words.explain(fault)},
        )


def unusable(template: Any) -> str:
    """Why nobody could be sent this template; empty when it can be used."""
    try:
        if template.kind == "email":
            rendering.Compiled(template.subject, template.html, template.text, None)
        else:
            parts.Compiled(template.kind, template.parts)
    except rendering.TemplateRefused as refusal:
        return wording.said(refusal)
    return ""


def _words(node: Node) -> Iterator[Flaw]:
    """A call to another system and word to colleagues are written in the step itself."""
    try:
        if node.kind == "webhook":
            body = node.settings["body"] or frozen.BODY % node.id
            parts.Compiled("webhook", {"url": node.settings["url"] or "https://x", "body": body})
        else:
            word = frozen.word(node)
            rendering.Compiled(word.subject or "", word.html, word.text or "", None)
    except rendering.TemplateRefused as refusal:
        field = "body" if node.kind == "webhook" else "text"
        yield Flaw(
            node.id,
            field,
            gettext_noop("This cannot be written: %(why)s."),
            "",
            {"why": wording.said(refusal)},
        )
