"""What the documents name is there."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

from marketing.management.commands import bench

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
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
    code = (ROOT / "marketing" / "settings.py").read_text()
    told = (ROOT / "docs" / "operations.md").read_text()
    names = set(re.findall(r'(?:env\.\w+|_url)\(\s*"([A-Z_]+)"', code))
    assert len(names) > 40
    assert sorted(name for name in names if f"`{name}" not in told) == []
    commands = (ROOT / "marketing" / "management" / "commands").glob("[a-z]*.py")
    assert sorted(path.stem for path in commands if path.stem not in told) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", page.read_text())
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text)
    inside = [(to, at) for to, at in links if "://" not in to and not to.startswith("mailto:")]
    assert [to for to, _at in inside if not (page.parent / to).exists()] == []
    led = [(page.parent / to if to else page, at) for to, at in inside if at]
    assert [(to.name, at) for to, at in led if at not in headings(to)] == []


def headings(page: Path) -> set[str]:
    """The headings of a page as addresses name them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in found}


def test_every_module_style_sheet_and_page_that_is_named_by_its_name_alone_is_there() -> None:
    known = {path.as_posix() for app in APPS for path in (ROOT / app).rglob("*.*")}
    gone = [
        f"{page.name}: {named}"
        for page in PAGES
        for named in re.findall(r"`([\w./-]+\.(?:py|css|html|md))`", page.read_text())
        if not any(path.endswith(f"/{named}") for path in known)
        and not (ROOT / named).exists()
        and named != "utils.py"  # named because there is none
    ]
    assert gone == []


def test_every_command_target_and_workload_that_a_page_names_is_there() -> None:
    told = "\n".join(page.read_text() for page in PAGES)
    commands = ROOT / "marketing" / "management" / "commands"
    ours = {path.stem for path in commands.glob("[a-z]*.py")} | {"createsuperuser", "makemessages"}
    assert set(re.findall(r"\bmanage\.py ([a-z_]+)", told)) - ours == set()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    # In a sentence “make” is a word of English.
    asked = re.findall(r"(?:`|^ *|[A-Z]+=\S+ )make ([a-z]+)", told, re.MULTILINE)
    assert len(asked) > 40
    assert set(asked) - set(targets) == set()
    named = {name.rstrip(".") for name in re.findall(r"\bONLY=([a-z][\w.:]*)", told)} - {"name"}
    there = sorted(workloads())
    assert len(named) > 30
    assert sorted(one for one in named if not bench.choose(one, there, set())) == []


def workloads() -> set[str]:
    """What `make bench` knows, read and not imported: some of it loads much."""
    found: set[str] = set()
    for module in bench.MODULES:
        path = ROOT / f"{module.replace('.', '/')}.py"
        tree = ast.parse(
            (path if path.exists() else path.with_suffix("") / "__init__.py").read_text()
        )
        for node in tree.body:
            if isinstance(node, ast.AnnAssign | ast.Assign) and "WORKLOADS" in ast.dump(
                node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            ):
                assert isinstance(node.value, ast.Dict)
                found |= {
                    str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)
                }
    return found


def test_every_table_has_its_place_on_the_way_to_many_machines() -> None:
    page = (ROOT / "docs" / "scale.md").read_text()
    part = page.partition("## Citus")[2].partition("\n## ")[0]
    rows = "\n".join(line for line in part.splitlines() if line.startswith("|"))
    labels = ("ingestion", "models_ml", "recommendations", "campaigns")
    tables = {
        model._meta.model_name
        for label in labels
        for model in apps.get_app_config(label).get_models()
        if not model._meta.proxy
    }
    placed = re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in rows.splitlines()))
    assert sorted(name for name in tables if placed.count(name) != 1) == []
    assert set(placed) - tables == {"core"}


def test_the_version_is_one_wherever_it_is_told() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    image = re.search(r"PERENNIAL_VERSION:-([^}]+)", (ROOT / "docker-compose.yml").read_text())
    assert newest
    assert image
    assert {settings.VERSION, newest[1], image[1]} == {told}
