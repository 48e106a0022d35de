"""What steps mention of what happened, and whether there is such an event in the journey."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from campaigns.journeys.graph import Graph, Node, tests_of
from campaigns.journeys.shape import Flaw
from campaigns.messaging import occasions, parts, rendering
from campaigns.segments.terms import gettext_noop
from ingestion.models import EventProperty

# Where a step says what it says.
_FIELDS = {
    "send": "template",
    "webhook": "body",
    "notify": "text",
    "split_rule": "where",
    "split_many": "branches",
}
_NO_EVENT = {
    "event": (
        gettext_noop("This speaks of the event that began the journey, but no event begins it."),
        gettext_noop("Begin with an event, or take these values out."),
    ),
    "waited": (
        gettext_noop("This speaks of an event that was waited for, but none is waited for."),
        gettext_noop("Wait for an event before it, or take these values out."),
    ),
}


def doubts(graph: Graph, templates: Mapping[int, Any]) -> Iterator[Flaw]:
    """What speaks of an event that is none here, or of what no such event came with yet."""
    mentioned = {
        node.id: names for node in graph.nodes.values() if (names := _mentions(node, templates))
    }
    if not mentioned:
        return
    sources = _sources(graph)
    known = _known({name for names in sources.values() for name in names})
    for node_id, names in mentioned.items():
        field = _FIELDS[graph.nodes[node_id].kind]
        for root in sorted({name.partition(".")[0] for name in names}):
            if not sources[root]:
                yield Flaw(node_id, field, *_NO_EVENT[root])
                continue
            said = {name.split(".")[1] for name in names if name.startswith(f"{root}.")}
            yield from _unseen(node_id, field, said, sources[root], known)


def _unseen(
    node_id: str, field: str, said: set[str], sources: list[str], known: Mapping[str, set[str]]
) -> Iterator[Flaw]:
    if any(source not in known for source in sources):
        return  # nothing is known of one of them, so nothing is doubted
    for name in sorted(said - set(occasions.MADE)):
        if not any(name in known[source] for source in sources):
            yield Flaw(
                node_id,
                field,
                gettext_noop("No “%(event)s” has come with “%(property)s” yet."),
                gettext_noop("Check the name, or say a default for it."),
                {"event": ", ".join(sources), "property": name},
            )


def _sources(graph: Graph) -> dict[str, list[str]]:
    """The events that may have begun a stay, and those waited for; "" for a call of the API."""
    trigger = graph.trigger
    began = [trigger.settings["event"] or ""] if trigger.kind == "event" else []
    if trigger.kind == "api":
        began = [""]
    waits = [n.settings["event"] or "" for n in graph.nodes.values() if n.kind == "wait_event"]
    return {"event": began, "waited": sorted(set(waits))}


def _known(types: set[str]) -> dict[str, set[str]]:
    """The properties that events of these types were seen with, by type."""
    found: dict[str, set[str]] = {}
    rows = EventProperty.objects.filter(type__name__in=types).values_list("type__name", "name")
    for type_, name in rows:
        found.setdefault(type_, set()).add(name.partition(".")[0].partition("[")[0])
    return found


def _mentions(node: Node, templates: Mapping[int, Any]) -> list[str]:
    """The values of what happened that a step names, such as "event.total"."""
    match node.kind:
        case "send":
            template = templates.get(node.settings["template"] or 0)
            return [] if template is None else occasions.wanted(_of_template(template))
        case "webhook" | "notify":
            return occasions.wanted(_of_words(node))
        case "split_rule" | "split_many":
            tests = [test.property for test in tests_of(node)]
            return [p if p.startswith("waited.") else f"event.{p}" for p in tests]
    return []


def _of_template(template: Any) -> frozenset[str]:
    """What a message asks for, in all of its languages; nothing where it cannot be read."""
    said = [template, *(SimpleNamespace(**one) for one in (template.languages or {}).values())]
    try:
        if template.kind != "email":
            return frozenset().union(
                *(parts.Compiled(template.kind, one.parts).wants for one in said)
            )
        texts = (text for one in said for text in (one.subject, one.html, one.text))
        return frozenset().union(*(rendering.variables(text) for text in texts))
    except rendering.TemplateRefused:
        return frozenset()


def _of_words(node: Node) -> frozenset[str]:
    """The same of a step that says its words itself."""
    said = node.settings
    try:
        if node.kind == "webhook":
            return parts.Compiled("webhook", {"url": "", "body": said["body"] or "{}"}).wants
        return rendering.variables(f"{said['subject'] or ''} {said['text'] or ''}")
    except rendering.TemplateRefused:
        return frozenset()
