"""The language of “derive” and “drop”: arithmetic, texts, comparisons, dates. Typed, and no eval.

    round(unit_price * quantity, 2)     [Country of order] & "-" & left(sku, 2)
    if(country in ("GB", "IE"), "home", "abroad")     quantity < 1 or starts(sku, "TEST")

A column is a text; where a number, a moment or a yes/no is needed its text is read as one. Names
with spaces stand in square brackets. A text that cannot be read is no value, and so is everything
made of it, except by `if`, `coalesce`, `empty`, `concat`, and, or, not.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from ingestion.preprocess import values
from ingestion.preprocess.recipe.functions import (
    ANY,
    FUNCTIONS,
    MOMENT,
    NUMBER,
    OPERATORS,
    TEXT,
    TRUTH,
    Function,
)

LONGEST = 2_000
DEEPEST = 40
MOST_PARTS = 300

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,30}(?:\.\d{1,20})?)"
    r"|(?P<text>\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*')"
    r"|\[(?P<quoted>[^\[\]]{1,100})\]"
    r"|(?P<name>[^\W\d]\w{0,99})"
    r"|(?P<sign><=|>=|!=|<>|==|[-+*/&=<>(),]))"
)
_WORDS = {"and", "or", "not", "in", "true", "false"}
_COMPARED = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">"}
_COMPARED[">="] = ">="


class Wrong(Exception):
    """An expression that cannot be read; `at` counts characters from 1."""

    def __init__(self, code: str, at: int, **facts: Any) -> None:
        super().__init__(code)
        self.code, self.at, self.facts = code, at, facts


@dataclass(frozen=True)
class Literal:
    """A value written in the expression."""

    value: Any
    type: str


@dataclass(frozen=True)
class Name:
    """A column."""

    name: str
    type: str = TEXT


@dataclass(frozen=True)
class Apply:
    """A function or operator and what it is given."""

    function: str
    arguments: tuple["Node", ...]
    type: str


@dataclass(frozen=True)
class Read:
    """A text taken as another type, or a value written as a text."""

    node: "Node"
    type: str


Node = Literal | Name | Apply | Read


@dataclass(frozen=True)
class Reading:
    """How numbers and dates are written in the texts of a file."""

    decimal: str = "."
    date_style: str = "iso"
    zone: tzinfo = UTC

    def number(self, text: str) -> Decimal | None:
        return values.plain_number(text, self.decimal)

    def moment(self, text: str) -> datetime | None:
        found, fault = values.moment(text, self.date_style, self.zone)
        return None if fault or found is None else found.astimezone(self.zone)

    def write(self, value: Any) -> str:
        """A value as a text that the same reading understands."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, Decimal):
            text = f"{value:f}"
            if "." in text:
                text = text.rstrip("0").rstrip(".")
            return text.replace(".", self.decimal) if text != "-0" else "0"
        if isinstance(value, datetime):
            return value.isoformat(timespec="seconds")
        return str(value)


def parse(text: str) -> Node:
    """The expression as a typed tree, or Wrong."""
    if len(text) > LONGEST:
        raise Wrong("expression_long", LONGEST, limit=LONGEST)
    return _Parser(text).parse()


def parse_test(text: str) -> Node:
    """An expression that is a yes or no."""
    node = parse(text)
    if node.type not in (TRUTH, TEXT):
        raise Wrong("not_a_test", 1)
    return as_type(node, TRUTH)


def names_of(node: Node) -> tuple[str, ...]:
    """The columns it reads, in the order in which they appear."""
    found: dict[str, None] = {}

    def walk(node: Node) -> None:
        if isinstance(node, Name):
            found.setdefault(node.name)
        elif isinstance(node, Read):
            walk(node.node)
        elif isinstance(node, Apply):
            for argument in node.arguments:
                walk(argument)

    walk(node)
    return tuple(found)


def as_type(node: Node, type_: str) -> Node:
    """The node as this type: itself where it is one."""
    if type_ in (ANY, node.type):
        return node
    if node.type in (ANY, TEXT) or type_ == TEXT:
        return Read(node, type_)
    raise Wrong("wrong_type", 1, found=node.type, wanted=type_)


def compile_(node: Node, names: Sequence[str], reading: Reading) -> Callable[[Sequence[str]], Any]:
    """A function from the texts of `names` to the value."""
    place = {name: index for index, name in enumerate(names)}
    return _compile(node, place, reading)


def _compile(
    node: Node, place: Mapping[str, int], reading: Reading
) -> Callable[[Sequence[str]], Any]:
    if isinstance(node, Literal):
        value = node.value
        return lambda row: value
    if isinstance(node, Name):
        index = place[node.name]
        return lambda row: row[index]
    if isinstance(node, Read):
        return _compile_read(node, place, reading)
    function: Function = OPERATORS.get(node.function) or FUNCTIONS[node.function]
    parts = [_compile(argument, place, reading) for argument in node.arguments]
    call = function.call
    if function.strict:

        def strictly(row: Sequence[str]) -> Any:
            given = [part(row) for part in parts]
            return None if None in given else call(*given)

        return strictly
    return lambda row: call(*[part(row) for part in parts])


def _compile_read(
    node: Read, place: Mapping[str, int], reading: Reading
) -> Callable[[Sequence[str]], Any]:
    inner, type_ = _compile(node.node, place, reading), node.type
    readers: dict[str, Callable[[str], Any]] = {
        NUMBER: reading.number,
        MOMENT: reading.moment,
        TRUTH: lambda text: values.flag(text)[0],
        TEXT: lambda text: text,
    }
    python = {NUMBER: Decimal, MOMENT: datetime, TRUTH: bool, TEXT: str}[type_]
    reader = readers[type_]

    def read(row: Sequence[str]) -> Any:
        value = inner(row)
        if value is None or isinstance(value, python):
            return value
        if type_ == TEXT:
            return reading.write(value)
        return reader(value) if isinstance(value, str) else None

    return read


class _Parser:
    """Recursive descent over tokens; depth and size are bounded."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        self.index, self.depth, self.parts = 0, 0, 0
        position, end = 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                at = position + len(text[position:]) - len(text[position:].lstrip())
                raise Wrong("unexpected_sign", at + 1, sign=text[at : at + 1])
            kind = found.lastgroup or ""
            self.tokens.append((kind, found.group(kind), found.start(kind) + 1))
            position = found.end()
        self.tokens.append(("end", "", len(text) + 1))

    def parse(self) -> Node:
        if self.tokens[0][0] == "end":
            raise Wrong("expression_empty", 1)
        node = self._or()
        kind, text, at = self.tokens[self.index]
        if kind != "end":
            raise Wrong("unexpected_sign", at, sign=text)
        return node

    def _take(self, *signs: str) -> tuple[str, int] | None:
        kind, text, at = self.tokens[self.index]
        if kind in ("sign", "name") and text.lower() in signs:
            self.index += 1
            return text.lower(), at
        return None

    def _need(self, sign: str) -> None:
        if self._take(sign) is None:
            _, text, at = self.tokens[self.index]
            raise Wrong("sign_missing", at, sign=sign, found=text)

    def _make(self, name: str, function: Function, given: list[Node], at: int) -> Node:
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Wrong("expression_large", at)
        if len(given) < function.least or (len(given) > len(function.takes) and not function.more):
            raise Wrong("argument_count", at, name=name, wanted=len(function.takes))
        takes = [function.takes[min(i, len(function.takes) - 1)] for i in range(len(given))]
        try:
            typed = tuple(as_type(node, type_) for node, type_ in zip(given, takes, strict=True))
        except Wrong as fault:
            raise Wrong(fault.code, at, **fault.facts) from None
        gives = function.gives
        if gives == ANY:
            results = {node.type for node in typed[1 if name == "if" else 0 :]}
            gives = results.pop() if len(results) == 1 else ANY
        return Apply(name, typed, gives)

    def _chain(self, below: Callable[[], Node], *signs: str) -> Node:
        node = below()
        while found := self._take(*signs):
            node = self._make(found[0], OPERATORS[found[0]], [node, below()], found[1])
            self._deepen(found[1])
        return node

    def _deepen(self, at: int) -> None:
        # A long chain nests to the left, so its length counts as depth for whoever walks it.
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Wrong("expression_large", at)

    def _or(self) -> Node:
        return self._chain(self._and, "or")

    def _and(self) -> Node:
        return self._chain(self._not, "and")

    def _not(self) -> Node:
        found = self._take("not")
        if found is None:
            return self._compared()
        self._enter(found[1])
        node = self._make("not", OPERATORS["not"], [self._not()], found[1])
        self.depth -= 1
        return node

    def _enter(self, at: int) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Wrong("expression_deep", at, limit=DEEPEST)

    def _compared(self) -> Node:
        node = self._joined()
        if found := self._take("in"):
            self._need("(")
            options = [self._or()]
            while self._take(","):
                options.append(self._or())
            self._need(")")
            if node.type != TEXT:
                options = [self._alike(node, option, found[1]) for option in options]
            return self._make("in", OPERATORS["in"], [node, *options], found[1])
        if found := self._take(*_COMPARED):
            name, at = _COMPARED[found[0]], found[1]
            other = self._joined()
            node, other = self._alike(other, node, at), self._alike(node, other, at)
            function = OPERATORS[name]
            if node.type == MOMENT:
                function = Function((MOMENT, MOMENT), TRUTH, function.call)
            return self._make(name, function, [node, other], at)
        return node

    def _alike(self, model: Node, node: Node, at: int) -> Node:
        """A text compared with a number, moment or yes/no is read as one."""
        if model.type in (TEXT, ANY) or node.type == model.type:
            return node
        if node.type not in (TEXT, ANY):
            raise Wrong("wrong_type", at, found=node.type, wanted=model.type)
        return Read(node, model.type)

    def _joined(self) -> Node:
        return self._chain(self._sum, "&")

    def _sum(self) -> Node:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Node:
        return self._chain(self._signed, "*", "/")

    def _signed(self) -> Node:
        found = self._take("-")
        if found is None:
            return self._primary()
        self._enter(found[1])
        node = self._make("negative", OPERATORS["negative"], [self._signed()], found[1])
        self.depth -= 1
        return node

    def _primary(self) -> Node:
        kind, text, at = self.tokens[self.index]
        self.index += 1
        if kind == "number":
            return Literal(Decimal(text), NUMBER)
        if kind == "text":
            return Literal(text[1:-1].replace(text[0] * 2, text[0]), TEXT)
        if kind == "quoted":
            return Name(text.strip())
        if kind == "sign" and text == "(":
            self._enter(at)
            node = self._or()
            self._need(")")
            self.depth -= 1
            return node
        if kind == "name":
            return self._named(text, at)
        self.index -= 1
        if kind == "end":
            raise Wrong("expression_cut_off", at)
        raise Wrong("unexpected_sign", at, sign=text)

    def _named(self, text: str, at: int) -> Node:
        word = text.lower()
        if word in ("true", "false"):
            return Literal(word == "true", TRUTH)
        if self.tokens[self.index][1] != "(" or self.tokens[self.index][0] != "sign":
            if word in _WORDS:
                raise Wrong("unexpected_sign", at, sign=text)
            return Name(text)
        if word not in FUNCTIONS:
            raise Wrong("unknown_function", at, name=text)
        self.index += 1
        self._enter(at)
        given: list[Node] = []
        if not self._take(")"):
            given.append(self._or())
            while self._take(","):
                given.append(self._or())
            self._need(")")
        self.depth -= 1
        return self._make(word, FUNCTIONS[word], given, at)
