"""Predictions in a real browser: the three choices, the slider, and the reasons for a score."""

import pytest
from playwright.sync_api import expect

from campaigns.models import Segment
from models_ml.models import Prediction, Score
from models_ml.predictions import reasons
from tests import factories
from tests.browser import model_rows
from tests.browser.conftest import Visit
from tests.models_ml.predictions import shops

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_slider_says_what_to_expect_and_makes_a_segment(
    visit: Visit, shop: factories.Cast
) -> None:
    path = model_rows.prediction()
    visitor = visit(factories.user("marketer"))
    page = visitor.go(path)
    slider = page.get_by_role("slider", name="Reach the best")
    scored = Prediction.objects.get(title="Buys again").scored_people
    slider.fill(slider.get_attribute("max") or "99")
    expect(page.locator('[data-out="people"]')).to_have_text(f"{scored:,}")
    expect(page.locator('[data-out="found"]')).to_have_text("100%")
    page.get_by_role("button", name="Where it pays most").click()
    least = page.locator('[data-out="least"]').inner_text().rstrip("%")
    assert float(least) >= 10.0  # a hit is worth 20 and reaching one costs 2
    slider.fill("9")
    page.get_by_role("button", name="Make a segment of them").click()
    page.wait_for_url("**/segments/*/")
    made = Segment.objects.latest("id")
    assert made.rule["all"][0]["score"] == "buys_again"
    assert made.rule["all"][0]["op"] == "top"
    assert visitor.errors + visitor.refusals() == []


def test_three_choices_are_checked_as_they_are_made(visit: Visit, shop: factories.Cast) -> None:
    shops.plant(people=400, now=factories.now())
    visitor = visit(factories.user("marketer"), width="phone")
    page = visitor.go("/models/new/")
    check = page.locator("#check")
    expect(check).to_contain_text("people in the group on")
    page.get_by_role("button", name="365").click()
    expect(check).to_contain_text("Not yet")
    expect(page.get_by_label("Name", exact=True)).to_have_value("They order: 365 days")
    page.get_by_role("button", name="60", exact=True).click()
    expect(check).to_contain_text("did it")
    page.get_by_text("They spend over an amount").click()
    page.get_by_label("More than").fill("30")
    expect(check).to_contain_text("did it")
    page.get_by_label("Name", exact=True).fill("Worth a call")
    page.get_by_role("button", name="Ask and train").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Worth a call")
    assert Prediction.objects.get().target == {"type": "spend_over", "amount": 30.0}
    assert visitor.errors + visitor.refusals() == []


def test_reasons_open_on_the_page_of_a_person(visit: Visit, shop: factories.Cast) -> None:
    model_rows.prediction()
    score = Score.objects.order_by("value")[5]
    row = Prediction.objects.get(title="Buys again")
    visitor = visit(factories.user("marketer"))
    page = visitor.go(f"/people/{score.customer_id}/")
    page.locator(".m-scores summary").click()
    expect(page.locator(".m-why")).to_contain_text("Working it out")
    # What a worker does when it is asked.
    reasons.work_out(prediction=row, customer_id=score.customer_id, now=factories.now())
    expect(page.locator(".m-why")).to_contain_text("Here it says")
    expect(page.locator(".m-why")).to_contain_text("people most alike")
    assert visitor.errors + visitor.refusals() + visitor.axe() == []
