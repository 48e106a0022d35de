"""What measurements printed becomes the table of docs/performance.md and its drawings."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "performance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "images").mkdir()
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return module


def line(n: int, value: float, **more: Any) -> str:
    limit = {"what": "bare COPY", "value": 2 * value}
    return json.dumps(
        {"name": "rows", "n": n, "value": value, "unit": "rows/s", "limit": limit, **more}
    )


def test_the_largest_size_stands_in_the_table_and_three_sizes_are_drawn(page: ModuleType) -> None:
    kept: dict[str, Any] = {}
    page.keep(["noise", line(100, 50.0)], kept, busy=True)
    page.keep([line(400, 40.0, ratio=0.5)], kept, busy=False)
    assert page.growth(kept) == []
    page.keep([line(200, 50.0)], kept, busy=True)
    assert kept["rows"]["sizes"] == {"100": [2.0, 1.0], "200": [4.0, 2.0], "400": [10.0, 5.0]}
    row = page.table(kept)[2]
    assert row.startswith("| `rows`, n = 400 | 40 rows/s | bare COPY 80 | 0.5 |")
    assert "busy" not in row
    assert page.growth(kept) == ["![Seconds of rows against rows](images/rows-growth.svg)"]
    drawn = (page.FOLDER / "images" / "rows-growth.svg").read_text()
    assert "the limit" in drawn
    assert ">400<" in drawn


def test_what_is_no_time_of_many_is_not_drawn(page: ModuleType) -> None:
    kept: dict[str, Any] = {}
    for n in (100, 200, 400):
        page.keep([line(n, 0.5, unit="AUC")], kept, busy=False)
    assert page.growth(kept) == []
