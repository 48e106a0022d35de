"""A rule said as one plain sentence. Pure: translations and names come in as functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from campaigns.segments.rules import (
    All,
    Any,
    Bought,
    Compare,
    Did,
    InSegment,
    Node,
    Not,
    Value,
    Where,
)


@dataclass(frozen=True, slots=True)
class Words:
    """What the sentence is made of: `label` names a field, `segment` names a segment, `number`
    writes a number.
    """

    gettext: Callable[[str], str]
    ngettext: Callable[[str, str, int], str]
    label: Callable[[str], str]
    segment: Callable[[int], str]
    number: Callable[[int | float], str]


def sentence(node: Node, words: Words) -> str:
    """The whole rule as a sentence that begins with a capital and ends with a stop."""
    gettext = words.gettext
    if node == All(()):
        return gettext("Everyone.")
    if node == Any(()):
        return gettext("Nobody: no rule has been added yet.")
    if isinstance(node, All):
        wanted = [n for n in node.nodes if not isinstance(n, Not)]
        barred = [n.node for n in node.nodes if isinstance(n, Not)]
        if not wanted:
            return gettext("Everyone, except people where %(rule)s.") % {
                "rule": either(barred, words)
            }
        if barred:
            return gettext("People where %(rule)s, except where %(exception)s.") % {
                "rule": both(wanted, words),
                "exception": either(barred, words),
            }
        return gettext("People where %(rule)s.") % {"rule": both(wanted, words)}
    if isinstance(node, Not):
        return gettext("Everyone, except people where %(rule)s.") % {
            "rule": clause(node.node, words)
        }
    return gettext("People where %(rule)s.") % {"rule": clause(node, words)}


def both(nodes: Sequence[Node], words: Words) -> str:
    parts = [clause(n, words, nested=True) for n in nodes]
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s and %(second)s") % {"first": text, "second": part}
    return text


def either(nodes: Sequence[Node], words: Words) -> str:
    parts = [clause(n, words, nested=True) for n in nodes]
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s or %(second)s") % {"first": text, "second": part}
    return text


def clause(node: Node, words: Words, *, nested: bool = False) -> str:
    """One part of the rule, in brackets when it joins others inside a larger part."""
    gettext = words.gettext
    match node:
        case All(()):
            return gettext("they are anyone")
        case Any(()):
            return gettext("they are nobody")
        case Any((Compare(field, op, _) as known, Compare(same, "unknown"))) if (
            same == field and op != "unknown"
        ):
            text = gettext("%(rule)s or not known") % {"rule": compare(known, words)}
            return gettext("(%(rule)s)") % {"rule": text} if nested else text
        case All(nodes) | Any(nodes):
            text = both(list(nodes), words) if isinstance(node, All) else either(list(nodes), words)
            return gettext("(%(rule)s)") % {"rule": text} if nested and len(nodes) > 1 else text
        case Not(inner):
            return gettext("it is not so that %(rule)s") % {
                "rule": clause(inner, words, nested=True)
            }
        case Compare():
            return compare(node, words)
        case Did():
            return did(node, words)
        case Bought():
            return bought(node, words)
        case InSegment(id):
            return gettext("they are in “%(segment)s”") % {"segment": words.segment(id)}


def compare(node: Compare, words: Words) -> str:
    gettext = words.gettext
    values: dict[str, object] = {"field": words.label(node.field), "value": say(node.value, words)}
    if isinstance(node.value, bool):
        if node.value:
            return gettext("they %(field)s") % values
        return gettext("it is not so that they %(field)s") % values
    if node.op == "between" and isinstance(node.value, tuple):
        values |= {"low": say(node.value[0], words), "high": say(node.value[1], words)}
    return {
        "<": gettext("%(field)s is under %(value)s"),
        "<=": gettext("%(field)s is at most %(value)s"),
        "=": gettext("%(field)s is %(value)s"),
        "!=": gettext("%(field)s is not %(value)s"),
        ">=": gettext("%(field)s is at least %(value)s"),
        ">": gettext("%(field)s is over %(value)s"),
        "between": gettext("%(field)s is from %(low)s to %(high)s"),
        "known": gettext("%(field)s is known"),
        "unknown": gettext("%(field)s is not known"),
        "in": gettext("%(field)s is one of %(value)s"),
        "not_in": gettext("%(field)s is none of %(value)s"),
        "contains": gettext("%(field)s contains %(value)s"),
        "starts_with": gettext("%(field)s starts with %(value)s"),
        "before": gettext("%(field)s is before %(value)s"),
        "after": gettext("%(field)s is on or after %(value)s"),
        "within_days": gettext("%(field)s is in the last %(value)s days"),
        "not_within_days": gettext("%(field)s is not in the last %(value)s days"),
    }[node.op] % values


def say(value: Value, words: Words) -> str:
    if isinstance(value, tuple):
        text = say(value[0], words)
        for part in value[1:]:
            text = words.gettext("%(first)s, %(second)s") % {
                "first": text,
                "second": say(part, words),
            }
        return text
    if isinstance(value, int | float) and not isinstance(value, bool):
        return words.number(value)
    return f"“{value}”" if value is not None else ""


def did(node: Did, words: Words) -> str:
    times = words.ngettext(
        "they did “%(event)s” at least once",
        "they did “%(event)s” at least %(times)s times",
        node.at_least,
    ) % {"event": node.event, "times": words.number(node.at_least)}
    for test in node.where:
        times = words.gettext("%(act)s with %(test)s") % {"act": times, "test": where(test, words)}
    return within(times, node.days, words)


def where(test: Where, words: Words) -> str:
    if test.op == "known":
        return words.gettext("%(property)s present") % {"property": test.property}
    value = (
        ("true" if test.value else "false")
        if isinstance(test.value, bool)
        else say(test.value, words)
    )
    if test.op == "contains":
        return words.gettext("%(property)s containing %(value)s") % {
            "property": test.property,
            "value": value,
        }
    return f"{test.property} {test.op} {value}"


def bought(node: Bought, words: Words) -> str:
    if node.by == "any":
        times = words.ngettext(
            "they ordered at least once", "they ordered at least %(times)s times", node.at_least
        ) % {"times": words.number(node.at_least)}
    elif node.by == "sku":
        times = words.ngettext(
            "they bought product %(what)s at least once",
            "they bought product %(what)s in at least %(times)s orders",
            node.at_least,
        ) % {"what": f"“{node.value}”", "times": words.number(node.at_least)}
    else:
        times = words.ngettext(
            "they bought from the category %(what)s at least once",
            "they bought from the category %(what)s in at least %(times)s orders",
            node.at_least,
        ) % {"what": f"“{node.value}”", "times": words.number(node.at_least)}
    return within(times, node.days, words)


def within(act: str, days: int | None, words: Words) -> str:
    if days is None:
        return act
    return words.ngettext("%(act)s in the last day", "%(act)s in the last %(days)s days", days) % {
        "act": act,
        "days": words.number(days),
    }
