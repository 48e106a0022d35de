"""A suppression between queue and claim always wins, in whatever order things happen."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.messaging import claims, marks, sweeps
from campaigns.messaging.marks import Outcome
from campaigns.models import Message
from ingestion import consent
from tests import factories
from tests.campaigns.conftest import people, started, states


@pytest.mark.django_db
@settings(max_examples=30)
@given(st.lists(st.one_of(st.integers(0, 5), st.just("claim")), min_size=2, max_size=12))
def test_whoever_left_before_a_claim_is_never_in_it(steps):
    with transaction.atomic():
        Message.objects.all().delete()
        everyone = people(6, prefix=f"s{factories.customer().pk}x")
        run = started()
        left: set[str] = set()
        for step in steps:
            if step == "claim":
                taken = claims.claim(run_id=run.pk, owner="s", limit=2)
                assert not {message.address for message in taken} & left
            elif step % 2:
                address = everyone[step].email
                consent.suppress(addresses=[address], reason="complained", now=factories.now())
                left.add(address)
            else:
                consent.revoke(customer_ids=[everyone[step].pk], source="test", now=factories.now())
                left.add(everyone[step].email)
        transaction.set_rollback(True)


@pytest.mark.django_db(transaction=True)
def test_senders_claiming_at_once_never_hold_the_same_message():
    people(60)
    run = started()
    taken: list[claims.Claimed] = []

    def take() -> None:
        try:
            while got := claims.claim(run_id=run.pk, owner="s", limit=7):
                taken.extend(got)
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len({message.id for message in taken}) == 60


@pytest.mark.django_db
def test_an_older_fence_can_neither_renew_nor_mark_nor_give_back():
    people(1)
    run = started()
    (old,) = claims.claim(run_id=run.pk, owner="old", limit=1)
    claims.give_back([old])
    (new,) = claims.claim(run_id=run.pk, owner="new", limit=1)
    assert new.fence == old.fence + 1
    assert claims.renew([old]) == set()
    assert claims.renew([new]) == {new.id}
    assert marks.mark([Outcome(old.id, old.fence, "failed", "", "", "", 0.0)]) == {}
    claims.give_back([old])
    assert states(run) == {"sending": 1}
    both = [
        Outcome(old.id, old.fence, "failed", "", "", "", 0.0),
        Outcome(new.id, new.fence, "sent", "", "", "s", 0.0),
    ]
    assert marks.mark(both) == {new.id: "running"}
    assert states(run) == {"sent": 1}


@pytest.mark.django_db
def test_a_paused_run_gives_nothing_out():
    people(1)
    run = started()
    run.state = "paused"
    run.save()
    assert claims.claim(run_id=run.pk, owner="s", limit=1) == []


@pytest.mark.django_db
def test_a_message_whose_sender_died_in_a_cancelled_run_is_not_known_and_not_guessed():
    people(2)
    run = started()
    claims.claim(run_id=run.pk, owner="s", limit=1)
    run.state = "cancelled"
    run.save()
    Message.objects.filter(state="sending").update(lease_until=factories.NOW.replace(year=2020))
    sweeps.sweep()
    assert states(run) == {"unknown": 1, "skipped": 1}


@pytest.mark.django_db
def test_a_message_that_kills_its_senders_is_tried_alone_and_then_set_aside():
    people(5)
    run = started()
    bad = Message.objects.order_by("id")[2].pk
    taken_with_it: list[int] = []
    for _round in range(40):
        taken = claims.claim(run_id=run.pk, owner="s", limit=3)
        if not taken:
            break
        if bad in {message.id for message in taken}:
            taken_with_it.append(len(taken))
            long_ago = factories.NOW.replace(year=2020)
            Message.objects.filter(state="sending").update(lease_until=long_ago)
            sweeps.sweep()
        else:
            marks.mark([Outcome(m.id, m.fence, "sent", "", "", "s", 0.0) for m in taken])
    assert taken_with_it == [3, 3, 3, 1, 1, 1]
    assert states(run) == {"sent": 4, "failed": 1}
    assert Message.objects.get(pk=bad).reason == "deadly"


def suspected(run) -> Message:
    """The first message of a run, as several dead senders in a row left it."""
    suspect = Message.objects.filter(run=run).order_by("id").first()
    Message.objects.filter(pk=suspect.pk).update(
        deaths=claims.SUSPECT_DEATHS,
        first_try_at=factories.NOW,
        claimed_at=timezone.now(),
    )
    return suspect


@pytest.mark.django_db
def test_a_suspect_waits_for_others_but_not_for_ever_where_there_are_always_some():
    people(4)
    run = started()
    suspect = suspected(run)
    first = claims.claim(run_id=run.pk, owner="s", limit=1)
    assert suspect.pk not in {message.id for message in first}
    Message.objects.filter(pk=suspect.pk).update(claimed_at=factories.NOW)
    taken = claims.claim(run_id=run.pk, owner="s", limit=3)
    assert [message.id for message in taken] == [suspect.pk]
    assert len(claims.claim(run_id=run.pk, owner="s", limit=3)) == 2


@pytest.mark.django_db
def test_a_message_whose_answer_a_sender_lived_to_write_is_no_suspect_any_more():
    people(3)
    run = started()
    suspect = suspected(run)
    claims.claim(run_id=run.pk, owner="s", limit=2)
    (alone,) = claims.claim(run_id=run.pk, owner="s", limit=2)
    assert alone.id == suspect.pk
    marks.mark([Outcome(alone.id, alone.fence, "queued", "", "later", "", 30.0)])
    suspect.refresh_from_db()
    assert (suspect.state, suspect.deaths) == ("queued", 0)


@pytest.mark.django_db(transaction=True)
def test_marking_leaves_alone_what_others_prepared_on_the_same_connection():
    people(1)
    run = started()
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("PREPARE somebody_elses AS SELECT 7")
    (one,) = claims.claim(run_id=run.pk, owner="s", limit=1)
    marks.mark([Outcome(one.id, one.fence, "sent", "", "", "s", 0.0)])
    with connection.cursor() as cursor:
        cursor.execute("EXECUTE somebody_elses")
        assert cursor.fetchone() == (7,)
