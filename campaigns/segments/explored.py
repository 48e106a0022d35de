"""A tree as its page shows it: cards joined by lines, a list, what to do, and what moved."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Segment
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, leaves, strategy
from models_ml import queries
from models_ml.explorer import columns, questions
from models_ml.models import Exploration, ModelVersion, Traits

MOST_LEVELS_SHOWN = 3
REPEAT_TARGET = {"type": "order"}


@dataclass(frozen=True, slots=True)
class Tree:
    """A version with the question it answers: `exploration` is None for the one always there."""

    version: ModelVersion
    exploration: Exploration | None

    @property
    def specs(self) -> dict[str, dict[str, Any]]:
        return {spec["name"]: spec for spec in self.version.details.get("columns", ())}

    @property
    def target(self) -> dict[str, Any]:
        return self.exploration.target if self.exploration else REPEAT_TARGET

    @property
    def offered(self) -> bool:
        """Whether its groups may be spoken of as chances and kept."""
        return self.version.state != ModelVersion.State.REFUSED


def page(tree: Tree) -> dict[str, Any]:
    """Everything the template needs."""
    details, sizes = tree.version.details, _sizes(tree)
    segments = _kept(tree.version.name)
    kept = {s.origin["leaf"]: s.pk for s in segments if s.origin["version_id"] == tree.version.pk}
    found = {
        leaf["id"]: _leaf(tree, leaf, sizes["leaves"].get(leaf["id"], 0), kept)
        for leaf in details["leaves"]
    }
    nodes = {node["id"]: node for node in details["nodes"]}
    rates = [leaf["rate"] for leaf in found.values()]
    listed = sorted(found.values(), key=lambda leaf: -leaf["rate"])
    return {
        "data": {
            "root": _node(tree, nodes, found, nodes[0], ""),
            "low": min(rates),
            "high": max(rates),
        },
        "leaves": listed,
        "people": sizes["people"],
        "as_of": sizes["as_of"],
        "known": (details.get("population") or {}).get("known", ""),
        "base": details["base_rate"],
        "low": min(rates),
        "high": max(rates),
        "auc": tree.version.metrics["auc"],
        "auc_dull": tree.version.baseline["auc"],
        "rule_name": tree.version.baseline.get("rule", ""),
        "judged": details["judged_people"],
        "later_in_time": details.get("later_in_time", True),
        "offered": tree.offered,
        "has_worth": any(leaf["worth"] for leaf in listed),
        "worth_past": details.get("worth_of") == "past",
        "horizon": details["horizon_days"],
        "left_out": left_out(details),
        "moved": moved(tree, found, sizes["people"]),
        "segments": [_segment(s, tree, found) for s in segments],
    }


def _sizes(tree: Tree) -> dict[str, Any]:
    """How many people each group has as the stored numbers are now."""
    if tree.exploration is None:
        rows = Traits.objects.filter(repeat_90d_leaf__isnull=False).values_list("repeat_90d_leaf")
        counted = {int(leaf): n for leaf, n in rows.annotate(n=Count("pk"))}
        return {"leaves": counted, "people": sum(counted.values()), "as_of": queries.as_of()}
    stored = tree.exploration.sizes
    if stored.get("version") != tree.version.pk:
        return {"leaves": {}, "people": 0, "as_of": None}
    return {
        "leaves": {int(leaf): n for leaf, n in stored["leaves"].items()},
        "people": stored["people"],
        "as_of": parse_datetime(stored["as_of"]),
    }


def _leaf(tree: Tree, leaf: dict[str, Any], people: int, kept: dict[int, int]) -> dict[str, Any]:
    meaning = definitions.meaning(
        compiler.read(leaves.rule_in(tree.version, leaf, population=False))
    )
    title = tree.exploration.title if tree.exploration else ""
    advice = strategy.of(
        leaf, people=people, target=tree.target, everyone=tree.version.details.get("worth")
    )
    worth = leaf.get("worth")
    return {
        "id": leaf["id"],
        "leaf": True,
        "n": people,
        "rate": leaf["rate"]["value"],
        "low": leaf["rate"]["low"],
        "high": leaf["rate"]["high"],
        "lift": leaf["lift"]["value"],
        "lift_low": leaf["lift"]["low"],
        "lift_high": leaf["lift"]["high"],
        "judged": leaf["people"],
        "rule": meaning,
        "name": leaves.suggested_name(leaf, title),
        "save": reverse("campaigns:tree-leaf-save", args=[tree.version.pk, leaf["id"]])
        if tree.offered
        else "",
        "segment": (
            reverse("campaigns:segment-edit", args=[kept[leaf["id"]]]) if leaf["id"] in kept else ""
        ),
        "action": advice.action,
        "advice": advice.title,
        "why": advice.why,
        "worth": worth,
        "expected": advice.expected[0] if advice.expected else None,
        "expected_low": advice.expected[1] if advice.expected else None,
        "expected_high": advice.expected[2] if advice.expected else None,
    }


def _node(
    tree: Tree,
    nodes: dict[int, dict[str, Any]],
    found: dict[int, dict[str, Any]],
    node: dict[str, Any],
    edge: str,
) -> dict[str, Any]:
    """The tree as nested cards; sizes are of now, rates of the judged half."""
    if node["feature"] is None:
        return {**found[node["id"]], "edge": edge}
    spec = tree.specs.get(node["feature"], {"name": node["feature"], "of": "traits"})
    left, right = _edges(spec, node)
    children = [
        _node(tree, nodes, found, nodes[node["left"]], left),
        _node(tree, nodes, found, nodes[node["right"]], right),
    ]
    return {
        "id": node["id"],
        "leaf": False,
        "q": capfirst(columns.label(spec)),
        "n": sum(child["n"] for child in children),
        "rate": node["rate"],
        "edge": edge,
        "c": children,
    }


def _edges(spec: dict[str, Any], node: dict[str, Any]) -> tuple[str, str]:
    """What is said on the way left and on the way right."""
    if "levels" in node:
        named, others = _listed(node["levels"]), _("all others")
        return (named, others) if node["named_left"] else (others, named)
    cut = node["threshold"]
    if spec["of"] in ("orders", "event") and cut < 1:
        return _("none"), _("at least one")
    value = {"value": definitions.written(cut)}
    return _("%(value)s or less") % value, _("over %(value)s") % value


def _listed(levels: list[str]) -> str:
    if not levels:
        return _("unknown")
    text = ", ".join(levels[:MOST_LEVELS_SHOWN])
    rest = len(levels) - MOST_LEVELS_SHOWN
    if rest <= 0:
        return text
    return ngettext("%(levels)s and %(n)d more", "%(levels)s and %(n)d more", rest) % {
        "levels": text,
        "n": rest,
    }


def left_out(details: dict[str, Any]) -> list[dict[str, Any]]:
    """Columns the tree was not given, and why."""
    why = {
        "target": _("It is what is asked about, or part of it."),
        "learned_later": _("It was learned after the fact for some people, so it may tell it."),
        "left_out": _("Somebody left it out."),
    }
    return [
        {
            "id": one["column"],
            "label": capfirst(columns.label_of_id(one["column"])),
            "why": why.get(one["why"], ""),
            "steady": one["why"] == "learned_later",
            "again": one["why"] == "left_out",
        }
        for one in details.get("left_out", ())
    ]


def moved(tree: Tree, found: dict[int, dict[str, Any]], people: int) -> dict[str, Any] | None:
    """What became of the groups of the version before this one."""
    told = tree.version.details.get("moved")
    if not told:
        return None
    rows = []
    for move in told["moves"]:
        leaf = found.get(move["leaf"])
        if leaf is None:
            continue
        rows.append(
            {
                **move,
                "rule": leaf["rule"],
                "low": move["difference"]["low"] if move["difference"] else None,
                "high": move["difference"]["high"] if move["difference"] else None,
                "up": move["moved"] and move["difference"]["value"] > 0,
            }
        )
    order = {"new": 0, "changed": 1, "same": 2}
    rows.sort(key=lambda row: (not row["moved"], order[row["kind"]], -row["after"]))
    return {
        "version": told["version"],
        "version_id": told["version_id"],
        "rows": [row for row in rows if row["moved"] or row["kind"] != "same"],
        "same": [row for row in rows if not row["moved"] and row["kind"] == "same"],
        "rates": sum(row["moved"] for row in rows),
        "groups": sum(row["kind"] != "same" for row in rows),
        "gone": len(told["gone"]),
        "changed": told["changed"],
    }


def _kept(name: str) -> list[Segment]:
    return list(
        Segment.objects.filter(
            state=Segment.State.LIVE, origin__kind="tree_leaf", origin__model=name
        ).order_by("-pk")[:50]
    )


def _segment(segment: Segment, tree: Tree, found: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """A segment kept from a group, and what its group is now."""
    origin, now = segment.origin, None
    if origin["version_id"] == tree.version.pk:
        now = found.get(origin["leaf"])
    else:
        told = tree.version.details.get("moved") or {}
        if told.get("version_id") == origin["version_id"]:
            move = next((m for m in told["moves"] if m["was"] == origin["leaf"]), None)
            now = found.get(move["leaf"]) if move else None
    return {
        "pk": segment.pk,
        "name": segment.name,
        "size": segment.size,
        "version": origin["version"],
        "edited": leaves.edited(segment),
        "then": origin["rate"]["value"],
        "now": now["rate"] if now else None,
        "this": origin["version_id"] == tree.version.pk,
    }


def explorations() -> list[Exploration]:
    """The questions on the page."""
    return list(Exploration.objects.filter(state=Exploration.State.ACTIVE))


def explored(exploration: Exploration) -> Tree | None:
    """The tree to show for a question; None before the first."""
    version = questions.shown(exploration)
    return Tree(version, exploration) if version else None
