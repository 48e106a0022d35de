"""Whoever takes many people out gives the password again, and is written down."""

from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from ingestion.models import Suppression
from marketing.core import auth, downloads
from marketing.core.models import AuditEntry, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few_are_many(settings) -> None:
    cache.clear()
    settings.DOWNLOAD_LARGE, settings.DOWNLOAD_DAILY = 2, 7


def suppressed(n: int) -> None:
    Suppression.objects.bulk_create(
        Suppression(address=f"p{i}@example.com", channel="email", kind="address", reason="manual")
        for i in range(n)
    )


def taken() -> list[dict]:
    rows = AuditEntry.objects.filter(action=downloads.TAKEN).order_by("id")
    return list(rows.values_list("detail", flat=True))


def confirmed(client: Client, password: str = factories.PASSWORD) -> int:
    return client.post(reverse("core:confirm"), {"password": password}).status_code


def test_many_people_leave_after_the_password_and_for_ten_minutes_only() -> None:
    client, url = factories.signed_in(), reverse("ingestion:suppression-export")
    suppressed(2)
    assert client.get(url).status_code == 200
    suppressed_more = Suppression(address="q@example.com", channel="email", kind="address")
    suppressed_more.save()
    answer = client.get(url + "?channel=email")
    assert answer["Location"].startswith(reverse("core:confirm") + "?next=")
    assert "last ten minutes" in client.get(answer["Location"]).content.decode()
    assert confirmed(client, "wrong") == 422
    back = client.post(answer["Location"], {"password": factories.PASSWORD})["Location"]
    assert back == reverse("ingestion:privacy-suppression") + "?channel=email"
    assert len(b"".join(client.get(url).streaming_content).splitlines()) == 4
    assert taken() == [{"people": 2, "what": "suppression"}, {"people": 3, "what": "suppression"}]
    with time_machine.travel(factories.now() + timedelta(minutes=11), tick=False):
        assert client.get(url).status_code == 302


def test_no_more_than_the_days_number_leave_however_often_it_is_asked() -> None:
    client, url = factories.signed_in(), reverse("ingestion:suppression-export")
    suppressed(3)
    confirmed(client)
    assert [client.get(url).status_code for _n in range(3)] == [200, 200, 302]
    page = client.get(reverse("ingestion:privacy-suppression")).content.decode()
    assert "Only 7 people may be taken out in a day." in page
    assert len(taken()) == 2
    AuditEntry.objects.create(actor_label="x", action=downloads.TAKEN, detail={"people": 5})
    other = factories.signed_in()
    confirmed(other)
    assert other.get(url).status_code == 200  # everybody has a number of their own


def test_the_password_cannot_be_guessed_there_and_leads_to_no_other_site() -> None:
    client = factories.signed_in()
    assert [confirmed(client, "wrong") for _n in range(5)] == [422] * 5
    assert confirmed(client) == 422
    other = factories.signed_in()
    answer = other.post(
        reverse("core:confirm") + "?next=https://evil.example/", {"password": factories.PASSWORD}
    )
    assert answer["Location"] == reverse("home")


def test_a_key_reads_so_many_people_a_day_and_each_ten_thousand_is_written_down() -> None:
    for name in ("ada", "ben", "cleo", "dora"):
        factories.customer(name)
    key, secret = auth.create_key(
        name="shop", scopes=["customers:read"], user=factories.user("integrator")
    )
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.get("/api/v1/customers/?limit=1").status_code == 200
    assert taken() == []
    assert client.get("/api/v1/customers/").status_code == 200
    assert taken() == [{"people": 5, "what": "api"}]
    answer = client.get("/api/v1/customers/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_people")
    assert client.get("/api/v1/customers/").status_code == 429
    assert taken()[1:] == [{"people": 5, "what": "api", "refused": True}]
    assert AuditEntry.objects.filter(action=downloads.TAKEN)[0].actor_label == "API key shop"
    assert User.objects.get(pk=key.created_by_id).is_active


def test_a_session_reads_many_people_over_the_api_after_the_password_only() -> None:
    for name in ("ada", "ben", "cleo"):
        factories.customer(name)
    client = factories.signed_in("integrator")
    answer = client.get("/api/v1/customers/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "password_needed")
    assert client.get("/api/v1/customers/?limit=1").status_code == 200
    confirmed(client)
    assert client.get("/api/v1/customers/").status_code == 200
