"""No call of the tracker is lost, none comes twice, and none breaks the page."""

import time
from typing import Any

import pytest

from ingestion import events
from ingestion.models import Source
from ingestion.tracking import keys
from tests.browser.tracker.guests import Shop, stored

pytestmark = pytest.mark.browser


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
