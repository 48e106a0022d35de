"""What each rule does to a frame: counts, examples, what is left, set aside and left out."""

from decimal import Decimal

import numpy as np
import pytest

from ingestion.preprocess.recipe import nodes, parsing
from ingestion.preprocess.recipe.applying import Context, apply, gather
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.measures import Rates
from ingestion.preprocess.recipe.statistics import Gathering
from ingestion.preprocess.texts import column_of


def run(rules, columns, *, context=None, lines=None):
    if isinstance(rules, dict):
        rules = [rules]
    recipe = parsing.parse({"rules": [{"id": f"r{i}"} | rule for i, rule in enumerate(rules)]})
    rows = len(next(iter(columns.values())))
    lines = np.arange(2, rows + 2) if lines is None else lines
    made = {name: column_of(texts) for name, texts in columns.items()}
    return apply(recipe, made, lines, context or Context())


def texts(applied, name):
    column = applied.columns[name]
    return [column.text(row) for row in range(len(applied.keep))]


def whole(rules, batches, *, reading=None):
    """A file in several batches: looked at as a whole first, then cleaned batch by batch."""
    reading = reading or Reading()
    recipe = parsing.parse({"rules": [{"id": f"r{i}"} | rule for i, rule in enumerate(rules)]})
    pieces, line = [], 2
    for batch in batches:
        rows = len(next(iter(batch.values())))
        made = {n: column_of(t) for n, t in batch.items()}
        pieces.append((made, np.arange(line, line + rows)))
        line += rows
    gathering = Gathering(recipe, reading)
    for columns, lines in pieces:
        gather(recipe, columns, lines, gathering, Context(reading))
    known = gathering.finish()
    context = Context(reading, Rates(), known)
    return [apply(recipe, columns, lines, context) for columns, lines in pieces], known


def test_spaces_and_case_are_counted_by_row_and_shown_by_text():
    done = run(
        [
            {"rule": "collapse", "columns": ["name"]},
            {"rule": "case", "columns": ["name"], "to": "title"},
        ],
        {"name": ["  anna  o'brien ", "  anna  o'brien ", "Bo Li", "MARY-JANE d'arcy's"]},
    )
    assert texts(done, "name") == ["Anna O'Brien", "Anna O'Brien", "Bo Li", "Mary-Jane D'Arcy's"]
    assert [report.rows for report in done.reports.values()] == [2, 3]
    assert done.reports["r0"].examples == [
        {
            "line": 2,
            "before": {"name": "  anna  o'brien "},
            "after": {"name": "anna o'brien"},
        }
    ]


@pytest.mark.parametrize(
    ("otherwise", "left", "aside"),
    [
        ("keep", ["a@b.org", "no"], 0),
        ("empty", ["a@b.org", ""], 0),
        ("quarantine", ["a@b.org"], 1),
    ],
)
def test_an_address_that_is_none_is_kept_emptied_or_set_aside(otherwise, left, aside):
    done = run(
        {"rule": "email", "columns": ["email"], "otherwise": otherwise},
        {"email": [" A@B.org", "no"]},
    )
    assert texts(done, "email") == left
    assert len(done.faults) == aside
    if aside:
        assert done.faults == {1: ("bad_email", "email", "no")}


def test_a_phone_number_without_prefix_is_one_of_the_chosen_country():
    done = run(
        {"rule": "phone", "columns": ["phone"], "country": "GB", "otherwise": "empty"},
        {"phone": ["020 7946 0958", "+49 30 901820", "12", ""]},
    )
    assert texts(done, "phone") == ["+442079460958", "+4930901820", "", ""]
    assert done.reports["r0"].rows == 3


def test_dates_are_read_in_their_form_and_zone_and_written_as_utc():
    done = run(
        {"rule": "date", "columns": ["placed_at"], "style": "dmy", "zone": "Europe/Berlin"},
        {"placed_at": ["31/01/2024 09:30", "2024-13-01", ""]},
    )
    assert texts(done, "placed_at") == ["2024-01-31T08:30:00Z", "2024-13-01", ""]


def test_units_become_numbers_of_one_unit():
    done = run(
        {"rule": "units", "column": "weight", "to": "kg", "usual": "g", "otherwise": "quarantine"},
        {"weight": ["500 g", "0.5kg", "2 lbs", "250", "3 metres", ""]},
    )
    assert texts(done, "weight") == ["0.5", "0.5", "0.907185", "0.25", ""]
    assert done.faults == {4: ("unknown_unit", "weight", "3 metres")}
    dozen = run({"rule": "units", "column": "q", "to": "piece"}, {"q": ["3 dozen", "7"]})
    assert texts(dozen, "q") == ["36", "7"]


@pytest.mark.parametrize("digits", [25, 30, 400])
def test_an_amount_too_large_to_be_converted_is_left_as_it_is(digits):
    rule = {"rule": "units", "column": "weight", "to": "kg"}
    huge = "9" * digits + " kg"
    done = run(rule, {"weight": [huge, "500 g"]})
    assert texts(done, "weight") == [huge, "0.5"]
    aside = run(rule | {"otherwise": "quarantine"}, {"weight": [huge, "500 g"]})
    assert aside.faults == {0: ("unknown_unit", "weight", huge[:80])}


def test_amounts_are_converted_by_the_rate_of_their_day_and_the_original_is_kept():
    rates = Rates.of([("EUR", "GBP", "2024-01-01", "0.90"), ("EUR", "GBP", "2024-02-01", "0.85")])
    done = run(
        {
            "rule": "currency",
            "amount": "unit_price",
            "currency": "currency",
            "date": "placed_at",
            "to": "GBP",
        },
        {
            "unit_price": ["10.00", "10.00", "10.00", "5", "7"],
            "currency": ["EUR", "€", "USD", "", "EUR"],
            "placed_at": ["2024-01-31", "2024-02-01", "2024-02-01", "2024-02-01", "2023-12-31"],
        },
        context=Context(rates=rates),
    )
    assert texts(done, "unit_price") == ["9", "8.5", "5"]
    assert texts(done, "currency") == ["GBP", "GBP", "GBP"]
    assert texts(done, "original_unit_price") == ["10.00", "10.00", "5"]
    assert texts(done, "original_currency") == ["EUR", "€", ""]
    assert done.faults == {2: ("no_rate", "currency", "USD"), 4: ("no_rate", "currency", "EUR")}


def test_the_first_or_last_of_equal_rows_is_kept_over_the_whole_file():
    batches = [
        {"email": ["a", "b", "a"], "n": ["1", "2", "3"]},
        {"email": ["b", "c"], "n": ["4", "5"]},
    ]
    rule = {"rule": "deduplicate", "columns": ["email"]}
    done, _ = whole([rule | {"keep": "first"}], batches)
    assert [texts(part, "n") for part in done] == [["1", "2"], ["5"]]
    assert [part.duplicates for part in done] == [1, 1]
    done, _ = whole([rule | {"keep": "last"}], batches)
    assert [texts(part, "n") for part in done] == [["3"], ["4", "5"]]


@pytest.mark.parametrize(("action", "left"), [("flag", 21), ("clip", 21), ("quarantine", 20)])
def test_a_number_far_outside_is_flagged_clipped_or_set_aside(action, left):
    prices = [str(n) for n in range(90, 110)] + ["1000000"]
    rule = {"rule": "outliers", "column": "p", "method": "mad", "width": 5, "action": action}
    (done,), known = whole([rule], [{"p": prices}])
    # median 100, deviations 0..10 twice each: their median is 5
    assert known.values["r0"] == {"low": "62.93500", "high": "137.06500"}
    assert len(done.keep) == left
    if action == "flag":
        assert texts(done, "p_outlier") == [""] * 20 + ["yes"]
    elif action == "clip":
        assert texts(done, "p")[-1] == "137.065"
    else:
        assert done.faults == {20: ("outlier", "p", "1000000")}


def test_too_few_numbers_are_never_called_unusual():
    rule = {"rule": "outliers", "column": "p", "action": "quarantine"}
    (done,), known = whole([rule], [{"p": ["1", "2", "900"]}])
    assert known.values == {}
    assert len(done.keep) == 3
    assert done.reports["r0"].note == "too_few"


def test_gaps_are_filled_with_the_median_of_their_group():
    rule = {"rule": "impute", "column": "p", "method": "median", "group": "c"}
    (done,), known = whole(
        [rule],
        [{"p": ["1", "3", "", "10", "", ""], "c": ["a", "a", "a", "b", "b", "z"]}],
    )
    assert known.values["r0"] == {"": "3", "=a": "2", "=b": "10"}
    assert texts(done, "p") == ["1", "3", "2", "10", "10", "3"]
    assert done.reports["r0"].rows == 3


def test_the_most_frequent_text_fills_gaps_and_a_tie_is_broken_the_same_way_every_time():
    rule = {"rule": "impute", "column": "c", "method": "mode"}
    (done,), _ = whole([rule], [{"c": ["b", "a", "", "b", "a"]}])
    assert texts(done, "c") == ["b", "a", "a", "b", "a"]


def test_the_figures_do_not_depend_on_how_the_file_is_cut():
    prices = [str(n % 37) for n in range(200)]
    rules = [{"rule": "outliers", "column": "p"}, {"rule": "deduplicate", "columns": ["p"]}]
    _, one = whole(rules, [{"p": prices}])
    _, many = whole(rules, [{"p": prices[i : i + 7]} for i in range(0, 200, 7)])
    assert one.values == many.values
    assert one.twice["r1"].tolist() == many.twice["r1"].tolist() == list(range(39, 202))


def test_rows_for_which_a_test_says_yes_are_left_out_and_no_value_is_no_yes():
    done = run(
        {"rule": "drop_rows", "where": 'quantity < 1 or starts(sku, "TEST")'},
        {"quantity": ["0", "2", "?", "3"], "sku": ["A", "TEST1", "B", "C"]},
    )
    assert done.left_out == 2
    assert texts(done, "sku") == ["B", "C"]
    assert done.reports["r0"].examples[0]["before"] == {"quantity": "0", "sku": "A"}


def test_a_derived_column_says_what_it_was_made_of():
    done = run(
        {"rule": "derive", "column": "unit_price", "expression": "round(total / quantity, 2)"},
        {"total": ["10", "7", "x"], "quantity": ["4", "3", "1"]},
    )
    assert texts(done, "unit_price") == ["2.5", "2.33", ""]
    assert done.reports["r0"].examples[1] == {
        "line": 3,
        "before": {"total": "7", "quantity": "3", "unit_price": ""},
        "after": {"unit_price": "2.33"},
    }


def test_a_number_is_written_in_the_decimal_mark_of_the_file():
    reading = Reading(decimal=",")
    done = run(
        {"rule": "derive", "column": "p", "expression": "p * 1.5"},
        {"p": ["1.000,50"]},
        context=Context(reading),
    )
    assert texts(done, "p") == ["1500,75"]
    assert reading.number("1500,75") == Decimal("1500.75")


def test_split_rename_fill_map_and_columns_taken_out():
    done = run(
        [
            {"rule": "split", "column": "name", "separator": " ", "into": ["first", "last"]},
            {"rule": "rename", "column": "land", "to": "country"},
            {"rule": "fill", "column": "mail", "other": "mail2", "value": "none"},
            {"rule": "map", "column": "size", "table": [["S", "small"]], "otherwise": "empty"},
            {"rule": "drop_columns", "columns": ["name", "mail2"]},
        ],
        {
            "name": ["Ada King Noel", "Bo"],
            "land": ["GB", "DE"],
            "mail": ["", ""],
            "mail2": ["a@b.c", ""],
            "size": ["s", "XXL"],
        },
    )
    assert texts(done, "first") == ["Ada", "Bo"]
    assert texts(done, "last") == ["King Noel", ""]
    assert texts(done, "country") == ["GB", "DE"]
    assert texts(done, "mail") == ["a@b.c", "none"]
    assert texts(done, "size") == ["small", ""]
    assert "name" not in done.columns
    assert "land" not in done.columns


def test_a_rule_that_is_off_does_nothing_and_reports_nothing():
    done = run({"rule": "trim", "columns": ["a"], "on": False}, {"a": [" x "]})
    assert texts(done, "a") == [" x "]
    assert done.reports == {}


def test_an_empty_batch_passes_through_every_rule(every_rule):
    for rule in every_rule:
        done = run(rule, {"a": [], "b": []})
        assert len(done.keep) == 0


def test_a_text_is_read_once_however_often_it_comes(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "ingestion.preprocess.recipe.cells.email",
        lambda text: (calls.append(text), (text, True))[1],
    )
    run({"rule": "email", "columns": ["a"]}, {"a": ["x@y.zz", "x@y.zz", "z@y.zz"] * 1000})
    assert sorted(calls) == ["x@y.zz", "z@y.zz"]


def test_every_kind_of_rule_is_tried_here(every_rule):
    assert {rule["rule"] for rule in every_rule} == set(nodes.KINDS)
