"""Building a rule and keeping a leaf, with a real mouse and keyboard."""

import re

import pytest
from playwright.sync_api import expect

from campaigns.models import Segment
from campaigns.segments import upkeep
from tests import factories
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_rule_is_built_counted_said_and_saved(visit: Visit, shop: factories.Cast) -> None:
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/segments/new/")
    expect(page.locator("#meaning")).to_have_text("Everyone.")
    page.get_by_role("button", name="Add rule").click()
    page.get_by_role("button", name="Number of orders", exact=True).click()
    expect(page.locator("#meaning")).to_have_text("People where number of orders is at least 1.")
    expect(page.locator(".big")).to_have_text("2")
    expect(page.locator("[data-left='0']")).to_have_text("2")

    page.get_by_label("Number of orders: Value").fill("2")
    expect(page.locator(".big")).to_have_text("1")
    expect(page.locator(".people li")).to_have_count(1)

    page.get_by_role("button", name="Add group").click()
    page.get_by_role("button", name="Add to group").click()
    page.locator("[data-add='bought']").click()
    expect(page.locator("#meaning")).to_contain_text("they ordered at least once")
    page.get_by_role("button", name="More: any of").click()
    page.get_by_role("button", name="Leave these people out").click()
    expect(page.locator("#meaning")).to_contain_text("except where they ordered at least once")
    expect(page.locator(".big")).to_have_text("0")
    page.get_by_role("button", name="Remove group: any of").click()
    expect(page.locator(".big")).to_have_text("1")

    page.get_by_role("button", name="SQL").click()
    expect(page.locator("#sql")).to_contain_text('"orders" >= 2.0')
    page.get_by_label("Name", exact=True).fill("Twice at least")
    page.get_by_role("button", name="Save segment").click()
    page.wait_for_url(re.compile(r"/segments/\d+/$"))
    upkeep.refresh()
    saved = Segment.objects.latest("id")
    assert (saved.name, saved.size) == ("Twice at least", 1)
    assert saved.rule == {"all": [{"field": "traits.orders", "op": ">=", "value": 2}]}
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_a_fault_is_shown_at_its_row_and_goes_when_mended(
    visit: Visit, shop: factories.Cast
) -> None:
    page = visit(factories.user("marketer")).go("/segments/new/?from=second")
    box = page.get_by_label("Number of orders: Value")
    box.fill("")
    expect(page.locator(".rrow.s-bad .s-why")).to_have_text("This needs a number.")
    box.fill("1")
    expect(page.locator(".s-bad")).to_have_count(0)


def test_a_leaf_is_kept_from_the_drawn_tree(visit: Visit, shop: factories.Cast) -> None:
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/segments/tree/")
    expect(page.locator(".tn")).to_have_count(5)
    page.get_by_role("button", name=re.compile("^Save as segment: People where")).first.click()
    page.wait_for_url(re.compile(r"/segments/\d+/$"))
    assert Segment.objects.filter(origin__kind="tree_leaf").count() == 1
    assert visitor.errors == []


def test_the_tree_is_a_list_on_a_phone(visit: Visit, shop: factories.Cast) -> None:
    page = visit(factories.user("marketer"), width="phone").go("/segments/tree/")
    expect(page.locator(".leaflist li")).to_have_count(3)
    expect(page.locator(".tn").first).not_to_be_visible()


def test_an_analyst_sees_the_rules_but_no_way_to_change_them(
    visit: Visit, shop: factories.Cast
) -> None:
    kept = Segment.objects.get(name="Recent buyers")
    page = visit(factories.user("analyst")).go(f"/segments/{kept.pk}/")
    expect(page.get_by_label("Days since last order: Value")).to_be_disabled()
    expect(page.get_by_role("button", name="Save segment")).to_have_count(0)
