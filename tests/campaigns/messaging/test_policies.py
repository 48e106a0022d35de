"""Messages that may never go twice, and several channels in one run."""

import os
import signal

import pytest
from django.db import connection

from campaigns.messaging import delivery, queueing, sweeps
from campaigns.messaging.queueing import NewMessage
from campaigns.models import Channel, Message, Run
from ingestion.models import Consent, Customer, Event
from tests import factories
from tests.campaigns import gateway as gateways
from tests.campaigns.conftest import AGREED, states

pytestmark = pytest.mark.django_db(transaction=True)
SENDER = """
import sys
import django
django.setup()
from campaigns.messaging import delivery
delivery.deliver(run_id=int(sys.argv[1]), lines=1, budget_seconds=60)
"""


@pytest.fixture
def gateway(settings):
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with gateways.listening() as box:
        Channel.objects.create(
            name="Texts",
            kind="sms",
            provider="sms_gateway",
            is_default=True,
            from_address="+441632960000",
            settings={
                "url": f"http://127.0.0.1:{box.port}/send",
                "body": '{"to": "{{ to }}", "from": "{{ from }}", "text": "{{ text }}"}',
                "ref_path": "id",
            },
        )
        yield box


def reachable(number: int, *channels: str) -> list[Customer]:
    """People with an address and a number, who agreed to these channels."""
    made = Customer.objects.bulk_create(
        Customer(
            external_id=f"r{n}",
            email=f"r{n}@example.com",
            phone=f"+44163296{n:04d}",
            first_name=f"Person{n}",
        )
        for n in range(1, number + 1)
    )
    Consent.objects.bulk_create(
        Consent(customer=person, channel=channel, granted=True, source="test", at=AGREED)
        for person in made
        for channel in channels
    )
    return made


def standing(**contents: dict) -> Run:
    """The run of a journey, with these contents."""
    return Run.objects.create(name="Welcome", snapshot={"contents": contents})


def text(said: str) -> dict:
    return {
        "channel": "sms",
        "channel_id": None,
        "template": {"id": 1, "name": "Text", "version": 1, "parts": {"text": said}},
    }


def mail(subject: str) -> dict:
    return {
        "channel": "email",
        "channel_id": None,
        "template": {
            "id": 1,
            "name": "Mail",
            "version": 1,
            "subject": subject,
            "html": '<p>Hello <a href="{{ unsubscribe_url }}">leave</a></p>',
            "text": "Hello {{ unsubscribe_url }}",
        },
        "from_name": "Shop",
        "from_email": "shop@example.com",
        "reply_to": "",
    }


def queue(run: Run, people: list[Customer], channel: str, step: str) -> None:
    queueing.insert(
        run_id=run.pk,
        rows=[NewMessage(person.pk, channel, step=step, entry=1) for person in people],
        now=factories.now(),
    )


def test_each_step_of_a_run_goes_by_its_own_channel_and_is_told_to_the_event_stream(
    gateway, postbox
):
    everyone = reachable(2, "email", "sms")
    run = standing(**{"n1:a": mail("First"), "n2:a": text("Hi {{ first_name }}")})
    queue(run, everyone, "email", "n1")
    queue(run, everyone, "sms", "n2")
    assert delivery.deliver(run_id=run.pk).sent == 4
    assert postbox.copies == {"r1@example.com": 1, "r2@example.com": 1}
    assert sorted(gateway.taken, key=str) == [
        {"to": "+441632960001", "from": "+441632960000", "text": "Hi Person1"},
        {"to": "+441632960002", "from": "+441632960000", "text": "Hi Person2"},
    ]
    texts = Message.objects.filter(run=run, channel="sms")
    assert sorted(texts.values_list("provider_ref", flat=True)) == ["ref-1", "ref-2"]
    run.refresh_from_db()
    assert run.state == "running"  # a journey goes on
    told = Event.objects.filter(type="sms_sent").first()
    assert told.properties == {"run": run.pk, "step": "n2"}


def test_a_text_whose_gateway_hangs_up_after_taking_it_is_not_known_and_never_sent_again(gateway):
    everyone = reachable(1, "sms")
    run = standing(**{"n:a": text("Hi")})
    queue(run, everyone, "sms", "n")
    gateway.hang_up = True
    delivery.deliver(run_id=run.pk)
    gateway.hang_up = False
    assert states(run) == {"unknown": 1}
    assert Message.objects.get().reason == "line_broke"
    sweeps.sweep()
    delivery.deliver(run_id=run.pk)
    assert len(gateway.taken) == 1


def test_a_text_whose_answer_could_not_be_written_is_not_known_and_never_sent_again(gateway):
    everyone = reachable(1, "sms")
    run = standing(**{"n:a": text("Hi")})
    queue(run, everyone, "sms", "n")
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE campaigns_message ADD CONSTRAINT no_room CHECK (state <> 'sent') NOT VALID"
        )
    try:
        delivery.deliver(run_id=run.pk)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE campaigns_message DROP CONSTRAINT no_room")
    assert len(gateway.taken) == 1
    Message.objects.filter(state="sending").update(lease_until=factories.NOW.replace(year=2020))
    sweeps.sweep()
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"unknown": 1}
    assert len(gateway.taken) == 1


def test_a_text_that_was_taken_counts_as_sent_although_the_database_dropped_its_sender(gateway):
    everyone = reachable(1, "sms")
    run = standing(**{"n:a": text("Hi")})
    queue(run, everyone, "sms", "n")
    cut: list[int] = []

    def cut_off(_said: dict) -> None:
        """Ends the connection of whoever noted the text as handed over, and of nobody else."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND query LIKE '%SET handed_at%' AND pid <> pg_backend_pid()"
            )
            cut.extend(row[0] for row in cursor.fetchall())
            cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [cut])
        connection.close()

    gateway.on_take = cut_off
    delivery.deliver(run_id=run.pk, lines=2)
    assert len(cut) == len(gateway.taken) == 1
    assert states(run) == {"sent": 1}


@pytest.mark.faults
def test_a_killed_sender_sends_no_text_twice_and_the_one_on_its_way_is_shown_as_not_known(
    gateway, start_process, wait_for
):
    everyone = reachable(6, "sms")
    run = standing(**{"n:a": text("Hi")})
    queue(run, everyone, "sms", "n")
    gateway.on_take = lambda _said: setattr(
        gateway, "hold_seconds", 30.0 * (len(gateway.taken) > 2)
    )
    sender = start_process("-c", SENDER, str(run.pk), OUTBOUND_ALLOW="127.0.0.1")
    wait_for(lambda: len(gateway.taken) == 3)
    os.killpg(sender.pid, signal.SIGKILL)
    sender.wait()
    gateway.on_take, gateway.hold_seconds = None, 0.0
    Message.objects.filter(state="sending").update(lease_until=factories.NOW.replace(year=2020))
    sweeps.sweep()
    assert states(run) == {"sent": 2, "unknown": 1, "queued": 3}
    assert Message.objects.get(state="unknown").reason == "sender_died"
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 5, "unknown": 1}
    assert set(gateway.copies.values()) == {1}
    assert len(gateway.copies) == 6


def test_a_text_is_not_handed_over_after_a_pause_and_goes_out_when_sending_goes_on(gateway):
    everyone = reachable(3, "sms")
    run = standing(**{"n:a": text("Hi")})
    queue(run, everyone, "sms", "n")

    def pause(_said: dict) -> None:
        Run.objects.filter(pk=run.pk).update(state="paused")

    gateway.on_take = pause
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 1, "queued": 2}
    assert not Message.objects.filter(state="queued", handed_at__isnull=False).exists()
    gateway.on_take = None
    Run.objects.filter(pk=run.pk).update(state="running")
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3}
    assert set(gateway.copies.values()) == {1}


def test_a_channel_that_cannot_be_reached_holds_up_no_other(gateway, settings):
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    everyone = reachable(2, "email", "sms")
    run = standing(**{"n1:a": mail("First"), "n2:a": text("Hi")})
    queue(run, everyone, "email", "n1")
    queue(run, everyone, "sms", "n2")
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 2, "queued": 2}
    assert len(gateway.taken) == 2
    run.refresh_from_db()
    assert "127.0.0.1:1" in run.error


def test_whoever_agreed_to_mails_only_gets_no_text_and_the_reason_is_kept(gateway):
    everyone = reachable(1, "email")
    run = standing(**{"n:a": text("Hi")})
    queue(run, everyone, "sms", "n")
    delivery.deliver(run_id=run.pk)
    assert gateway.taken == []
    assert Message.objects.get().reason == "no_consent"


def test_a_message_for_which_the_run_keeps_no_content_fails_alone(gateway):
    everyone = reachable(1, "sms")
    run = standing(**{"n:a": text("Hi")})
    queue(run, everyone, "sms", "n")
    queue(run, everyone, "sms", "gone")
    assert delivery.deliver(run_id=run.pk).sent == 1
    assert Message.objects.get(step="gone").reason == "no_content"
    assert Message.objects.get(step="gone").state == "failed"
