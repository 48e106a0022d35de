"""Third-party browser code is exactly what the lock file says, with its licence beside it."""

import hashlib
import json
import re
from pathlib import Path

import brotli

STATIC = Path(__file__).resolve().parents[2] / "marketing" / "static"
LOCK = json.loads((STATIC / "vendor" / "LOCK.json").read_text())


def test_every_vendored_file_has_the_locked_hash_and_a_licence_text() -> None:
    for part in LOCK:
        content = (STATIC / part["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == part["sha256"], part["file"]
        for text in part["licence_texts"]:
            assert (STATIC / text).stat().st_size > 100, text


def test_nothing_is_vendored_without_a_line_in_the_lock() -> None:
    locked = {part["file"] for part in LOCK}
    for path in [*STATIC.glob("vendor/*.js"), *STATIC.glob("fonts/*")]:
        assert str(path.relative_to(STATIC)) in locked


def test_a_compressed_copy_holds_what_the_plain_file_holds() -> None:
    copies = sorted(STATIC.glob("vendor/*.br"))
    assert [path.with_suffix("") for path in copies] == sorted(STATIC.glob("vendor/*.js"))
    for path in copies:
        assert brotli.decompress(path.read_bytes()) == path.with_suffix("").read_bytes()


def test_styles_and_scripts_name_no_other_machine() -> None:
    for path in [*STATIC.glob("css/*.css"), *STATIC.glob("js/*.js")]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, path.name
        assert "https://" not in text, path.name


def test_every_icon_that_pages_and_scripts_name_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))
    root = STATIC.parents[1]
    named: set[str] = set()
    for path in (root / "templates").rglob("*.html"):
        text = path.read_text()
        named |= set(re.findall(r'\{% icon "([^"]+)"', text))
        named |= set(re.findall(r'<c-empty icon="([a-z0-9-]+)"', text))
    for path in STATIC.glob("js/*.js"):
        named |= set(re.findall(r'svg\("([a-z0-9-]+)"\)', path.read_text()))
    for path in root.glob("marketing/**/*.py"):
        named |= set(re.findall(r'Link\([^)]*?\), "([a-z0-9-]+)"', path.read_text()))
    assert named - drawn == set()
    assert len(named) > 40
