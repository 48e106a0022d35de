"""The queue is full, away or mute: nothing is lost, and nobody waits for it."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from campaigns.messaging import delivery, sweeps
from campaigns.sending import runs
from marketing import embedded
from marketing.celery import App
from marketing.core import bus
from tests import factories
from tests.campaigns.conftest import campaign, people, states

pytestmark = pytest.mark.django_db(transaction=True)


def app_at(url: str) -> Celery:
    """The platform's way of putting tasks on a queue, with another server."""
    made = App("elsewhere", set_as_current=False)
    made.config_from_object("django.conf:settings", namespace="CELERY")
    made.conf.broker_url = url
    return made


@pytest.fixture
def queue_at(monkeypatch):
    """Puts another server in the queue's place."""

    def at(url: str) -> None:
        monkeypatch.setattr(bus, "app", app_at(url))
        monkeypatch.setattr(bus, "_rests_until", 0.0)

    return at


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[str]:
    folder = embedded.reachable_temporary_folder()
    yield embedded.start_valkey(folder, throwaway=True)
    embedded.stop(folder)


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that takes the connection and never says a word."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(64)
        yield f"redis://127.0.0.1:{hole.getsockname()[1]}/0"


def sent_by_the_sweep(run) -> None:
    """What a worker does when it looks after the rows by itself."""
    assert sweeps.sweep() == {run.pk}
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3}


def test_while_the_queue_is_away_campaigns_are_started_and_their_rows_wait(
    postbox, queue_at, settings, client
):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    queue_at("redis://127.0.0.1:1/0")
    people(3)
    of = campaign()
    client.force_login(factories.user("marketer"))
    answer = client.post(f"/campaigns/{of.pk}/start/")
    assert (answer.status_code, answer["Location"]) == (302, f"/campaigns/{of.pk}/")
    assert client.get(f"/campaigns/{of.pk}/").status_code == 200
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["checks"]["queue"]["ok"]) == ("delayed", False)
    sent_by_the_sweep(of.runs.get())


def test_a_full_queue_takes_nothing_and_loses_nothing(postbox, queue_at, valkey, settings, client):
    queue_at(valkey)
    settings.CELERY_BROKER_URL = valkey
    people(3)
    of = campaign()
    server = redis.Redis.from_url(valkey)
    bus.nudge("campaigns.tasks.deliver", run_id=1)
    before = server.dbsize()
    server.config_set("maxmemory", 1)
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    assert run.state == "running"
    assert client.get("/readyz").json()["checks"]["queue"]["ok"] is False  # somebody is told
    assert server.dbsize() == before  # and nothing was thrown out to make room
    sent_by_the_sweep(run)
    server.config_set("maxmemory", 0)
    bus._rests_until = 0.0
    bus.nudge("campaigns.tasks.deliver", run_id=run.pk)
    assert server.llen("test-queue") == 0
    server.close()


def test_nobody_waits_for_a_queue_that_takes_the_call_and_says_nothing(postbox, queue_at, mute):
    queue_at(mute)
    people(3)
    of = campaign()
    began = time.monotonic()
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    first = time.monotonic() - began
    assert first < 30  # two minutes, if it had the patience of a worker
    for _ in range(50):  # those who come next do not even ask
        bus.nudge("campaigns.tasks.deliver", run_id=run.pk)
    assert time.monotonic() - began < first + 30
    sent_by_the_sweep(run)


def test_two_presses_of_one_button_start_a_campaign_once(postbox, client):
    people(3)
    of = campaign()
    client.force_login(factories.user("marketer"))
    for _ in range(2):
        answer = client.post(f"/campaigns/{of.pk}/start/")
        assert (answer.status_code, answer["Location"]) == (302, f"/campaigns/{of.pk}/")
    said = client.get(f"/campaigns/{of.pk}/").content.decode()
    assert "Sending has begun." in said
    assert "already" not in said
    assert of.runs.count() == 1
