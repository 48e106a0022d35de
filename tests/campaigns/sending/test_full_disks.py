"""Disks that are full under a send: nothing is half written, and all goes on afterwards."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.urls import reverse

from campaigns.messaging import delivery, sweeps
from campaigns.models import Message
from campaigns.sending import runs
from tests import factories
from tests.campaigns.ads.conftest import api_key
from tests.campaigns.conftest import campaign, people, started, states
from tests.conftest import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
FULL = Path("/dev/full")
SENDER = """
import sys
import django
django.setup()
import logging
from campaigns.messaging import delivery
from marketing.core import logs
log = logging.getLogger("campaigns")
for number in range(50):
    log.warning("nobody will read this: %d", number)
delivery.deliver(run_id=int(sys.argv[1]))
log.error("nor this")
sys.stdout.write(str(logs.dropped()))
"""


@pytest.fixture
def full_disk():
    """Puts a device that is always full in the place of a table's file, as long as it is asked."""
    moved: list[tuple[Path, Path]] = []

    def fill(table: str) -> None:
        with connection.cursor() as cursor:
            # A new and empty file, of which nothing waits to be written.
            cursor.execute(f"TRUNCATE {table} CASCADE")
            cursor.execute("CHECKPOINT")
            cursor.execute("SELECT current_setting('data_directory'), pg_relation_filepath(%s)",
                           [table])  # fmt: skip
            folder, name = cursor.fetchone()
        file = Path(folder) / name
        aside = file.with_suffix(".aside")
        file.rename(aside)
        file.symlink_to(FULL)
        moved.append((file, aside))
        connection.close()  # a new session opens what lies there now

    def mend() -> None:
        connection.close()
        while moved:
            file, aside = moved.pop()
            aside.replace(file)

    fill.mend = mend
    yield fill
    mend()


@pytest.mark.faults
def test_a_database_whose_disk_is_full_takes_nothing_answers_reads_and_goes_on_afterwards(
    postbox, client, full_disk
):
    people(40)
    of = campaign()
    full_disk("campaigns_message")
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    with pytest.raises(OperationalError, match="No space left on device"):
        delivery.deliver(run_id=run.pk)
    client.force_login(factories.user("admin"))
    assert client.get(reverse("campaigns:campaign-detail", args=[of.pk])).status_code == 200
    assert Message.objects.count() == 0  # no row was half written
    assert postbox.mails == []
    full_disk.mend()
    assert sweeps.sweep() == {run.pk}  # what looks after every run finds it
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 40}
    assert set(postbox.copies.values()) == {1}


@pytest.mark.faults
def test_a_write_that_finds_no_place_is_answered_503_and_reads_are_answered(client, full_disk):
    key = api_key("campaigns:read", "campaigns:write")
    client.raise_request_exception = False

    def post():
        body = {"name": "News"}
        return client.post("/api/v1/campaigns/", body, content_type="application/json", **key)

    full_disk("campaigns_campaign")
    answer = post()
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), answer.content
    assert client.get("/api/v1/campaigns/", **key).json()["data"] == []
    full_disk.mend()
    assert post().status_code == 201


def test_a_log_that_cannot_be_written_holds_nothing_up_and_is_counted(postbox, environment):
    people(5)
    run = started()
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", SENDER, str(run.pk)],
            cwd=ROOT,
            env={**environment, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(postbox.port)},
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
            timeout=120,
        )
    assert states(run) == {"sent": 5}
    assert set(postbox.copies.values()) == {1}
    assert int(done.stdout) >= 51
