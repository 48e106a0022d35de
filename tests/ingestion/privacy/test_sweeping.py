"""A sweep may die, come late or be done again: it ends complete, and leaves who came back."""

from datetime import timedelta

import pytest

from ingestion import consent, erasure, events
from ingestion.models import Consent, Customer, Event, Identity, ImportJob, Reject
from ingestion.privacy import ledger, sweeping
from marketing.core import vault
from marketing.core.models import Job
from marketing.core.personal import Subject
from tests import factories
from tests.ingestion.conftest import NOW
from tests.ingestion.privacy.conftest import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_var")]


def test_a_namesake_and_a_family_keep_what_is_theirs() -> None:
    named = {"first_name": "Anna", "last_name": "Example", "phone": "+442079460000"}
    gone, other = factories.customer("anna1", **named), factories.customer("anna2", **named)
    note = {"about": "Anna Example, +44 20 7946 0000", "from": "anna1@example.com"}
    sent = {"type": "note", "at": NOW, "customer_id": other.pk, "properties": note}
    events.record(batch=[sent], source="web", now=NOW)
    receipt = sweep(erasure.forget(customer_id=gone.pk, actor=None).receipt)
    assert receipt.left == {}
    assert Event.objects.get().properties == {**note, "from": "[…]"}
    other.refresh_from_db()
    assert (other.display_name, other.phone) == ("Anna Example", "+442079460000")


def test_a_sweep_that_died_begins_again_and_is_complete_once() -> None:
    ada = factories.customer("ada")
    receipt = erasure.forget(customer_id=ada.pk, actor=None).receipt
    Job.objects.all().delete()
    assert sweeping.resume(now=factories.now()) == 0  # too early to be called dead
    assert sweeping.resume(now=factories.now() + timedelta(hours=1)) == 1
    assert sweep(receipt).finished_at is not None
    assert sweeping.resume(now=factories.now() + timedelta(hours=2)) == 0


def test_what_was_answered_and_refused_goes_with_the_person_and_of_others_stays(bring) -> None:
    people = (
        "id,email,accepts marketing,optin source\n"
        "c-ada,ada@example.org,yes,form\nc-ben,ben@example.org,yes,form\n"
        ",ada@example.org nobody,,\n,ben@example.org nobody,,\n"
    )
    record = bring(people.encode(), kind="customers", name="people.csv")
    ada, ben = (Customer.objects.get(external_id=number) for number in ("c-ada", "c-ben"))
    assert Consent.objects.count() == 2
    assert Reject.objects.count() == 2
    sweep(erasure.forget(customer_id=ada.pk, actor=None).receipt)
    assert Consent.objects.get().customer == ben
    assert ImportJob.objects.get() == record
    kept = Reject.objects.order_by("line").values_list("line", "raw")
    assert list(kept) == [(4, ""), (5, ",ben@example.org nobody,,")]


def test_what_comes_late_goes_and_who_came_back_by_themselves_stays() -> None:
    now = factories.now()
    ada = factories.customer("ada", phone="+442079460000")
    number = ada.external_id
    mother = factories.customer(
        "mother", phone="+442079460000", created_at=now + timedelta(minutes=1)
    )
    Identity.objects.create(customer=mother, kind="phone", value="+442079460000")
    visit = events.Incoming(
        type="view", at=now - timedelta(hours=1), message_id="m1", customer_id=ada.pk
    )
    receipt = erasure.forget(customer_id=ada.pk, actor=None, now=now).receipt
    # A process that did not wait stores what it held.
    events.record(batch=[visit], source="web", now=now)
    Event.objects.update(customer_id=ada.pk)
    late = visit._replace(customer_id=None, external_id=number or "", message_id="m2")
    events.record(batch=[late], source="web", now=now)
    assert Customer.objects.filter(external_id=number).exists()
    sweep(receipt)
    assert list(Customer.objects.all()) == [mother]
    assert Event.objects.count() == 0


@pytest.mark.parametrize("how", ["consent", "event", "order"])
def test_a_sweep_done_again_leaves_who_came_back(how: str) -> None:
    now = factories.now()
    ada = factories.customer("ada")
    receipt = erasure.forget(customer_id=ada.pk, actor=None, now=now).receipt
    later = now + timedelta(minutes=5)
    again = factories.customer("ada", consent=None)
    if how == "consent":
        consent.grant(
            customer_ids=[again.pk], source="sign-up page", proof={"page": "x"},
            method="double_opt_in", now=later,
        )  # fmt: skip
    elif how == "event":
        seen = events.Incoming(type="view", at=later, message_id="m1", customer_id=again.pk)
        events.record(batch=[seen], source="web", now=later)
    else:
        factories.order(again, placed_at=later)
    sweep(receipt)
    assert Customer.objects.get() == again


def test_an_imported_yes_is_no_sign_that_somebody_came_back() -> None:
    now = factories.now()
    ada = factories.customer("ada")
    receipt = erasure.forget(customer_id=ada.pk, actor=None, now=now).receipt
    again = factories.customer("ada", consent=None)
    consent.grant(
        customer_ids=[again.pk], source="file", proof={"file": "x"}, method="import",
        now=now + timedelta(minutes=5),
    )  # fmt: skip
    sweep(receipt)
    assert Customer.objects.count() == 0


def test_a_sweep_writes_the_erasure_down_where_a_crash_kept_it_from_the_file() -> None:
    receipt = erasure.forget(customer_id=factories.customer("ada").pk, actor=None).receipt
    assert list(ledger.lines()) == []  # this test never commits
    sweep(receipt)
    (line,) = ledger.lines()
    assert (line.id, line.digests) == (str(receipt.public_id), tuple(receipt.digests))
    receipt.sealed = vault.seal(text=Subject(numbers=(1,)).as_text(), row=ledger.row_of(receipt))
    receipt.save()
    Job.objects.all().delete()
    assert sweeping.resume(now=factories.now() + timedelta(hours=1)) == 1
    sweep(receipt)
    assert len(list(ledger.lines())) == 1
