"""The expression language: values, types, refusals with their place."""

import pytest

from ingestion.preprocess.recipe import expressions
from ingestion.preprocess.recipe.expressions import Reading, Wrong, compile_, names_of, parse

READING = Reading()


def value(text, **row):
    node = parse(text)
    names = names_of(node)
    return READING.write(compile_(node, names, READING)([row.get(name, "") for name in names]))


@pytest.mark.parametrize(
    ("text", "row", "result"),
    [
        ("1 + 2 * 3", {}, "7"),
        ("(1 + 2) * 3", {}, "9"),
        ("-2 - -3", {}, "1"),
        ("0.1 + 0.2", {}, "0.3"),
        ("10 / 4", {}, "2.5"),
        ("1 / 0", {}, ""),
        ("round(2.345, 2)", {}, "2.35"),
        ("round(price * 1.2, 2)", {"price": "£1,234.50"}, "1481.4"),
        ("price * 2", {"price": "a lot"}, ""),
        ('"a" & "b" & 3', {}, "ab3"),
        ("'it''s'", {}, "it's"),
        ("[Name of person]", {"Name of person": "Ada"}, "Ada"),
        ('if(n > 9, "many", "few")', {"n": "10"}, "many"),
        ('if(n > 9, "many", "few")', {"n": ""}, "few"),
        ('coalesce(a, b, "none")', {"b": "x"}, "x"),
        ('country in ("GB", "IE")', {"country": "IE"}, "yes"),
        ("n in (1, 2)", {"n": "2"}, "no"),
        ("number(n) in (1, 2)", {"n": "2.0"}, "yes"),
        ('not (a = "x") and b', {"a": "y", "b": "true"}, "yes"),
        ('a < 5 or a = "x"', {"a": "x"}, "yes"),
        ("substring(sku, 2, 3)", {"sku": "ABCDEF"}, "BCD"),
        ("substring(sku, -2)", {"sku": "ABCDEF"}, "EF"),
        ('left(a, 2) & right(a, 1) & before(a, "-") & after(a, "-")', {"a": "xy-z"}, "xyzxyz"),
        ('replace(a, ".", "")', {"a": "1.2.3"}, "123"),
        ("length(trim(a))", {"a": "  x   y "}, "3"),
        ("year(d) & month(d) & weekday(d)", {"d": "2024-02-29"}, "202424"),
        ('days_between(d, "2024-03-01")', {"d": "2024-02-28"}, "2"),
        ('date(d) >= date("2024-01-01")', {"d": "2023-12-31 23:59"}, "no"),
        ("date(d)", {"d": "2024-02-30"}, ""),
        ("min(3, 1, 2) + max(1, 2) + abs(-1) + floor(1.9) + ceil(1.1)", {}, "7"),
        ('title("anna-maria o\'neil")', {}, "Anna-Maria O'Neil"),
        ("999999999999999999999999 * 999999999999999999999999", {}, ""),
    ],
)
def test_values(text, row, result):
    assert value(text, **row) == result


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("", "expression_empty", 1),
        ("1 +", "expression_cut_off", 4),
        ("(1", "sign_missing", 3),
        ("a b", "unexpected_sign", 3),
        ("a ; b", "unexpected_sign", 3),
        ('"open', "unexpected_sign", 1),
        ("eval(1)", "unknown_function", 1),
        ("left(a)", "argument_count", 1),
        ('1 < date("x")', "wrong_type", 3),
        ("year(5)", "wrong_type", 1),
        ("a.b", "unexpected_sign", 2),
        ("__import__('os')", "unknown_function", 1),
        ("-" * 50 + "1", "expression_deep", 41),
        ("(" * 50 + "1" + ")" * 50, "expression_deep", 41),
        ("1" + "+1" * 400, "expression_large", 302),
        ("1" * 2001, "expression_long", 2000),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text, code, at):
    with pytest.raises(Wrong) as caught:
        parse(text)
    assert (caught.value.code, caught.value.at) == (code, at)


def test_a_text_cannot_be_blown_up():
    text = 'replace(a, "x", a)'
    for _ in range(6):
        text = f'replace({text}, "x", a)'
    assert value(text, a="x" * 2000) == ""


def test_the_longest_chain_that_is_read_can_also_be_computed():
    text = "+".join(["1"] * 150)
    assert value(text) == "150"
    assert expressions.MOST_PARTS == 300
