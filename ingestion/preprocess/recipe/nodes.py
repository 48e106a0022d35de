"""The rules of a recipe as frozen nodes. Each setting says what it may be: parsing and the editor's
form both read that from here.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ingestion.preprocess.recipe import expressions
from ingestion.preprocess.values import FORMATS

KEEP, EMPTY, QUARANTINE = "keep", "empty", "quarantine"
OTHERWISE = (KEEP, EMPTY, QUARANTINE)
# Units by what they measure, each in terms of the first.
UNITS: dict[str, dict[str, str]] = {
    "mass": {"g": "1", "mg": "0.001", "kg": "1000", "t": "1000000", "oz": "28.349523125"}
    | {"lb": "453.59237"},
    "volume": {"ml": "1", "cl": "10", "dl": "100", "l": "1000", "floz": "29.5735295625"},
    "length": {"mm": "1", "cm": "10", "m": "1000", "km": "1000000", "in": "25.4", "ft": "304.8"},
    "count": {"piece": "1", "pair": "2", "dozen": "12", "score": "20", "gross": "144"},
}
UNIT_NAMES = tuple(unit for group in UNITS.values() for unit in group)


@dataclass(frozen=True)
class Part:
    """What one setting may be. `kind` decides how it is read and shown."""

    kind: str  # columns, column, new, news, text, choice, number, pairs, expression, test …
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    optional: bool = False


def part(kind: str, default: Any = dataclasses.MISSING, **facts: Any) -> Any:
    """A setting; with a default it may be left out."""
    described = Part(kind, **facts)
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata={"part": described})
    return dataclasses.field(default=default, metadata={"part": described})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule. `id` names it in counts, statistics and differences; `on` false leaves it out."""

    id: str
    on: bool = True


@dataclass(frozen=True, kw_only=True)
class Trim(Rule):
    columns: tuple[str, ...] = part("columns")


@dataclass(frozen=True, kw_only=True)
class Collapse(Rule):
    columns: tuple[str, ...] = part("columns")


@dataclass(frozen=True, kw_only=True)
class Case(Rule):
    columns: tuple[str, ...] = part("columns")
    to: str = part("choice", "lower", choices=("lower", "upper", "title"))


@dataclass(frozen=True, kw_only=True)
class Email(Rule):
    columns: tuple[str, ...] = part("columns")
    otherwise: str = part("choice", KEEP, choices=OTHERWISE)


@dataclass(frozen=True, kw_only=True)
class Phone(Rule):
    columns: tuple[str, ...] = part("columns")
    country: str = part("country")
    otherwise: str = part("choice", KEEP, choices=OTHERWISE)


@dataclass(frozen=True, kw_only=True)
class Country(Rule):
    columns: tuple[str, ...] = part("columns")
    otherwise: str = part("choice", KEEP, choices=OTHERWISE)


@dataclass(frozen=True, kw_only=True)
class Date(Rule):
    columns: tuple[str, ...] = part("columns")
    style: str = part("choice", "iso", choices=tuple(FORMATS))
    zone: str = part("zone", "UTC")
    otherwise: str = part("choice", KEEP, choices=OTHERWISE)


@dataclass(frozen=True, kw_only=True)
class Units(Rule):
    column: str = part("column")
    to: str = part("choice", choices=UNIT_NAMES)
    usual: str = part("choice", "", choices=("", *UNIT_NAMES))
    otherwise: str = part("choice", KEEP, choices=OTHERWISE)


@dataclass(frozen=True, kw_only=True)
class Currency(Rule):
    amount: str = part("column")
    currency: str = part("column")
    date: str = part("column", "", optional=True)
    to: str = part("currency")
    otherwise: str = part("choice", QUARANTINE, choices=(KEEP, QUARANTINE))


@dataclass(frozen=True, kw_only=True)
class Deduplicate(Rule):
    columns: tuple[str, ...] = part("columns")
    keep: str = part("choice", "first", choices=("first", "last"))


@dataclass(frozen=True, kw_only=True)
class Outliers(Rule):
    column: str = part("column")
    method: str = part("choice", "mad", choices=("mad", "iqr"))
    width: float = part("number", 5.0, low=0.5, high=100)
    action: str = part("choice", "flag", choices=("flag", "clip", QUARANTINE))


@dataclass(frozen=True, kw_only=True)
class Impute(Rule):
    column: str = part("column")
    method: str = part("choice", "median", choices=("constant", "median", "mode"))
    value: str = part("text", "")
    group: str = part("column", "", optional=True)


@dataclass(frozen=True, kw_only=True)
class Map(Rule):
    column: str = part("column")
    table: tuple[tuple[str, str], ...] = part("pairs")
    otherwise: str = part("choice", KEEP, choices=OTHERWISE)


@dataclass(frozen=True, kw_only=True)
class Fill(Rule):
    column: str = part("column")
    other: str = part("column", "", optional=True)
    value: str = part("text", "")


@dataclass(frozen=True, kw_only=True)
class Split(Rule):
    column: str = part("column")
    separator: str = part("text")
    into: tuple[str, ...] = part("news")


@dataclass(frozen=True, kw_only=True)
class Rename(Rule):
    column: str = part("column")
    to: str = part("new")


@dataclass(frozen=True, kw_only=True)
class Derive(Rule):
    column: str = part("new")
    expression: str = part("expression")
    node: expressions.Node = dataclasses.field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class DropRows(Rule):
    where: str = part("test")
    node: expressions.Node = dataclasses.field(repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class DropColumns(Rule):
    columns: tuple[str, ...] = part("columns")


KINDS: dict[str, type[Rule]] = {
    "trim": Trim,
    "collapse": Collapse,
    "case": Case,
    "email": Email,
    "phone": Phone,
    "country": Country,
    "date": Date,
    "units": Units,
    "currency": Currency,
    "deduplicate": Deduplicate,
    "outliers": Outliers,
    "impute": Impute,
    "fill": Fill,
    "map": Map,
    "split": Split,
    "rename": Rename,
    "derive": Derive,
    "drop_rows": DropRows,
    "drop_columns": DropColumns,
}
NAMES = {cls: name for name, cls in KINDS.items()}


@dataclass(frozen=True)
class Recipe:
    """Rules in the order in which they are applied."""

    rules: tuple[Rule, ...] = ()

    @property
    def active(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.on)

    @property
    def needs_file(self) -> bool:
        """Whether a rule must see the whole file before the first row can be cleaned."""
        return any(needs_file(rule) for rule in self.active)


def needs_file(rule: Rule) -> bool:
    """Whether a rule asks for figures of the whole file."""
    if isinstance(rule, Impute):
        return rule.method != "constant"
    return isinstance(rule, Deduplicate | Outliers)


def parts_of(kind: type[Rule]) -> dict[str, Part]:
    """The settings of a kind of rule, by name, in order."""
    return {
        field.name: field.metadata["part"]
        for field in dataclasses.fields(kind)
        if "part" in field.metadata
    }


def default_of(kind: type[Rule], name: str) -> Any:
    """What a setting is when it is left out; MISSING where it may not be."""
    return next(f.default for f in dataclasses.fields(kind) if f.name == name)


def reads(rule: Rule) -> tuple[str, ...]:
    """The columns a rule looks at."""
    found: dict[str, None] = {}
    for name, described in parts_of(type(rule)).items():
        value = getattr(rule, name)
        if described.kind == "column" and value:
            found.setdefault(value)
        elif described.kind == "columns":
            found.update(dict.fromkeys(value))
    if isinstance(rule, Derive | DropRows):
        found.update(dict.fromkeys(expressions.names_of(rule.node)))
    return tuple(found)


def makes(rule: Rule) -> tuple[str, ...]:
    """The columns a rule makes beside those it reads."""
    if isinstance(rule, Rename):
        return (rule.to,)
    if isinstance(rule, Split):
        return rule.into
    if isinstance(rule, Derive):
        return (rule.column,)
    if isinstance(rule, Outliers) and rule.action == "flag":
        return (f"{rule.column}_outlier",)
    if isinstance(rule, Currency):
        return (f"original_{rule.amount}", f"original_{rule.currency}", f"rate_{rule.amount}")
    return ()


def to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as JSON that parses to the same recipe."""

    def plain(value: Any) -> Any:
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    return {
        "rules": [
            {"id": rule.id, "rule": NAMES[type(rule)]}
            | ({} if rule.on else {"on": False})
            | {name: plain(getattr(rule, name)) for name in parts_of(type(rule))}
            for rule in recipe.rules
        ]
    }
