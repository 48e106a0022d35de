"""The main job by hand: a file in, a segment out of rules, a campaign to it, each in a browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from campaigns.messaging import delivery
from campaigns.models import Campaign, Message, Segment
from campaigns.segments import upkeep
from ingestion.models import Customer, ImportJob, Order
from ingestion.recipes import versions
from marketing.core import jobs
from marketing.core.models import Job
from tests import factories
from tests.browser.conftest import Visit
from tests.campaigns.postbox import Postbox

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ORDERS = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom
536366,22633,HAND WARMER UNION JACK,6,2010-12-01 08:28:00,1.85,17850,United Kingdom
536367,84879,BIRD ORNAMENT,32,not a date,1.69,13047,United Kingdom
536368,22960,JAM MAKING SET,6,2010-12-01 08:34:00,4.25,13047,United Kingdom
"""


def run_waiting_jobs() -> None:
    """What a worker would do, here and now."""
    for job_id in Job.objects.filter(state="queued").values_list("id", flat=True):
        jobs.run(job_id=job_id)


def test_a_file_is_uploaded_mapped_and_reported(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS)
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/data/new/")
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Match columns")).to_be_visible()
    expect(page.get_by_role("cell", name="WHITE HANGING HEART").first).to_be_visible()
    page.get_by_role("button", name="Start import").click()
    page.wait_for_url("**/data/*-*/")
    run_waiting_jobs()
    expect(page.get_by_text("Quarantined")).to_be_visible()
    expect(page.locator(".d-ledger")).to_contain_text("Received6")
    record = ImportJob.objects.get()
    assert record.state == "done"
    assert record.received == record.stored + record.duplicate + record.quarantined == 6
    assert record.quarantined == 1
    assert Order.objects.count() == 3
    visitor.go("/")
    expect(page.get_by_text("1 row was set aside")).to_be_visible()
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_a_file_that_is_no_csv_is_refused_and_says_why(visit: Visit, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_bytes(b"")
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/data/new/")
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert not ImportJob.objects.filter(state="running").exists()


def test_a_segment_is_built_and_its_count_follows(visit: Visit, shop: factories.Cast) -> None:
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/segments/new/")
    page.get_by_role("button", name="Add rule").click()
    page.locator('#m-rule [data-name="traits.recency_days"]').click()
    live = page.locator("#live")
    page.locator(".rules select:has(option[value='<='])").select_option("<=")
    number = page.locator(".rules input[type=number]").first
    number.fill("30")
    expect(live.locator(".big")).to_have_text("1")
    expect(page.locator("#some")).to_contain_text("Ada Byron")
    number.fill("300")
    expect(live.locator(".big")).to_have_text("2")
    page.get_by_label("Name", exact=True).fill("Bought within a year")
    page.get_by_role("button", name="Save segment").click()
    page.wait_for_url(re.compile(r"/segments/\d+/$"))
    saved = Segment.objects.get(name="Bought within a year")
    upkeep.refresh()
    saved.refresh_from_db()
    assert saved.size == 2
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_a_leaf_of_the_tree_becomes_a_segment_with_one_press(
    visit: Visit, shop: factories.Cast
) -> None:
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/segments/tree/")
    page.locator(".tn.leaf").first.get_by_role("button", name="Save").click()
    page.wait_for_url(re.compile(r"/segments/\d+/$"))
    assert Segment.objects.filter(origin__leaf=1).exists()
    assert visitor.errors == []


@pytest.fixture
def postbox(settings) -> Iterator[Postbox]:  # type: ignore[no-untyped-def]
    box = Postbox()
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", box.port, 5
    yield box
    box.close()


def test_a_campaign_is_written_checked_sent_and_read(
    visit: Visit, shop: factories.Cast, postbox: Postbox
) -> None:
    recent = factories.segment(
        "Everybody who bought", {"field": "traits.orders", "op": ">=", "value": 1}
    )
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/campaigns/new/")
    page.get_by_label("Campaign name").fill("Winter letter")
    page.locator("#segment_id").select_option(str(recent.pk))
    page.get_by_label("Hold out, percent").fill("0")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="The mail", exact=True)).to_be_visible()
    for step in ("When they get it", "What is tried", "Check, then send"):
        page.get_by_role("button", name="Save and continue").click()
        expect(page.get_by_role("heading", name=step)).to_be_visible()
    page.get_by_role("button", name="Send to 2 people").click()
    page.get_by_role("button", name="Send now").click()
    campaign = Campaign.objects.get(name="Winter letter")
    page.wait_for_url(f"**/campaigns/{campaign.pk}/")
    run = campaign.runs.get()
    delivery.deliver(run_id=run.pk)
    expect(page.get_by_role("progressbar", name="Mails sent")).to_have_attribute(
        "aria-valuenow", "100"
    )
    assert len(postbox.mails) == 2
    sent = Message.objects.filter(run=run, state="sent").order_by("id")
    assert {m.customer for m in sent} == set(Customer.objects.filter(orders__isnull=False))
    visitor.go(f"/messages/{sent[0].pk}/")
    frame = page.frame_locator("iframe").first
    expect(frame.locator("body")).to_contain_text("Ada")
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_a_column_that_the_file_lacks_comes_from_the_recipe(visit: Visit, tmp_path: Path) -> None:
    lines = [line.split(",") for line in ORDERS.splitlines()]
    file = tmp_path / "orders.csv"
    file.write_text("\n".join(",".join(cells[:3] + cells[4:]) for cells in lines))
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/data/new/")
    page.set_input_files("#file", str(file))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Match columns")).to_be_visible()
    page.get_by_label("Kind of rows").select_option("orders")
    expect(page.locator("#column-quantity")).to_be_visible()
    page.get_by_role("button", name="Start import").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a column for Quantity.")
    page.get_by_role("link", name="Recipe", exact=True).click()
    page.wait_for_url("**/recipe/orders/")
    record = ImportJob.objects.get()
    rule = {"id": "n", "rule": "derive", "column": "quantity", "expression": "1"}
    versions.save(
        source=record.source, kind="orders", body={"rules": [rule]}, user=None, now=factories.now()
    )
    visitor.go(f"/data/{record.public_id}/map/")
    page.get_by_label("Kind of rows").select_option("orders")
    expect(page.get_by_role("row", name="Quantity filled by the recipe")).to_be_visible()
    page.get_by_role("button", name="Start import").click()
    page.wait_for_url("**/data/*-*/")
    run_waiting_jobs()
    expect(page.locator(".d-ledger")).to_contain_text("Received6")
    record.refresh_from_db()
    assert (record.state, record.received, record.quarantined) == ("done", 6, 1)
    assert len(visitor.errors) == 1  # the refusal above
    assert "422" in visitor.errors[0]
    assert visitor.refusals() == []
