"""A real Chromium on a running server. No browser is an error that says what to install."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from marketing.core.models import User
from tests import factories

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/usr/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
WIDTHS = {"desk": (1440, 900), "phone": (390, 844)}
AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.min.js").read_text()
OF_COLOURS = ("color-contrast", "link-in-text-block")
# Colours pass into each other: until that is over, none of them is what a person reads.
SETTLED = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))).then(
    () => Promise.allSettled(document.getAnimations()
        .filter(one => one instanceof CSSTransition).map(one => one.finished)))"""
WATCH_CSP = """
window.refusals = [];
document.addEventListener("securitypolicyviolation", e => window.refusals.push(
  `${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`));
"""


def find_chromium() -> str:
    """Where the browser is: CHROMIUM, then the usual names and places."""
    given = os.environ.get("CHROMIUM", "")
    for found in (given, *(shutil.which(name) for name in NAMES), *PLACES):
        if found and Path(found).exists():
            return found
    raise pytest.UsageError(
        "The browser tests need Chromium or Chrome and found neither.\n"
        "  Debian and Ubuntu: sudo apt-get install -y chromium\n"
        "  macOS: brew install --cask google-chrome\n"
        "  or say where it is: CHROMIUM=/path/to/chromium make test"
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
        )
        yield launched
        launched.close()


@dataclass
class Visitor:
    """A page and everything that went wrong on it."""

    page: Page
    context: BrowserContext
    base: str
    width: str = "desk"
    errors: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{self.page.url}: {message.text}")

    def go(self, path: str) -> Page:
        """Open a page of the platform and wait until its scripts are ready."""
        self.page.goto(self.base + path, wait_until="load")
        return self.page

    def wear(self, theme: str) -> None:
        """What the system of whoever looks prefers, as a page whose theme is “auto” follows it."""
        self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        self.page.evaluate(SETTLED)

    def refusals(self) -> list[str]:
        """What the content security policy refused on this page."""
        return self.page.evaluate("window.refusals")

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window, once it was drawn."""
        return self.page.evaluate(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done("
            "document.documentElement.scrollWidth - document.documentElement.clientWidth))))"
        )

    def axe(self, rules: tuple[str, ...] = ()) -> list[str]:
        """What axe finds, one line each with the first elements; best practices included."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE)
        found = self.page.evaluate(
            "rules => axe.run(document, {resultTypes: ['violations'],"
            " ...(rules.length ? {runOnly: {type: 'rule', values: rules}} : {})})"
            ".then(r => r.violations.map(v => v.id + ': '"
            " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')))",
            rules,
        )
        return list(found)

    def shown(self) -> str:
        """Which elements of the page are there to be seen, a character each."""
        return self.page.evaluate(
            "[...document.querySelectorAll('*')].map(one => +one.checkVisibility()).join('')"
        )

    def unsound(self, path: str) -> list[str]:
        """What is wrong with a page: opened in the light, then seen in the dark.

        Where both show the same elements they differ in colours alone.
        """
        self.wear("light")
        self.go(path)
        found: list[str] = []
        seen = ""
        for theme in ("light", "dark"):
            self.wear(theme)
            shown = self.shown()
            rules = OF_COLOURS if shown == seen else ()
            found += [f"axe, {theme}: {line}" for line in self.axe(rules)]
            seen = shown
            if self.overflow() > 0:
                found.append(f"{self.overflow()} px too wide, {theme}")
        found += [f"refused {line}" for line in self.refusals()]
        if self.width == "phone":
            self.page.set_viewport_size({"width": 320, "height": 700})
            if self.overflow() > 0:
                found.append(f"{self.overflow()} px too wide for 320")
            self.page.set_viewport_size({"width": 390, "height": 844})
        return [f"{path}: {line}" for line in found]


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(browser: Browser, live_server: LiveServer) -> Iterator[Visit]:
    """visit(user=…, width="phone", theme="dark"): a fresh window, signed in if a user is given."""
    opened: list[Visitor] = []

    def open_window(
        user: User | None = None, *, width: str = "desk", theme: str = "light"
    ) -> Visitor:
        w, h = WIDTHS[width]
        context = browser.new_context(
            viewport={"width": w, "height": h},
            color_scheme=theme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            has_touch=width == "phone",
        )
        context.add_init_script(WATCH_CSP)
        if user is not None:
            client = Client()
            client.force_login(user)
            context.add_cookies(
                [
                    {
                        "name": "sessionid",
                        "value": client.cookies["sessionid"].value,
                        "url": live_server.url,
                    }
                ]
            )
        page = context.new_page()
        page.set_default_timeout(10_000)
        visitor = Visitor(page, context, live_server.url, width)
        page.on("console", visitor.hear)
        page.on("pageerror", lambda error: visitor.errors.append(f"{page.url}: {error}"))
        opened.append(visitor)
        return visitor

    yield open_window
    for visitor in opened:
        visitor.context.close()
    let_answers_end()


def let_answers_end(patience: float = 30) -> None:
    """Wait until the server asks the database nothing more: its tables are emptied next."""
    until, quiet = time.monotonic() + patience, 0
    while quiet < 3 and time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
                " AND state <> 'idle'"
            )
            quiet = 0 if cursor.fetchone()[0] else quiet + 1
        time.sleep(0.05)


@pytest.fixture
def shop(transactional_db: None) -> factories.Cast:
    """The small shop, for tests that look at pages."""
    return factories.shop()
