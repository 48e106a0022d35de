"""The small language of templates: what may stand in one, what it asks for, what it can print.

It is a small part of Jinja, held by an allow-list over the parsed template: names, attributes, if,
for over a list, comparisons, and the filters below. No calls, no arithmetic, no assignment, no
include: with those gone, what a template can print is bounded before it runs.
"""

import re

import jinja2
from jinja2 import nodes

from campaigns.messaging.faults import Fault, gettext_noop

FILTERS = frozenset(
    [
        "default",
        "d",
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "length",
        "first",
        "last",
        "join",
        "round",
        "int",
        "urlencode",
    ]
)
TESTS = frozenset(["defined", "undefined", "none", "even", "odd"])
MAX_ITEMS = 24
MAX_VALUE = 2_000
MAX_DEPTH = 3
_PRINT_LIMIT = 16_000_000
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem,
    nodes.Const, nodes.If, nodes.For, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand,
    nodes.And, nodes.Or, nodes.Not, nodes.CondExpr,
)  # fmt: skip
# A product's price that is only shown. Whatever else is done with it needs one.
_OF_PRODUCTS = re.compile(r"\{%-?\s*for\s+(\w+)\s+in\s+(?:\w+\.)*products\b")
_PRICE = re.compile(
    r"(\{\{[-+]?\s*)((\w+)|(?:\w+\.)*products(?:\[\d+\]|\.\d+)|(?:\w+\.)+product)\.price(\s*[-+]?\}\})"
)
_WORDS = jinja2.Environment(autoescape=False)  # parses only; it never renders


class TemplateRefused(Fault):
    """The template may not be used; the text says what to change."""


def variables(source: str) -> frozenset[str]:
    """The values a template asks for, dotted: {'first_name', 'products', 'traits.orders'}.

    Raises TemplateRefused when the template uses anything outside the allowed language.
    """
    try:
        tree = _WORDS.parse(source)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateRefused(
            gettext_noop("line %(line)s: %(why)s"), line=error.lineno, why=error.message
        ) from None
    except RecursionError:
        raise TemplateRefused(gettext_noop("the template is nested too deeply")) from None
    found: set[str] = set()
    if _cost(tree, 1, 0, frozenset(), found) > _PRINT_LIMIT:
        raise TemplateRefused(
            gettext_noop("loops in this template could print too much: shorten them")
        )
    return frozenset(found)


def _cost(node: nodes.Node, times: int, depth: int, bound: frozenset[str], found: set[str]) -> int:
    """Characters the node may print at most; collects names and refuses what is not allowed."""
    line = node.lineno
    if not isinstance(node, _ALLOWED):
        raise TemplateRefused(
            gettext_noop("line %(line)s: %(what)s is not available in mails"),
            line=line,
            what=type(node).__name__.lower(),
        )
    if isinstance(node, nodes.TemplateData):
        return len(node.data) * times
    if isinstance(node, nodes.Output):
        return sum(
            _cost(child, times, depth, bound, found)
            + (0 if isinstance(child, nodes.TemplateData) else MAX_VALUE * times)
            for child in node.nodes
        )
    if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
        _take_name(node, bound, found)
        return 0
    if isinstance(node, nodes.For):
        if node.recursive or not isinstance(node.target, nodes.Name):
            raise TemplateRefused(
                gettext_noop("line %(line)s: this kind of loop is not available in mails"),
                line=line,
            )
        if not isinstance(node.iter, nodes.Name | nodes.Getattr):
            raise TemplateRefused(
                gettext_noop("line %(line)s: loops may only go over a list such as products"),
                line=line,
            )
        if depth + 1 > MAX_DEPTH:
            raise TemplateRefused(
                gettext_noop("line %(line)s: loops may be nested %(limit)s deep at most"),
                line=line,
                limit=MAX_DEPTH,
            )
        _take_name(node.iter, bound, found)
        inner = bound | {node.target.name, "loop"}
        total = 0
        if node.test is not None:
            _cost(node.test, times, depth, inner, found)
        for child in node.body:
            total += _cost(child, times * MAX_ITEMS, depth + 1, inner, found)
        return total + sum(_cost(child, times, depth, bound, found) for child in node.else_)
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise TemplateRefused(
            gettext_noop("line %(line)s: the filter %(name)s is not available in mails"),
            line=line,
            name=node.name,
        )
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise TemplateRefused(
            gettext_noop("line %(line)s: the test %(name)s is not available in mails"),
            line=line,
            name=node.name,
        )
    return sum(_cost(child, times, depth, bound, found) for child in node.iter_child_nodes())


def _take_name(node: nodes.Node, bound: frozenset[str], found: set[str]) -> None:
    path: list[str] = []
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node, nodes.Getitem):
            if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, str | int):
                raise TemplateRefused(
                    gettext_noop("line %(line)s: name the part directly, as in a.b"),
                    line=node.lineno,
                )
            path.append(str(node.arg.value))
        else:
            path.append(node.attr)
        node = node.node
    if not isinstance(node, nodes.Name):
        raise TemplateRefused(
            gettext_noop("line %(line)s: only named values have parts"), line=node.lineno
        )
    for part in (node.name, *path):
        if part.startswith("_"):
            raise TemplateRefused(
                gettext_noop("line %(line)s: names may not begin with an underscore"),
                line=node.lineno,
            )
    if node.name not in bound:
        found.add(".".join([node.name, *reversed(path)]))


def without_price(source: str) -> str:
    """The template with nothing in the place of a price that a product does not have.

    A shop sells things by request: the rest of the mail is worth sending. A template that counts
    with the price, or compares it, or says what stands instead, is left as it is.
    """
    names = set(_OF_PRODUCTS.findall(source))

    def shown(match: re.Match[str]) -> str:
        if match[3] and match[3] not in names:
            return match[0]
        return f'{match[1]}{match[2]}.price|default(""){match[4]}'

    return _PRICE.sub(shown, source)
