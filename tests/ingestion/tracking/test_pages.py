"""Web sources on pages: a key, code with the key in it, and the first event showing by itself."""

import html

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingestion import events
from ingestion.models import Source
from ingestion.tracking import keys, serving
from marketing.core.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return factories.signed_in("integrator")


def test_a_new_source_shows_its_key_in_every_snippet(client: Client) -> None:
    answer = client.post(reverse("ingestion:tracking-new"), {"name": " my  shop "})
    source = Source.objects.get(kind="tracking")
    assert (answer.status_code, answer.url) == (302, f"/data/tracking/{source.pk}/")
    assert source.name == "my shop"
    page = html.unescape(client.get(answer.url).content.decode())
    assert page.count(str(source.write_key)) == 6  # five snippets and the field
    assert f"/t/{serving.tracker().version}.js" in page
    assert serving.tracker().integrity in page
    assert "Waiting for your first event" in page


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "taken"])
def test_a_name_that_cannot_be_is_told_at_its_field(client: Client, name: str) -> None:
    keys.create(name="taken", actor=None, now=timezone.now())
    answer = client.post(reverse("ingestion:tracking-new"), {"name": name})
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert Source.objects.filter(kind="tracking").count() == 1


def test_what_arrives_shows_by_itself(client: Client, post, shop_source: Source) -> None:
    live = reverse("ingestion:tracking-live", args=[shop_source.pk])
    assert "Waiting for your first event" in client.get(live).content.decode()
    post("track", {"userId": "7", "event": "Product Viewed"})
    assert "receiving" in client.get(live).content.decode()
    events.drain()
    post("track", {"event": "<b>Nobody</b>"})
    events.drain()
    page = client.get(live).content.decode()
    assert "Product Viewed" in page
    assert "Nobody is named" in page


def test_replacing_and_turning_off_take_the_right_and_are_audited(
    client: Client, post, shop_source: Source
) -> None:
    addresses = {
        name: reverse(f"ingestion:tracking-{name}", args=[shop_source.pk])
        for name in ("rotate", "switch", "orders")
    }
    analyst = Client()
    analyst.force_login(factories.user("analyst"))
    for address in addresses.values():
        assert analyst.post(address).status_code == 403
        assert client.get(address).status_code == 405
    old = shop_source.write_key
    client.post(addresses["rotate"])
    shop_source.refresh_from_db()
    assert shop_source.write_key != old
    client.post(addresses["switch"], {"enabled": "0"})
    assert post("track", {"userId": "7", "event": "x"}).status_code == 401
    client.post(addresses["switch"], {"enabled": "1"})
    client.post(addresses["orders"], {"orders": "0"})
    shop_source.refresh_from_db()
    assert (shop_source.enabled, shop_source.options["orders"]) == (True, False)
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "write_key.created",
        "write_key.rotated",
        "write_key.disabled",
        "write_key.enabled",
        "source.changed",
    ]
    assert old not in str(list(AuditEntry.objects.values_list("detail", flat=True)))


def test_only_web_sources_have_such_a_page(client: Client) -> None:
    other = factories.source("shop")
    assert client.get(reverse("ingestion:tracking", args=[other.pk])).status_code == 404


def test_the_page_costs_few_queries(
    client: Client, post, shop_source: Source, django_assert_max_num_queries
) -> None:
    for number in range(8):
        post("track", {"userId": f"c{number}", "event": "x"})
        post("track", {"event": "x"})
    events.drain()
    with django_assert_max_num_queries(14):
        client.get(reverse("ingestion:tracking", args=[shop_source.pk]))


def test_the_page_of_the_source_leads_to_its_code(client: Client, shop_source: Source) -> None:
    page = client.get(reverse("ingestion:source-detail", args=[shop_source.pk])).content.decode()
    assert reverse("ingestion:tracking", args=[shop_source.pk]) in page
    assert (
        reverse("ingestion:tracking-new")
        in client.get(reverse("ingestion:source-new")).content.decode()
    )
