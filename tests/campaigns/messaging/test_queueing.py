"""Messages are put on the queue once, at their own time, for people who are there."""

from datetime import timedelta

import pytest
from django.db import connection

from campaigns.messaging import claims, marks, queueing, sweeps
from campaigns.messaging.queueing import NewMessage
from campaigns.models import Message, Run
from tests import factories
from tests.campaigns.conftest import people


def standing() -> Run:
    return Run.objects.create(name="Welcome", snapshot={"contents": {}})


@pytest.mark.django_db
def test_a_message_asked_for_twice_is_queued_once_and_keeps_its_id():
    (person,) = people(1)
    run = standing()
    row = NewMessage(person.pk, "email", step="n1", entry=7)
    assert queueing.insert(run_id=run.pk, rows=[row], now=factories.now()) == 1
    first = Message.objects.get()
    assert (first.address, first.state, first.step, first.entry) == (
        "p0@example.com", "queued", "n1", 7,
    )  # fmt: skip
    assert queueing.insert(run_id=run.pk, rows=[row, row], now=factories.now()) == 0
    assert Message.objects.get().message_id == first.message_id == queueing.key(run.pk, row)


@pytest.mark.django_db
def test_the_same_person_may_get_each_step_entry_and_channel_of_a_run_once():
    (person,) = people(1)
    run = standing()
    rows = [
        NewMessage(person.pk, channel, step=step, entry=entry)
        for channel in ("email", "inbox")
        for step in ("n1", "n2")
        for entry in (1, 2)
    ]
    assert queueing.insert(run_id=run.pk, rows=rows, now=factories.now()) == 8
    assert Message.objects.values("message_id").distinct().count() == 8


@pytest.mark.django_db
def test_somebody_who_is_gone_gets_no_row_and_a_reason_is_kept_without_being_sent():
    (person,) = people(1)
    run = standing()
    rows = [
        NewMessage(person.pk + 1000, "email", step="n1"),
        NewMessage(person.pk, "email", step="n1", reason="capped"),
    ]
    assert queueing.insert(run_id=run.pk, rows=rows, now=factories.now()) == 1
    kept = Message.objects.get()
    assert (kept.state, kept.reason, kept.message_id) == ("skipped", "capped", None)


@pytest.mark.django_db
def test_a_message_is_not_claimed_before_its_moment_and_those_due_first_go_first():
    three = people(3)
    run, now = standing(), factories.now()
    dues = [now + timedelta(hours=1), now - timedelta(hours=1), None]
    rows = [
        NewMessage(person.pk, "email", step="n", not_before=due)
        for person, due in zip(three, dues, strict=True)
    ]
    queueing.insert(run_id=run.pk, rows=rows, now=now)
    Message.objects.filter(customer=three[1]).update(next_try_at=now - timedelta(minutes=1))
    taken = claims.claim(run_id=run.pk, owner="s", limit=5)
    assert {message.customer_id for message in taken} == {three[1].pk, three[2].pk}
    assert claims.claim(run_id=run.pk, owner="s", limit=5) == []


@pytest.mark.django_db
def test_a_run_is_looked_after_only_while_something_of_it_is_due():
    (person,) = people(1)
    run, now = standing(), factories.now()
    later = NewMessage(person.pk, "email", step="n", not_before=now + timedelta(days=5))
    queueing.insert(run_id=run.pk, rows=[later], now=now)
    assert sweeps.sweep() == set()
    Message.objects.update(next_try_at=now - timedelta(seconds=1))
    assert sweeps.sweep() == {run.pk}


@pytest.mark.django_db
def test_a_message_that_waited_for_days_for_its_moment_is_then_tried_for_three_days():
    (person,) = people(1)
    run, now = standing(), factories.now()
    row = NewMessage(person.pk, "email", step="n")
    queueing.insert(run_id=run.pk, rows=[row], now=now - timedelta(days=10))
    (message,) = claims.claim(run_id=run.pk, owner="s", limit=1)
    marks.mark([marks.Outcome(message.id, message.fence, "queued", "", "451", "", 30.0)])
    sweeps.sweep()
    assert Message.objects.get().state == "queued"
    Message.objects.update(first_try_at=now - timedelta(hours=73))
    sweeps.sweep()
    assert Message.objects.get().reason == "gave_up"


@pytest.mark.django_db
def test_a_claim_touches_no_row_that_is_due_later_however_many_there_are():
    everyone = people(2_000)
    run, now = standing(), factories.now()
    rows = [
        NewMessage(person.pk, "email", step="n", not_before=now + timedelta(days=1 + n % 5))
        for n, person in enumerate(everyone)
    ]
    queueing.insert(run_id=run.pk, rows=rows, now=now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_message")
        for question in (claims._FRESH, claims._WAITED):
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {question}", [run.pk, 500])
            plan = cursor.fetchone()[0][0]["Plan"]
            assert plan["Actual Rows"] == 0
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 10
