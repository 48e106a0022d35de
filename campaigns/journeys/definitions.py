"""A definition as JSON → a Graph, with every fault that the drawing alone shows.

What it names – segments, templates, lists, rules – is looked up in `checking`.
"""

from collections.abc import Mapping
from typing import Any

from campaigns.journeys import shape
from campaigns.journeys.graph import Branch, Entry, Graph, Node, Sign, asks
from campaigns.journeys.kinds import KINDS, NOTHING, OWN, TRIGGER, Field
from campaigns.journeys.reading import Unreadable, read
from campaigns.journeys.shape import Flaw
from campaigns.segments.terms import gettext_noop

MOST_NODES = 200
MOST_BRANCHES = 20
MOST_EXITS = 10
MOST_HELD = 50
PARTS = {"nodes", "start", "goal", "exits", "entry", "caps", "holdout", "notes"}
AGAIN = ("never", "after", "always")


def parse(definition: object) -> tuple[Graph | None, list[Flaw]]:
    """The graph and its flaws; without a graph nothing can be made of it."""
    reader = _Reader()
    graph = reader.graph(definition)
    if graph is not None and not reader.flaws:
        reader.flaws.extend(shape.flaws(graph))
    return graph, reader.flaws


def load(definition: object) -> Graph:
    """The graph of a definition that was found good before."""
    graph, flaws = parse(definition)
    if graph is None or flaws:
        raise ValueError(f"this definition was never published: {flaws[:1]}")
    return graph


class _Reader:
    def __init__(self) -> None:
        self.flaws: list[Flaw] = []

    def flaw(self, node: str, name: str, message: str, remedy: str = "", **params: Any) -> None:
        self.flaws.append(Flaw(node, name, message, remedy, params))

    def graph(self, data: object) -> Graph | None:
        nodes = data.get("nodes") if isinstance(data, Mapping) else None
        if not isinstance(data, Mapping) or not isinstance(nodes, Mapping) or not nodes:
            self.flaw(
                "",
                "nodes",
                gettext_noop("The journey has no steps yet."),
                gettext_noop("Add a trigger."),
            )
            return None
        if len(nodes) > MOST_NODES:
            self.flaw(
                "",
                "nodes",
                gettext_noop("A journey has at most %(limit)s steps."),
                gettext_noop("Let one journey start another."),
                limit=MOST_NODES,
            )
            return None
        for key in set(data) - PARTS:
            self.flaw("", str(key)[:80], gettext_noop("A journey has no such part."))
        read_nodes: dict[str, Node] = {}
        for id_, said in nodes.items():
            if not isinstance(id_, str) or not 0 < len(id_) <= 40 or not _plain(id_):
                self.flaw(
                    str(id_)[:40],
                    "id",
                    gettext_noop("A step is named by up to 40 letters and digits."),
                )
                continue
            node = self.node(id_, said)
            if node is not None:
                read_nodes[id_] = node
        start = data.get("start")
        if not isinstance(start, str) or start not in read_nodes:
            if not isinstance(start, str) or start not in nodes:
                self.flaw("", "start", gettext_noop("The journey does not say where it begins."))
            return None
        self.ways(read_nodes, nodes)
        if read_nodes[start].group != TRIGGER:
            self.flaw(
                start,
                "kind",
                gettext_noop("A journey begins with what brings people in."),
                gettext_noop("Put a trigger first."),
            )
            return None
        goal, ends = self.goal(data.get("goal"))
        return Graph(
            nodes=read_nodes,
            start=start,
            goal=goal,
            goal_ends=ends,
            exits=self.exits(data.get("exits")),
            entry=self.entry(data.get("entry")),
            per_day=self.caps(data.get("caps")),
            holdout=self.holdout(data.get("holdout")),
        )

    def ways(self, known: Mapping[str, Node], said: Mapping[str, Any]) -> None:
        for node in known.values():
            for way in node.leads():
                if way not in said:
                    self.flaw(
                        node.id, "next", gettext_noop("This leads to a step that is not there.")
                    )

    def node(self, id_: str, data: object) -> Node | None:
        if not isinstance(data, Mapping):
            self.flaw(id_, "", gettext_noop("This step cannot be read."))
            return None
        kind = KINDS.get(str(data.get("kind", "")))
        if kind is None:
            self.flaw(id_, "kind", gettext_noop("There is no such kind of step."))
            return None
        known = {"kind", "label", "next", "branches", *(one.key for one in kind.fields)}
        for key in set(data) - known:
            self.flaw(id_, str(key)[:80], gettext_noop("This kind of step has no such setting."))
        label = data.get("label", "")
        if not isinstance(label, str) or len(label) > 120:
            self.flaw(id_, "label", gettext_noop("Say a name of up to 120 characters."))
            label = ""
        settings = self.settings(id_, kind.fields, data, "")
        asks = data.get("rule") not in (None, "") or data.get("where")
        if kind.key == "split_rule" and not asks:
            self.flaw(id_, "rule", gettext_noop("This is still to be said."))
        branches: tuple[Branch, ...] = ()
        if kind.branches or kind.leads == OWN:
            branches = self.branches(id_, data)
        following = data.get("next")
        if following is not None and (
            not isinstance(following, str) or branches or kind.leads == NOTHING
        ):
            self.flaw(id_, "next", gettext_noop("Nothing follows here."))
            following = None
        return Node(id_, kind.key, label, settings, following, branches)

    def settings(
        self, id_: str, fields: tuple[Field, ...], data: Mapping[str, Any], path: str
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        groups: dict[str, list[Field]] = {}
        for one in fields:
            found[one.key] = one.default
            if one.one_of:
                groups.setdefault(one.one_of, []).append(one)
            value = data.get(one.key)
            if value is None or value == "":
                if one.required:
                    self.flaw(id_, path + one.key, gettext_noop("This is still to be said."))
                continue
            try:
                found[one.key] = read(one, value)
            except Unreadable as fault:
                self.flaw(id_, path + one.key, fault.message, **fault.params)
        for some in groups.values():
            if sum(found[one.key] is not None for one in some) != 1:
                self.flaw(id_, some[0].key, gettext_noop("Say which day: exactly one of these."))
        return found

    def branches(self, id_: str, data: Mapping[str, Any]) -> tuple[Branch, ...]:
        kind = KINDS[data["kind"]]
        said = data.get("branches")
        if not isinstance(said, list) or not all(isinstance(one, Mapping) for one in said):
            self.flaw(id_, "branches", gettext_noop("This needs a list of ways."))
            return ()
        found = []
        for place, one in enumerate(said):
            path = f"branches[{place}]."
            key, label, following = one.get("key"), one.get("label", ""), one.get("next")
            if not isinstance(key, str) or not 0 < len(key) <= 20 or not _plain(key):
                self.flaw(
                    id_,
                    path + "key",
                    gettext_noop("A way is named by up to 20 letters and digits."),
                )
                continue
            if not isinstance(label, str) or len(label) > 120:
                self.flaw(id_, path + "label", gettext_noop("Say a name of up to 120 characters."))
                continue
            if following is not None and not isinstance(following, str):
                self.flaw(
                    id_, path + "next", gettext_noop("This leads to a step that is not there.")
                )
                continue
            fields = kind.branch_fields
            for extra in set(one) - {"key", "label", "next", *(f.key for f in fields)}:
                self.flaw(id_, path + str(extra)[:80], gettext_noop("A way has no such setting."))
            found.append(Branch(key, label, following, self.settings(id_, fields, one, path)))
        if len(found) == len(said):
            self.ways_fit(id_, kind.key, found)
        return tuple(found)

    def ways_fit(self, id_: str, kind_key: str, found: list[Branch]) -> None:
        kind, keys = KINDS[kind_key], [branch.key for branch in found]
        if len(set(keys)) < len(keys):
            self.flaw(id_, "branches", gettext_noop("Two ways have the same name."))
        if kind.branches:
            must, may = set(kind.branches), set(kind.branches) | set(kind.optional)
            if not must <= set(keys) <= may or tuple(keys[: len(must)]) != kind.branches:
                self.flaw(
                    id_,
                    "branches",
                    gettext_noop("This step has exactly these ways, in this order: %(ways)s."),
                    ways=", ".join(kind.branches),
                )
        elif not 2 <= len(found) <= MOST_BRANCHES:
            self.flaw(
                id_, "branches", gettext_noop("Say from 2 to %(limit)s ways."), limit=MOST_BRANCHES
            )
        shares = [branch.settings.get("percent") for branch in found]
        if kind_key in ("split_percent", "split_experiment") and None not in shares:
            total = sum(float(share or 0) for share in shares)
            if abs(total - 100) > 0.001:
                self.flaw(
                    id_,
                    "branches",
                    gettext_noop("The shares make %(total)s%% together."),
                    gettext_noop("Let them make 100%."),
                    total=f"{total:g}",
                )
        if kind_key == "split_many":
            others = sum(not asks(branch) for branch in found)
            if others != 1:
                self.flaw(
                    id_,
                    "branches",
                    gettext_noop("Exactly one way has no condition: it is for everybody else."),
                )

    def sign(self, data: object, path: str) -> Sign | None:
        if isinstance(data, Mapping):
            fields = {"event": Field("event", "name"), "segment": Field("segment", "id")}
            named = [key for key in fields if data.get(key) is not None]
            extra = set(data) - {"event", "where", "segment", "entered", "ends"}
            if len(named) == 1 and not extra:
                try:
                    value = read(fields[named[0]], data[named[0]])
                    tests = read(Field("where", "tests"), data.get("where", []))
                except Unreadable as fault:
                    self.flaw("", path, fault.message, **fault.params)
                    return None
                if named[0] == "event":
                    return Sign(event=value, where=tests)
                return Sign(segment=value, entered=data.get("entered", True) is not False)
        self.flaw("", path, gettext_noop("Say an event, or a segment that people enter or leave."))
        return None

    def goal(self, data: object) -> tuple[Sign | None, bool]:
        if data is None:
            return None, True
        ends = data.get("ends", True) is not False if isinstance(data, Mapping) else True
        return self.sign(data, "goal"), ends

    def exits(self, data: object) -> tuple[Sign, ...]:
        if data is None:
            return ()
        if not isinstance(data, list) or len(data) > MOST_EXITS:
            self.flaw(
                "", "exits", gettext_noop("Say up to %(limit)s reasons to leave."), limit=MOST_EXITS
            )
            return ()
        found = [self.sign(one, f"exits[{place}]") for place, one in enumerate(data)]
        return tuple(sign for sign in found if sign is not None)

    def entry(self, data: object) -> Entry:
        if data is None:
            return Entry()
        if not isinstance(data, Mapping) or set(data) - {"again", "days", "key", "rule"}:
            self.flaw("", "entry", gettext_noop("Say who may come in again."))
            return Entry()
        again, days = data.get("again", "never"), data.get("days", 0)
        if again not in AGAIN:
            self.flaw("", "entry.again", gettext_noop("Say never, after some days, or always."))
            again = "never"
        good = isinstance(days, int) and not isinstance(days, bool) and 0 <= days <= 3660
        if not good or (again == "after" and not days):
            self.flaw(
                "",
                "entry.days",
                gettext_noop("Say after how many days somebody may come in again."),
            )
            days = 0
        key, rule = data.get("key") or "", data.get("rule")
        if not isinstance(key, str) or len(key) > 100:
            self.flaw("", "entry.key", gettext_noop("Say a name of up to 100 characters."))
            key = ""
        if rule is not None and not (isinstance(rule, Mapping) and rule):
            self.flaw(
                "",
                "entry.rule",
                gettext_noop("Say whom this is about: add at least one condition."),
            )
            rule = None
        return Entry(again, days, key, rule)

    def caps(self, data: object) -> int | None:
        if data is None:
            return None
        limit = data.get("per_day") if isinstance(data, Mapping) else 0
        if limit is None and isinstance(data, Mapping) and not set(data) - {"per_day"}:
            return None
        if isinstance(limit, int) and not isinstance(limit, bool) and 0 < limit <= 10**9:
            return limit
        self.flaw("", "caps.per_day", gettext_noop("Say how many people may come in on one day."))
        return None

    def holdout(self, data: object) -> float:
        if data is None:
            return 0.0
        if isinstance(data, int | float) and not isinstance(data, bool) and 0 <= data <= MOST_HELD:
            return float(data)
        self.flaw(
            "",
            "holdout",
            gettext_noop("Say a share from 0 to %(limit)s percent."),
            limit=MOST_HELD,
        )
        return 0.0


def _plain(text: str) -> bool:
    return all(one.isalnum() or one in "-_" for one in text)
