"""Every class in the stylesheets is worn by something: a page, a script, or code that makes one."""

import os
import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
STYLES = ROOT / "marketing/static/css"
ROOMS = ("templates", "marketing", "ingestion", "models_ml", "recommendations", "campaigns")
ELSEWHERE = {"vendor", "migrations", "benchmarks", "algorithms", "__pycache__"}
NAME = re.compile(r"-?[A-Za-z_][\w-]*")
# Names that stand nowhere whole: htmx gives them, or a template ends them with a number.
BUILT = {"htmx-added", "htmx-request", "n1", "n2"}


def styled() -> dict[str, str]:
    """Each class that a rule names, and a stylesheet that does."""
    found = {}
    for sheet in sorted(STYLES.glob("*.css")):
        text = re.sub(
            r"/\*.*?\*/|url\([^)]*\)|\"[^\"]*\"|'[^']*'", "", sheet.read_text(), flags=re.S
        )
        for rule in re.findall(r"([^{};]+)\{", text):
            if not rule.strip().startswith("@"):
                found |= dict.fromkeys(re.findall(r"\.(-?[A-Za-z_][\w-]*)", rule), sheet.name)
    return found


def test_no_class_of_a_stylesheet_is_worn_by_nothing():
    words: set[str] = set()
    for room in ROOMS:
        for folder, below, files in os.walk(ROOT / room):
            below[:] = sorted(set(below) - ELSEWHERE)
            for file in files:
                if file.endswith((".html", ".js", ".py")):
                    words |= set(NAME.findall(Path(folder, file).read_text()))
    rules = styled()
    assert len(rules) > 500
    assert {name: sheet for name, sheet in rules.items() if name not in words | BUILT} == {}
    assert BUILT - rules.keys() == set()
