"""Picks on a page of a shop of another origin, in a real browser under a strict policy."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from ingestion.models import Inbox
from ingestion.tracking import keys
from recommendations import placements
from recommendations.models import LinkSet, Placement, ProductLink
from recommendations.views import widget
from tests import factories

pytestmark = pytest.mark.browser
FOUR_KILOBYTES = 4 * 1024
PAGE = """<!doctype html><html lang="en-GB"><head><title>Pots</title>
<script async src="{host}/t.js" data-key="{key}" data-consent="given"></script>
<script defer src="{host}/r.js" data-key="{key}"></script></head><body><h1>Pots</h1>
<div data-perennial-picks="beside" data-product="POT" data-title="Goes with it"></div>
<div data-perennial-picks="attic"></div></body></html>"""


@pytest.fixture
def shop(live_server: LiveServer, transactional_db: None) -> Iterator[str]:
    placements.forget()
    pot, cup = (
        factories.product("POT"),
        factories.product("CUP", url="https://shop.example.com/cup", name="<b>Cup</b>"),
    )
    made = LinkSet.objects.create(made_at=timezone.now(), complete=True)
    ProductLink.objects.create(
        set=made, product=pot, kind="together", rank=1, other=cup, score=1.0, count=23
    )
    Placement.objects.create(slug="beside", name="Beside", kind="together")
    key = keys.create(name="web shop", actor=None, now=timezone.now()).write_key
    content = PAGE.format(host=live_server.url, key=key).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'none'; script-src {live_server.url}; connect-src {live_server.url}",
            )
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_picks_appear_are_told_and_so_is_a_click(browser: Browser, shop: str) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("https://shop.example.com/**", lambda route: route.fulfill(body="cup"))
    page.goto(shop)
    listed = page.get_by_role("list", name="Goes with it")
    listed.wait_for(timeout=30_000)
    # The name is text, whatever it looks like.
    assert listed.locator(".perennial-name").inner_text() == "<b>Cup</b>"
    assert "£4.50" in listed.inner_text()
    assert "Bought together with Product POT in 23 orders" in listed.inner_text()
    link = listed.get_by_role("link")
    assert link.get_attribute("href") == "https://shop.example.com/cup"
    assert page.locator("[data-perennial-picks=attic]").inner_text() == ""
    link.click()
    page.wait_for_url("https://shop.example.com/cup")
    told = ""
    for _turn in range(150):
        told = " ".join(Inbox.objects.values_list("payload", flat=True))
        if "recommendation_shown" in told and "recommendation_clicked" in told:
            break
        page.wait_for_timeout(100)
    assert "recommendation_shown" in told
    assert "recommendation_clicked" in told
    assert '"placement":"beside"' in told
    assert '"engine":"best"' in told
    assert errors == []
    context.close()


def test_the_script_is_small_and_may_be_kept(client) -> None:
    assert len(gzip.compress(widget.SCRIPT.read_bytes(), 9)) < FOUR_KILOBYTES
    answer = client.get("/r.js", headers={"accept-encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    again = client.get("/r.js", headers={"if-none-match": answer["ETag"]})
    assert again.status_code == 304
