"""One place answers whether somebody may be written to."""

from datetime import timedelta

import pytest

from ingestion import consent
from ingestion.models import Consent, Suppression
from marketing.core.errors import Invalid
from tests import factories
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db


def reason(person) -> str:
    return consent.mailable([person.pk]).get().reason


def test_everybody_is_answered_with_the_first_reason_that_holds() -> None:
    ada = factories.customer("ada")
    ben = factories.customer("ben", consent=False)
    cleo = factories.customer("cleo", consent=None)
    dora = factories.customer("dora", email=None)
    consent.suppress(addresses=["Ada@Example.com "], reason="complained", now=NOW)
    assert [reason(p) for p in (ada, ben, cleo, dora)] == [
        "suppressed",
        "no_consent",
        "no_consent",
        "no_address",
    ]


def test_a_grant_needs_proof_and_counts_only_changes() -> None:
    ada = factories.customer("ada", consent=None)
    with pytest.raises(Invalid):
        consent.grant(customer_ids=[ada.pk], source="form", proof={}, now=NOW)
    assert Consent.objects.count() == 0
    assert (
        consent.grant(customer_ids=[ada.pk, ada.pk], source="form", proof={"ip": "::1"}, now=NOW)
        == 1
    )
    assert consent.grant(customer_ids=[ada.pk], source="form", proof={"ip": "::1"}, now=NOW) == 0
    assert consent.may_mail(ada.pk)


def test_a_no_keeps_the_history_and_an_older_yes_does_not_undo_it() -> None:
    ada = factories.customer("ada")
    assert consent.revoke(customer_ids=[ada.pk], source="link", now=NOW) == 1
    assert reason(ada) == "no_consent"
    old = consent.Answer(ada.pk, True, NOW - timedelta(days=1), {"form": 1})
    assert consent.record(answers=[old], source="file") == set()
    new = consent.Answer(ada.pk, True, NOW + timedelta(days=1), {"form": 2})
    assert consent.record(answers=[old, new], source="file") == {ada.pk}
    assert list(
        Consent.objects.filter(customer=ada).order_by("id").values_list("granted", "current")
    ) == [
        (True, False),
        (False, False),
        (True, True),
    ]


def test_a_suppression_outlives_consent_until_it_is_lifted() -> None:
    ada = factories.customer("ada")
    assert (
        consent.suppress(addresses=[ada.email, ada.email.upper()], reason="bounced", now=NOW) == 1
    )
    assert consent.suppress(addresses=[ada.email], reason="manual", now=NOW) == 0
    consent.grant(customer_ids=[ada.pk], source="form", proof={"x": 1}, now=NOW)
    assert reason(ada) == "suppressed"
    assert Suppression.objects.get().reason == "bounced"
    assert consent.lift(address="ADA@example.com")
    assert reason(ada) == ""


def test_purposes_and_channels_are_apart() -> None:
    ada = factories.customer("ada")
    consent.revoke(customer_ids=[ada.pk], purpose="profiling", source="link", now=NOW)
    assert reason(ada) == ""
    assert consent.mailable([ada.pk], purpose="profiling").get().reason == "no_consent"
    with pytest.raises(Invalid):
        consent.revoke(customer_ids=[ada.pk], channel="pigeon", source="x", now=NOW)
