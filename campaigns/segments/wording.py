"""A rule said as one plain sentence. Pure: translations and names come in as functions."""

from collections.abc import Sequence as Many

from campaigns.segments.clauses import leaf
from campaigns.segments.nodes import All, Any, Compare, Node, Not
from campaigns.segments.phrases import Words

__all__ = ["Words", "sentence"]


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


def both(nodes: Many[Node], words: Words) -> str:
    parts = [clause(n, words, nested=True) for n in nodes]
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s and %(second)s") % {"first": text, "second": part}
    return text


def either(nodes: Many[Node], words: Words) -> str:
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
            text = gettext("%(rule)s or not known") % {"rule": leaf(known, words)}
            return gettext("(%(rule)s)") % {"rule": text} if nested else text
        case All(nodes) | Any(nodes):
            text = both(list(nodes), words) if isinstance(node, All) else either(list(nodes), words)
            return gettext("(%(rule)s)") % {"rule": text} if nested and len(nodes) > 1 else text
        case Not(inner):
            return gettext("it is not so that %(rule)s") % {
                "rule": clause(inner, words, nested=True)
            }
    return leaf(node, words)
