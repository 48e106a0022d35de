"""Any text, any JSON, any columns: refused in words or answered, and no row is ever lost.

FUZZ_EXAMPLES=10000000 goes on until it is stopped.
"""

import os

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.preprocess.recipe import expressions, nodes, parsing
from ingestion.preprocess.recipe.applying import Context, apply, gather
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.functions import FUNCTIONS
from ingestion.preprocess.recipe.measures import Rates
from ingestion.preprocess.recipe.statistics import Gathering
from ingestion.preprocess.texts import column_of

LONG = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

WORDS = '<= >= != and or not in true a b [a b] "x" \'2024-02-29\' 1 0 2.5 99999999999999999999 ""'
TOKENS = st.sampled_from([*FUNCTIONS, *"+-*/&=<>(),", *WORDS.split(), "[a b]", " "])
SOURCES = st.one_of(
    st.lists(TOKENS, max_size=25).map(" ".join),
    st.recursive(
        st.sampled_from(["a", "b", "1", "0.5", '"x"', '"2024-01-31"', "true", "[a b]"]),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from([*"+-*/&=<", "and", "or"]), inner).map(" ".join),
            st.tuples(
                st.sampled_from(list(FUNCTIONS)), st.lists(inner, min_size=1, max_size=3)
            ).map(lambda call: f"{call[0]}({', '.join(call[1])})"),
            inner.map(lambda text: f"({text})"),
            inner.map(lambda text: f"-{text}"),
        ),
        max_leaves=12,
    ),
    st.text(max_size=60),
)
CELLS = st.one_of(
    st.sampled_from(["", " ", "0", "-1", "1e9", "1.234,56", "2024-02-29", "9999-12-31T23:59:59Z"])
    | st.sampled_from(["0001-01-01", "é@x.org", "+44 20 7946 0958", "GB", "5 kg", "EUR", "yes"]),
    st.text(max_size=12),
    st.integers(-(10**30), 10**30).map(str),
)
NAMES = st.sampled_from(["a", "b", "c", "a b", ""])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | NAMES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def _of(part):
    match part.kind:
        case "columns" | "news":
            return st.lists(NAMES, min_size=1, max_size=3, unique=True)
        case "column" | "new":
            return NAMES
        case "choice":
            return st.sampled_from(part.choices)
        case "number":
            return st.floats(part.low, part.high)
        case "pairs":
            return st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=3)
        case "country":
            return st.sampled_from(["GB", "CN", "US", "AQ"])
        case "currency":
            return st.sampled_from(["EUR", "GBP"])
        case "zone":
            return st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"])
        case "expression" | "test":
            return SOURCES
        case _:
            return CELLS


def _rule(name):
    parts = nodes.parts_of(nodes.KINDS[name])
    body = {"rule": st.just(name), "id": st.sampled_from([f"r{i}" for i in range(9)])}
    body |= {
        field: st.one_of(_of(part), _of(part), _of(part), ANYTHING) for field, part in parts.items()
    }
    return st.fixed_dictionaries(body)


RULES = st.sampled_from(list(nodes.KINDS)).flatmap(_rule)
RECIPES = st.lists(RULES | ANYTHING, max_size=4).map(lambda rules: {"rules": rules}) | ANYTHING
TABLES = st.integers(0, 8).flatmap(
    lambda rows: st.fixed_dictionaries(
        {name: st.lists(CELLS, min_size=rows, max_size=rows) for name in ("a", "b", "a b")}
    )
)
READINGS = st.builds(
    Reading, st.sampled_from(".,"), st.sampled_from(["iso", "dmy", "mdy", "ymd", "epoch"])
)


@LONG
@given(SOURCES, READINGS, st.lists(CELLS, min_size=3, max_size=3))
@example("year(a)", Reading(), ["9999-12-31T23:59:59Z", "", ""])
def test_any_expression_is_refused_or_computed(source, reading, cells):
    try:
        node = expressions.parse(source)
    except expressions.Wrong as wrong:
        place = wrong.at
        node = None
    if node is None:
        assert 1 <= place <= len(source) + 1
        return
    names = expressions.names_of(node)
    row = (cells * (len(names) // 3 + 1))[: len(names)]
    text = reading.write(expressions.compile_(node, names, reading)(row))
    assert isinstance(text, str)
    assert len(text) <= 10_100


@LONG
@given(RECIPES, TABLES, READINGS)
def test_any_recipe_is_refused_or_applied_and_every_row_is_accounted_for(body, table, reading):
    try:
        recipe = parsing.parse(body)
    except parsing.Faulty:
        return
    assert parsing.parse(nodes.to_json(recipe)) == recipe
    columns = {name: column_of(texts) for name, texts in table.items()}
    rows = len(table["a"])
    lines = np.arange(2, rows + 2)
    rates = Rates.of([("EUR", "GBP", "2020-01-01", "0.9")])
    gathering = Gathering(recipe, reading)
    gather(recipe, columns, lines, gathering, Context(reading, rates))
    for known in (None, gathering.finish()):
        done = apply(recipe, columns, lines, Context(reading, rates, known))
        assert len(done.keep) + done.left_out + done.duplicates + len(done.faults) == rows
        for column in done.columns.values():
            assert len(column.codes) == len(done.keep)
            assert all(0 <= code < len(column.texts) for code in column.codes.tolist())
