"""A runner that is killed in mid-batch repeats nothing and skips nothing."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from campaigns.journeys import replay
from campaigns.models import Enrollment, JourneyStep, Message, PersonList
from campaigns.models import PersonListMember as Member
from ingestion import events
from tests import factories
from tests.campaigns.conftest import people
from tests.campaigns.journeys.drawn import CART, after, live

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
KILLS = 10
NOW = after(hours=2)
# One process reads the settings and makes a runner of itself again and again, so that the next one
# stands as soon as the last one was killed.
RUNNERS = f"""
import datetime, os, sys, time
import django
django.setup()
now = datetime.datetime.fromisoformat({NOW.isoformat()!r})
while True:
    child = os.fork()
    if not child:
        from campaigns.journeys import runner, triggers
        while True:
            triggers.react(now=now)
            if not runner.wake(now=now, limit=9).people:
                time.sleep(0.01)
    with open(sys.argv[1] + ".new", "w") as note:
        note.write(str(child))
    os.replace(sys.argv[1] + ".new", sys.argv[1])
    os.waitpid(child, 0)
"""


@pytest.fixture
def journey():
    mail = factories.template().pk
    kept = PersonList.objects.create(name="Kept", rows=0, people=0, unknown=0)
    nodes = {
        "cart": {**CART, "next": "pause"},
        "pause": {"kind": "wait_for", "for": {"minutes": 1}, "next": "asked"},
        "asked": {
            "kind": "split_rule",
            "rule": {"attribute": "odd", "op": "=", "value": "yes"},
            "branches": [{"key": "yes", "next": "share"}, {"key": "no", "next": "mail"}],
        },
        "share": {
            "kind": "split_percent",
            "branches": [
                {"key": "a", "percent": 50, "next": "mail"},
                {"key": "b", "percent": 50, "next": "call"},
            ],
        },
        "call": {"kind": "webhook", "url": "https://crm.example/hook", "next": "kept"},
        "mail": {"kind": "send", "channel": "email", "template": mail, "next": "kept"},
        "kept": {"kind": "list_add", "list": kept.pk, "next": "short"},
        "short": {"kind": "wait_for", "for": {"minutes": 2}, "next": "second"},
        "second": {"kind": "send", "channel": "email", "template": mail},
    }
    return live(nodes, goal={"event": "order"})


def test_ten_kills_leave_every_log_and_every_message_exact(
    journey, start_process, wait_for, tmp_path
):
    everybody = people(700)
    for person in everybody[::2]:
        person.attributes = {"odd": "yes"}
        person.save(update_fields=["attributes"])
    note = tmp_path / "runner"
    start_process("-c", RUNNERS, str(note))
    draw, killed, share = random.Random(11), 0, len(everybody) // 10
    for kill in range(KILLS):
        tell(everybody[kill * share : (kill + 1) * share])
        written = JourneyStep.objects.count()
        target = written + draw.randint(1, share * 4)
        wait_for(lambda target=target: JourneyStep.objects.count() >= target)
        time.sleep(draw.random() / 50)
        runner = current(note, wait_for)
        os.kill(runner, signal.SIGKILL)
        killed += 1
        wait_for(lambda runner=runner: note.read_text() != str(runner))
    wait_for(lambda: Enrollment.objects.exclude(ended_at=None).count() == len(everybody))
    os.kill(current(note, wait_for), signal.SIGSTOP)
    assert killed == KILLS
    oracle = replay.run(
        definition=journey.definition,
        since=after(hours=1),
        until=NOW,
        journey_id=journey.journey_id,
    )
    line = oracle.timeline
    told = sorted(
        (line.stays[one.enrollment_id].customer_id, one.n, one.node, one.branch, one.what)
        for one in line.lines
    )
    rows = JourneyStep.objects.values_list("enrollment__customer_id", "n", "node", "branch", "what")
    assert sorted(rows) == told
    meant = sorted(
        (deed.customer_id, deed.node) for deed in line.deeds if deed.kind in ("send", "webhook")
    )
    assert sorted(Message.objects.values_list("customer_id", "step")) == meant
    assert len(meant) == 2 * len(everybody)
    assert Member.objects.count() == PersonList.objects.get().people == len(everybody)


def current(note: Path, wait_for) -> int:
    wait_for(note.exists)
    return int(note.read_text())


def tell(some) -> None:
    """Baskets of these people, within the minutes before the runner's moment."""
    at = after(minutes=110)
    events.record(
        batch=[
            events.Incoming(
                type="cart", at=at, message_id=f"cart:{one.pk}", customer_id=one.pk, properties={}
            )
            for one in some
        ],
        source="shop",
        now=at,
    )
