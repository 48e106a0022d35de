"""What was written by others is text in a spreadsheet, and comes back from one as it was."""

import re

import pytest

from marketing.core.cells import plain_cell, safe_cell
from tests.core.test_defences import CODE, ROOT

# Numbers and words of our own alone; or for machines, which read text as text.
WITHOUT = {
    "campaigns/ads/figures.py",  # keys, which begin with a letter or a digit, and sums
    "campaigns/benchmarks/ads_process.py",
    "ingestion/preprocess/parquet.py",  # from one format into another, on the way in
    "models_ml/views/cohorts.py",
}


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+44", "+44"),
        ("-1.5", "-1.5"),
        ("\tx", "'\tx"),
        ("＝1", "'＝1"),
        (" =1", "' =1"),
        ("a=1", "a=1"),
    ],
)
def test_numbers_stay_numbers_and_formulas_become_text(cell, safe) -> None:
    assert safe_cell(cell) == safe


@pytest.mark.parametrize(
    "cell",
    ["=1", "+44 20", "-5", "-5+x", "@a", "'x", "''", "'=1", "\tx", "＝1", " =1", "plain", "", "'"],
)
def test_what_was_made_harmless_comes_back_as_it_was(cell) -> None:
    assert plain_cell(safe_cell(cell)) == cell


def test_whoever_writes_a_table_for_people_makes_its_cells_harmless() -> None:
    writes = re.compile(r"\bcsv\.(?:writer|DictWriter)\b")
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in CODE}
    writers = {place for place, text in texts.items() if writes.search(text)}
    assert {place for place in writers if "safe_cell" not in texts[place]} == WITHOUT
