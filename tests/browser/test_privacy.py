"""A person signs up, confirms, changes their mind and is forgotten, in a real browser."""

from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.urls import reverse

from ingestion import consent
from ingestion.models import Confirmation, Customer, Erasure, PrivacyRequest
from ingestion.privacy import confirmations, preferences
from tests import factories
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_signing_up_to_being_forgotten(visit: Visit, settings, tmp_path) -> None:
    settings.VAR_DIR = tmp_path
    cache.clear()
    stranger = visit()
    found: list[str] = []

    def look(where: str) -> None:
        found.extend(f"{where}: axe {line}" for line in stranger.axe())
        found.extend(f"{where}: refused {line}" for line in stranger.refusals())

    page = stranger.go("/subscribe/")
    look("sign up")
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_role("button", name="Sign up").click()
    page.get_by_text("Look into your mailbox").wait_for()
    row = Confirmation.objects.get()
    page = stranger.go(urlsplit(confirmations.url_of(row)).path)
    look("confirm")
    page.get_by_role("button", name="Yes, write to me").click()
    page.get_by_text("that is confirmed").wait_for()
    ada = Customer.objects.get(email="ada@example.com")
    assert consent.may_mail(ada.pk)
    page = stranger.go(urlsplit(preferences.url_of(customer_id=ada.pk)).path)
    look("choices")
    page.get_by_label("News and offers").uncheck()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("It took effect at once").wait_for()
    assert not consent.may_mail(ada.pk)
    page.get_by_role("button", name="Erase my data").click()
    page.get_by_text("Your data is erased within a month").wait_for()
    request = PrivacyRequest.objects.get()
    admin = visit(factories.user("admin"))
    page = admin.go(reverse("ingestion:privacy-home"))
    page.get_by_role("link", name="Erase", exact=True).click()
    page.get_by_role("button", name="Erase this person").click()
    page.get_by_role("dialog").get_by_role("button", name="Erase", exact=True).click()
    page.get_by_text("The person is erased").wait_for()
    assert Erasure.objects.get().request == request
    assert not Customer.objects.exists()
    assert consent.is_suppressed(address="ada@example.com")
    assert found + stranger.errors + admin.errors == []


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_pages_of_requests_receipts_and_plans_are_sound(visit: Visit, width: str) -> None:
    person = factories.customer("ada")
    receipt = Erasure.objects.create(customer_number=7, counts={"ingestion_event": 3})
    rows = [
        PrivacyRequest.objects.create(
            kind=kind, customer=person, came_by="letter", due_at=factories.now()
        )
        for kind in PrivacyRequest.Kind.values
    ]
    consent.suppress(addresses=["x@example.com"], reason="bounced", now=factories.now())
    visitor = visit(factories.user("admin"), width=width)
    paths = [
        reverse("ingestion:privacy-home"),
        reverse("ingestion:privacy-suppression"),
        reverse("ingestion:person-privacy", args=[person.pk]),
        reverse("ingestion:erasure-receipt", args=[receipt.public_id]),
        *(reverse("ingestion:privacy-request", args=[row.public_id]) for row in rows),
    ]
    found = [line for path in paths for line in visitor.unsound(path)]
    page = visitor.go(reverse("ingestion:privacy-retention"))
    page.get_by_role("button", name="What would go tonight?").click()
    page.get_by_text("Nothing would go").wait_for()
    found += [f"plan: axe {line}" for line in visitor.axe()]
    assert found + visitor.errors == []
