"""A recipe is refused with the path of its first fault, and written as it was read."""

import pytest

from ingestion.preprocess.recipe import nodes, parsing


def fault(body):
    with pytest.raises(parsing.Faulty) as caught:
        parsing.parse(body)
    return caught.value.path, caught.value.code


def one(**rule):
    return {"rules": [{"id": "a", "rule": "trim", "columns": ["x"]}, {"id": "b"} | rule]}


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ([], "", "not_an_object"),
        ({"rules": {}}, "rules", "not_a_list"),
        ({"rules": [], "more": 1}, "more", "unknown_setting"),
        (one(rule="explode"), "rules[1].rule", "unknown_rule"),
        (one(rule="trim"), "rules[1].columns", "missing"),
        (one(rule="trim", columns=[]), "rules[1].columns", "missing"),
        (one(rule="trim", columns=["a", "a"]), "rules[1].columns[1]", "name_twice"),
        (one(rule="trim", columns=[7]), "rules[1].columns[0]", "not_text"),
        (one(rule="trim", columns=["a"], loud=True), "rules[1].loud", "unknown_setting"),
        (one(rule="trim", columns=["a"], on=1), "rules[1].on", "not_yes_or_no"),
        (one(rule="case", columns=["a"], to="camel"), "rules[1].to", "not_a_choice"),
        (one(rule="phone", columns=["a"], country="XX"), "rules[1].country", "bad_country"),
        (one(rule="phone", columns=["a"], country=[]), "rules[1].country", "bad_country"),
        (one(rule="date", columns=["a"], zone="Mars/Base"), "rules[1].zone", "bad_zone"),
        (one(rule="currency", amount="a", currency="b", to="eur"), "rules[1].to", "bad_currency"),
        (one(rule="units", column="a", to="kg", usual="ml"), "rules[1].usual", "units_differ"),
        (one(rule="outliers", column="a", width=1e9), "rules[1].width", "out_of_range"),
        (one(rule="outliers", column="a", width=float("nan")), "rules[1].width", "out_of_range"),
        (one(rule="outliers", column="a", width=10**400), "rules[1].width", "out_of_range"),
        (one(rule="impute", column="a", method="constant"), "rules[1].value", "missing"),
        (one(rule="map", column="a", table=[["x"]]), "rules[1].table[0]", "not_a_pair"),
        (one(rule="map", column="a", table=[["x", "\0"]]), "rules[1].table[0][1]", "bad_sign"),
        (
            one(rule="derive", column="a", expression="1 +"),
            "rules[1].expression",
            "expression_cut_off",
        ),
        (one(rule="drop_rows", where="1 + 1"), "rules[1].where", "not_a_test"),
        ({"rules": [{"id": "a", "rule": "trim", "columns": ["x"]}] * 2}, "rules[1].id", "id_twice"),
        ({"rules": [{"id": "A b", "rule": "trim", "columns": ["x"]}]}, "rules[0].id", "bad_id"),
        ({"rules": [{}] * 61}, "rules", "too_many"),
    ],
)
def test_a_fault_is_told_with_its_path(body, path, code):
    assert fault(body) == (path, code)


def test_a_recipe_is_written_as_it_was_read(every_rule):
    rules = [{"id": f"r{i}"} | rule for i, rule in enumerate(every_rule)]
    recipe = parsing.parse({"rules": rules})
    assert parsing.parse(nodes.to_json(recipe)) == recipe


def test_the_expression_of_a_rule_names_the_columns_it_reads():
    rule = parsing.parse_rule(
        {"id": "a", "rule": "derive", "column": "x", "expression": "[Unit price] * quantity + 1"}
    )
    assert nodes.reads(rule) == ("Unit price", "quantity")
    assert nodes.makes(rule) == ("x",)
