"""The web tracker in a real browser, on a small shop of another origin."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from ingestion.models import Source
from ingestion.tracking import keys
from tests.browser.tracker.guests import Guest, Shop


@pytest.fixture
def source(transactional_db: None) -> Source:
    return keys.create(name="shop.example.com", actor=None, now=timezone.now())


@pytest.fixture
def shop(live_server: LiveServer, source: Source) -> Iterator[Shop]:
    made = Shop(live_server.url, str(source.write_key))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = made.page(self.path.split("?")[0])
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'none'; script-src 'nonce-n1' {made.host}; connect-src {made.host}",
            )
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            pass

    made.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{made.server.server_port}"
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def somebody(browser: Browser, shop: Shop) -> Iterator[Callable[..., Guest]]:
    """somebody(script): a fresh browser; `script` runs before each page."""
    made: list[Guest] = []

    def come(script: str = "") -> Guest:
        context = browser.new_context(locale="en-GB", timezone_id="Europe/London")
        if script:
            context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(10_000)
        one = Guest(context, page, shop)
        context.on("request", lambda r: one.sent.append(r.url) if "/v1/" in r.url else None)
        page.on("pageerror", lambda error: one.errors.append(str(error)))
        page.on(
            "console",
            lambda said: one.errors.append(said.text) if "Content Security" in said.text else None,
        )
        made.append(one)
        return one

    yield come
    for one in made:
        one.context.close()
        assert one.errors == []
