"""What a compressed day tells: a leak, a queue that stays, something lost; and when it is night."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from marketing import bench_soak
from marketing.management.commands.bench import choose
from marketing.soak import verdict, watching
from marketing.soak.client import Book
from marketing.soak.counts import Pair
from marketing.soak.watching import Look


def looks(*held: dict[int, float], **more: list[float]) -> list[Look]:
    """One a minute."""
    found = [Look(60.0 * n, {"web": megabytes}) for n, megabytes in enumerate(held)]
    for name, values in more.items():
        for look, value in zip(found, values, strict=True):
            look.queues[name] = value
    return found


def test_the_slope_is_that_of_most_looks_whatever_a_few_say():
    line = [(float(x), 3.0 * x + (500.0 if x % 7 == 0 else 0.0)) for x in range(30)]
    assert verdict.slope(line) == pytest.approx(3.0)
    assert verdict.slope([(1.0, 5.0)]) == 0.0


def test_a_leak_is_told_by_program_and_by_process():
    (line,) = verdict.memory(looks(*[{1: 100.0, 2: 100.0 + n} for n in range(60)]))
    assert line["name"] == "soak.day.memory.web"
    assert line["value"] == pytest.approx(60.0)
    assert line["ratio"] < 1
    assert line["each"] == {"2": 60.0, "1": 0.0}


def test_a_process_that_starts_anew_when_it_has_grown_is_no_leak():
    (line,) = verdict.memory(looks(*[{n // 10: 100.0 + n % 10} for n in range(60)]))
    assert abs(line["value"]) < 6
    assert line["ratio"] > 1


def test_a_queue_counts_as_empty_once_it_was_seen_empty_and_what_stays_is_told():
    day = looks({1: 1.0}, {1: 1.0}, tasks=[3.0, 9.0], mails=[0.0, 40.0])
    after = looks({}, {}, tasks=[0.0, 2.0], mails=[40.0, 7.0])
    line = verdict.queues(day, after)
    assert (line["value"], line["left"]) == (7.0, {"mails": 7.0})
    assert line["most"] == {"tasks": 9.0, "mails": 40.0}
    assert line["ratio"] < 1
    assert verdict.queues(day, looks({}, tasks=[0.0], mails=[0.0]))["ratio"] == 1


def test_what_was_lost_and_what_came_twice_are_both_told():
    line = verdict.arrived([Pair("orders", 10, 9), Pair("mails", 5, 6), Pair("events", 7, 7)])
    assert line["value"] == 2
    assert line["counts"]["orders"] == [10, 9]


def test_a_table_that_ought_to_stay_level_is_told_when_it_grows():
    day = looks(*[{1: 1.0}] * 9)
    for n, look in enumerate(day):
        look.bytes = {"core_slot": 10_000_000 * (n + 1), "ingestion_event": 10**9 * n}
    line = verdict.tables(day)
    assert line["worst"] == "core_slot"
    assert line["ratio"] < 1
    assert line["grew_most"]["ingestion_event"] == 5 * 10**9


def test_answers_that_failed_and_those_that_never_came_are_faults_and_refusals_are_not():
    book = Book()
    for status in (200, 201, 302, 422, 503, 0):
        book.note("orders", status, 2.0, b"because")
    assert (book.faults(), book.refusals()) == (2, 1)
    *_kinds, last = verdict.answers(book, 60.0)
    assert last["value"] == 2
    assert last["first"]["orders 503"] == "because"
    assert book.statuses["orders"] == Counter({200: 1, 201: 1, 302: 1, 422: 1, 503: 1, 0: 1})


def test_numbers_are_read_from_what_monitoring_reads():
    text = '# HELP a b\na{queue="fast"} 3\nb 1.5\n'
    assert watching.read(text) == [('a{queue="fast"}', 3.0), ("b", 1.5)]


@pytest.mark.parametrize("hour", range(24))
def test_it_is_night_whenever_the_day_begins(hour):
    moment = datetime(2026, 11, 23, hour, 30, tzinfo=UTC)
    assert moment.astimezone(ZoneInfo(bench_soak.night_at(hour))).hour == 2


def test_a_day_passes_only_when_it_is_asked_for():
    names = ["start", "soak.day"]
    assert choose("", names, {"soak.day"}) == ["start"]
    assert choose("soak.day", names, {"soak.day"}) == ["soak.day"]
    assert choose("soak", names, {"soak.day"}) == ["soak.day"]
