"""Take the pictures of the README and the guide from a running platform.

    PORT=8000 .venv/bin/python docs/screenshots.py [name …]

Reads address, login and password from var/demo.json, opens each page in Chromium at 1440 and
390 px, light and dark, and writes PNG files to docs/images/.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
VAR = Path(os.environ.get("PERENNIAL_VAR", ROOT / "var"))
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
# name → (address or the link to follow from an address, sizes and themes)
PAGES: dict[str, tuple[str, str, list[tuple[str, str]]]] = {
    "home": ("/", "", [("desk", "light"), ("desk", "dark"), ("phone", "light")]),
    "tree": ("/segments/tree/", "", [("desk", "light")]),
    "segment": ("/segments/", ".table .who, .table td a", [("desk", "light")]),
    "person": ("/people/", ".table .who, .table td a", [("desk", "light"), ("phone", "dark")]),
    "recommendations": ("/recommendations/", "", [("desk", "light")]),
    "campaign": ("/campaigns/", ".table .who, .table td a", [("desk", "light")]),
    "mail": ("/content/1/", "", [("desk", "light")]),
    "journeys": ("/journeys/", "", [("desk", "light"), ("phone", "dark")]),
    "import": ("/data/", ".table .who, .table td a", [("desk", "light")]),
    "sources": ("/data/sources/", "", [("desk", "light"), ("phone", "dark")]),
    "quality": ("/data/quality/", "", [("desk", "light"), ("desk", "dark")]),
    "models": ("/models/", "", [("desk", "dark")]),
    "rfm": ("/insights/rfm/", "", [("desk", "light")]),
    "lifecycle": ("/insights/lifecycle/", "", [("desk", "light")]),
    "jobs": ("/jobs/", "", [("desk", "light")]),
}


def chromium() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        sys.exit("Chromium is needed: apt-get install chromium, or CHROMIUM=/path/to/it")
    return found


def sign_in(page: Page, demo: dict[str, str]) -> None:
    page.goto(demo["address"] + "/login/")
    page.fill("#id_username", demo["login"])
    page.fill("#id_password", demo["password"])
    page.click("button[type=submit]")
    page.wait_for_url(demo["address"] + "/")


def shoot(browser: Browser, demo: dict[str, str], wanted: list[str]) -> None:
    for size in SIZES:
        for theme in ("light", "dark"):
            todo = {
                name: (path, link)
                for name, (path, link, looks) in PAGES.items()
                if (size, theme) in looks and (not wanted or name in wanted)
            }
            if not todo:
                continue
            width, height = SIZES[size]
            context = browser.new_context(
                viewport={"width": width, "height": height},
                device_scale_factor=1.5 if size == "phone" else 1,
                reduced_motion="reduce",
            )
            page = context.new_page()
            sign_in(page, demo)
            for name, (path, link) in todo.items():
                page.goto(demo["address"] + path)
                if link:
                    page.locator(link).first.click()
                    page.wait_for_load_state("load")
                page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
                page.evaluate("dispatchEvent(new Event('themechange'))")
                page.wait_for_timeout(900)
                target = IMAGES / f"{name}-{size}-{theme}.png"
                page.screenshot(path=target, full_page=size == "desk" and name != "home")
                shrink(target)
                print(target.relative_to(ROOT))
            context.close()


def shrink(path: Path) -> None:
    """Fewer colours, the same picture; skipped when pngquant is not installed."""
    tool = shutil.which("pngquant")
    if tool:
        subprocess.run(
            [tool, "--force", "--ext", ".png", "--quality", "70-95", str(path)], check=False
        )


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    demo_file = json.loads((VAR / "demo.json").read_text())
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        shoot(launched, demo_file, sys.argv[1:])
        launched.close()
