"""Who visits, what they look at, and where they came from."""

import pytest
from django.test import Client

from ingestion.models import Customer
from tests import factories
from tests.browser.tracker.guests import Shop, stored

pytestmark = pytest.mark.browser


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
