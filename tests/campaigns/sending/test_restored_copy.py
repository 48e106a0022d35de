"""A backup taken while a campaign is going out, brought back beside it: nobody gets two mails."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings as django_settings
from django.db import connection

from campaigns import tasks
from campaigns.messaging import delivery, gate
from marketing.embedded import postgres
from tests import factories
from tests.campaigns.conftest import people, started, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]
COPY = "perennial_restored_copy"
SEND = """
import sys, django
django.setup()
from campaigns import tasks
from campaigns.messaging import delivery
first = delivery.deliver(run_id=int(sys.argv[1]))
tasks.sweep()
print(first.sent, delivery.deliver(run_id=int(sys.argv[1])).sent)
"""


def address(database: str) -> str:
    """Where a database of the test's server is."""
    known = connection.settings_dict
    return (
        f"postgres://{known['USER']}:{known['PASSWORD']}@{known['HOST']}:{known['PORT']}/{database}"
    )


def server(*statements: str) -> None:
    other = psycopg2.connect(address("postgres"))
    other.autocommit = True
    with other.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    other.close()


@pytest.fixture
def copy(tmp_path):
    """Backs the test's database up with pg_dump and brings it back as another one."""
    gone = f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)"

    def make() -> str:
        server(gone, f"CREATE DATABASE {COPY}")
        dump = tmp_path / "perennial.dump"
        here = address(str(connection.settings_dict["NAME"]))
        for command in (
            ["pg_dump", "--format=custom", f"--file={dump}", here],
            ["pg_restore", "--no-owner", "--exit-on-error", f"--dbname={address(COPY)}", str(dump)],
        ):
            subprocess.run([str(postgres.programs() / command[0]), *command[1:]], check=True)
        return address(COPY)

    yield make
    server(gone)


def ask_copy(url: str, folder: Path, *command: str, port: int) -> str:
    """What a process of the other installation says."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "marketing.settings",
            "DATABASE_URL": url,
            "PERENNIAL_VAR": str(folder),
            "SECRET_KEY": django_settings.SECRET_KEY,
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(port),
        },
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_backup_of_the_middle_of_a_send_sends_nothing_twice(postbox, copy, tmp_path):
    people(60)
    run = started()
    tasks.sweep()
    delivery.deliver(run_id=run.pk, limit=10, budget_seconds=0)
    sent_before = len(postbox.mails)
    assert 0 < sent_before < 60

    url = copy()
    there = tmp_path / "there"
    # The other one goes on, and the copy has a folder in which nobody ever saw the database.
    assert ask_copy(url, there, "-c", SEND, str(run.pk), port=postbox.port) == "0 0\n"
    assert len(postbox.mails) == sent_before
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 60}

    manage = str(django_settings.BASE_DIR / "manage.py")
    assert "brought back or copied" in ask_copy(url, there, manage, "sending", port=postbox.port)
    opened = ask_copy(url, there, manage, "sending", "open", port=postbox.port)
    assert opened == f"Sending goes on. {60 - sent_before} messages ended as not known.\n"
    assert ask_copy(url, there, "-c", SEND, str(run.pk), port=postbox.port) == "0 0\n"
    assert set(postbox.copies.values()) == {1}
    assert len(postbox.copies) == 60
    assert gate.beat(now=factories.now())
    assert gate.closed() is None
