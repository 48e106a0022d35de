"""What the documents name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
APPS = ("campaigns/", "ingestion/", "marketing/", "models_ml/", "recommendations/", "templates/",
        "tests/", "docs/", "locale/")  # fmt: skip
TREE = "".join(f"/{path}\n" for app in APPS for path in (ROOT / app).rglob("*.*"))
NOWHERE = {"utils.py"}  # which is not to be


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_folder_that_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"`([\w./-]+)`", page.read_text())
    ours = [path for path in named if path.startswith(APPS)]
    # A page about tests names them by their place in the tests.
    gone = [path for path in ours if not any((at / path).exists() for at in (ROOT, ROOT / "tests"))]
    assert gone == []
    # And one about a folder names what is in it without the way there.
    short = {path.lstrip("/") for path in named if path.endswith((".py", ".html", ".css", ".js"))}
    assert {p for p in short if f"/{p}\n" not in TREE and not (ROOT / p).exists()} <= NOWHERE


def test_every_room_of_an_app_is_on_the_map() -> None:
    told = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([\w/]+?)/?`", told))
    rooms = {path.parent for app in APPS[:5] for path in (ROOT / app).glob("*/__init__.py")}
    ours = {room.name for room in rooms if room.parent.name != "marketing"}
    assert ours - named == {"migrations", "models", "views"}


def test_every_setting_and_every_command_stands_on_the_operators_page() -> None:
    settings = (ROOT / "marketing" / "settings.py").read_text()
    told = (ROOT / "docs" / "operations.md").read_text()
    names = set(re.findall(r'(?:env\.\w+|_url)\(\s*"([A-Z_]+)"', settings))
    assert len(names) > 40
    assert sorted(name for name in names if f"`{name}" not in told) == []
    commands = (ROOT / "marketing" / "management" / "commands").glob("[a-z]*.py")
    assert sorted(path.stem for path in commands if path.stem not in told) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", page.read_text())
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    inside = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in inside if not (page.parent / link).exists()] == []
