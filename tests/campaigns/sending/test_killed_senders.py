"""Senders that are killed or frozen in the middle: nobody is lost, and extra copies are counted."""

import os
import random
import signal
import time
from collections import Counter
from email import message_from_bytes

import pytest

from campaigns.messaging import claims, delivery, sweeps
from campaigns.models import Message
from tests import factories
from tests.campaigns.conftest import people, started, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
SENDER = """
import sys
import django
django.setup()
from campaigns.messaging import delivery
while True:
    delivery.deliver(run_id=int(sys.argv[1]), lines=1, limit=20, budget_seconds=60)
    import time
    time.sleep(0.05)
"""
SHORT_OF_MEMORY = """
import os, resource, sys
import django
django.setup()
from django.db import connections
from campaigns.messaging import bodies, claims, delivery, sweeps
from campaigns.models import Message, Run
from django.utils import timezone
pack, run, person = bodies.pack, int(sys.argv[1]), sys.argv[2].encode()
def vast(mail, common):
    return pack(mail + (bytes(2_000_000_000) if person in mail else b""), common)
bodies.pack = vast
most = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 800_000_000
for turn in range(12):
    connections.close_all()
    sender = os.fork()
    if not sender:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        delivery.deliver(run_id=run, lines=1, limit=20, budget_seconds=30)
        os._exit(0)
    print("ended", os.waitpid(sender, 0)[1], flush=True)
    Message.objects.filter(state="sending").update(lease_until=timezone.now())
    sweeps.sweep()
    if Run.objects.get(pk=run).state == "finished":
        break
"""


@pytest.fixture
def start_sender(start_process, postbox):
    """A process of its own that sends a run over one connection."""

    def start(run):
        return start_process(
            "-c", SENDER, str(run.pk), EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(postbox.port)
        )

    return start


def expire_leases() -> None:
    """What fifteen seconds of waiting would do."""
    Message.objects.filter(state="sending").update(lease_until=factories.NOW.replace(year=2020))
    sweeps.sweep()


def test_killed_senders_lose_nobody_and_send_at_most_one_extra_copy_each(
    postbox, start_sender, wait_for
):
    people(400)
    postbox.pause_seconds = 0.002
    run = started()
    kills, seen = 6, 0
    draw = random.Random(7)
    for _kill in range(kills):
        sender = start_sender(run)
        target = seen + draw.randint(8, 35)
        wait_for(lambda target=target: len(postbox.mails) >= target)
        os.killpg(sender.pid, signal.SIGKILL)
        sender.wait()
        seen = len(postbox.mails)
        counted = states(run)
        assert sum(counted.values()) == 400
        expire_leases()
    start_sender(run)

    def finished() -> bool:
        run.refresh_from_db()
        return run.state == "finished"

    wait_for(finished, seconds=60)
    assert states(run) == {"sent": 400}
    assert len(postbox.copies) == 400
    extra = {address: n - 1 for address, n in postbox.copies.items() if n > 1}
    assert sum(extra.values()) <= kills
    assert max(postbox.copies.values()) <= 2
    ids: dict[str, set[str]] = {}
    for address, mail in postbox.mails:
        ids.setdefault(address, set()).add(message_from_bytes(mail)["Message-ID"])
    assert Counter(len(found) for found in ids.values()) == {1: 400}


def test_a_frozen_sender_that_wakes_up_after_its_lease_sends_nothing_more(
    postbox, start_sender, wait_for
):
    people(60)
    postbox.pause_seconds = 0.01
    run = started()
    sender = start_sender(run)
    wait_for(lambda: len(postbox.mails) >= 5)
    os.kill(sender.pid, signal.SIGSTOP)
    try:
        time.sleep(0.1)
        expire_leases()
        postbox.pause_seconds = 0.0
        assert delivery.deliver(run_id=run.pk).sent > 0
        assert states(run)["sent"] >= 59
    finally:
        os.kill(sender.pid, signal.SIGCONT)
    wait_for(lambda: states(run) == {"sent": 60})
    time.sleep(0.5)
    copies = postbox.copies
    assert len(copies) == 60
    # The mail that was on its way when the process froze may have arrived, and no other.
    assert sum(copies.values()) <= 61


def test_a_message_too_large_for_memory_is_set_aside_and_everybody_else_gets_theirs(
    postbox, start_process, tmp_path
):
    """Senders may have little more memory than they begin with; one mail needs two gigabytes."""
    poison = people(40)[17]
    run = started()
    start_process(
        "-c", SHORT_OF_MEMORY, str(run.pk), poison.email,
        EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(postbox.port),
    ).wait(300)  # fmt: skip
    assert states(run) == {"sent": 39, "failed": 1}
    (aside,) = run.messages.filter(state="failed")
    assert (aside.customer_id, aside.reason) == (poison.pk, "deadly")
    assert set(postbox.copies.values()) == {1}
    assert len(postbox.copies) == 39
    said = (tmp_path / "process-0.log").read_text()
    assert said.count("MemoryError") == claims.LAST_DEATH
    run.refresh_from_db()
    assert run.state == "finished"
