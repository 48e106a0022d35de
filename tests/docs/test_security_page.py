"""Each row of the list of defences names tests, and the tests that it names are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_row_of_the_list_names_a_test_and_every_test_named_is_there() -> None:
    rows = re.findall(r"^\| S(\d+) \|(.*)\|$", PAGE, re.M)
    assert [int(number) for number, _told in rows] == list(range(1, 46))
    gone = []
    for number, told in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", told)
        assert named, f"S{number} names no test"
        for path, name in named:
            code = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
            if not re.search(rf"^(async )?def {name}\(", code, re.M):
                gone.append(f"S{number}: {path}::{name}")
    assert gone == []
