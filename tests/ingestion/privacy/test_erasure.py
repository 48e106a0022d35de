"""A forgotten person leaves no name behind, in whatever holds one; what must stay says nothing."""

import pytest
from django.core.cache import cache

from campaigns import reporting
from campaigns.models import Run
from ingestion import consent, erasure, events
from ingestion.models import (
    Customer,
    Erasure,
    Event,
    Identity,
    Order,
    OrderLine,
    PrivacyRequest,
    Refusal,
    SuppressedDigest,
    Suppression,
)
from ingestion.privacy import ledger, requests
from marketing.core.errors import NotFound
from marketing.core.models import AuditEntry
from tests import factories
from tests.ingestion.conftest import NOW
from tests.ingestion.privacy.conftest import sweep
from tests.ingestion.privacy.traces import MAIL, TRACES, live_everywhere, readable, remains

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_var")]


def test_everything_about_the_person_goes_and_orders_stay_if_wanted() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    order = factories.order(ada)
    for person in (ada, ben):
        sent = {"type": "view", "at": NOW, "customer_id": person.pk}
        events.record(batch=[sent], source="web", now=NOW)
    consent.suppress(addresses=[ada.email], reason="unsubscribed", now=NOW)
    done = erasure.forget(customer_id=ada.pk, actor=None)
    assert (done.events, done.orders) == (1, 1)
    assert not erasure.remembered(customer_id=ada.pk)
    assert erasure.remembered(customer_id=ben.pk)
    assert list(Customer.objects.all()) == [ben]
    kept = Order.objects.get(pk=order.pk)
    assert (kept.customer, kept.lines.get().customer) == (None, None)
    assert Identity.objects.filter(value__contains="ada").count() == 0
    assert Event.objects.get().customer_id == ben.pk
    assert not Suppression.objects.exists()
    assert SuppressedDigest.objects.get().reason == "unsubscribed"
    entry = AuditEntry.objects.get(action="customer.erased")
    assert "ada" not in f"{entry.object_label}{entry.detail}"


def test_without_guests_the_orders_go_too() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    mine, other = factories.order(ada), factories.order(ben)
    line = OrderLine.objects.get(order=mine)
    OrderLine.objects.filter(order=other).update(cancels=line)
    done = erasure.forget(customer_id=ada.pk, actor=None, keep_orders=False)
    assert (done.orders, done.receipt.mode) == (1, "erase")
    assert list(Order.objects.all()) == [other]
    assert OrderLine.objects.get().cancels is None


def test_somebody_unknown_cannot_be_forgotten() -> None:
    with pytest.raises(NotFound):
        erasure.forget(customer_id=99, actor=None)
    assert (AuditEntry.objects.count(), Erasure.objects.count()) == (0, 0)


def test_the_api_forgets_by_number(api) -> None:
    api.put("/api/v1/customers/7/", {"first_name": "Ada"})
    assert api.delete("/api/v1/customers/7/").status_code == 204
    assert api.delete("/api/v1/customers/7/").status_code == 404
    assert Customer.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_no_trace_is_left_anywhere_after_an_erasure(bring, settings, tmp_path) -> None:
    cache.clear()
    live_everywhere(bring, settings, tmp_path)
    assert remains(settings, tmp_path) == set(TRACES)
    run = Run.objects.get()
    before = reporting.figures(run_ids=[run.pk])[run.pk]
    request = PrivacyRequest.objects.get()
    done = requests.fulfil(request_id=request.pk, actor=factories.user("admin"), now=NOW)
    assert isinstance(done, erasure.Forgotten)
    assert list(ledger.lines()) == [
        ledger.Line(
            str(done.receipt.public_id), NOW, done.receipt.mode, tuple(done.receipt.digests)
        )
    ]
    receipt = sweep(done.receipt)
    assert remains(settings, tmp_path) == set()
    assert receipt.left == {}
    assert receipt.sealed == ""
    assert receipt.sha256 == ledger.seal_receipt(receipt)
    assert receipt.counts["ingestion_customer"] == 1
    assert receipt.counts["ingestion_order"] == 1
    assert {"caught_mails", "cache", "logs", "raw_files", "quarantine", "exports"} <= set(
        receipt.counts
    )
    # What others own is untouched, and statistics go on counting.
    assert Customer.objects.get().external_id == "77"
    assert Event.objects.get().properties["friend"] == "[…]"
    assert (settings.MAIL_DIR / "new" / "2.eml").exists()
    assert reporting.figures(run_ids=[run.pk])[run.pk] == before
    assert Refusal.objects.get().raw == '{"user_id": "77"}'
    log = (tmp_path / "logs" / "web.log").read_text()
    assert log.startswith("kept line\nwarning: xxx")
    assert log.endswith("é\nend\n")
    raw = "".join(readable(path) for path in (settings.MEDIA_ROOT / "imports").iterdir())
    assert "other@example.net" in raw
    assert "o-2,2026-11-02,77,TEA" in raw
    request.refresh_from_db()
    assert (request.state, request.note, request.customer) == ("done", "", None)
    # Coming back in a file makes a person, but nobody who may be written to.
    again = f"id,email,accepts marketing,optin source,optin date\nX1,{MAIL},yes,form,2026-11-21\n"
    bring(again.encode(), kind="customers", name="again.csv")
    assert consent.mailable([Customer.objects.get(email=MAIL).pk]).get().reason == "suppressed"


def test_a_campaign_that_goes_on_writes_nothing_about_somebody_erased() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    erasure.forget(customer_id=ada.pk, actor=None)
    # Their sender had taken both before.
    batch = [
        {"type": "email_sent", "at": NOW, "message_id": f"sent:{who.pk}", "customer_id": who.pk}
        for who in (ada, ben)
    ]
    events.record(batch=batch, source="campaigns", now=NOW)
    found = Event.objects.order_by("message_id").values_list("message_id", "customer_id")
    assert dict(found) == {f"sent:{ada.pk}": None, f"sent:{ben.pk}": ben.pk}
    assert not erasure.remembered(customer_id=ada.pk)
