"""What hands on a keyboard expect: a way past the menu, a palette, letters that go places."""

import re

import pytest
from playwright.sync_api import Page, expect

from campaigns.models import Campaign, Segment, Template
from tests import factories
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NAME = """(() => { const at = document.activeElement, label = at.labels?.[0]?.innerText;
  return (at.getAttribute("aria-label") || label || at.innerText || "").trim() })()"""


def tab_to(page: Page, name: str, *, back: bool = False, most: int = 70) -> None:
    """Press Tab until what is called so has the focus; never past the whole page."""
    passed = []
    for _ in range(most):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        passed.append(page.evaluate(NAME))
        if passed[-1].startswith(name):
            return
    raise AssertionError(f"Tab never came to “{name}”, only to {passed}")


def enter(page: Page, address: str) -> None:
    """Press Enter and wait for the page that it leads to."""
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(address), wait_until="load")
    page.wait_for_load_state("networkidle")


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
    expect(opener).to_be_focused()


def test_a_segment_a_mail_and_a_campaign_are_made_and_sent_by_keys_alone(
    visit: Visit, shop: factories.Cast
) -> None:
    user = factories.user("marketer")
    visitor = visit()
    page = visitor.go("/login/")
    page.keyboard.type(user.username)
    page.keyboard.press("Tab")
    page.keyboard.type(factories.PASSWORD)
    enter(page, r":\d+/$")

    tab_to(page, "Segments")
    enter(page, "/segments/$")
    tab_to(page, "New segment")
    enter(page, "/segments/new/")
    tab_to(page, "Name")
    page.keyboard.type("By keys")
    asked = (("country", "GB"), ("number of orders", ""))
    for n, (question, value) in enumerate(asked, start=1):
        tab_to(page, "Add rule")
        page.keyboard.press("Enter")
        expect(page.locator("#m-find")).to_be_focused()
        page.keyboard.type(question)
        page.keyboard.press("Enter")
        expect(page.locator(".rules > .rule")).to_have_count(n)
        if value:
            tab_to(page, "Country: Value", most=6)
            page.keyboard.type(value)
    tab_to(page, "Save segment", back=True)
    enter(page, r"/segments/\d+/$")
    assert Segment.objects.filter(name="By keys").exists()

    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/content/", wait_until="load")
    tab_to(page, "New mail")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="From blocks")).to_be_focused()
    enter(page, "/content/new/")
    tab_to(page, "Divider")
    page.keyboard.press("Enter")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("#e-said")).to_have_text("Divider is now block 1 of 7")
    page.keyboard.press("Enter")
    assert page.evaluate(NAME) == "Background"
    page.keyboard.press("Escape")
    assert page.evaluate(NAME).startswith("Divider")
    page.keyboard.press("Delete")
    expect(page.locator("#e-outline li")).to_have_count(6)
    tab_to(page, "Save", back=True)
    enter(page, r"/content/\d+/")
    assert Template.objects.latest("id").blocks[0]["kind"] == "logo"

    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/campaigns/", wait_until="load")
    tab_to(page, "New campaign")
    enter(page, "/campaigns/new/")
    tab_to(page, "Campaign name")
    page.keyboard.type("Sent by keys")
    page.keyboard.press("Tab")
    page.keyboard.type("By keys")
    tab_to(page, "Continue")
    enter(page, "/message/")
    for step in ("/timing/", "/variants/", "/check/"):
        tab_to(page, "Save and continue")
        enter(page, step)
    tab_to(page, "Send to")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Not yet")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Send to")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "Send now", most=2)
    enter(page, r"/campaigns/\d+/$")
    assert Campaign.objects.get(name="Sent by keys").runs.count() == 1
    assert visitor.errors == []


def test_a_dialog_that_a_menu_opened_gives_the_focus_back_to_its_button(
    visit: Visit, shop: factories.Cast
) -> None:
    kept = factories.segment("Everybody", {"all": []})
    page = visit(factories.user("marketer")).go(f"/segments/{kept.pk}/")
    tab_to(page, "More")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="Archive")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="More", exact=True)).to_be_focused()
