"""/healthz and /readyz say what is true."""

import json
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from marketing.core import beats, health


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch):
    monkeypatch.setattr(health, "_migrated", [])


def everybody_alive() -> None:
    for queue in ("events", "fast", "bulk", "train"):
        beats.record(queue=queue, now=timezone.now())


def test_healthz_answers_without_a_database(client):
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.django_db
def test_readyz_is_ready_when_everything_works(client):
    everybody_alive()
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert {name for name, check in answer.json()["checks"].items() if check["ok"]} == {
        "database",
        "migrations",
        "queue",
        "workers",
        "disk",
        "log",
    }


@pytest.mark.django_db
def test_a_silent_worker_delays_work_but_pages_are_still_answered(client):
    beats.record(queue="fast", now=timezone.now())
    body = client.get("/readyz").json()

    assert body["status"] == "delayed"
    assert body["checks"]["workers"]["why"] == "no sign of life from: events, bulk, train"
    assert client.get("/readyz?strict").status_code == 503


@pytest.mark.django_db
def test_an_unreachable_queue_is_said_without_its_address(client, settings):
    everybody_alive()
    settings.CELERY_BROKER_URL = "redis://:secret@127.0.0.1:1/0"
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["checks"]["queue"] == {"ok": False, "why": "ConnectionError"}
    assert b"secret" not in answer.content


@pytest.mark.django_db
def test_a_missing_migration_makes_it_not_ready(client):
    MigrationRecorder.Migration.objects.filter(app="campaigns").delete()
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert "are not applied" in answer.json()["checks"]["migrations"]["why"]


@pytest.mark.django_db
def test_a_full_disk_makes_it_not_ready(client, monkeypatch):
    class Usage(NamedTuple):
        free: int = 5

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage())

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["disk"] == {"ok": False, "free_megabytes": 0}


def test_without_a_database_it_is_not_ready_and_no_error_page(environment):
    environment["DATABASE_URL"] = "postgres://nobody:secret@127.0.0.1:1/nothing"
    script = (
        "import django, json; django.setup(); from django.test import Client;"
        "answer = Client(SERVER_NAME='127.0.0.1').get('/readyz');"
        "print(json.dumps([answer.status_code, answer.json()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )

    status, body = json.loads(done.stdout.splitlines()[-1])
    assert (status, body["status"]) == (503, "not ready")
    assert body["checks"]["database"] == {"ok": False, "why": "OperationalError"}
    assert "secret" not in done.stdout


@pytest.mark.parametrize(("path", "words"), [("/", "does not answer"), ("/api/v1/jobs/", "does")])
def test_without_a_database_pages_and_api_answer_503_and_when_to_come_back(
    environment, path, words
):
    environment["DATABASE_URL"] = "postgres://nobody:secret@127.0.0.1:1/nothing"
    script = (
        "import django, json, sys; django.setup(); from django.test import Client;"
        "client = Client(SERVER_NAME='127.0.0.1', raise_request_exception=False);"
        "client.cookies['sessionid'] = 'x' * 32;"
        "answer = client.get(sys.argv[1], headers={'authorization': 'Bearer pk_a_b'});"
        "print(json.dumps([answer.status_code, answer['Retry-After'], answer.content.decode()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    status, retry, body = json.loads(done.stdout.splitlines()[-1])
    assert (status, retry) == (503, "5")
    assert words in body


@pytest.mark.django_db(transaction=True)
def test_a_database_without_a_free_connection_is_answered_at_once_and_named(environment):
    """As far as a client can tell, a role that may hold none is a server that is full."""
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS crowded")
        cursor.execute("CREATE ROLE crowded LOGIN PASSWORD 'crowded' CONNECTION LIMIT 0")
    place = environment["DATABASE_URL"].rpartition("@")[2]
    environment["DATABASE_URL"] = f"postgres://crowded:crowded@{place}"
    script = (
        "import django, json, time; django.setup(); from django.test import Client;"
        "client = Client(SERVER_NAME='127.0.0.1', raise_request_exception=False);"
        "client.cookies['sessionid'] = 'x' * 32; began = time.monotonic();"
        "answers = [client.get(path, headers={'authorization': 'Bearer pk_a_b'})"
        " for path in ('/', '/api/v1/jobs/')] + [Client(SERVER_NAME='127.0.0.1').get('/readyz')];"
        "print(json.dumps([time.monotonic() - began, [a.status_code for a in answers],"
        " answers[2].json()['checks']['database']]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE crowded")

    seconds, statuses, database = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [503, 503, 503]
    assert seconds < 30  # nobody hangs: each of them asks once and is told
    assert database == {"ok": False, "why": "all connections are in use"}


@pytest.mark.django_db
def test_the_places_kept_for_others_are_no_places_either(monkeypatch):
    """What an ordinary role is told before the last connections are taken."""

    def refused() -> None:
        raise OperationalError("FATAL:  remaining connection slots are reserved for roles with …")

    monkeypatch.setitem(health.CHECKS, "database", refused)
    assert health.examine()["database"] == {"ok": False, "why": "all connections are in use"}
