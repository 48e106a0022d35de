"""What each step of a journey says on the map: a title and a line beneath, also of half a draft."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext as _

from campaigns.journeys.kinds import KINDS
from campaigns.models import Journey, PersonList, Segment, Template
from campaigns.segments import compile as compiler
from campaigns.segments import naming, phrases, wording
from campaigns.segments.nodes import Any as AnyOf
from campaigns.segments.nodes import Node, Span, Where
from campaigns.segments.rules import RuleFault
from campaigns.views import journeys_words as words
from marketing.core.wording import day
from models_ml.models import Prediction

NAMED: dict[str, Any] = {
    "segment": Segment,
    "template": Template,
    "list": PersonList,
    "journey": Journey,
}
_SHORT = 140


class Sayings:
    """The titles of one definition: what it names is looked up once for each kind of thing."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.nodes = _nodes(definition)
        self.names = {key: _names(model, self._ids(key)) for key, model in NAMED.items()}
        keys = {str(n["prediction"]) for n in self.nodes.values() if n.get("prediction")}
        rows = Prediction.objects.filter(key__in=keys) if keys else Prediction.objects.none()
        self.predictions = dict(rows.values_list("key", "title")) if keys else {}
        self.asked = dict(_rules(self.nodes))
        entry = definition.get("entry")
        if isinstance(entry, Mapping) and entry.get("rule"):
            self.asked["entry"] = entry["rule"]
        self.rules = _read_rules(self.asked.values())
        self.words = naming.words_of(AnyOf(tuple(self.rules.values())))

    def _ids(self, key: str) -> set[int]:
        found = (node.get(key) for node in self.nodes.values())
        return {one for one in found if isinstance(one, int) and not isinstance(one, bool)}

    def all(self) -> dict[str, dict[str, str]]:
        """{node id: {"title", "sub"}}."""
        return {id_: self.of(node) for id_, node in self.nodes.items()}

    def title(self, node_id: str) -> str:
        """What a step is called; empty for the journey itself."""
        node = self.nodes.get(node_id)
        return self.of(node)["title"] if node is not None else ""

    def way(self, node: str, branch: str) -> str:
        """What a way out of a step is called."""
        for one in _branches(self.nodes.get(node, {})):
            if one.get("key") == branch:
                return str(one.get("label") or words.BRANCHES.get(branch, branch))
        return ""

    def rule_texts(self) -> dict[str, str]:
        """Every rule as a sentence: {node id, "node id/branch" or "entry": text}."""
        return {place: self.rule(rule) for place, rule in self.asked.items()}

    def of(self, node: Mapping[str, Any]) -> dict[str, str]:
        title, sub = self._said(node)
        label = node.get("label")
        if isinstance(label, str) and label.strip():
            title, sub = label.strip(), sub or title
        return {"title": title, "sub": sub[:_SHORT]}

    def _said(self, node: Mapping[str, Any]) -> tuple[str, str]:
        kind = str(node.get("kind", ""))
        if kind not in KINDS:
            return _("Unknown step"), ""
        if say := getattr(self, f"_{kind}", None):
            title, sub = say(node)
            return title or str(_look(kind).label), sub
        return str(_look(kind).label), str(_look(kind).about)

    # --- what brings people in ----------------------------------------------------------------

    def _event(self, node: Mapping[str, Any]) -> tuple[str, str]:
        name = _text(node, "event")
        return (_("“%(event)s” happens") % {"event": name} if name else ""), self._tests(node)

    def _segment_enter(self, node: Mapping[str, Any]) -> tuple[str, str]:
        also = _("People already in it come too") if node.get("already") else _("From now on")
        return self._named(node, "segment", gettext("Enters “%(name)s”")), also

    def _segment_leave(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return self._named(node, "segment", gettext("Leaves “%(name)s”")), ""

    def _date(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return self._day(node), self._when(node)

    def _schedule(self, node: Mapping[str, Any]) -> tuple[str, str]:
        every = str(words.CHOICES.get(str(node.get("every")), ""))
        at = _text(node, "at")
        return self._named(node, "segment", gettext("Everyone in “%(name)s”")), _joined(every, at)

    # --- waits --------------------------------------------------------------------------------

    def _wait_for(self, node: Mapping[str, Any]) -> tuple[str, str]:
        length = self._span(node)
        return (_("Wait %(time)s") % {"time": length} if length else ""), ""

    def _wait_until(self, node: Mapping[str, Any]) -> tuple[str, str]:
        when = self._day(node)
        return (_("Wait until %(day)s") % {"day": when} if when else ""), self._when(node)

    def _wait_local(self, node: Mapping[str, Any]) -> tuple[str, str]:
        at = _text(node, "at")
        days = node.get("weekdays") if isinstance(node.get("weekdays"), list) else []
        said = ", ".join(str(words.WEEKDAYS[one]) for one in days or [] if one in words.WEEKDAYS)
        title = _("Wait until %(hour)s their time") % {"hour": at} if at else ""
        return title, said

    def _wait_event(self, node: Mapping[str, Any]) -> tuple[str, str]:
        name, length = _text(node, "event"), self._span(node)
        title = _("Wait for “%(event)s”") % {"event": name} if name else ""
        return title, (_("At most %(time)s") % {"time": length} if length else "")

    # --- splits -------------------------------------------------------------------------------

    def _split_rule(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return "", _joined(self.rule(node.get("rule")), self._tests(node)) or _("No rule yet")

    def _split_many(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return "", self._ways(node)

    def _split_percent(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return "", _shares(node)

    def _split_experiment(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return "", _shares(node)

    def _split_bandit(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return "", self._ways(node)

    def _split_score(self, node: Mapping[str, Any]) -> tuple[str, str]:
        key = _text(node, "prediction")
        title = self.predictions.get(key, key)
        least = node.get("at_least")
        if not isinstance(least, int | float):
            return title, ""
        return title, _("At least %(value)s") % {"value": naming.written(least)}

    # --- what is done -------------------------------------------------------------------------

    def _send(self, node: Mapping[str, Any]) -> tuple[str, str]:
        channel = words.MESSAGES.get(str(node.get("channel")))
        kind = str(channel.label) if channel else ""
        name = self.names["template"].get(node.get("template"))
        return (name, kind) if name else (kind, _("No content chosen yet"))

    def _attribute(self, node: Mapping[str, Any]) -> tuple[str, str]:
        name, value = _text(node, "name"), node.get("value")
        if not name:
            return "", ""
        if value is None:
            return _("Remove “%(name)s”") % {"name": name}, ""
        said = {True: _("yes"), False: _("no")}.get(value) if isinstance(value, bool) else value
        return _("Set “%(name)s” to %(value)s") % {"name": name, "value": said}, ""

    def _list_add(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return self._named(node, "list", gettext("Add to “%(name)s”")), ""

    def _list_remove(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return self._named(node, "list", gettext("Take off “%(name)s”")), ""

    def _webhook(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return "", urlsplit(_text(node, "url")).netloc

    def _notify(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return "", _text(node, "to")

    def _start_journey(self, node: Mapping[str, Any]) -> tuple[str, str]:
        return self._named(node, "journey", gettext("Start “%(name)s”")), ""

    # --- parts --------------------------------------------------------------------------------

    def rule(self, rule: object) -> str:
        """A rule as a sentence; what is wrong with it is said by the faults."""
        node = self.rules.get(repr(rule))
        return wording.sentence(node, self.words) if node is not None else ""

    def _named(self, node: Mapping[str, Any], key: str, text: str) -> str:
        name = self.names[key].get(node.get(key))
        return text % {"name": name} if name else ""

    def _tests(self, node: Mapping[str, Any]) -> str:
        said = []
        tests = node.get("where")
        for test in tests if isinstance(tests, list) else []:
            if isinstance(test, Mapping) and test.get("property") and test.get("op"):
                value = test.get("value")
                held = tuple(value) if isinstance(value, list) else value
                where = Where(str(test["property"]), str(test["op"]), held)
                said.append(phrases.where(where, self.words))
        return _("With %(tests)s") % {"tests": ", ".join(said)} if said else ""

    def _span(self, node: Mapping[str, Any]) -> str:
        length = node.get("for")
        if not isinstance(length, Mapping) or len(length) != 1:
            return ""
        unit, number = next(iter(length.items()))
        if unit not in words.UNITS or not isinstance(number, int) or isinstance(number, bool):
            return ""
        return phrases.span(Span(number, unit), self.words)

    def _day(self, node: Mapping[str, Any]) -> str:
        if fixed := _text(node, "date"):
            try:
                return day(date.fromisoformat(fixed))
            except ValueError:
                return fixed
        if key := _text(node, "prediction"):
            return _("Their “%(name)s”") % {"name": self.predictions.get(key, key)}
        name = _text(node, "attribute")
        return _("Their “%(name)s”") % {"name": name} if name else ""

    def _when(self, node: Mapping[str, Any]) -> str:
        days, said = node.get("days"), ""
        if isinstance(days, int) and days < 0:
            said = ngettext("%(n)s day before", "%(n)s days before", -days) % {"n": -days}
        elif isinstance(days, int) and days > 0:
            said = ngettext("%(n)s day after", "%(n)s days after", days) % {"n": days}
        yearly = str(words.CHOICES["year"]) if node.get("every", "") == "year" else ""
        return _joined(said, _text(node, "at"), yearly)

    def _ways(self, node: Mapping[str, Any]) -> str:
        n = len(_branches(node))
        return ngettext("%(n)s way", "%(n)s ways", n) % {"n": n}


def _look(kind: str) -> words.Look:
    return words.LOOKS.get(kind) or words.MESSAGES["email"]


def _nodes(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    nodes = definition.get("nodes") if isinstance(definition, Mapping) else None
    if not isinstance(nodes, Mapping):
        return {}
    return {str(key): node for key, node in nodes.items() if isinstance(node, Mapping)}


def _branches(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = node.get("branches")
    return [b for b in found if isinstance(b, Mapping)] if isinstance(found, list) else []


def _rules(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, object]]:
    for id_, node in nodes.items():
        if node.get("rule"):
            yield id_, node["rule"]
        for branch in _branches(node):
            if branch.get("rule"):
                yield f"{id_}/{branch.get('key')}", branch["rule"]


def _read_rules(rules: Iterable[object]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for rule in rules:
        try:
            found[repr(rule)] = compiler.read(rule)
        except RuleFault:
            continue
    return found


def _names(model: Any, ids: set[int]) -> dict[object, str]:
    return dict(model.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}


def _text(node: Mapping[str, Any], key: str) -> str:
    value = node.get(key)
    return value.strip() if isinstance(value, str) else ""


def _shares(node: Mapping[str, Any]) -> str:
    parts = [b.get("percent") for b in _branches(node)]
    return " · ".join(f"{p:g}%" for p in parts if isinstance(p, int | float))


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
