"""One rule of every kind."""

import pytest

EVERY = [
    {"rule": "trim", "columns": ["a"]},
    {"rule": "collapse", "columns": ["a", "b"]},
    {"rule": "case", "columns": ["a"], "to": "upper"},
    {"rule": "email", "columns": ["a"], "otherwise": "quarantine"},
    {"rule": "phone", "columns": ["a"], "country": "CN", "otherwise": "quarantine"},
    {"rule": "country", "columns": ["a"], "otherwise": "empty"},
    {"rule": "date", "columns": ["a"], "style": "epoch", "otherwise": "quarantine"},
    {"rule": "units", "column": "a", "to": "m", "usual": "cm", "otherwise": "empty"},
    {"rule": "currency", "amount": "a", "currency": "b", "to": "EUR"},
    {"rule": "deduplicate", "columns": ["a", "b"], "keep": "last"},
    {"rule": "outliers", "column": "a", "method": "iqr", "action": "quarantine"},
    {"rule": "impute", "column": "a", "method": "mode", "group": "b"},
    {"rule": "fill", "column": "a", "other": "b"},
    {"rule": "map", "column": "a", "table": [["1", "2"]], "otherwise": "quarantine"},
    {"rule": "split", "column": "a", "separator": ",", "into": ["b", "c"]},
    {"rule": "rename", "column": "a", "to": "b"},
    {"rule": "derive", "column": "a", "expression": "coalesce(a, b) & b"},
    {"rule": "drop_rows", "where": "a = b"},
    {"rule": "drop_columns", "columns": ["a"]},
]


@pytest.fixture
def every_rule():
    return EVERY
