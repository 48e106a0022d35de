"""A forgotten person leaves no name behind; what they bought stays, as a guest's."""

import pytest

from ingestion import consent, erasure, events
from ingestion.models import Customer, Event, EventKey, Identity, Order, Reject, Suppression
from marketing.core.errors import NotFound
from marketing.core.models import AuditEntry
from tests import factories
from tests.ingestion.conftest import NOW


@pytest.mark.django_db
def test_everything_that_names_the_person_goes_and_orders_stay(bring) -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    order = factories.order(ada)
    for person in (ada, ben):
        sent = {"type": "view", "at": NOW, "customer_id": person.pk}
        events.record(batch=[sent], source="web", now=NOW)
    consent.suppress(addresses=[ada.email], reason="unsubscribed", now=NOW)
    bring(
        b"id,email,subscribed\n,ada@example.com,perhaps\n,zoe@example.com,perhaps\n",
        kind="customers",
    )
    done = erasure.forget(customer_id=ada.pk, actor=None)
    assert (done.events, done.orders, done.rejects) == (1, 1, 1)
    assert not erasure.remembered(customer_id=ada.pk)
    assert erasure.remembered(customer_id=ben.pk)
    assert list(Customer.objects.all()) == [ben]
    kept = Order.objects.get(pk=order.pk)
    assert (kept.customer, kept.lines.get().customer) == (None, None)
    assert Identity.objects.filter(value__contains="ada").count() == 0
    assert Reject.objects.get().raw.startswith(",zoe@")
    assert (Event.objects.count(), EventKey.objects.count()) == (1, 1)
    assert Suppression.objects.get().address == "ada@example.com"
    entry = AuditEntry.objects.get(action="customer.erased")
    assert "ada" not in f"{entry.object_label}{entry.detail}"


@pytest.mark.django_db
def test_somebody_unknown_cannot_be_forgotten() -> None:
    with pytest.raises(NotFound):
        erasure.forget(customer_id=99, actor=None)
    assert AuditEntry.objects.count() == 0


def test_the_api_forgets_by_number(api) -> None:
    api.put("/api/v1/customers/7/", {"first_name": "Ada"})
    assert api.delete("/api/v1/customers/7/").status_code == 204
    assert api.delete("/api/v1/customers/7/").status_code == 404
    assert Customer.objects.count() == 0
