"""Which columns there are once a recipe has run, beside those that a file brings."""

from collections.abc import Iterable, Mapping, Sequence

from ingestion.preprocess.recipe import expressions, nodes
from ingestion.preprocess.recipe.expressions import Reading


def with_named(
    recipe: nodes.Recipe, mapping: Mapping[str, int], header: Sequence[str]
) -> dict[str, int]:
    """The mapping, and the columns of the file that rules call by their own names."""
    found = dict(mapping)
    for rule in recipe.active:
        for name in nodes.reads(rule):
            if name not in found and name in header:
                found[name] = header.index(name)
    return found


def filled(recipe: nodes.Recipe, columns: Iterable[str]) -> frozenset[str]:
    """The columns that may hold something after all rules, where these do before the first.

    A rule whose own columns are all missing makes nothing, save for one that needs none.
    """
    have = set(columns)
    for rule in recipe.active:
        match rule:
            case nodes.Derive():
                if have.intersection(nodes.reads(rule)) or _says_something(rule):
                    have.add(rule.column)
            case nodes.Fill():
                if rule.value or rule.other in have:
                    have.add(rule.column)
            case nodes.Impute():
                if rule.method == "constant" and rule.value:
                    have.add(rule.column)
            case nodes.Rename() | nodes.Split() if rule.column in have:
                if isinstance(rule, nodes.Rename):
                    have.discard(rule.column)
                have.update(nodes.makes(rule))
            case nodes.DropColumns():
                have.difference_update(rule.columns)
            case nodes.Currency() | nodes.Outliers():
                if have.intersection(nodes.reads(rule)):
                    have.update(nodes.makes(rule))
    return frozenset(have)


def _says_something(rule: nodes.Derive) -> bool:
    """Whether an expression has a value where every column is empty."""
    reading = Reading()
    names = expressions.names_of(rule.node)
    evaluate = expressions.compile_(rule.node, names, reading)
    return bool(reading.write(evaluate(tuple("" for _name in names))).strip())
