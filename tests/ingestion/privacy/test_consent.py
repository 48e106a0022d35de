"""One place answers whether somebody may be written to."""

import itertools
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import consent, queries
from ingestion.identity import merging
from ingestion.models import Consent, Customer, Purpose, SuppressedDigest, Suppression
from ingestion.privacy import preferences, purposes
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
    later = NOW + timedelta(days=2)
    assert consent.record(answers=[old, new], source="file", now=later) == {ada.pk}
    kept = Consent.objects.filter(customer=ada).order_by("at")
    assert list(kept.values_list("granted", "current")) == [
        (True, False),
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


def test_who_was_merged_is_counted_once_and_who_may_not_be_mailed_not_at_all() -> None:
    ada, again = factories.customer("ada"), factories.customer("ada2")
    gone, over = factories.customer("gone"), factories.customer("over")
    merging.merge(kept=ada.pk, gone=again.pk, actor=None, now=NOW)
    consent.suppress(addresses=[gone.email], reason="complained", now=NOW)
    Consent.objects.filter(customer=over).update(expires_at=NOW - timedelta(days=30))
    factories.customer("never", email=None)
    marketing = next(line for line in purposes.overview() if line.slug == "marketing")
    assert marketing.answers == {"email": (3, 0)}
    assert queries.overview().mailable == 1


def test_purposes_and_channels_are_apart() -> None:
    ada = factories.customer("ada")
    consent.revoke(customer_ids=[ada.pk], purpose="profiling", source="link", now=NOW)
    assert reason(ada) == ""
    assert consent.mailable([ada.pk], purpose="profiling").get().reason == "no_consent"
    with pytest.raises(Invalid):
        consent.revoke(customer_ids=[ada.pk], channel="pigeon", source="x", now=NOW)


MOMENTS = st.integers(0, 4).map(lambda day: NOW - timedelta(days=10 - day))
SAID = st.builds(
    lambda granted, at, method, dated, expires: (granted, at, method, dated, expires),
    st.booleans(),
    MOMENTS,
    st.sampled_from(["form", "implied"]),
    st.booleans(),
    st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=900)]),
)


def what_counts(person: Customer) -> tuple:
    row = Consent.objects.get(customer=person, current=True)
    return row.granted, row.at, row.weight, row.expires_at


@settings(max_examples=40)
@given(said=st.lists(SAID, min_size=1, max_size=5), data=st.data())
def test_any_order_of_arrival_gives_the_same_answer(said: list[tuple], data: st.DataObject) -> None:
    found = set()
    orders = list(itertools.permutations(said))
    for order in [orders[0], *data.draw(st.lists(st.sampled_from(orders), min_size=4, max_size=8))]:
        person = factories.customer(consent=None)
        cut = data.draw(st.integers(0, len(order)))
        for part in (order[:cut], order[cut:]):
            consent.record(
                answers=[
                    consent.Answer(person.pk, granted, at, {"x": 1}, method, dated, expires)
                    for granted, at, method, dated, expires in part
                ],
                source="any",
                now=NOW,
            )
        assert Consent.objects.filter(customer=person, current=True).count() == 1
        found.add((*what_counts(person), reason(person)))
    assert len(found) == 1


def test_at_the_same_moment_a_no_wins() -> None:
    for first in (True, False):
        person = factories.customer(consent=None)
        for granted in (first, not first):
            answer = consent.Answer(person.pk, granted, NOW, {"x": 1})
            consent.record(answers=[answer], source="file", now=NOW)
        assert reason(person) == "no_consent"


def test_a_yes_without_a_moment_never_undoes_a_no() -> None:
    for order in ((True, False), (False, True)):
        person = factories.customer(consent=None)
        for granted in order:
            at = NOW if granted else NOW - timedelta(days=900)
            answer = consent.Answer(person.pk, granted, at, {"x": 1}, dated=not granted)
            consent.record(answers=[answer], source="file", now=NOW)
        assert reason(person) == "no_consent"


def test_nobody_agrees_in_the_future() -> None:
    ada = factories.customer("ada", consent=None)
    far = consent.Answer(ada.pk, True, NOW + timedelta(days=9000), {"form": 1})
    consent.record(answers=[far], source="file", now=NOW)
    assert Consent.objects.get().at == NOW
    assert Consent.objects.get().proof["claimed_at"].startswith("2051")
    consent.revoke(customer_ids=[ada.pk], source="link", now=NOW + timedelta(seconds=1))
    assert reason(ada) == "no_consent"


def test_implied_consent_runs_out_and_yields_to_what_was_said() -> None:
    ada, ben = factories.customer("ada", consent=None), factories.customer("ben", consent=None)
    real = factories.now()
    for person, ends in ((ada, real - timedelta(seconds=1)), (ben, real + timedelta(days=1))):
        consent.grant(
            customer_ids=[person.pk],
            source="order",
            proof={"order": "1"},
            method="implied",
            expires_at=ends,
            now=real - timedelta(days=180),
        )
    assert (reason(ada), reason(ben)) == ("no_consent", "")
    no = consent.Answer(ben.pk, False, real - timedelta(days=400))
    consent.record(answers=[no], source="file", now=real)
    assert reason(ben) == "no_consent"


def test_a_purpose_of_ones_own_can_be_agreed_to_once_it_exists() -> None:
    ada = factories.customer("ada")
    with pytest.raises(Invalid):
        consent.revoke(customer_ids=[ada.pk], purpose="partners", source="x", now=NOW)
    Purpose.objects.create(slug="partners", name="Partner offers")
    consent.grant(customer_ids=[ada.pk], purpose="partners", source="x", proof={"form": 1}, now=NOW)
    assert consent.may_mail(ada.pk, purpose="partners")
    assert not consent.may_mail(factories.customer("ben").pk, purpose="partners")


def test_the_hash_of_an_erased_address_bars_whoever_holds_it_again() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    consent.suppress(addresses=[ada.email], reason="complained", now=NOW)
    assert consent.veil(addresses=[ada.email.upper()], channel="email", now=NOW) == 1
    assert Suppression.objects.count() == 0
    assert SuppressedDigest.objects.get().reason == "complained"
    assert (reason(ada), reason(ben)) == ("suppressed", "")
    assert consent.is_suppressed(address=ada.email)
    with connection.cursor() as cursor:
        cursor.execute("SELECT ingestion_digest(%s)", [ada.email])
        assert bytes(cursor.fetchone()[0]) == consent.digest_of(ada.email)
    assert not consent.lift(address=ada.email, reasons=("unsubscribed",))
    assert consent.lift(address=ada.email)
    assert reason(ada) == ""


FILE = b"id,email,accepts marketing,optin source,optin date\n1,ada@example.com,yes,form,%s\n"


@pytest.mark.parametrize(
    ("told_on", "expected"),
    [(b"", "no_consent"), (b"2026-01-01", "no_consent"), (b"2026-11-21", "")],
    ids=["undated", "older than the no", "newer than the no"],
)
def test_a_file_resurrects_nobody_without_a_newer_day_of_its_own(bring, told_on, expected) -> None:
    bring(FILE % b"2025-01-01", kind="customers")
    ada = Customer.objects.get(external_id="1")
    assert reason(ada) == ""
    consent.revoke(customer_ids=[ada.pk], source="unsubscribe link", now=NOW - timedelta(days=2))
    bring(FILE % told_on, kind="customers", name="again.csv")
    assert reason(ada) == expected


@pytest.mark.parametrize(
    ("told_at", "expected"),
    [(None, "no_consent"), ("2026-01-01T00:00:00Z", "no_consent")],
    ids=["undated", "older than the no"],
)
def test_the_api_resurrects_nobody_either(api, told_at, expected) -> None:
    ada = factories.customer("ada", external_id="1")
    consent.revoke(customer_ids=[ada.pk], source="link", now=NOW - timedelta(days=2))
    answer = {"granted": True, "proof": {"form": "footer"}}
    if told_at:
        answer["at"] = told_at
    body = {"external_id": "1", "email": ada.email, "consent": {"email": answer}}
    assert api.post("/api/v1/customers/", body).status_code == 200
    assert reason(ada) == expected


def test_a_purpose_that_we_named_is_asked_for_in_the_readers_language() -> None:
    purposes.add(name="Ads", description="What we said", actor=None, now=NOW)
    with translation.override("zh-hans"):
        ours = translation.gettext("Ads")
        assert ours != "Ads"
        assert ("ads", ours, "What we said") in preferences.purposes()
        assert ours in {line.name for line in purposes.overview()}
