"""/metrics tells a monitoring system how it goes, and nobody else."""

import os
import re
import socket
import subprocess
import sys
from array import array

import pytest
import yaml
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.messaging import gate
from campaigns.models import Pace
from ingestion import changes
from marketing.core import auth, beats, counters, jobs
from marketing.metrics import exposition
from marketing.metrics.exposition import Family, Sample
from marketing.metrics.questions import QUESTIONS
from tests import factories
from tests.campaigns.conftest import people, started

NUMBER = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? (-?[0-9.e+-]+|\+Inf)')


@pytest.fixture(autouse=True)
def own_folder(tmp_path, settings, monkeypatch):
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(counters, "_mine", {})


def scraped(*scopes: str) -> str:
    _key, secret = auth.create_key(
        name="Prometheus", scopes=list(scopes or ("jobs:read",)), user=factories.user("admin")
    )
    answer = Client().get("/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def value(text: str, name: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rsplit(" ", 1)[1])


@pytest.mark.django_db
def test_every_line_is_a_number_with_its_meaning_and_all_that_operators_watch_is_there():
    beats.record(queue="fast", now=timezone.now())
    job = jobs.start(kind="quality.measure", title="Measure")
    changes.confirm(reader="campaigns.segments", position=changes.position(), now=timezone.now())
    text = scraped()

    lines = text.splitlines()
    assert [line for line in lines if not line.startswith("#") and not NUMBER.fullmatch(line)] == []
    named = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert len(named) == len([line for line in lines if line.startswith("# TYPE")])
    assert {line.split()[2] for line in lines if line.startswith("# HELP")} == named
    assert value(text, f'perennial_jobs_open{{queue="{job.queue}",state="queued"}}') == 1
    assert value(text, 'perennial_changes_behind_seconds{reader="campaigns.segments"}') == 0
    assert value(text, 'perennial_worker_silent_seconds{queue="fast"}') < 60
    assert value(text, 'perennial_outbox_rows{outbox="messages_queued"}') == 0
    assert value(text, "perennial_metrics_unanswered") == 0
    assert value(text, "perennial_sending_held") == 0
    assert value(text, f'perennial_build_info{{version="{settings.VERSION}"}}') == 1
    assert {
        "perennial_queue_tasks",
        "perennial_inbox_oldest_seconds",
        "perennial_messages_total",
        "perennial_jobs_ended_total",
        "perennial_http_request_seconds",
        "perennial_disk_free_bytes",
    } <= named


@pytest.mark.django_db
def test_whoever_may_not_read_jobs_is_told_what_to_send():
    _key, secret = auth.create_key(
        name="Shop", scopes=["events:write"], user=factories.user("admin")
    )
    for headers in ({}, {"Authorization": "Bearer pk_x"}, {"Authorization": f"Bearer {secret}"}):
        answer = Client().get("/metrics", headers=headers)
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="metrics"')
        assert b"jobs:read" in answer.content
    assert Client().post("/metrics").status_code == 405


@pytest.mark.django_db
def test_a_change_nobody_has_looked_at_and_a_held_copy_show():
    people(1)
    started()
    gate.beat(now=factories.now())
    Pace.objects.filter(key=gate.KEY).update(mark="7391/16384/1")
    connection.cursor().execute(
        "INSERT INTO ingestion_changereader (name, position, at) VALUES ('slow', '3:3:', now())"
    )
    connection.cursor().execute("UPDATE ingestion_change SET at = now() - interval '90 s'")
    text = scraped()
    assert value(text, "perennial_sending_held") == 1
    assert value(text, 'perennial_changes_behind_seconds{reader="slow"}') >= 90


@pytest.mark.django_db
def test_no_question_walks_through_a_large_table():
    people(3)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        scraped()
    questions = [q["sql"] for q in asked if q["sql"].lstrip().startswith("SELECT")]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in questions:
            cursor.execute("EXPLAIN " + sql)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            for table in ("campaigns_message ", "ingestion_event", "ingestion_customer"):
                assert f"Seq Scan on {table}" not in plan, sql


def test_counts_of_all_processes_are_added_up_and_outlive_them():
    code = (
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'marketing.settings';"
        "django.setup(); from marketing.core import counters;"
        "counters.observe('pages', 0.03, 200); counters.add({'messages.sent': 7})"
    )
    counters.observe("pages", 20.0, 503)
    counters.observe("pages", 0.005, 302)
    subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env={**os.environ, "PERENNIAL_VAR": str(counters.folder().parent)},
    )
    for _look in range(2):
        found = counters.totals()
        assert found["messages.sent"] == 7
        assert found["http.pages.0.05"] == found["http.pages.inf"] == found["http.pages.0.005"] == 1
        assert found["http.pages.seconds"] == pytest.approx(20.035)
        assert [found[f"http.pages.{kind}"] for kind in counters.CLASSES] == [1, 1, 0, 1]
    kept = {path.name for path in counters.folder().iterdir()}
    assert "gone" in kept
    assert len(kept) == 3  # ours, theirs put together, and the lock


def test_a_new_process_puts_away_what_ended_ones_left():
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    left = counters.folder() / f"{socket.gethostname()}-{ended.pid}"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(array("d", [1.0] * len(counters.SERIES)).tobytes())
    counters.add({"messages.sent": 1})
    assert not left.exists()
    assert counters.totals()["messages.sent"] == 2


def test_counting_that_cannot_be_done_disturbs_nobody(settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.VAR_DIR = tmp_path / "file"
    counters.add({"messages.sent": 1})
    assert counters.totals()["messages.sent"] == 0


def test_labels_are_quoted():
    family = Family("a", "gauge", "x\ny", (Sample(0.5, {"l": 'a"b\\c\n'}),))
    assert exposition.write([family, Family("b", "gauge", "", ())]) == (
        '# HELP a x\\ny\n# TYPE a gauge\na{l="a\\"b\\\\c\\n"} 0.5\n'
    )


@pytest.mark.django_db
def test_every_number_that_an_alert_asks_for_is_one_of_ours():
    text = (settings.BASE_DIR / "marketing" / "deploy" / "alerts.yml").read_text()
    rules = yaml.safe_load(text)["groups"][0]["rules"]
    asked = set(re.findall(r"perennial_[a-z_]+", " ".join(rule["expr"] for rule in rules)))
    ours = {question.name for question in QUESTIONS} | set(
        re.findall(r"^# TYPE (\S+)", scraped(), re.MULTILINE)
    )
    assert {name.removesuffix("_bucket") for name in asked} - ours == set()
    assert all(rule["annotations"]["summary"] for rule in rules)
