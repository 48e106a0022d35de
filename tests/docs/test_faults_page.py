"""What the page of faults says is proved by a test is the name of one in the file beside it."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text()


def pattern(words: str) -> str:
    """The name of a test, given its words; `…` stands for those that were left out."""
    parts = (re.sub(r"\W+", "_", part.strip().lower()).strip("_") for part in words.split("…"))
    return r"def test_" + r"\w*".join(parts)


def test_every_test_that_is_quoted_is_in_the_file_before_it() -> None:
    gone, quoted = [], 0
    for row in PAGE.splitlines():
        at = ""
        for path, words in re.findall(r"`([\w/]+\.py)`|(?<![*\w])\*([^*]+)\*(?!\*)", row):
            at = path or at
            if words and at:
                quoted += 1
                places = (ROOT / "tests" / at, ROOT / "tests" / "campaigns" / at)
                code = next((place.read_text() for place in places if place.is_file()), "")
                if not re.search(pattern(words), code):
                    gone.append(f"{at}: {words}")
    assert gone == []
    assert quoted > 25
