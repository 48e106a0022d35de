"""What was sent is told to the event stream once, also where the sender died before telling."""

import signal

import pytest

from campaigns.messaging import claims, delivery, news, pump
from campaigns.models import Message, Untold
from ingestion.models import Event, Suppression
from tests import factories
from tests.campaigns.conftest import people, started
from tests.campaigns.journeys.drawn import did, live, look, stay
from tests.campaigns.sending.test_killed_senders import expire_leases

pytestmark = pytest.mark.django_db


def told():
    return sorted(Event.objects.filter(type="email_sent").values_list("customer__email", flat=True))


@pytest.fixture
def silent(monkeypatch):
    """Senders that die after their messages are marked and before they tell of them."""

    def die(*_args, **_more):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(pump, "record_sent", die)
        yield


def die_sending(run):
    with pytest.raises(KeyboardInterrupt):
        delivery.deliver(run_id=run.pk)


def test_a_sender_that_dies_before_it_tells_is_told_for_from_the_rows(postbox, silent):
    people(3)
    run = started()
    die_sending(run)
    assert (len(postbox.mails), told()) == (3, [])
    assert news.make_good(now=factories.now()) == 0  # its sender may still tell
    assert news.make_good(now=factories.now(), wait_seconds=0) == 1
    assert told() == ["p0@example.com", "p1@example.com", "p2@example.com"]
    sent_at = dict(Message.objects.values_list("customer_id", "sent_at"))
    assert dict(Event.objects.filter(type="email_sent").values_list("customer_id", "at")) == sent_at
    assert news.make_good(now=factories.now(), wait_seconds=0) == 0
    assert len(told()) == 3


def test_a_batch_that_was_told_leaves_no_note_and_is_not_told_again(postbox):
    people(3)
    delivery.deliver(run_id=started().pk)
    assert len(told()) == 3
    assert not Untold.objects.exists()


def test_a_sender_that_tells_late_and_whoever_told_for_it_are_heard_once(postbox):
    people(2)
    run = started()
    Untold.objects.create(run=run, messages=list(Message.objects.values_list("pk", flat=True)))
    delivery.deliver(run_id=run.pk)
    assert news.make_good(now=factories.now(), wait_seconds=0) == 1
    assert len(told()) == 2


def test_while_something_of_a_batch_is_on_its_way_nothing_is_told_for_its_sender(postbox):
    people(2)
    run = started()
    taken = claims.claim(run_id=run.pk, owner="slow", limit=2)
    Untold.objects.create(run=run, messages=[message.id for message in taken])
    assert news.make_good(now=factories.now(), wait_seconds=0) == 0
    assert Untold.objects.count() == 1
    expire_leases()
    assert news.make_good(now=factories.now(), wait_seconds=0) == 1
    assert told() == []  # it was freed unsent, and whoever takes it notes it anew


def test_a_mailbox_that_does_not_exist_is_remembered_for_a_dead_sender(postbox, silent):
    people(2)
    postbox.refuse["p1@example.com"] = "550 5.1.1 no such user"
    run = started()
    die_sending(run)
    assert not Suppression.objects.exists()
    news.make_good(now=factories.now(), wait_seconds=0)
    assert list(Suppression.objects.values_list("address", "reason")) == [
        ("p1@example.com", "bounced")
    ]
    assert told() == ["p0@example.com"]


def test_a_journey_hears_of_a_mail_whose_sender_died(postbox, silent):
    now = factories.now()
    version = live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "mail"},
            "mail": {
                "kind": "send",
                "channel": "email",
                "template": factories.template().pk,
                "next": "heard",
            },
            "heard": {
                "kind": "wait_event",
                "event": "email_sent",
                "for": {"days": 1},
                "branches": [{"key": "happened", "next": "rest"}, {"key": "timeout"}],
            },
            "rest": {"kind": "wait_for", "for": {"days": 9}},
        },
        at=now,
    )
    ada = factories.customer("ada")
    did(ada, "cart", at=factories.now())
    look(factories.now())
    die_sending(version.run)
    look(factories.now())
    assert stay(ada).node == "heard"
    news.make_good(now=factories.now(), wait_seconds=0)
    look(factories.now())
    assert stay(ada).node == "rest"
    assert stay(ada).waited == {"run": version.run_id, "step": "mail"}


TELLER = """
import os, signal, sys
import django
django.setup()
from campaigns.messaging import delivery, pump
def die(**_):
    os.kill(os.getpid(), signal.SIGKILL)
pump.record_sent = die
delivery.deliver(run_id=int(sys.argv[1]), lines=1, limit=int(sys.argv[2]))
"""


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_senders_that_are_killed_between_mark_and_telling_lose_no_event(
    postbox, start_process, wait_for
):
    people(60)
    run = started()
    for _kill in range(3):
        sender = start_process(
            "-c", TELLER, str(run.pk), "15", EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(postbox.port)
        )
        assert sender.wait(timeout=60) == -signal.SIGKILL
        expire_leases()
    assert (Message.objects.filter(state="sent").count(), told()) == (45, [])
    assert news.make_good(now=factories.now(), wait_seconds=0) == 3
    assert len(told()) == 45
    delivery.deliver(run_id=run.pk)
    news.make_good(now=factories.now(), wait_seconds=0)
    assert len(told()) == len(set(told())) == 60
