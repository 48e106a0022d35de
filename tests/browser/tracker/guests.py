"""A small shop of another origin with a strict policy, and whoever visits it with a browser."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import BrowserContext, Page

from ingestion import events
from ingestion.models import Event

STUB = (
    "window.perennial = window.perennial || function () {"
    " (perennial.q = perennial.q || []).push(arguments); };"
)
PAGE = """<!doctype html><html lang="en"><head><title>{title}</title>
<script nonce="n1">{stub}{early}</script>
<script async src="{host}/t.js" data-key="{key}"{options}></script></head><body>
<main data-perennial-view="teapot-1" data-perennial-name="Teapot" data-perennial-price="24.50"
 data-perennial-currency="GBP"><h1>{title}</h1>
<button id="add" data-perennial-cart="add" data-perennial-quantity="2">Add to cart</button></main>
<button id="join" data-perennial-track="Newsletter Signed Up" data-perennial-place="footer">Join
</button><a id="next" href="/next">Next</a></body></html>"""


@dataclass
class Shop:
    """A shop of its own origin. `options` and `early` go into its pages."""

    host: str
    key: str
    url: str = ""
    options: str = ""
    early: str = ""
    server: Any = None

    def page(self, path: str) -> bytes:
        title = {"/": "Teapots", "/next": "Next"}.get(path, "Somewhere")
        return PAGE.format(
            title=title,
            stub=STUB,
            early=self.early,
            host=self.host,
            key=self.key,
            options=self.options,
        ).encode()


@dataclass
class Guest:
    """Somebody with a browser."""

    context: BrowserContext
    page: Page
    shop: Shop
    sent: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def visit(self, path: str = "/", **options: Any) -> None:
        self.page.goto(self.shop.url + path, **options)
        self.until(self.ready)

    def ready(self) -> bool:
        return bool(self.page.evaluate("Boolean(window.perennial && perennial.version)"))

    def until(self, true: Callable[[], bool]) -> None:
        """Wait; the page's policy forbids the browser's own way, which evaluates text."""
        end = time.monotonic() + 15
        while not true():
            assert time.monotonic() < end
            self.page.wait_for_timeout(50)

    def call(self, *words: Any) -> Any:
        return self.page.evaluate("words => perennial(...words)", list(words))

    def kept(self) -> tuple[int, str]:
        """How many things the page stored, and its cookies."""
        found = self.page.evaluate("[localStorage.length + sessionStorage.length, document.cookie]")
        return found[0], found[1]

    def waiting(self) -> int:
        return int(self.page.evaluate("JSON.parse(localStorage['perennial.queue'] || '[]').length"))


def stored(least: int = 0, seconds: float = 8.0) -> list[Event]:
    """The events in the order in which they happened, as soon as there are enough of them."""
    end = time.monotonic() + seconds
    while True:
        events.drain()
        rows = list(Event.objects.order_by("at", "id"))
        if len(rows) >= least or time.monotonic() > end:
            assert len(rows) >= least, [row.type for row in rows]
            return rows
        time.sleep(0.1)
