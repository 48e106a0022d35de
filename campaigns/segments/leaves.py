"""A group of a tree as an ordinary rule, kept with one press."""

from math import floor
from typing import Any

from django.utils.translation import gettext as _

from campaigns.models import Segment
from campaigns.segments import definitions
from marketing.core.errors import NotFound, Refused
from marketing.core.models import ApiKey, User
from models_ml import queries
from models_ml.explorer import columns
from models_ml.models import Exploration, ModelVersion

Rule = dict[str, Any]
# Numbers of all time whose like of the last days would tell nearly as much.
FAMILIES = {"orders": "orders", "units": "money", "revenue": "money", "avg_order_value": "money"}
PERSON = {"country": "customer.country", "language": "customer.language"}


def rule_of(
    leaf: dict[str, Any],
    *,
    population: bool = True,
    specs: list[dict[str, Any]] | None = None,
    among: dict[str, Any] | None = None,
) -> Rule:
    """The group's conditions as a rule that means the same people, row for row.

    `specs` are the columns of the tree (without them, of Traits), `among` the people it speaks of
    (without it, who have ordered); the rule says that too, unless without `population`.
    """
    known = {spec["name"]: spec for spec in specs or ()}
    found: dict[str, list[dict[str, Any]]] = {}
    for condition in leaf["conditions"]:
        found.setdefault(condition["feature"], []).append(condition)
    parts: list[Rule] = []
    for name, conditions in found.items():
        parts += _parts(known.get(name, {"name": name, "of": "traits"}), conditions)
    return {"all": [*(_population(among or {}, parts) if population else []), *parts]}


def rule_in(version: ModelVersion, leaf: dict[str, Any], *, population: bool = True) -> Rule:
    """The same for a group of a stored version."""
    details = version.details
    return rule_of(
        leaf,
        population=population,
        specs=details.get("columns"),
        among=details.get("population"),
    )


def _population(among: dict[str, Any], parts: list[Rule]) -> list[Rule]:
    rules: list[Rule] = []
    least = among.get("least_orders", 1)
    bound = [p["value"] for p in parts if p.get("field") == "traits.orders" and p["op"] == ">="]
    if among.get("who", "buyers") == "buyers" and max(bound, default=0) < least:
        rules.append({"field": "traits.orders", "op": ">=", "value": least})
    if known := among.get("known"):
        rules.append({"attribute": known, "as": "text", "op": "known"})
    if days := among.get("ordered_within_days"):
        rules.append({"bought": {"any": True}, "at_least": 1, "days": days})
    return rules


def _parts(spec: dict[str, Any], conditions: list[dict[str, Any]]) -> list[Rule]:
    if conditions[0]["op"] in ("in", "not_in"):
        return _among(spec, conditions[0])
    match spec["of"]:
        case "orders":
            return [{"bought": {"any": True}, "days": spec["days"]} | _times(conditions)]
        case "event":
            return [{"did": spec["event"], "days": spec["days"]} | _times(conditions)]
    bounds = [_bound(spec, condition) for condition in conditions]
    if not conditions[0]["missing"]:
        return bounds
    inner = bounds[0] if len(bounds) == 1 else {"all": bounds}
    return [{"any": [inner, {**_head(spec), "op": "unknown"}]}]


def _head(spec: dict[str, Any]) -> Rule:
    """What is asked, without the comparison."""
    match spec["of"]:
        case "traits":
            return {"field": f"traits.{spec['name']}"}
        case "money":
            return {"ordered": "money", "days": spec["days"]}
        case "person":
            return {"field": PERSON[spec["name"]]}
    kind = "number" if spec["kind"] == "number" else "text"
    return {"attribute": spec["attribute"], "as": kind}


def _bound(spec: dict[str, Any], condition: dict[str, Any]) -> Rule:
    """A number kept without decimals and over 3 is said as 4 or more."""
    op, cut = condition["op"], condition["threshold"]
    if spec["of"] != "traits":
        return {**_head(spec), "op": op, "value": cut}
    decimals = queries.BY_NAME[spec["name"]].decimals
    value = round(cut, decimals) if decimals else int(cut)
    if op == ">" and not decimals:
        op, value = ">=", value + 1
    return {**_head(spec), "op": op, "value": value}


def _times(conditions: list[dict[str, Any]]) -> Rule:
    """Bounds of a count as `at_least` and `at_most`."""
    cuts = {c["op"]: floor(c["threshold"]) for c in conditions}
    least: Rule = {"at_least": cuts[">"] + 1 if ">" in cuts else 0}
    return least | ({"at_most": cuts["<="]} if "<=" in cuts else {})


def _among(spec: dict[str, Any], condition: dict[str, Any]) -> list[Rule]:
    """Levels, named on the side that can be listed; whoever is not known goes where they went."""
    head, levels, missing = _head(spec), condition["levels"], condition["missing"]
    if condition["op"] == "in":
        unknown = {**head, "op": "unknown"}
        if not levels:
            return [unknown if missing else {"any": []}]
        named = {**head, "op": "in", "value": levels}
        return [{"any": [named, unknown]} if missing else named]
    if not levels:
        return [] if missing else [{**head, "op": "known"}]
    if missing:  # everyone but these, those of whom it is not known included
        return [{"not": {**head, "op": "in", "value": levels}}]
    return [{**head, "op": "not_in", "value": levels}]


def find(*, version: ModelVersion, leaf_id: int) -> dict[str, Any]:
    """The leaf of this version; NotFound when the tree has no such leaf."""
    leaf = queries.leaf_of(version, leaf_id)
    if leaf is None:
        raise NotFound(
            _("This tree has no group number %(leaf)s.") % {"leaf": leaf_id}, code="no_such_leaf"
        )
    return leaf


def best(version: ModelVersion) -> int:
    """The leaf whose lift is surely highest: by the low end of its interval."""
    leaves = version.details["leaves"]
    return int(max(leaves, key=lambda leaf: leaf["lift"]["low"])["id"])


def suggested_name(leaf: dict[str, Any], title: str = "") -> str:
    """The question and the rate, as the name of the segment."""
    rate = round(100 * leaf["rate"]["value"])
    if not title:
        return _("Order again within 90 days: %(rate)d in 100") % {"rate": rate}
    return _("%(question)s: %(rate)d in 100") % {"question": title[:100], "rate": rate}


def title_of(version: ModelVersion) -> str:
    """The question a version answers; empty for the one that is always there."""
    if not version.name.startswith("tree:"):
        return ""
    key = version.name.removeprefix("tree:")
    return Exploration.objects.filter(key=key).values_list("title", flat=True).first() or key


def save(
    *, version: ModelVersion, leaf_id: int, actor: User | ApiKey | None, name: str = ""
) -> Segment:
    """Keep a leaf as an ordinary live rule segment that remembers where it came from.

    Pressing twice gives the segment of the first press, as long as its rule is still the leaf's.
    """
    leaf = find(version=version, leaf_id=leaf_id)
    if version.state == ModelVersion.State.REFUSED:
        raise Refused(
            _("This tree was not published, so its groups are not offered; nothing was stored."),
            code="tree_refused",
            remedy=_("Its figures say why. A rule of your own can be made into a segment."),
        )
    rule = rule_in(version, leaf)
    kept = Segment.objects.filter(
        state=Segment.State.LIVE, origin__version_id=version.pk, origin__leaf=leaf_id
    ).first()
    if kept is not None and kept.rule == kept.origin.get("rule", rule):
        return kept
    made = definitions.save(
        name=name or suggested_name(leaf, title_of(version)),
        rule=rule,
        actor=actor,
        origin={
            "kind": "tree_leaf",
            "model": version.name,
            "version": version.version,
            "version_id": version.pk,
            "leaf": leaf_id,
            "rate": leaf["rate"],
            "lift": leaf["lift"],
            "people": leaf["people"],
        },
    )
    made.origin["rule"] = made.rule
    made.save(update_fields=["origin"])
    return made


def edited(segment: Segment, version: ModelVersion | None = None) -> bool:
    """Whether somebody changed the rule of a segment since it was kept from a leaf."""
    return "rule" in segment.origin and segment.rule != segment.origin["rule"]


def defining(rule: object) -> tuple[str, ...]:
    """The columns of a tree by which the people of a segment are told: they would be the answer."""
    found: set[str] = set()
    _collect(rule, found)
    return tuple(sorted(found))


def _collect(rule: object, found: set[str]) -> None:
    if isinstance(rule, list):
        for part in rule:
            _collect(part, found)
        return
    if not isinstance(rule, dict):
        return
    for part in (rule.get("all"), rule.get("any"), rule.get("not")):
        _collect(part, found)
    field = str(rule.get("field", ""))
    if field.startswith("traits."):
        name = field.removeprefix("traits.")
        found |= {name, *(f"{FAMILIES[name]}_{d}d" for d in columns.WINDOWS if name in FAMILIES)}
    found |= {name for name, asked in PERSON.items() if asked == field}
    if "attribute" in rule:
        found.add(f"attribute:{rule['attribute']}")
    if "did" in rule:
        found |= {f"event:{rule['did']}:{days}" for days in columns.EVENT_WINDOWS}
    if "bought" in rule or "ordered" in rule:
        found |= {f"{of}_{days}d" for of in ("orders", "money") for days in columns.WINDOWS}
    if field.startswith("rollup.") or {"rfm", "lifecycle", "bought", "ordered"} & set(rule):
        found |= {"recency_days", "tenure_days", "orders", "revenue"}
