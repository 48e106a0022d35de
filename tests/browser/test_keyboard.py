"""What hands on a keyboard expect: a way past the menu, a palette, letters that go places."""

import re

import pytest
from playwright.sync_api import expect

from tests import factories
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_first_tab_leads_past_the_menu(visit: Visit, shop: factories.Cast) -> None:
    page = visit(factories.user("analyst")).go("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_focus_is_always_visible(visit: Visit, shop: factories.Cast) -> None:
    page = visit(factories.user("analyst")).go("/jobs/")
    for _ in range(14):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "(() => { const s = getComputedStyle(document.activeElement);"
            " return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2"
            " || document.activeElement.matches('.skip') })()"
        )
        assert seen, page.evaluate("document.activeElement.outerHTML.slice(0, 120)")


def test_the_palette_finds_pages_and_people_and_goes_there(
    visit: Visit, shop: factories.Cast
) -> None:
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/")
    page.keyboard.press("Control+k")
    expect(page.locator("#cmdk")).to_be_visible()
    page.keyboard.type("byr")
    expect(page.get_by_role("option", name=re.compile("Ada Byron"))).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/people/{shop.ada.pk}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("jobs")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/")
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_letters_go_to_pages_but_never_while_typing(visit: Visit, shop: factories.Cast) -> None:
    page = visit(factories.user("marketer")).go("/settings/")
    page.locator("#id_first_name").fill("")
    page.locator("#id_first_name").press_sequentially("gj")
    assert page.locator("#id_first_name").input_value() == "gj"
    page.locator("h1").click()
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url("**/journeys/")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_the_strip_of_numbers_is_walked_with_arrows(visit: Visit, shop: factories.Cast) -> None:
    visitor = visit(factories.user("analyst"))
    page = visitor.go("/")
    page.locator("#kpi-revenue").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#kpi-orders")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#main-chart svg")).to_be_visible()
    expect(page.locator("#main-chart")).to_have_attribute(
        "aria-label", re.compile(r"^Line chart of Orders per day")
    )
    page.get_by_role("button", name="Show as table").click()
    expect(page.locator("#main-rows tr")).to_have_count(28)
    assert visitor.errors == []


def test_a_phone_opens_its_menu_and_closes_it_with_escape(
    visit: Visit, shop: factories.Cast
) -> None:
    page = visit(factories.user("analyst"), width="phone").go("/")
    opener = page.get_by_role("button", name="Open menu")
    opener.click()
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#side .ws")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_have_attribute("aria-expanded", "false")
