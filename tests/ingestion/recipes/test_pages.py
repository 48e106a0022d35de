"""The recipe editor: rules are added, moved, tried on real rows, saved and run again."""

import pytest
from django.urls import reverse

from ingestion.models import ExchangeRate, OrderLine, RecipeRun, RecipeVersion, Source
from marketing.core.auth import ANALYST, MARKETER
from tests import factories

ORDERS = (
    b"order_id,placed_at,sku,quantity,unit_price,email\n"
    b"1,2024-01-01 10:00,A,2,10.00, ANN@Shop.org \n"
    b"2,2024-01-02 10:00,TEST,1,1.00,bob@shop.org\n"
)


@pytest.fixture
def marketer(db):
    return factories.signed_in(MARKETER)


@pytest.fixture
def record(bring):
    return bring(ORDERS)


def address(record, name="edit"):
    return reverse(f"ingestion:recipe-{name}", args=[record.source_id, "orders"])


EMAIL = {
    "id": ["r1"],
    "r1.rule": "email",
    "r1.on": "on",
    "r1.columns": ["email"],
    "r1.otherwise": "keep",
    "base": "0",
}
DROP = {"r2.rule": "drop_rows", "r2.on": "on", "r2.where": 'sku = "TEST"'}


def test_a_rule_is_added_from_the_palette_and_tried_at_once(marketer, record):
    page = marketer.get(address(record)).content.decode()
    assert "No rules yet" in page
    assert "Product codes in capitals" in page
    answer = marketer.post(
        address(record, "try"), {"do": "add:email", "base": "0"}, headers={"HX-Request": "true"}
    )
    body = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in body
    assert " ANN@Shop.org " in body
    assert "ann@shop.org" in body
    assert not RecipeVersion.objects.exists()


def test_rules_move_switch_off_and_go_by_buttons_that_work_without_a_script(marketer, record):
    form = EMAIL | DROP | {"id": ["r1", "r2"]}

    def order(do):
        page = marketer.post(address(record, "try"), form | {"do": do}).content.decode()
        assert "<html" in page
        return [part.split('"')[0] for part in page.split('name="id" value="')[1:]]

    assert order("up:r2") == ["r2", "r1"]
    assert order("down:r2") == ["r1", "r2"]
    assert order("remove:r1") == ["r2"]
    assert order("add:trim") == ["r1", "r2", "r3"]
    page = marketer.post(address(record, "try"), form | {"do": "toggle:r2"}).content.decode()
    assert 'name="r2.on" value="off"' in page


def test_what_is_wrong_stands_at_its_setting_and_nothing_is_saved(marketer, record):
    form = EMAIL | DROP | {"id": ["r1", "r2"], "r2.where": "sku ="}
    page = marketer.post(address(record, "try"), form).content.decode()
    assert "The expression ends too early." in page
    answer = marketer.post(address(record, "save"), form)
    assert answer.status_code == 422
    assert "Nothing was saved" in answer.content.decode()
    assert not RecipeVersion.objects.exists()


def test_saving_makes_a_version_that_says_what_changed(marketer, record):
    form = EMAIL | DROP | {"id": ["r1", "r2"]}
    marketer.post(address(record, "save"), form)
    page = marketer.get(address(record)).content.decode()
    assert "Version 1" in page
    assert "Added “Leave rows out”: sku = &quot;TEST&quot;" in page
    stale = marketer.post(address(record, "save"), EMAIL)
    assert stale.status_code == 422
    assert "Somebody saved version 1" in stale.content.decode()


def test_a_file_is_run_again_from_the_page(marketer, record):
    marketer.post(address(record, "save"), EMAIL | DROP | {"id": ["r1", "r2"]})
    answer = marketer.post(
        address(record, "repeat"), {"import": str(record.public_id), "version": "1"}
    )
    run = RecipeRun.objects.get()
    assert answer.url == reverse("core:job-detail", args=[run.job.public_id])
    from marketing.core import jobs

    jobs.run(job_id=run.job_id)
    assert OrderLine.objects.count() == 1
    page = marketer.get(address(record)).content.decode()
    assert "no recipe → version 1" in " ".join(page.split())
    detail = marketer.get(reverse("ingestion:import-detail", args=[record.public_id]))
    assert "Recipe: Leave rows out" in detail.content.decode()
    assert "adds up" in detail.content.decode()


def test_rates_are_taken_or_refused_by_line(marketer, record):
    marketer.post(address(record, "rates"), {"rates": "2026-01-31, EUR, GBP, 0.8412\n"})
    assert str(ExchangeRate.objects.get()) == "2026-01-31 EUR/GBP 0.8412000000"
    marketer.post(address(record, "rates"), {"rates": "2026-01-31, EUR, GBP, much"})
    assert ExchangeRate.objects.count() == 1
    assert "Line 1 is no rate" in marketer.get(address(record)).content.decode()


def test_an_analyst_looks_and_changes_nothing(db, record):
    analyst = factories.signed_in(ANALYST)
    assert analyst.get(address(record)).status_code == 200
    for name in ("try", "save", "rates", "repeat"):
        assert analyst.post(address(record, name), EMAIL).status_code == 403


def test_pages_need_few_queries(marketer, record, django_assert_max_num_queries):
    marketer.post(address(record, "save"), EMAIL | DROP | {"id": ["r1", "r2"]})
    with django_assert_max_num_queries(20):
        marketer.get(address(record))


def test_a_source_without_rows_has_a_recipe_too(marketer):
    source = Source.objects.create(name="empty")
    for kind in ("orders", "customers", "products", "events"):
        found = marketer.get(reverse("ingestion:recipe-edit", args=[source.pk, kind]))
        assert found.status_code == 200
    wrong = marketer.get(reverse("ingestion:recipe-edit", args=[source.pk, "cats"]))
    assert wrong.status_code == 404


@pytest.mark.parametrize("odd", ["²", "9" * 5000, "-1", ""])
def test_a_version_that_is_no_number_is_not_found(marketer, record, odd):
    said = {"import": record.public_id, "version": odd}
    assert marketer.post(address(record, "repeat"), said).status_code == 404
    assert marketer.post(address(record, "save"), {"base": odd}).status_code < 500
