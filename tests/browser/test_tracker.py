"""The web tracker in a real browser, on a small shop of another origin with a strict policy."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from ingestion import events
from ingestion.models import Customer, Event, Source
from ingestion.tracking import keys, serving
from tests import factories

pytestmark = pytest.mark.browser
SIX_KILOBYTES = 6 * 1024
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


def test_nothing_is_stored_or_sent_before_somebody_agrees(somebody, shop: Shop) -> None:
    ada = somebody()
    ada.visit("/?utm_source=paper&utm_campaign=spring&utm_medium=print")
    ada.page.click("#add")
    ada.call("identify", "7", {"email": "ada@example.com"})
    ada.page.wait_for_timeout(1_500)
    assert (ada.sent, ada.kept()) == ([], (0, ""))
    ada.call("consent", True)
    rows = stored(4)
    assert [row.type for row in rows] == ["page", "view", "cart", "identify"]
    page, view, cart, _identify = rows
    assert page.context["campaign"] == {"source": "paper", "name": "spring", "medium": "print"}
    assert page.context["first_touch"]["campaign"] == page.context["campaign"]
    assert page.context["first_touch"]["landing"] == "/"
    assert (page.context["timezone"], page.context["locale"]) == ("Europe/London", "en-GB")
    assert page.properties["title"] == "Teapots"
    assert view.properties == {
        "sku": "TEAPOT-1",
        "name": "Teapot",
        "price": 24.5,
        "currency": "GBP",
    }
    assert (view.context["event"], cart.context["event"]) == ("Product Viewed", "Product Added")
    assert cart.properties["quantity"] == 2
    assert len({row.context["session"]["id"] for row in rows}) == 1
    assert len({row.anonymous_id for row in rows}) == 1
    assert "perennial_id=" in ada.kept()[1]
    # The next page needs no second word of consent.
    ada.visit("/next")
    assert [row.type for row in stored(6)][4:] == ["page", "view"]


def test_no_after_a_yes_takes_everything_back(somebody, shop: Shop) -> None:
    ada = somebody()
    ada.visit()
    ada.call("consent", True)
    stored(2)
    ada.call("consent", False)
    assert ada.kept() == (0, "")
    before = len(ada.sent)
    ada.call("track", "Clicked")
    ada.page.wait_for_timeout(1_300)
    assert (len(ada.sent), ada.kept()) == (before, (0, ""))


def test_what_is_said_in_one_tab_holds_in_the_others(somebody, shop: Shop) -> None:
    ada = somebody()
    ada.visit()
    ada.call("consent", True)
    stored(2)
    other = Guest(ada.context, ada.context.new_page(), shop)
    other.visit("/next")
    stored(4)
    first = ada.call("id")
    assert other.call("id") == first
    other.call("reset")
    ada.until(lambda: ada.page.evaluate("localStorage['perennial.id'] === undefined"))
    second = ada.call("id")
    assert second != first
    assert other.call("id") == second
    other.call("consent", False)
    ada.until(lambda: ada.page.evaluate("localStorage['perennial.consent'] === undefined"))
    before = len(ada.sent)
    ada.call("track", "Clicked")
    ada.call("identify", "7")
    ada.page.wait_for_timeout(1_300)
    assert (ada.call("id"), len(ada.sent), ada.kept()) == (None, before, (0, ""))


def test_a_no_in_one_tab_holds_in_the_others_of_a_shop_that_asks_itself(
    somebody, shop: Shop
) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    stored(2)
    other = Guest(ada.context, ada.context.new_page(), shop)
    other.visit("/next")
    stored(4)
    other.call("consent", False)
    ada.until(lambda: ada.page.evaluate("localStorage['perennial.first'] === undefined"))
    ada.until(lambda: ada.call("id") is None)
    before = len(ada.sent)
    ada.call("track", "Clicked")
    ada.page.wait_for_timeout(1_300)
    assert (len(ada.sent), ada.kept()) == (before, (0, ""))


def test_a_no_while_calls_are_on_their_way_leaves_nothing_behind(somebody, shop: Shop) -> None:
    ada = somebody()
    held: list[Any] = []
    ada.context.route("**/v1/batch", lambda route: held.append(route))
    ada.visit()
    ada.call("consent", True)
    ada.until(lambda: bool(held))
    ada.call("consent", False)
    with ada.page.expect_response("**/v1/batch"):
        held[0].continue_()
    ada.page.wait_for_timeout(200)
    assert ada.kept() == (0, "")


def test_calls_are_sent_from_memory_where_the_store_of_the_browser_is_full(
    somebody, shop: Shop
) -> None:
    ada = somebody()
    ada.visit()
    ada.call("consent", True)
    stored(2)
    ada.until(lambda: ada.waiting() == 0)
    ada.page.evaluate("() => { Storage.prototype.setItem = () => { throw Error('full') } }")
    ada.call("track", "Clicked")
    ada.call("track", "Clicked")
    assert [row.type for row in stored(4)] == ["page", "view", "Clicked", "Clicked"]


def test_consent_holds_for_the_page_where_nothing_can_be_stored(somebody, shop: Shop) -> None:
    ada = somebody("Object.defineProperty(window, 'localStorage', {get() { throw Error('no') }})")
    ada.visit()
    ada.call("consent", True)
    ada.call("track", "Clicked")
    assert [row.type for row in stored(3)] == ["page", "view", "Clicked"]
    ada.call("consent", False)
    ada.call("track", "Clicked")
    assert ada.call("id") is None


@pytest.mark.parametrize(
    "signal",
    [
        "Object.defineProperty(navigator, 'globalPrivacyControl', {get: () => true})",
        "Object.defineProperty(navigator, 'doNotTrack', {get: () => '1'})",
    ],
)
def test_a_browser_that_objects_is_left_alone_whatever_the_banner_says(
    somebody, shop: Shop, signal: str
) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody(signal)
    ada.visit("/?utm_source=paper")
    ada.call("consent", True)
    ada.call("track", "Clicked")
    ada.page.click("#add")
    ada.page.wait_for_timeout(1_300)
    ada.visit("/next")
    assert (ada.sent, ada.kept()) == ([], (0, ""))
    assert stored() == []


def test_what_happens_offline_arrives_once_when_the_line_is_back(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    stored(2)
    ada.context.set_offline(True)
    for number in range(5):
        ada.call("track", "Clicked", {"n": number})
    ada.page.wait_for_timeout(1_500)
    assert ada.waiting() == 5
    assert len(stored()) == 2
    ada.context.set_offline(False)
    rows = [row for row in stored(7) if row.type == "Clicked"]
    assert [row.properties["n"] for row in rows] == [0, 1, 2, 3, 4]
    ada.until(lambda: ada.waiting() == 0)


def test_a_server_in_trouble_is_asked_again_later(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    answers = [503, 429, "abort"]

    def trouble(route: Any) -> None:
        fault = answers.pop(0) if answers else None
        if fault is None:
            route.continue_()
        elif fault == "abort":
            route.abort()
        else:
            route.fulfill(
                status=fault,
                headers={"Access-Control-Allow-Origin": "*", "Retry-After": "1"},
            )

    ada.context.route("**/v1/batch", trouble)
    ada.visit()
    ada.until(lambda: not answers and ada.waiting() == 0)
    assert ([row.type for row in stored(2)], answers) == (["page", "view"], [])


def test_a_call_made_while_sending_does_not_undo_the_wait(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    held: list[Any] = []
    ada.context.route("**/v1/batch", lambda route: held.append(route))
    ada.page.clock.install()
    ada.visit()
    ada.page.clock.run_for(1_500)
    ada.until(lambda: len(held) == 1)
    ada.call("track", "Clicked")
    headers = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "Retry-After",
        "Retry-After": "60",
    }
    with ada.page.expect_response("**/v1/batch"):
        held[0].fulfill(status=503, headers=headers)
    ada.page.wait_for_timeout(200)
    ada.page.clock.run_for(5_000)
    ada.page.wait_for_timeout(200)
    assert len(held) == 1
    ada.page.clock.run_for(80_000)
    ada.until(lambda: len(held) == 2)


def test_the_last_click_before_leaving_is_not_lost_and_not_doubled(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    stored(2)
    ada.page.evaluate(
        "perennial('track', 'Left', {how: 'link'}); document.querySelector('#next').click()"
    )
    ada.page.wait_for_url("**/next")
    ada.until(ada.ready)
    rows = stored(5)
    time.sleep(1.5)  # the next page sends it once more, to be sure of an answer
    assert sorted(row.type for row in stored(5)) == ["Left", "page", "page", "view", "view"]
    ledger = events.ledger("shop.example.com")
    assert (ledger.stored, ledger.duplicate >= 1, ledger.quarantined) == (5, True, 0)
    ada.page.evaluate("perennial('track', 'Closed')")
    ada.page.close()
    assert stored(len(rows) + 1)[-1].type == "Closed"


def test_the_browsers_own_beacon_is_understood(somebody, shop: Shop) -> None:
    ada = somebody("Object.defineProperty(navigator, 'globalPrivacyControl', {get: () => true})")
    ada.visit()
    taken = ada.page.evaluate(
        """([host, key]) => navigator.sendBeacon(host + "/v1/track", JSON.stringify(
            {writeKey: key, anonymousId: "a1", event: "Beacon", messageId: "b1"}))""",
        [shop.host, shop.key],
    )
    assert taken is True
    (event,) = stored(1)
    assert (event.type, event.anonymous_id, event.message_id) == ("Beacon", "a1", "b1")


def test_what_a_visitor_did_stands_on_the_persons_page_once_they_sign_in(
    somebody, shop: Shop
) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    assert {row.customer for row in stored(2)} == {None}
    ada.call("identify", "7", {"email": "ada@example.com", "firstName": "Ada"})
    rows = stored(3)
    person = Customer.objects.get(external_id="7")
    assert {row.customer_id for row in rows} == {person.pk}
    assert (person.email, person.first_name) == ("ada@example.com", "Ada")
    client = Client()
    client.force_login(factories.user())
    page = client.get(f"/people/{person.pk}/").content.decode()
    assert "ada@example.com" in page
    assert "view" in page
    # The next call needs no name: the tracker knows who it is.
    ada.call("track", "Clicked")
    assert stored(4)[-1].customer_id == person.pk


def test_somebody_else_on_the_same_device_is_somebody_else(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    ada.call("identify", "7")
    first = ada.call("id")
    ada.call("identify", "8")
    assert ada.call("id") != first
    ada.call("reset")
    ada.call("track", "Clicked")
    rows = stored(5)
    assert rows[-1].customer is None
    assert {row.external_id for row in Customer.objects.all()} == {"7", "8"}


def test_pages_of_an_app_that_never_reloads_are_counted(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    ada.page.evaluate("history.pushState({}, '', '/cups?colour=blue')")
    ada.page.wait_for_timeout(50)
    ada.page.evaluate("history.replaceState({}, '', location.href + '#top')")
    ada.page.wait_for_timeout(50)
    ada.page.go_back()
    rows = [row for row in stored(6) if row.type == "page"]
    assert [row.properties["path"] for row in rows] == ["/", "/cups", "/"]
    assert rows[1].properties["referrer"] == shop.url + "/"
    assert rows[1].context["page"]["search"] == "?colour=blue"


def test_a_visit_ends_after_half_an_hour_of_nothing(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.page.clock.install()
    ada.visit()
    ada.call("track", "One")
    ada.page.clock.run_for(29 * 60_000)
    ada.call("track", "Two")
    ada.page.clock.run_for(31 * 60_000)
    ada.call("track", "Three")
    ada.page.clock.run_for(2_000)
    rows = {row.type: row.context["session"]["id"] for row in stored(5)}
    assert rows["One"] == rows["Two"] != rows["Three"]


def test_first_and_last_touch_are_told_apart(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit("/?utm_source=paper")
    ada.visit("/next", referer="https://search.example.net/?q=teapots")
    # Each visit's times are corrected by its own delay, so a slow line may swap the two.
    (second,) = [
        row for row in stored(4) if row.type == "page" and row.properties["path"] == "/next"
    ]
    assert second.context["first_touch"]["campaign"] == {"source": "paper"}
    assert second.context["last_touch"]["referrer"].startswith("https://search.example.net/")
    assert second.context["referrer"]["host"] == "search.example.net"


def test_calls_made_before_the_script_came_are_not_lost(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given" data-pages="off"'
    shop.early = "perennial('search', 'teapots'); perennial('cart', 'view', {items: 2});"
    ada = somebody()
    ada.visit()
    ada.page.click("#join")
    rows = stored(4)
    assert [(row.type, row.properties.get("query")) for row in rows] == [
        ("search", "teapots"),
        ("cart_view", None),
        ("view", None),
        ("Newsletter Signed Up", None),
    ]
    assert rows[3].properties == {"place": "footer"}


@pytest.mark.parametrize(
    "broken",
    [
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no') }})",
        "Storage.prototype.setItem = () => { throw new DOMException('full') }",
        "delete window.crypto; Object.defineProperty(window, 'crypto', {value: undefined})",
        "navigator.sendBeacon = undefined",
    ],
)
def test_a_browser_that_forbids_something_neither_breaks_the_page_nor_loses_calls(
    somebody, shop: Shop, broken: str
) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody(broken)
    ada.visit()
    assert [row.type for row in stored(2)] == ["page", "view"]


def test_no_call_ever_throws_into_the_page(somebody, shop: Shop) -> None:
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    ada.page.evaluate(
        """() => {
            const loop = {}; loop.self = loop;
            perennial(); perennial("nothing"); perennial("track"); perennial("track", loop, loop);
            perennial("identify", null, 5); perennial("cart", {}, null); perennial(null, undefined);
            perennial.track("Fine", { big: 10n }); perennial.page(loop); perennial("group");
            perennial("track", "Still here");
        }"""
    )
    assert "Still here" in {row.type for row in stored(3)}


def test_a_key_that_is_off_keeps_what_waits_and_asks_no_more(
    somebody, shop: Shop, source: Source
) -> None:
    keys.switch(source=source, enabled=False, actor=None)
    shop.options = ' data-consent="given"'
    ada = somebody()
    ada.visit()
    ada.page.wait_for_timeout(2_500)
    assert len(ada.sent) == 1
    assert ada.waiting() == 2
    keys.switch(source=source, enabled=True, actor=None)
    ada.visit("/next")
    assert len(stored(4)) == 4


def test_the_tracker_is_small_and_kept_by_browsers(db: None) -> None:
    plain = serving.SCRIPT.read_bytes()
    assert len(gzip.compress(plain, 9)) < SIX_KILOBYTES
    found = serving.tracker()
    client = Client()
    soon = client.get("/t.js", headers={"accept-encoding": "gzip, br"})
    assert soon["Content-Encoding"] == "br"
    assert "Accept-Encoding" in soon["Vary"]
    assert soon["Cache-Control"] == serving.SOON
    assert soon["Access-Control-Allow-Origin"] == "*"
    packed = client.get("/t.js", headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.content) == plain
    assert len(packed.content) < SIX_KILOBYTES
    assert client.get("/t.js").content == plain
    assert client.get("/t.js", headers={"if-none-match": soon["ETag"]}).status_code == 304
    pinned = client.get(f"/t/{found.version}.js")
    assert (pinned["Cache-Control"], pinned.content) == (serving.FOR_EVER, plain)
    assert client.get("/t/0000000000.js")["Cache-Control"] == serving.SOON
    assert client.post("/t.js").status_code == 405
