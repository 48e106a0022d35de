"""Work that loses a race in the database is done again, and not for ever."""

import contextlib
from datetime import date

import psycopg2
import pytest
from django.db import OperationalError, connection, transaction

from marketing.core import db

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_day_there_is_is_told_from_one_there_is_not() -> None:
    years = ("0000", "0001", "0004", "1900", "2000", "2023", "2024", "2100", "9999")
    texts = [f"{y}-{m:02}-{d:02}" for y in years for m in range(14) for d in range(33)]
    meant = []
    for text in texts:
        with contextlib.suppress(ValueError):
            meant.append(date.fromisoformat(text).isoformat())
    asked = [*texts, "2024-2-01", "20240201", " 2024-02-01", "2024-02-1x"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT t FROM unnest(%s) AS t WHERE t ~ %s", [asked, db.DAY_THERE_IS])
        assert sorted(row[0] for row in cursor.fetchall()) == sorted(meant)
        cursor.execute("SELECT count(t::date) FROM unnest(%s) AS t", [meant])
        assert cursor.fetchone() == (len(meant),)


@pytest.fixture
def counter():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE raced (n int); INSERT INTO raced VALUES (0)")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE raced")


class Racer:
    """Adds one, while somebody else changes the row under it as often as it is told."""

    def __init__(self, lost: int) -> None:
        self.lost, self.tries = lost, 0

    def __call__(self) -> int:
        self.tries += 1
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            cursor.execute("SELECT n FROM raced")
            if self.tries <= self.lost:
                other = psycopg2.connect(**connection.get_connection_params())
                with contextlib.closing(other), other, other.cursor() as rival:
                    rival.execute("UPDATE raced SET n = n + 10")
            cursor.execute("UPDATE raced SET n = n + 1 RETURNING n")
            return cursor.fetchone()[0]


def test_what_lost_a_race_is_done_again_whole(counter):
    racer = Racer(lost=2)
    assert db.patiently(racer) == 21
    assert racer.tries == 3


def test_what_always_loses_is_tried_five_times_and_then_reported(counter):
    racer = Racer(lost=99)
    with pytest.raises(OperationalError, match="could not serialize"):
        db.patiently(racer)
    assert racer.tries == 5


def test_within_a_transaction_nothing_is_done_twice(counter):
    tries = []

    def lose() -> None:
        tries.append(1)
        other = psycopg2.connect(**connection.get_connection_params())
        with contextlib.closing(other), other, other.cursor() as rival:
            rival.execute("UPDATE raced SET n = n + 10")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE raced SET n = n + 1")

    def whole() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
            cursor.execute("SELECT n FROM raced")
            db.patiently(lose)

    with pytest.raises(OperationalError, match="could not serialize"):
        whole()
    assert len(tries) == 1


def test_other_faults_are_reported_at_once():
    tries = []

    def work() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        db.patiently(work)
    assert len(tries) == 1
