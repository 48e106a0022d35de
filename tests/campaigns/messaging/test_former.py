"""Messages stand with whoever their person is today, and go back when people are parted."""

from datetime import timedelta

import pytest

from campaigns.messaging import former
from campaigns.models import Message
from ingestion.identity import merging
from ingestion.models import Customer, Merge
from marketing.core.errors import NotFound
from models_ml import renewal
from models_ml.models import Traits
from recommendations import serve, stored
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def sent(*people: Customer, name: str) -> list[Message]:
    run = factories.run(factories.campaign(name), list(people))
    return list(run.messages.order_by("id"))


def test_messages_follow_a_merge_and_come_back_when_it_is_undone() -> None:
    one, two = factories.customer(), factories.customer()
    (alone,) = sent(two, name="To one")
    both = sent(one, two, name="To both")
    before = list(Message.objects.order_by("id").values_list("id", "customer_id"))
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    assert former.follow(customer_ids=[two.pk]) == 1
    assert former.follow(customer_ids=[two.pk]) == 0
    alone.refresh_from_db()
    assert alone.customer_id == one.pk
    assert Message.objects.get(pk=both[1].pk).customer_id == two.pk  # a run counts each once
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=LATER)
    assert former.follow(customer_ids=[two.pk]) == 1
    assert list(Message.objects.order_by("id").values_list("id", "customer_id")) == before


def test_chains_of_merges_end_at_whoever_stands_for_all() -> None:
    one, two, three = (factories.customer() for _ in range(3))
    (message,) = sent(three, name="Once")
    merging.merge(kept=two.pk, gone=three.pk, actor=None, now=NOW)
    former.follow(customer_ids=[three.pk])
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    former.follow(customer_ids=[two.pk, three.pk])
    message.refresh_from_db()
    assert (message.customer_id, message.first_customer_id) == (one.pk, three.pk)


def test_numbers_of_a_merged_person_go_and_their_picks_are_theirs_again_once_parted() -> None:
    one, two = factories.customer(), factories.customer()
    for person in (one, two):
        factories.traits(person)
        factories.picks(person, [factories.product("TEAPOT")])
    number = two.external_id
    merging.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    assert renewal.follow(customer_ids=[two.pk]) == 1
    assert list(Traits.objects.values_list("customer_id", flat=True)) == [one.pk]
    assert merging.moved_lately(now=NOW) == [two.pk]
    with pytest.raises(NotFound):
        stored.of(external_id=number, limit=5)
    merging.undo(merge_id=Merge.objects.get().pk, actor=None, now=NOW)
    assert stored.of(external_id=number, limit=5).customer_id == two.pk
    assert [pick.rank for pick in serve.for_customers([two.pk])[two.pk]] == [1]
