"""The tracking plan holds for the events of files as for those that arrive by themselves."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.events.incoming import Incoming
from ingestion.imports import rejects, starting, uploads
from ingestion.models import (
    Customer,
    Event,
    EventKey,
    EventPlan,
    EventType,
    ImportJob,
    PlanBreach,
    Policy,
)
from ingestion.registry import columns, discovery, judging, plans
from marketing.core import jobs
from tests.ingestion.conftest import NOW

MANY = 300  # from 200 rows on a file is stored as columns
HEAD = b"type,at,message_id,customer_id,properties\n"


@pytest.fixture(autouse=True)
def no_plan_is_remembered() -> Any:
    judging.forget()
    yield
    judging.forget()


def agree(policy: str, name: str = "order", **rules: Any) -> None:
    asked = rules or {"total": {"type": "number", "required": True}}
    plans.save(name=name, policy=policy, user=None, now=NOW, properties=asked)


def row(n: int, details: str, *, name: str = "order", person: str = "") -> bytes:
    quoted = details.replace('"', '""')
    return f'{name},2026-01-03 10:00:00,m{n},{person or n % 7 + 1},"{quoted}"\n'.encode()


def content(count: int, *broken: tuple[int, str]) -> bytes:
    """So many orders of 3, save for those whose place and details are given."""
    other = dict(broken)
    return HEAD + b"".join(row(n, other.get(n, '{"total":3}')) for n in range(count))


def numbers(record: ImportJob) -> tuple[int, int, int, int]:
    return record.received, record.stored, record.duplicate, record.quarantined


@pytest.mark.django_db
@pytest.mark.parametrize("count", [20, MANY])
@pytest.mark.parametrize("policy", ["quarantine", "refuse"])
def test_lines_that_break_the_plan_are_set_aside_with_their_reason(bring, count, policy) -> None:
    agree(policy)
    done = bring(content(count, (4, '{"total":"x"}'), (9, "{}")), kind="events")
    assert numbers(done) == (count, count - 2, 0, 2)
    assert Event.objects.count() == EventKey.objects.count() == count - 2
    first, second = done.rejects.order_by("line")
    assert (first.line, first.code, first.field) == (6, "plan_type", "total")
    assert first.raw == row(4, '{"total":"x"}').decode().strip()
    assert first.message == "“total” should be number and is string."
    assert first.remedy == "Send it as the plan says, or change the type in the plan."
    assert (second.line, second.code, second.field) == (11, "plan_missing", "total")
    entry = done.report["rules"]["plan_stopped"]
    assert entry["rows"] == 2
    assert entry["examples"][0] == {
        "line": 6,
        "before": {"type": "order"},
        "after": {"plan": first.message},
    }
    discovery.fold(now=NOW)
    assert EventType.objects.get().count == count - 2
    assert set(PlanBreach.objects.values_list("code", "action", "count")) == {
        ("plan_type", policy, 1),
        ("plan_missing", policy, 1),
    }


@pytest.mark.django_db
@pytest.mark.parametrize("count", [20, MANY])
def test_what_the_plan_warns_of_is_stored_and_counted_once(bring, count) -> None:
    agree("warn")
    told = content(count, (4, '{"total":"x"}'), (9, "{}"))
    done = bring(told, kind="events")
    assert numbers(done) == (count, count, 0, 0)
    assert done.report["rules"]["plan_warned"]["rows"] == 2
    again = bring(told, kind="events")
    assert numbers(again) == (count, 0, count, 0)
    assert "plan_warned" not in again.report["rules"]
    discovery.fold(now=NOW)
    assert sum(PlanBreach.objects.values_list("count", flat=True)) == 2
    assert EventType.objects.get().broken == 2


@pytest.mark.django_db
@pytest.mark.parametrize("count", [20, MANY])
def test_people_of_whom_nothing_is_stored_are_not_made(bring, count) -> None:
    agree("refuse")
    lines = [row(n, '{"total":3}') for n in range(count)]
    lines[0] = row(0, "{}", person="nobody")
    lines[2] = row(2, '{"total":1}', person="late")
    lines[1] = row(1, "{}", person="late")
    done = bring(HEAD + b"".join(lines), kind="events")
    assert numbers(done) == (count, count - 2, 0, 2)
    assert not Customer.objects.filter(external_id="nobody").exists()
    assert Event.objects.get(message_id="m2").customer.external_id == "late"
    people = Event.objects.exclude(message_id="m2").values_list(
        "message_id", "customer__external_id"
    )
    assert {(name, who) for name, who in people} == {
        (f"m{n}", str(n % 7 + 1)) for n in range(3, count)
    }


@pytest.mark.django_db
@pytest.mark.parametrize("count", [20, MANY])
def test_lines_stored_before_the_plan_was_made_stay_duplicates(bring, count) -> None:
    told = content(count, (4, '{"total":"x"}'))
    bring(told, kind="events")
    agree("refuse")
    assert numbers(bring(told, kind="events")) == (count, 0, count, 0)
    other = bring(content(count, (4, '{"total":"y"}')), kind="events")
    assert numbers(other) == (count, 0, count - 1, 1)
    assert other.rejects.get().code == "conflict"


@pytest.mark.django_db
@pytest.mark.parametrize("count", [20, MANY])
def test_kinds_of_events_that_the_plan_does_not_name_follow_its_rule(bring, count) -> None:
    plans.choose_unknown(policy="quarantine", user=None, now=NOW)
    agree("allow")
    done = bring(content(count) + row(999, "{}", name="oder"), kind="events")
    assert numbers(done) == (count + 1, count, 0, 1)
    reject = done.rejects.get()
    assert (reject.code, reject.field) == ("plan_unknown_type", "type")
    assert reject.message == "The plan has no event called “oder”."


@pytest.mark.django_db
def test_a_file_of_which_the_plan_keeps_everything_out_stores_nothing(bring) -> None:
    agree("refuse", shop={"type": "string", "required": True})
    done = bring(content(MANY), kind="events")
    assert numbers(done) == (MANY, 0, 0, MANY)
    assert not Event.objects.exists()
    assert not Customer.objects.exists()


@pytest.mark.django_db
def test_a_long_name_of_a_property_fits_its_column(bring) -> None:
    agree("refuse", **{"x" * 150: {"type": "number", "required": True}})
    done = bring(content(3), kind="events")
    assert numbers(done) == (3, 0, 0, 3)
    assert {reject.field for reject in done.rejects.all()} == {"x" * 60}


@pytest.mark.django_db
@pytest.mark.parametrize("count", [20, MANY])
def test_a_dry_run_says_what_the_plan_will_do(count) -> None:
    agree("refuse")
    agree("warn", name="view")
    told = content(count, (4, '{"total":"x"}'), (5, '{"total":"y"}'), (9, "{}"))
    record = uploads.receive(
        chunks=[told + row(999, "{}", name="view")],
        name="f.csv",
        kind="events",
        source_name="shop",
        user=None,
        now=NOW,
    )
    job = starting.try_out(record=record, rows=None, now=NOW)
    jobs.run(job_id=job.pk)
    record.refresh_from_db()
    trial = record.trial
    assert (trial["received"], trial["stored"], trial["quarantined"]) == (count + 1, count - 2, 3)
    told_of = [(r["code"], r["field"], r["rows"], r["line"]) for r in trial["reasons"]]
    assert told_of == [("plan_type", "total", 2, 6), ("plan_missing", "total", 1, 11)]
    assert trial["rules"]["plan_warned"]["rows"] == 1
    assert not Event.objects.exists()
    discovery.fold(now=NOW)
    assert not PlanBreach.objects.exists()


@pytest.mark.django_db
def test_lines_kept_out_come_in_once_they_were_mended(bring) -> None:
    agree("refuse")
    done = bring(content(MANY, (4, '{"total":"x"}')), kind="events")
    sheet = b"".join(rejects.as_csv(import_job=done))
    record = uploads.receive(
        chunks=[sheet.replace(b'""x""', b"7")],
        name="mended.csv",
        kind="events",
        source_name="shop",
        user=None,
        now=NOW,
    )
    jobs.run(job_id=starting.start(record=record, now=NOW).pk)
    record.refresh_from_db()
    assert numbers(record) == (1, 1, 0, 0)
    assert done.rejects.get().mended_by_id == record.pk
    assert Event.objects.get(message_id="m4").properties == {"total": 7}


VALUES = st.none() | st.booleans() | st.integers(-3, 9) | st.floats(-3, 9) | st.text(max_size=3)
DETAILS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)
RULES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["", "string", "number", "integer", "boolean", "date-time"])},
        optional={"required": st.booleans(), "min": st.integers(0, 3), "values": st.just(["1"])},
    ),
    max_size=3,
)


@given(
    rules=RULES,
    closed=st.booleans(),
    policy=st.sampled_from(Policy.values),
    unknown=st.sampled_from(Policy.values),
    rows=st.lists(st.tuples(st.sampled_from(["order", "view"]), DETAILS), max_size=12),
)
@settings(max_examples=150)
def test_columns_are_judged_as_single_events_are(rules, closed, policy, unknown, rows) -> None:
    standing = judging.Standing()
    standing.unknown, standing.looked = unknown, float("inf")
    plan = EventPlan(name="order", policy=policy, closed=closed, properties=rules)
    standing.types = {"order": judging.CompiledType(plan)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "_plan", standing)
        single = judging.judge(
            batch=[Incoming(name, NOW, properties=details) for name, details in rows],
            source="shop",
            now=NOW,
        )
        texts = sorted({json.dumps(details) for _name, details in rows})
        found = columns.judge(
            types=["view", "order"],
            type_codes=np.array([int(name == "order") for name, _ in rows], np.int64),
            details=texts,
            detail_codes=np.array([texts.index(json.dumps(d)) for _, d in rows], np.int64),
        )
    assert found == single
