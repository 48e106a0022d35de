"""What the rules say holds in the claim, for everything that is sent by whatever server."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.manners import rules
from campaigns.messaging import claims, delivery
from campaigns.models import Message, Run
from ingestion.privacy import suppressions
from tests import factories
from tests.campaigns.conftest import people, started, states

pytestmark = pytest.mark.django_db(transaction=True)


def limit(*caps: tuple[str, int, int], quiet: dict[str, list[str]] | None = None) -> None:
    rules.save(
        caps=[{"channel": channel, "days": days, "most": most} for channel, days, most in caps],
        quiet=quiet or {},
        actor=None,
        now=factories.now(),
    )


def test_a_second_campaign_of_the_day_waits_for_whoever_had_the_first(postbox) -> None:
    people(3)
    limit(("email", 1, 1))
    first = started()
    delivery.deliver(run_id=first.pk)
    late = people(2, prefix="late")
    second = started()
    delivery.deliver(run_id=second.pk)
    assert states(second) == {"sent": 2, "queued": 3}
    got = Message.objects.filter(run=second, state="sent").values_list("customer_id", flat=True)
    assert set(got) == {person.pk for person in late}
    for message in Message.objects.filter(run=second, state="queued"):
        before = Message.objects.get(run=first, customer_id=message.customer_id)
        assert message.reason == "capped"
        assert message.next_try_at == before.claimed_at + timedelta(days=1)
    second.refresh_from_db()
    assert second.state == "running"


def test_once_the_wait_is_over_they_get_it_and_nothing_says_that_they_waited(postbox) -> None:
    people(2)
    limit(("email", 1, 1))
    delivery.deliver(run_id=started().pk)
    second = started()
    delivery.deliver(run_id=second.pk)
    assert states(second) == {"queued": 2}
    yesterday = timezone.now() - timedelta(days=1, hours=1)
    Message.objects.exclude(run=second).update(claimed_at=yesterday)
    Message.objects.filter(run=second).update(next_try_at=timezone.now())
    delivery.deliver(run_id=second.pk)
    assert states(second) == {"sent": 2}
    assert set(Message.objects.filter(run=second).values_list("reason", flat=True)) == {""}


def test_too_many_in_a_week_is_a_refusal_that_ends_the_campaign(postbox) -> None:
    people(2)
    limit(("email", 7, 1))
    delivery.deliver(run_id=started().pk)
    second = started()
    delivery.deliver(run_id=second.pk)
    assert states(second) == {"skipped": 2}
    assert set(Message.objects.filter(run=second).values_list("reason", flat=True)) == {"capped"}
    second.refresh_from_db()
    assert second.state == "finished"


def test_a_mail_that_was_given_back_does_not_count(postbox) -> None:
    people(1)
    limit(("email", 1, 1))
    first, second = started(), started()
    claimed = claims.claim(run_id=first.pk, owner="a", limit=10)
    assert claims.claim(run_id=second.pk, owner="b", limit=10) == []
    claims.give_back(claimed)
    Message.objects.filter(run=second).update(next_try_at=None)
    assert len(claims.claim(run_id=second.pk, owner="b", limit=10)) == 1


def test_senders_of_several_campaigns_that_meet_the_same_people_keep_the_limit() -> None:
    everyone = people(40)
    limit(("", 1, 2))
    running = [started() for _ in range(6)]
    faults: list[BaseException] = []

    def send(run: Run) -> None:
        try:
            # Few at a time, so that the rounds of different senders cross.
            while claims.claim(run_id=run.pk, owner=str(run.pk), limit=7):
                pass
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    senders = [threading.Thread(target=send, args=(run,)) for run in running]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert faults == []
    for person in everyone:
        mine = Message.objects.filter(customer=person)
        assert sorted(mine.values_list("state", "reason")) == [
            *[("queued", "capped")] * 4,
            *[("sending", "")] * 2,
        ]


def test_a_domain_that_is_stopped_after_the_start_is_not_written_to(postbox) -> None:
    people(2)
    run = started()
    suppressions.add(
        entries=[suppressions.Entry("domain", "*.example.com")],
        source="page",
        actor=None,
        now=factories.now(),
    )
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"skipped": 2}
    assert set(Message.objects.filter(run=run).values_list("reason", flat=True)) == {"suppressed"}
