"""A file's events stored as columns are to the byte what they are one by one."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import events
from ingestion.events.incoming import digest_of, key_of, made_id
from ingestion.imports import event_lines
from ingestion.imports import events as importing
from ingestion.models import Customer, Event, EventKey, EventType
from ingestion.preprocess import events as cleaning
from ingestion.preprocess import texts
from ingestion.preprocess.records import Batch
from ingestion.registry import discovery
from tests.ingestion.conftest import NOW

AHEAD = (timezone.now().astimezone(UTC) + timedelta(hours=3)).replace(microsecond=0).isoformat()
FIELDS = ("type", "at", "message_id", "customer_id", "email", "anonymous_id", "properties")
WORDS = st.text(min_size=1, max_size=12).filter(lambda t: t.strip() and "\0" not in t)
MOMENTS = st.integers(10**8, int(NOW.timestamp()) + 3_600).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
ROWS = st.lists(
    st.tuples(
        WORDS,
        MOMENTS.map(lambda moment: moment.isoformat()),
        WORDS | st.just(""),
        WORDS,
        st.sampled_from(["", "ada@example.com", "O'Brien@example.com"]),
        WORDS | st.just(""),
        st.dictionaries(WORDS, WORDS | st.integers(-5, 5), max_size=3).map(json.dumps),
    ),
    min_size=1,
    max_size=8,
)


def clean(rows) -> cleaning.Clean:
    import numpy as np

    columns = {
        name: texts.column_of([row[place] for row in rows]) for place, name in enumerate(FIELDS)
    }
    count = len(rows)
    batch = Batch(b"", np.arange(count), np.zeros(count + 1, np.int64), [], raws=[""] * count)
    return cleaning.clean(batch, columns, cleaning.Options(now=NOW))


@given(ROWS)
@settings(max_examples=200)
def test_the_content_and_the_numbers_are_those_of_single_events(rows) -> None:
    made = clean(rows)
    if not len(made):
        return
    lines = event_lines.prepare(made, source="shop", now=NOW)
    single = [importing.incoming_of(row) for row in made.rows]
    cores = [event.core() for event in single]
    assert lines.digests.tolist() == [digest_of(core) for core in cores]
    names = [e.message_id or made_id(c) for e, c in zip(single, cores, strict=True)]
    assert [key.tobytes().hex() for key in lines.keys] == [key_of("shop", name) for name in names]
    found = [lines.people[place] for place in lines.person.tolist()]
    assert [(p.external_id, p.email, p.anonymous_id) for p in found] == [
        (e.external_id, e.email, e.anonymous_id) for e in single
    ]


def content(count: int, *, change: str = "") -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["type", "at", "message_id", "customer_id", "email", "properties"])
    for n in range(count):
        mark = change if n == 3 else ""
        details = json.dumps({"sku": f"A\\{n}", "note": "tab\tline\n", "x": mark})
        at = AHEAD if n == 5 else f"2026-0{1 + n % 9}-03 10:00:00"
        writer.writerow(["view", at, f"m{n}", 1 + n % 7, "", details])
    return out.getvalue().encode()


@pytest.mark.django_db
def test_a_file_of_many_rows_is_stored_once_and_what_differs_is_refused(bring) -> None:
    first = bring(content(300), kind="events")
    assert (first.received, first.stored, first.duplicate, first.quarantined) == (300, 300, 0, 0)
    assert (Event.objects.count(), EventKey.objects.count(), Customer.objects.count()) == (
        300,
        300,
        7,
    )
    row = Event.objects.get(message_id="m4")
    assert row.properties == {"sku": "A\\4", "note": "tab\tline\n", "x": ""}
    assert (row.source, row.customer.external_id) == ("shop", "5")
    clamped = Event.objects.get(message_id="m5")
    assert clamped.flags == "clamped"
    assert clamped.at.isoformat() < AHEAD
    again = bring(content(310, change="other"), kind="events")
    assert (again.stored, again.duplicate, again.quarantined) == (10, 299, 1)
    assert again.rejects.get().code == "conflict"
    assert Event.objects.count() == 310


@pytest.mark.django_db
def test_rows_and_columns_give_each_other_duplicates(bring) -> None:
    bring(content(300), kind="events")
    few = bring(b"\r\n".join(content(300).split(b"\r\n")[:20]) + b"\r\n", kind="events")
    assert (few.stored, few.duplicate, few.quarantined) == (0, 19, 0)
    same = events.Incoming(
        type="view",
        at=datetime(2026, 1, 3, 10, tzinfo=UTC),
        message_id="m0",
        external_id="1",
        properties={"sku": "A\\0", "note": "tab\tline\n", "x": ""},
    )
    assert events.record(batch=[same], source="shop", now=NOW) == ["duplicate"]


@pytest.mark.django_db
def test_the_registry_learns_the_events_of_a_large_file(bring) -> None:
    bring(content(300), kind="events")
    discovery.fold(now=NOW)
    found = EventType.objects.get(name="view")
    assert found.count == 300
    assert set(found.properties.values_list("name", flat=True)) == {"sku", "note", "x"}
