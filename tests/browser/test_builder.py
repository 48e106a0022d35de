"""Every question of the rule language in the builder, with a real mouse, keyboard and database."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from campaigns.models import PersonList, Segment
from marketing.core import jobs
from models_ml.models import Prediction
from tests import factories
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def one_of_each(people: factories.Cast) -> list[dict[str, Any]]:
    """A rule for every question, as the server writes it."""
    fair = PersonList.objects.create(name="Fair", people=2, read_at=factories.NOW)
    Prediction.objects.create(key="churn", title="Will leave", kind="chance", horizon_days=90)
    factories.clustering()
    inside = Segment.objects.get(name="Recent buyers").pk
    test = {"property": "price", "op": ">", "value": 5}
    return [
        {"field": "customer.country", "op": "in", "value": ["GB", "FR"]},
        {"field": "traits.recency_days", "op": "between", "value": [1, 90]},
        {"field": "customer.email", "op": "known"},
        {"field": "customer.first_seen_at", "op": "during", "value": "last_month"},
        {"field": "can_email", "op": "=", "value": True},
        {"attribute": "birthday", "as": "date", "op": "anniversary_within", "value": 7},
        {"attribute": "tier", "as": "text", "op": "not_in", "value": ["gold"]},
        {"attribute": "vip", "as": "flag", "op": "=", "value": False},
        {"did": "view", "at_least": 2, "at_most": 5, "when": {"last": {"hours": 6}},
         "where": [test, {"property": "paid", "op": "=", "value": True},
                   {"property": "sku", "op": "=", "value": "85123"},
                   {"property": "url", "op": "known"}]},
        {"sequence": [{"did": "cart", "where": [test]}, {"did": "checkout"},
                      {"did_not": "purchase", "within": {"days": 3}}],
         "when": {"calendar": "this_month"}},
        {"bought": {"sku": "CUP"}, "at_least": 1, "days": 30},
        {"bought": {"any": True}, "at_least": 0, "at_most": 0, "when": {"days_ago": [60, 30]}},
        {"ordered": "money", "op": "between", "value": [10, 200], "days": None,
         "where": [{"property": "category", "op": "in", "value": ["mugs"]},
                   {"property": "total", "op": ">=", "value": 5},
                   {"property": "product.colour", "op": "=", "value": "red"}]},
        {"message": "clicked", "channel": "email", "at_least": 2,
         "when": {"since": "2026-01-01", "until": "2026-03-31"}},
        {"reach": "sms", "purpose": "marketing"},
        {"consent": "email", "purpose": "profiling", "answer": "never_asked"},
        {"score": "churn", "op": "top", "value": 10},
        {"score": "churn", "op": "between", "value": [0.1, 0.4]},
        {"rfm": {"r": [4, 5], "m": [3]}},
        {"lifecycle": ["active", "loyal"]},
        {"cluster": "by-buying", "in": [1, 3]},
        {"bucket": "summer test", "from": 0, "to": 12.5},
        {"in_list": fair.pk},
        {"in_segment": inside},
    ]  # fmt: skip


def test_every_question_survives_the_way_through_the_builder(
    visit: Visit, shop: factories.Cast
) -> None:
    each = one_of_each(shop)
    deep = {"any": [{"not": {"all": [each[0], {"any": [each[1], {"not": each[2]}]}]}}]}
    rule = {"any": [*each, {"not": each[-1]}, deep]}
    kept = factories.segment("Everything", rule)
    visitor = visit(factories.user("marketer"))
    page = visitor.go(f"/segments/{kept.pk}/")
    expect(page.locator(".rules > .rule")).to_have_count(len(each) + 2)
    expect(page.locator("#live[aria-busy]")).to_have_count(0)
    expect(page.locator(".s-why")).to_have_count(0)
    page.get_by_role("button", name="Save segment").click()
    expect(page.locator("#messages")).to_contain_text("is saved")
    kept.refresh_from_db()
    assert kept.rule == rule
    assert visitor.errors == []
    assert visitor.refusals() == []


def menu_of(page: Page) -> list[str]:
    """Every question that the menu offers, by kind and name."""
    return page.eval_on_selector_all(
        "#m-rule [data-add]", "all => all.map(x => x.dataset.add + ':' + x.dataset.name)"
    )


def test_everything_the_menu_offers_can_be_added_and_is_understood(
    visit: Visit, shop: factories.Cast
) -> None:
    one_of_each(shop)
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/segments/new/")
    offered = menu_of(page)
    assert {line.partition(":")[0] for line in offered} == {
        "field", "attribute", "did", "sequence", "bought", "ordered", "message", "reach",
        "consent", "score", "rfm", "lifecycle", "cluster", "bucket", "in_list", "in_segment",
    }  # fmt: skip
    # What cannot be guessed waits for a name or a value: the texts, and the attribute.
    blank = {"customer.email", "customer.phone", "customer.first_name", "customer.last_name",
             "customer.external_id", "customer.country", "customer.language"}  # fmt: skip
    for line in offered:
        kind, _, name = line.partition(":")
        if name in blank or kind == "attribute":
            continue
        page.get_by_role("button", name="Add rule").click()
        page.locator(f"#m-rule [data-add='{kind}'][data-name='{name}']").click()
    expect(page.locator("#live[aria-busy]")).to_have_count(0)
    expect(page.locator(".s-why")).to_have_count(0)
    expect(page.locator("#meaning")).to_contain_text("drawn by")
    assert visitor.errors == []


def fill(row: Locator) -> None:
    """Give a row whatever it still waits for: a name, then the value that is asked by it."""
    for _ in range(3):
        empty = row.locator(".rf input:visible").filter(has_not=row.page.locator("[type=checkbox]"))
        waiting = [box for box in empty.all() if not box.input_value()]
        if not waiting:
            return
        box = waiting[0]
        name = box.get_attribute("aria-label") or ""
        box.fill("tier" if "Property" in name else "GB")
        box.press("Tab")


def test_each_kind_of_question_is_added_filled_counted_saved_and_reads_the_same_again(
    visit: Visit, shop: factories.Cast
) -> None:
    one_of_each(shop)
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/segments/new/")
    page.locator("#s-match").select_option("any")
    offered = {}
    for line in menu_of(page):
        kind, _, name = line.partition(":")
        offered.setdefault(kind if name != "customer.country" else "field.text", (kind, name))
    for kind, name in offered.values():
        page.get_by_role("button", name="Add rule").click()
        page.locator(f"#m-rule [data-add='{kind}'][data-name='{name}']").click()
        row = page.locator(".rules > .rule").last
        fill(row)
        expect(page.locator("#live[aria-busy]")).to_have_count(0)
        expect(row.locator(".s-why")).to_have_count(0)
        expect(row.locator("[data-left]")).to_have_text(re.compile(r"^\d+$"))
    sentence = page.locator("#meaning").inner_text()
    rows = page.locator(".rules > .rule").count()
    assert rows == len(offered) == 17
    assert page.locator("[data-left]").last.inner_text() == page.locator(".big").inner_text()
    page.get_by_label("Name", exact=True).fill("One of each")
    page.get_by_role("button", name="Save segment").click()
    page.wait_for_url(re.compile(r"/segments/\d+/$"))
    page = visitor.go(f"/segments/{Segment.objects.get(name='One of each').pk}/")
    expect(page.locator("#live[aria-busy]")).to_have_count(0)
    expect(page.locator(".rules > .rule")).to_have_count(rows)
    expect(page.locator("#meaning")).to_have_text(sentence)
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_the_keyboard_alone_builds_a_rule(visit: Visit, shop: factories.Cast) -> None:
    page = visit(factories.user("marketer")).go("/segments/new/")
    add = page.get_by_role("button", name="Add rule")
    add.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#m-find:focus")).to_have_count(1)
    page.keyboard.type("bought some")
    page.keyboard.press("Enter")
    expect(page.locator("#meaning")).to_have_text(
        "People where they ordered at least once in the last 90 days."
    )
    often = page.get_by_label("How often")
    often.focus()
    page.keyboard.press("e")  # exactly
    expect(page.get_by_label("How often")).to_have_value("exactly")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "How often"
    add.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#m-find:focus")).to_have_count(1)
    page.keyboard.type("country")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    value = page.get_by_label("Country: Value")
    value.focus()
    page.keyboard.type("GB")
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator(".rules > .rule").first.get_by_label("Country: Value")).to_have_value("GB")
    expect(page.locator("#meaning")).to_contain_text("country is “GB” and they ordered")


def test_a_row_is_left_out_put_into_a_group_and_doubled(visit: Visit, shop: factories.Cast) -> None:
    page = visit(factories.user("marketer")).go("/segments/new/?from=second")
    menu = page.get_by_role("button", name="More: Number of orders")
    for action in ("Leave these people out", "Put into a group", "Duplicate"):
        menu.first.click()
        page.locator("#m-row").get_by_role("button", name=action).click()
    page.get_by_label("Name", exact=True).fill("Grouped")
    page.get_by_role("button", name="Save segment").click()
    page.wait_for_url(re.compile(r"/segments/\d+/$"))
    once = {"not": {"field": "traits.orders", "op": "=", "value": 1}}
    assert Segment.objects.get(name="Grouped").rule["all"][0] == {"any": [once, once]}


def test_nested_rules_say_how_many_meet_each_by_itself(visit: Visit, shop: factories.Cast) -> None:
    rule = {"all": [{"any": [
        {"field": "traits.orders", "op": ">=", "value": 4},
        {"not": {"field": "traits.orders", "op": "=", "value": 0}},
    ]}]}  # fmt: skip
    kept = factories.segment("Nested", rule)
    page = visit(factories.user("marketer")).go(f"/segments/{kept.pk}/")
    expect(page.locator("[data-alone='all[0].any[0]']")).to_have_text("1")
    expect(page.locator("[data-alone='all[0].any[1].not']")).to_have_text("2")
    expect(page.locator("[data-left='0']")).to_have_text("2")
    expect(page.locator(".reach dd.num").first).to_have_text("2")
    expect(page.locator("#overlap")).to_contain_text("Recent buyers")


def test_a_list_is_uploaded_from_within_the_builder(
    visit: Visit, shop: factories.Cast, tmp_path: Path
) -> None:
    file = tmp_path / "fair.csv"
    file.write_text("email\nada@example.com\nnobody@example.com\n")
    page = visit(factories.user("marketer")).go("/segments/new/")
    page.get_by_role("button", name="Add rule").click()
    page.get_by_role("button", name="On a list from a file").click()
    page.get_by_label("Name of the list").fill("Fair in May")
    page.get_by_label("File", exact=True).set_input_files(file)
    with page.expect_response("**/lists/upload/"):
        page.get_by_role("button", name="Upload", exact=True).click()
    made = PersonList.objects.get(name="Fair in May")
    jobs.run(job_id=jobs.Job.objects.get(kind="list.load").pk)
    expect(page.get_by_label("List", exact=True)).to_have_value(str(made.pk))
    expect(page.locator("#meaning")).to_have_text(
        "People where they are on the list “Fair in May”."
    )
    expect(page.locator(".big")).to_have_text("1")


def test_a_fault_that_belongs_to_no_row_is_said_above(visit: Visit, shop: factories.Cast) -> None:
    page = visit(factories.user("marketer")).go("/segments/new/?from=best")
    page.get_by_label("Name", exact=True).fill("Recent buyers")
    page.get_by_role("button", name="Recency 5").click()
    page.get_by_role("button", name="Frequency 5").click()
    page.get_by_role("button", name="Money 5").click()
    page.get_by_role("button", name="Recency 5").click()
    expect(page.locator(".rrow.s-bad .s-why")).to_contain_text("Say which scores")
