"""The recipe editor's form ↔ the recipe as JSON."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import QueryDict

from ingestion.imports.wording import field as field_name
from ingestion.preprocess.recipe import nodes, parsing
from ingestion.preprocess.recipe.functions import FUNCTIONS
from ingestion.recipes import wording

MOST_SENT = 200


def read(data: QueryDict) -> list[dict[str, Any]]:
    """The rules of a posted form, in the order in which they stand on the page."""
    rules = []
    for rule_id in data.getlist("id")[:MOST_SENT]:
        kind = data.get(f"{rule_id}.rule", "")
        if kind not in nodes.KINDS:
            continue
        body: dict[str, Any] = {"id": rule_id, "rule": kind}
        if data.get(f"{rule_id}.on") == "off":
            body["on"] = False
        for name, part in nodes.parts_of(nodes.KINDS[kind]).items():
            body[name] = _value(data, f"{rule_id}.{name}", part)
        rules.append(body)
    return rules


def _value(data: QueryDict, name: str, part: nodes.Part) -> Any:
    text = data.get(name, "")
    match part.kind:
        case "columns":
            return [value for value in data.getlist(name) if value]
        case "news":
            return [value.strip() for value in text.split(",") if value.strip()]
        case "pairs":
            pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
            return [[old.strip(), new.strip()] if mark else [old] for old, mark, new in pairs]
        case "number":
            try:
                return float(text)
            except ValueError:
                return text
        case "country" | "currency":
            return text.strip().upper()
    return text


def change(rules: list[dict[str, Any]], do: str, known: list[str]) -> str:
    """Do what a button says to the rules; the id of the rule that is open afterwards."""
    verb, _, what = do.partition(":")
    place = next((i for i, rule in enumerate(rules) if rule["id"] == what), None)
    if verb == "add" and what in nodes.KINDS:
        rules.append(fresh(what, rules, known))
        return str(rules[-1]["id"])
    if place is None:
        return ""
    if verb == "remove":
        rules.pop(place)
        return ""
    if verb == "toggle":
        rules[place]["on"] = not rules[place].get("on", True)
    elif verb in ("up", "down"):
        other = place + (-1 if verb == "up" else 1)
        if 0 <= other < len(rules):
            rules[place], rules[other] = rules[other], rules[place]
    return what if verb == "edit" else ""


def fresh(kind: str, rules: list[dict[str, Any]], known: list[str]) -> dict[str, Any]:
    """A rule as it is when it has just been added."""
    ids = {rule["id"] for rule in rules}
    number = next(n for n in range(1, 10_000) if f"r{n}" not in ids)
    usual = _usual_column(kind, known)
    body: dict[str, Any] = {"id": f"r{number}", "rule": kind}
    for name, part in nodes.parts_of(nodes.KINDS[kind]).items():
        default = nodes.default_of(nodes.KINDS[kind], name)
        if isinstance(default, str | float):
            body[name] = default
        elif part.kind == "columns":
            body[name] = [usual] if usual else []
        elif part.kind == "column":
            body[name] = "currency" if name == "currency" else usual
        elif part.kind == "choice":
            body[name] = part.choices[0]
        else:
            body[name] = {"country": "GB", "currency": "GBP", "pairs": [], "news": []}.get(
                part.kind, ""
            )
    return body


def _usual_column(kind: str, known: list[str]) -> str:
    wanted = {
        "email": ("email",),
        "phone": ("phone",),
        "country": ("country",),
        "date": ("placed_at", "at", "consent_at"),
        "units": ("quantity", "stock"),
        "currency": ("unit_price", "price"),
        "outliers": ("unit_price", "price", "quantity"),
        "impute": ("unit_price", "price", "country"),
        "deduplicate": ("email", "sku", "message_id"),
    }.get(kind, ())
    return next(
        (name for name in wanted if name in known), known[0] if known and not wanted else ""
    )


def parsed(rules: list[dict[str, Any]]) -> tuple[nodes.Recipe, dict[str, dict[str, str]]]:
    """The rules that can be used, and by rule what is wrong with the others."""
    good, wrong = [], {}
    for rule in rules:
        try:
            good.append(parsing.parse_rule(rule, "rule"))
        except parsing.Faulty as faulty:
            message, remedy = wording.fault(faulty.code, faulty.path, faulty.facts)
            part = faulty.path.removeprefix("rule.").split("[")[0]
            wrong[str(rule["id"])] = {"part": part, "message": message, "remedy": remedy}
    return nodes.Recipe(tuple(good)), wrong


def inputs(rule: Mapping[str, Any], known: list[str], fault: Mapping[str, str]) -> Iterator[Any]:
    """The settings of a rule as the page draws them."""
    for name, part in nodes.parts_of(nodes.KINDS[str(rule["rule"])]).items():
        value = rule.get(name, "")
        names = list(known)
        chosen = value if part.kind == "columns" else [value] if part.kind == "column" else []
        names += [n for n in chosen if n and n not in names]
        yield {
            "name": f"{rule['id']}.{name}",
            "label": wording.setting(name),
            "kind": part.kind,
            "value": _shown(value, part),
            "optional": part.optional,
            "choices": [(c, wording.choice(c), c == value) for c in part.choices],
            "columns": [(n, field_name(n), n in chosen) for n in names],
            "fault": fault.get("message", "") if fault.get("part") == name else "",
            "remedy": fault.get("remedy", ""),
            "wide": part.kind in ("columns", "expression", "test", "pairs"),
        }


def _shown(value: Any, part: nodes.Part) -> str:
    if part.kind == "pairs":
        return "\n".join(" = ".join(pair) for pair in value)
    if part.kind == "news":
        return ", ".join(value)
    if part.kind == "number":
        return f"{value:g}" if isinstance(value, float) else str(value)
    return str(value) if not isinstance(value, list) else ""


def palette() -> list[tuple[Any, list[tuple[str, Any, Any, str]]]]:
    """Every kind of rule by group: (group, [(kind, name, what for, icon)])."""
    return [
        (
            label,
            [
                (kind, title, text, icon)
                for kind, (title, text, icon, group) in wording.RULES.items()
                if group == key
            ],
        )
        for key, label in wording.GROUPS.items()
    ]


def functions() -> list[str]:
    """The functions that an expression may call."""
    return sorted(FUNCTIONS)
