"""Logs tell what went wrong, and never of whom."""

import json
import logging
import sys

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DataError

from ingestion.models import Customer
from marketing.core import jobs, logs
from tests import factories

SECRETS = ("ada", "lovelace", "example.org", "7700", "ädä")


def line(error: Exception | None = None, text: str = "job %s failed", *values: object) -> str:
    try:
        if error is not None:
            raise error
        told = None
    except Exception:
        told = sys.exc_info()
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, text, values or (7,), told)
    return logs.Plain().format(record) + logs.Json().format(record)


@pytest.mark.django_db
def test_what_the_database_quotes_is_left_out():
    Customer.objects.create(external_id="c1", email="ada.lovelace@example.org")
    statements = (
        "SELECT 'Ada Lovelace'::int",
        "SELECT 'Ada Lovelace'::date",
        "SELECT '{\"Ada\": Lovelace}'::json",
        "SELECT '+447700900123'::bigint * 'Lovelace'",
        "UPDATE ingestion_customer SET id = NULL, first_name = 'Lovelace'",
    )
    for sql in statements:
        with pytest.raises((IntegrityError, DataError)) as caught, transaction.atomic():
            connection.cursor().execute(sql)
        text = line(caught.value)
        assert "Error" in text
        assert not [word for word in SECRETS if word in text.lower()], text


def test_addresses_telephone_numbers_and_refused_values_are_left_out():
    text = line(
        ValueError("could not convert string to float: 'Ada Lovelace'"),
        "a line of %s, tel. %s",
        "Ada <ädä.l+tag@mail.example.org>",
        "+44 7700 900123",
    )
    assert not [word for word in SECRETS if word in text.lower().replace("ada <", "")], text
    assert "a line of Ada <…@…>, tel. +…" in text


def test_what_operators_need_stays():
    said = (
        "Connected to redis://default:**@127.0.0.1:6379/0 from fast@host in 0.2 s, run 1234567890"
    )
    assert logs.conceal(said) == said
    broken = 'duplicate key value violates unique constraint "message_once"'
    assert logs.conceal(broken) == broken


def test_a_line_for_a_collector_is_one_object():
    record = logging.LogRecord("a.b", logging.WARNING, "x.py", 1, "two\nlines %d", (3,), None)
    said = json.loads(logs.Json().format(record))
    assert {name: said[name] for name in ("level", "logger", "message")} == {
        "level": "WARNING",
        "logger": "a.b",
        "message": "two\nlines 3",
    }
    assert said["at"].endswith("+00:00")
    assert "\n" not in logs.Json().format(record)


def test_nothing_that_is_quoted_looks_like_a_line_of_its_own():
    forged = "ada\n2026-11-23 09:00:00,000 INFO x signed in\r\x1b[2Kgone\x85\u2028end"
    record = logging.LogRecord("a.b", logging.WARNING, "x.py", 1, "no %s", (forged,), None)
    first, *rest = logs.Plain().format(record).splitlines()
    assert first.endswith("WARNING a.b no ada")
    assert rest == [r"    2026-11-23 09:00:00,000 INFO x signed in\r\x1b[2Kgone\x85\u2028end"]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_on_a_person_says_so_without_them(monkeypatch, caplog, settings):
    def fail(job: jobs.Running) -> None:
        Customer.objects.create(external_id="c1", email="ada.lovelace@example.org")
        Customer.objects.create(external_id="c1", email="ada.lovelace@example.org")

    monkeypatch.setattr("ingestion.tasks.run_quality", fail)
    caplog.handler.setFormatter(logs.Json())
    job = jobs.start(kind="quality.measure", title="Measure", user=factories.user())
    jobs.run(job_id=job.pk)
    told = json.loads(caplog.text.splitlines()[-1])
    assert (told["error"], told["message"]) == ("IntegrityError", f"job {job.pk} failed")
    assert "…" in told["traceback"]
    assert "ada" not in caplog.text.lower()
