"""What is shown of a rule while it is edited."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import SegmentLevel, SegmentMove, SegmentSize, SegmentUpkeep
from campaigns.segments import compile as compiler
from campaigns.segments import history, membership, preview
from campaigns.segments.starters import starters
from campaigns.segments.turns import Superseded
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> factories.Cast:
    return factories.cast()


def orders(op: str, value: int) -> dict[str, Any]:
    return {"field": "traits.orders", "op": op, "value": value}


def seen(rule: dict[str, Any], **more: Any) -> preview.Look:
    return preview.look(compiler.read(rule), **more)


def test_each_part_of_an_all_leaves_fewer_and_each_of_an_any_adds_some(
    people: factories.Cast,
) -> None:
    parts = [orders(">=", 0), orders(">=", 1), orders(">=", 2)]
    assert seen({"all": parts}).left == [3, 2, 1]
    assert seen({"any": parts[::-1]}).left == [1, 2, 3]
    assert (seen({"all": parts}).start, seen({"all": parts}).parts_exact) == (3, True)


def test_parts_inside_a_group_are_counted_by_themselves(people: factories.Cast) -> None:
    rule = {"all": [{"not": {"any": [orders("=", 4), {"not": orders("=", 1)}]}}]}
    look = seen(rule)
    assert look.left == [1]
    assert look.alone == {
        "all[0].not": 1,
        "all[0].not.any[0]": 1,
        "all[0].not.any[1].not": 2,
    }


def test_reach_is_told_by_channel(people: factories.Cast) -> None:
    look = seen({"all": []})
    assert look.reachable == {"email": 2, "sms": 0, "push": 0}  # cleo said no
    assert look.orders == pytest.approx(0.72)


RULES = st.recursive(
    st.tuples(st.sampled_from(["=", "<", ">="]), st.integers(0, 4)).map(lambda x: orders(*x)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda rule: {"not": rule}),
    ),
    max_leaves=8,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(RULES, min_size=1, max_size=3), st.sampled_from(["all", "any"]))
def test_counting_part_by_part_agrees_with_counting_each_rule(
    people: factories.Cast, parts: list[dict[str, Any]], head: str
) -> None:
    look = seen({head: parts})
    for i in range(len(parts)):
        alone = membership.count(compiler.read({head: parts[: i + 1]})).people
        assert look.left[i] == alone
    assert look.left[-1] == look.size.people


def test_what_takes_too_long_is_estimated_and_says_so(
    people: factories.Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(64):
        factories.customer(pk=10_000_000 + 32 * n)
    slow = membership.Customer.objects.extra(where=["pg_sleep(0.05) IS NOT NULL"])
    monkeypatch.setattr(membership, "members", lambda *a, **k: slow)
    look = seen({"all": []}, patience_ms=400)
    assert look.size.exact is False
    assert look.size.people in (64, 96)  # every 32nd of 67 people, times 32


def test_overlap_is_told_from_stored_members_and_from_rules_alike(people: factories.Cast) -> None:
    by_rule = factories.segment("Two at least", orders(">=", 2))
    stored = factories.segment("Stored", orders(">=", 0))
    level = SegmentLevel.objects.create(position="0", as_of=factories.NOW, looked_at=factories.NOW)
    SegmentUpkeep.objects.create(segment=stored, level=level, signature="x", built_at=factories.NOW)
    for person in (people.ada, people.ben):
        stored.members.create(customer=person, since=factories.NOW)
    rows, exact = preview.overlaps(compiler.read(orders(">=", 1)), others=[by_rule, stored])
    assert [(r.segment.name, r.people, r.share) for r in rows] == [
        ("Stored", 2, 1.0),
        ("Two at least", 1, 0.5),
    ]
    assert exact is True


def test_history_keeps_a_size_until_the_next_count_and_leaves_rule_changes_out(
    people: factories.Cast,
) -> None:
    segment, now = factories.segment(), factories.NOW
    for days, size in ((40, 5), (3, 8)):
        SegmentSize.objects.create(segment=segment, at=now - timedelta(days=days), size=size)
    for days, entered, cause in ((2, True, "change"), (2, False, "time"), (2, True, "rule")):
        SegmentMove.objects.create(
            segment=segment, customer=people.ada, entered=entered, cause=cause,
            at=now - timedelta(days=days),
        )  # fmt: skip
    found = history.of(segment=segment, now=now, days=5)
    assert found.sizes == [5, 8, 8, 8, 8]
    assert [(d.entered, d.left) for d in found.days] == [(0, 0), (0, 0), (1, 1), (0, 0), (0, 0)]
    assert (found.entered, found.left, found.highest) == (1, 1, 1)


def test_every_starting_point_is_a_rule_that_counts(people: factories.Cast) -> None:
    kinds = frozenset({"page_view", "purchase"})
    for start in starters(events=kinds, predictions={}):
        assert seen(start.rule).size.exact is True
    assert "lookers" in {start.key for start in starters(events=kinds, predictions={})}
    assert "lookers" not in {start.key for start in starters(events=frozenset(), predictions={})}


@pytest.mark.django_db(transaction=True)
def test_a_newer_question_of_the_same_builder_stops_the_older(transactional_db: None) -> None:
    factories.cast()
    said: list[str] = []

    def older() -> None:
        slow = membership.Customer.objects.extra(where=["pg_sleep(3) IS NOT NULL"])
        try:
            preview._asked(slow, {"n": preview.Count("pk")}, 20_000, "builder")
            said.append("counted")
        except Superseded:
            said.append("superseded")
        finally:
            connections.close_all()

    waiting = threading.Thread(target=older)
    waiting.start()
    # Whoever asks later is the newer one, so the older must be asking already.
    with connection.cursor() as cursor:
        while waiting.is_alive():
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND state = 'active' AND query LIKE '%pg_sleep(3)%'"
            )
            if cursor.fetchone() == (1,):
                break
    preview.look(compiler.read({"all": []}), turn="builder")
    waiting.join()
    assert said == ["superseded"]
