"""A rule said as one plain sentence. Pure: translations and names come in as functions."""

from collections.abc import Sequence as Many

from campaigns.segments.clauses import leaf
from campaigns.segments.nodes import All, Any, Attribute, Compare, Node, Not
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
    """Parts that all hold; what may be unknown in several of them is said once, at the end."""
    found = [_lenient(node) for node in nodes]
    lenient = [one for one in found if one is not None]
    if len(lenient) < 2:
        return _joined([clause(n, words, nested=True) for n in nodes], words)
    plain = [part for node, one in zip(nodes, found, strict=True) for part in one or (node,)]
    return words.gettext("%(rule)s (%(fields)s may also be unknown)") % {
        "rule": _joined([clause(n, words, nested=True) for n in plain], words),
        "fields": _joined([_subject(parts[0], words) for parts in lenient], words),
    }


def _joined(parts: Many[str], words: Words) -> str:
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s and %(second)s") % {"first": text, "second": part}
    return text


def _lenient(node: Node) -> tuple[Compare | Attribute, ...] | None:
    """The comparisons of one thing that a part asks for, where it may also be unknown."""
    match node:
        case Any((asked, Compare(op="unknown") | Attribute(op="unknown") as unknown)):
            parts = asked.nodes if isinstance(asked, All) else (asked,)
            about = [part for part in parts if isinstance(part, Compare | Attribute)]
            same = all(part.op != "unknown" and _thing(part) == _thing(unknown) for part in about)
            return tuple(about) if about and len(about) == len(parts) and same else None
    return None


def _thing(node: Compare | Attribute) -> tuple[str, ...]:
    return (node.field,) if isinstance(node, Compare) else (node.name, node.kind)


def _subject(node: Compare | Attribute, words: Words) -> str:
    return words.label(node.field) if isinstance(node, Compare) else f"“{node.name}”"


def either(nodes: Many[Node], words: Words) -> str:
    parts = [clause(n, words, nested=True) for n in nodes]
    text = parts[0]
    for part in parts[1:]:
        text = words.gettext("%(first)s or %(second)s") % {"first": text, "second": part}
    return text


def clause(node: Node, words: Words, *, nested: bool = False) -> str:
    """One part of the rule, in brackets when it joins others inside a larger part."""
    gettext = words.gettext
    if parts := _lenient(node):
        said = _joined([leaf(part, words) for part in parts], words)
        text = gettext("%(rule)s or not known") % {"rule": said}
        return gettext("(%(rule)s)") % {"rule": text} if nested else text
    match node:
        case All(()):
            return gettext("they are anyone")
        case Any(()):
            return gettext("they are nobody")
        case All(nodes) | Any(nodes):
            text = both(list(nodes), words) if isinstance(node, All) else either(list(nodes), words)
            return gettext("(%(rule)s)") % {"rule": text} if nested and len(nodes) > 1 else text
        case Not(inner):
            return gettext("it is not so that %(rule)s") % {
                "rule": clause(inner, words, nested=True)
            }
    return leaf(node, words)
