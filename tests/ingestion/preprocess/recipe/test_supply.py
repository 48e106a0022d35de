"""Which columns a recipe fills is known before it runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.preprocess.recipe import nodes, parsing
from ingestion.preprocess.recipe.applying import Context, apply
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.supply import filled, with_named
from ingestion.preprocess.texts import column_of
from tests.ingestion.preprocess.recipe.test_fuzz import LONG, RULES


def recipe(*rules: dict) -> nodes.Recipe:
    return parsing.parse({"rules": [{"id": f"r{n}"} | rule for n, rule in enumerate(rules)]})


def derive(column: str, expression: str) -> dict:
    return {"rule": "derive", "column": column, "expression": expression}


@pytest.mark.parametrize(
    ("rule", "made"),
    [
        (derive("x", '"EUR"'), True),
        (derive("x", "upper(a)"), True),
        (derive("x", "upper(missing)"), False),
        (derive("x", 'coalesce(missing, "EUR")'), True),
        ({"rule": "fill", "column": "x", "value": "EUR"}, True),
        ({"rule": "fill", "column": "x", "other": "a"}, True),
        ({"rule": "fill", "column": "x", "other": "missing"}, False),
        ({"rule": "impute", "column": "x", "method": "constant", "value": "1"}, True),
        ({"rule": "impute", "column": "x", "method": "median"}, False),
        ({"rule": "rename", "column": "a", "to": "x"}, True),
        ({"rule": "rename", "column": "missing", "to": "x"}, False),
        ({"rule": "split", "column": "a", "separator": "-", "into": ["y", "x"]}, True),
        ({"rule": "split", "column": "missing", "separator": "-", "into": ["x"]}, False),
        ({"rule": "trim", "columns": ["x"]}, False),
        ({**derive("x", '"EUR"'), "on": False}, False),
    ],
)
def test_a_rule_fills_a_column_if_it_has_something_to_make_it_of(rule, made) -> None:
    assert ("x" in filled(recipe(rule), ["a"])) == made


def test_a_column_that_is_moved_or_taken_out_again_is_not_filled() -> None:
    made = derive("x", "1")
    assert "x" not in filled(recipe(made, {"rule": "drop_columns", "columns": ["x"]}), [])
    assert filled(recipe(made, {"rule": "rename", "column": "x", "to": "y"}), []) == {"y"}


def test_rules_read_columns_of_the_file_by_their_own_names() -> None:
    rules = recipe(derive("x", "[Size of order] & a"))
    assert with_named(rules, {"a": 1}, ["Size of order", "b"]) == {"a": 1, "Size of order": 0}


@LONG
@given(
    st.lists(RULES, max_size=4),
    st.dictionaries(
        st.sampled_from(["a", "b", "a b"]), st.sampled_from(["", "x", "5", "2024-01-01"])
    ),
)
def test_no_other_column_is_ever_filled(rules, row) -> None:
    try:
        made = parsing.parse({"rules": rules})
    except parsing.Faulty:
        return
    columns = {name: column_of([text]) for name, text in row.items()}
    done = apply(made, columns, np.array([2]), Context(Reading()))
    have = filled(made, columns)
    for name, column in done.columns.items():
        assert name in have or not any(text.strip() for text in column.texts), name
