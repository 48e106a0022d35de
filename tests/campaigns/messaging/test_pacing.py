"""Limits hold in any ten seconds, whoever sends, dies or starts again."""

import threading
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.messaging import claims, delivery, lanes, pacing
from campaigns.messaging.pacing import Allowance
from campaigns.models import Channel, Message, Pace
from tests import factories
from tests.campaigns.conftest import people, started, states

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def this_machine(settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


def mail_channel(postbox, **values) -> Channel:
    return Channel.objects.create(
        name="Mail",
        kind="email",
        provider="email_smtp",
        is_default=True,
        settings={"host": "127.0.0.1", "port": str(postbox.port), "security": "none"},
        **values,
    )


def most_within(seconds: float, moments: Sequence[float]) -> int:
    """The largest number of moments in any window of so many seconds."""
    ordered = sorted(moments)
    most = first = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def use(allowance: Allowance, seconds: float, moments: list[float]) -> None:
    """Take slots as a sender does and note when each was used."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        taken, wait = allowance.take()
        time.sleep(min(wait, 0.2))
        if taken:
            moments.append(time.monotonic())


def test_senders_together_keep_a_limit_though_they_die_and_start_again_with_nothing():
    moments: list[float] = []

    def senders() -> None:
        try:
            for _life in range(3):  # a new one knows nothing of what the one before it took
                use(Allowance("email:1", 40.0), 1.3, moments)
        finally:
            connection.close()

    threads = [threading.Thread(target=senders) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most_within(2.0, moments) <= 2 * 40 * 1.05 + 1
    assert len(moments) > 20


def test_slots_are_one_message_apart_and_the_first_after_a_long_rest_is_only_one():
    Pace.objects.create(key="email:1", free_at=timezone.now() - timedelta(days=1))
    moments: list[float] = []
    began = time.monotonic()
    use(Allowance("email:1", 10.0), 1.0, moments)
    assert len(moments) > 1
    assert all(taken >= began + 0.1 * n - 0.01 for n, taken in enumerate(moments))


def test_a_sender_that_took_slots_too_early_does_not_use_them_late():
    allowance = Allowance("email:1", 50.0)
    assert allowance.take()[0]
    assert len(allowance.slots) == 9
    allowance.slots.extend([allowance.slots.popleft() - 60.0] * 9)
    allowance.slots.rotate(9)
    allowance.take()
    assert all(slot > time.monotonic() - 1 for slot in allowance.slots)


def test_a_channel_being_warmed_up_sends_todays_share_and_keeps_the_rest_for_tomorrow(postbox):
    mail_channel(postbox, warmup_per_day=3, warmup_since=timezone.localdate())
    people(5)
    run = started()
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3, "queued": 2}
    run.refresh_from_db()
    assert "warmed up" in run.error
    waiting = Message.objects.filter(run=run, state="queued")
    assert all(m.next_try_at > factories.now() + timedelta(seconds=1) for m in waiting)
    assert claims.claim(run_id=run.pk, owner="s", limit=5) == []
    Pace.objects.update(day=timezone.localdate() - timedelta(days=1))
    Message.objects.filter(state="queued").update(next_try_at=None)
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 5}


@pytest.mark.parametrize(
    ("day", "most"), [(-1, None), (0, 200), (1, 300), (2, 450), (29, 25_566_807), (30, None)]
)
def test_the_share_of_a_day_grows_by_half_until_the_month_is_over(day, most):
    today = timezone.localdate()
    channel = Channel(warmup_per_day=200, warmup_since=today - timedelta(days=day))
    assert pacing.warm_limit(channel, today) == most


def test_a_slow_domain_waits_for_itself_while_others_go_on(postbox):
    mail_channel(postbox, domain_rates={"slow.example": 4})
    slow, fast = people(12, prefix="s"), people(12, prefix="f")
    for person in slow:
        person.email = f"{person.external_id}@slow.example"
        person.save(update_fields=["email"])
    run = started()
    done = delivery.deliver(run_id=run.pk, budget_seconds=1.5)
    quick = [a for a in postbox.copies if a.endswith("@example.com")]
    assert len(quick) == len(fast)
    assert 1 <= len(postbox.copies) - len(quick) < len(slow)
    assert done.more
    delivery.deliver(run_id=run.pk, budget_seconds=20)
    assert states(run) == {"sent": 24}
    assert set(postbox.copies.values()) == {1}


def test_a_domain_without_a_number_of_its_own_has_the_one_of_the_others():
    channel = Channel(name="Mail", kind="email", domain_rates={"a.example": 2, "*": 7}, pk=3)
    lane = lanes.Lane("email:3", "email", channel, lanes.POLICY["email"])
    assert lane.domain("x@a.example").rate == 2
    assert lane.domain("x@B.example").rate == 7
    assert lane.domain("x@b.example") is lane.domain("y@b.example")
    assert lanes.Lane("email", "email", None, lanes.POLICY["email"]).domain("x@a.example") is None


def test_a_limited_channel_sends_everything_at_its_pace(postbox):
    mail_channel(postbox, rate_per_second=40.0)
    people(60)
    run = started()
    moments: list[float] = []
    postbox.on_mail = lambda _recipient: moments.append(time.monotonic())
    delivery.deliver(run_id=run.pk, lines=3)
    assert states(run) == {"sent": 60}
    assert most_within(1.0, moments) <= 45  # the way to the server takes its own time
