"""A leaf of the live tree as an ordinary rule, kept with one press."""

from typing import Any

from django.utils.translation import gettext as _

from campaigns.models import Segment
from campaigns.segments import definitions
from marketing.core.errors import NotFound
from marketing.core.models import ApiKey, User
from models_ml import queries
from models_ml.models import ModelVersion

Rule = dict[str, Any]


def rule_of(leaf: dict[str, Any], *, population: bool = True) -> Rule:
    """The leaf's conditions as a rule that means the same people, row for row.

    A tree speaks of people who have ordered, so the rule says that too, unless without
    `population`. A number kept without decimals and over 3 is said as 4 or more.
    """
    bounds: dict[str, list[Rule]] = {}
    missing: dict[str, bool] = {}
    for condition in leaf["conditions"]:
        name, cut = condition["feature"], condition["threshold"]
        decimals = queries.BY_NAME[name].decimals
        op, value = condition["op"], round(cut, decimals) if decimals else int(cut)
        if op == ">" and not decimals:
            op, value = ">=", value + 1
        bounds.setdefault(name, []).append({"field": f"traits.{name}", "op": op, "value": value})
        missing[name] = condition["missing"]
    parts: list[Rule] = []
    if population and not any(rule["op"] == ">=" for rule in bounds.get("orders", [])):
        parts.append({"field": "traits.orders", "op": ">=", "value": 1})
    for name, found in bounds.items():
        if not missing[name]:
            parts += found
            continue
        inner = found[0] if len(found) == 1 else {"all": found}
        parts.append({"any": [inner, {"field": f"traits.{name}", "op": "unknown"}]})
    return {"all": parts}


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


def suggested_name(leaf: dict[str, Any]) -> str:
    return _("Order again within 90 days: %(rate)d in 100") % {
        "rate": round(100 * leaf["rate"]["value"])
    }


def save(
    *, version: ModelVersion, leaf_id: int, actor: User | ApiKey | None, name: str = ""
) -> Segment:
    """Keep a leaf as an ordinary live rule segment that remembers where it came from.

    Pressing twice gives the segment of the first press, as long as its rule is still the leaf's.
    """
    leaf = find(version=version, leaf_id=leaf_id)
    rule = rule_of(leaf)
    kept = Segment.objects.filter(
        state=Segment.State.LIVE, origin__version_id=version.pk, origin__leaf=leaf_id
    ).first()
    if kept is not None and kept.rule == rule:
        return kept
    return definitions.save(
        name=name or suggested_name(leaf),
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
