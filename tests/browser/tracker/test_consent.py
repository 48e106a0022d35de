"""The tracker stores and sends what somebody agreed to, and nothing once they say no."""

from typing import Any

import pytest

from tests.browser.tracker.guests import Guest, Shop, stored

pytestmark = pytest.mark.browser


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
