"""Nobody is written to more often than the rules allow, nor at night, whoever sends."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from campaigns import manners
from campaigns.manners import Later, Refused, judging, rules
from campaigns.models import Message, Run, Turn
from ingestion.models import Customer
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
# Two in the afternoon in London, nine in New York, eleven at night in Tokyo.
AFTERNOON = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def limit(*caps: tuple[str, int, int], quiet: dict[str, list[str]] | None = None) -> None:
    rules.save(
        caps=[{"channel": channel, "days": days, "most": most} for channel, days, most in caps],
        quiet=quiet or {},
        actor=None,
        now=NOW,
    )


def sending(**snapshot) -> Run:
    return Run.objects.create(campaign=factories.campaign(), snapshot=snapshot)


def waiting(run: Run, person: Customer, channel: str = "email", **values) -> Message:
    return Message.objects.create(
        run=run, customer=person, address=person.email or "", channel=channel, **values
    )


def sent(person: Customer, *, ago: timedelta, channel: str = "email", state: str = "sent") -> None:
    waiting(sending(), person, channel, state=state, claimed_at=AFTERNOON - ago)


def judged(*messages: Message, now: datetime = AFTERNOON) -> dict:
    asked = [(m.pk, m.customer_id, m.channel, m.address, "marketing") for m in messages]
    with transaction.atomic():
        return manners.judge(messages=asked, now=now)


def test_without_rules_everybody_may_be_written_to_and_nobody_is_held() -> None:
    message = waiting(sending(), factories.customer("ada"))
    assert judged(message) == {}
    assert judged() == {}
    assert Turn.objects.count() == 0


def test_whoever_had_as_many_as_allowed_waits_until_the_oldest_is_out_of_the_window() -> None:
    limit(("email", 7, 2))
    ada, ben = factories.customer("ada"), factories.customer("ben")
    sent(ada, ago=timedelta(days=6))
    sent(ada, ago=timedelta(days=1))
    sent(ben, ago=timedelta(days=1))
    run = sending()
    first, second = waiting(run, ada), waiting(run, ben)
    assert judged(first, second) == {first.pk: Later(AFTERNOON + timedelta(days=1), "capped")}
    assert judged(first, now=AFTERNOON + timedelta(days=1)) == {}


def test_more_than_three_days_of_waiting_is_a_refusal() -> None:
    limit(("email", 7, 1))
    ada = factories.customer("ada")
    sent(ada, ago=timedelta(days=2))
    message = waiting(sending(), ada)
    assert judged(message) == {message.pk: Refused("capped")}


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        ("sent", True),
        ("sending", True),
        ("unknown", True),
        ("failed", False),
        ("queued", False),
        ("skipped", False),
    ],
)
def test_only_what_arrived_or_may_have_arrived_counts(state: str, counts: bool) -> None:
    limit(("", 1, 1))
    ada = factories.customer("ada")
    sent(ada, ago=timedelta(hours=1), state=state)
    assert bool(judged(waiting(sending(), ada))) is counts


def test_a_limit_for_all_channels_counts_across_them_and_one_for_a_channel_only_its_own() -> None:
    limit(("", 1, 2), ("sms", 1, 1))
    ada, ben = factories.customer("ada"), factories.customer("ben")
    sent(ada, ago=timedelta(hours=2), channel="email")
    sent(ada, ago=timedelta(hours=1), channel="push")
    sent(ben, ago=timedelta(hours=1), channel="sms")
    sent(ben, ago=timedelta(hours=1), channel="webhook")  # a call to the shop's own system
    mail, text = waiting(sending(), ada), waiting(sending(), ben, "sms")
    other = waiting(sending(), ben, "push")
    assert judged(mail, text, other) == {
        mail.pk: Later(AFTERNOON + timedelta(hours=22), "capped"),
        text.pk: Later(AFTERNOON + timedelta(hours=23), "capped"),
    }


def test_two_messages_to_one_person_in_one_claim_count_each_other() -> None:
    limit(("", 1, 1))
    run, ada = sending(), factories.customer("ada")
    first = waiting(run, ada)
    second = waiting(run, ada, "sms")
    assert judged(first, second) == {second.pk: Later(AFTERNOON + timedelta(days=1), "capped")}


def test_the_window_rolls_to_the_second() -> None:
    limit(("email", 1, 1))
    ada, ben = factories.customer("ada"), factories.customer("ben")
    sent(ada, ago=timedelta(days=1))
    sent(ben, ago=timedelta(days=1) - timedelta(seconds=1))
    run = sending()
    first, second = waiting(run, ada), waiting(run, ben)
    assert judged(first, second) == {second.pk: Later(AFTERNOON + timedelta(seconds=1), "capped")}


def test_an_urgent_campaign_passes_and_still_counts() -> None:
    limit(("", 1, 1), quiet={"email": ["13:00", "16:00"]})
    ada = factories.customer("ada", timezone="Europe/London")
    sent(ada, ago=timedelta(hours=1))
    assert judged(waiting(sending(urgent=True), ada)) == {}
    step = waiting(sending(contents={"recall:a": {"urgent": True}}), ada, step="recall")
    other = waiting(sending(contents={"recall:a": {"urgent": True}}), ada, step="news")
    assert list(judged(step, other)) == [other.pk]
    ben = factories.customer("ben", timezone="Asia/Tokyo")
    recall, news = waiting(sending(urgent=True), ben), waiting(sending(), ben)
    assert judged(recall, news) == {news.pk: Later(AFTERNOON + timedelta(days=1), "capped")}


def test_quiet_hours_are_those_of_each_persons_own_clock() -> None:
    limit(quiet={"email": ["21:00", "08:00"]})
    london = factories.customer("ada", timezone="Europe/London")
    tokyo = factories.customer("ben", timezone="Asia/Tokyo", country="GB")
    japan = factories.customer("cleo", timezone="", country="JP")
    lost = factories.customer("dora", timezone="Mars/Olympus", country="")
    run = sending()
    rows = [waiting(run, person) for person in (london, tokyo, japan, lost)]
    morning = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    assert judged(*rows) == {
        rows[1].pk: Later(morning, "quiet"),
        rows[2].pk: Later(morning, "quiet"),
    }
    assert judged(waiting(sending(), tokyo, "sms")) == {}
    assert judged(*rows, now=morning) == {
        rows[0].pk: Later(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), "quiet"),
        rows[3].pk: Later(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), "quiet"),
    }


def test_what_would_come_too_late_to_be_useful_is_refused() -> None:
    limit(quiet={"email": ["21:00", "08:00"]})
    ben = factories.customer("ben", timezone="Asia/Tokyo")
    hours = (8, 9, 10, 0)
    rows = [waiting(sending(), ben, expires_at=AFTERNOON + timedelta(hours=more)) for more in hours]
    morning = Later(datetime(2026, 11, 23, 23, 0, tzinfo=UTC), "quiet")
    late = Refused("too_late")
    assert judged(*rows) == dict(
        zip([row.pk for row in rows], [late, late, morning, late], strict=True)
    )


def test_a_limit_that_ends_at_night_leads_to_the_morning() -> None:
    limit(("email", 1, 1), quiet={"email": ["21:00", "08:00"]})
    ada = factories.customer("ada", timezone="Europe/London")
    sent(ada, ago=timedelta(hours=16))  # room again at ten in the evening
    message = waiting(sending(), ada)
    assert judged(message) == {
        message.pk: Later(datetime(2026, 11, 24, 8, 0, tzinfo=UTC), "capped")
    }


def test_five_hundred_messages_are_judged_in_two_queries(django_assert_num_queries) -> None:
    limit(("", 1, 1), quiet={"email": ["21:00", "08:00"]})
    run = sending()
    found = Customer.objects.bulk_create(
        Customer(external_id=f"m{n}", email=f"m{n}@example.com") for n in range(500)
    )
    Message.objects.bulk_create(Message(run=run, customer=c, address=c.email) for c in found)
    rows = list(Message.objects.filter(run=run))
    asked = [(m.pk, m.customer_id, m.channel, m.address, "marketing") for m in rows]
    with transaction.atomic(), django_assert_num_queries(2):
        assert manners.judge(messages=asked, now=AFTERNOON) == {}


def take(run: Run, seen: list[int]) -> None:
    """Claim everything of a run, as a sender does."""
    with transaction.atomic():
        rows = list(run.messages.filter(state="queued").select_for_update().order_by("pk"))
        asked = [(m.pk, m.customer_id, m.channel, m.address, "marketing") for m in rows]
        held = manners.judge(messages=asked, now=timezone.now())
        free = [m.pk for m in rows if m.pk not in held]
        Message.objects.filter(pk__in=free).update(state="sending", claimed_at=timezone.now())
    seen += free
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_campaigns_that_claim_the_same_people_at_the_same_moment_do_not_all_pass() -> None:
    limit(("", 1, 2))
    people = Customer.objects.bulk_create(
        Customer(external_id=f"m{n}", email=f"m{n}@example.com") for n in range(60)
    )
    running = [sending() for _ in range(6)]
    for n, run in enumerate(running):  # each meets them in another order
        mixed = sorted(people, key=lambda person: (person.pk * (7 + 2 * n)) % 61)
        Message.objects.bulk_create(Message(run=run, customer=c, address=c.email) for c in mixed)
    seen: list[int] = []
    senders = [threading.Thread(target=take, args=(run, seen)) for run in running]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    counted = {person.pk: 0 for person in people}
    for message in Message.objects.filter(state="sending"):
        counted[message.customer_id] += 1
    assert set(counted.values()) == {2}
    assert len(seen) == 120


def test_room_is_found_for_each_limit_by_what_it_counts() -> None:
    past = [("email", (AFTERNOON - timedelta(hours=hours)).timestamp()) for hours in (1, 30, 50)]
    assert judging.room_from(rules.Cap("sms", 1, 1), "email", past, AFTERNOON) == AFTERNOON
    assert judging.room_from(
        rules.Cap("email", 3, 3), "email", past, AFTERNOON
    ) == AFTERNOON + timedelta(hours=22)
    assert judging.room_from(rules.Cap("", 3, 2), "push", past, AFTERNOON) == AFTERNOON + timedelta(
        hours=42
    )
