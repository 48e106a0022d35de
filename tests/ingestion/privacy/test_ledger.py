"""Erasures are written down beside the database, and done again after it was restored."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command

from ingestion import consent, erasure
from ingestion.models import Customer, Erasure, Identity, SuppressedDigest
from ingestion.privacy import ledger
from tests import factories
from tests.ingestion.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_var")]


def test_an_erasure_done_again_leaves_a_family_member_of_the_same_phone() -> None:
    long_ago = NOW - timedelta(days=30)
    phone = "+442079460000"
    gone = factories.customer("anna1", phone=phone, created_at=long_ago)
    other = factories.customer("anna2", phone=phone, created_at=long_ago)
    Identity.objects.create(customer=other, kind="phone", value=phone)
    erasure.forget(customer_id=gone.pk, actor=None, now=NOW)
    assert ledger.returned() == []


def test_a_restored_backup_forgets_again_and_leaves_who_came_back() -> None:
    long_ago = NOW - timedelta(days=30)
    ada = factories.customer("ada", created_at=long_ago)
    ledger_line = erasure.forget(customer_id=ada.pk, actor=None, now=NOW).receipt
    ledger.append(ledger_line)
    # The backup of last week: she is there again, and neither receipt nor suppression is.
    Erasure.objects.all().delete()
    SuppressedDigest.objects.all().delete()
    restored = factories.customer("ada", external_id=ada.external_id, created_at=long_ago)
    ben = factories.customer("ben", created_at=long_ago)
    out = io.StringIO()
    call_command("replay_erasures", "--dry-run", stdout=out)
    assert "1 person" in out.getvalue()
    assert Customer.objects.filter(pk=restored.pk).exists()
    call_command("replay_erasures", stdout=out)
    assert list(Customer.objects.all()) == [ben]
    assert Erasure.objects.get().replayed
    assert consent.is_suppressed(address="ada@example.com")
    # Somebody who signed up after the erasure is a new person.
    factories.customer("ada", created_at=NOW + timedelta(days=1))
    assert ledger.returned() == []
