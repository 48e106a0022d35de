"""Stages by bounds that can be edited, and who moved from which to which, as it was then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection, transaction
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.segments import membership
from ingestion.models import Customer
from marketing.core.errors import Invalid
from models_ml import features
from models_ml.insights import lifecycle, stage_history
from models_ml.insights.lifecycle import Bounds
from models_ml.insights.stage_history import Move
from models_ml.jobs import insights as insight_jobs
from models_ml.models import StageFlow, StagePath, Traits
from models_ml.views import flows
from tests import factories

NOW = datetime(2026, 11, 15, 9, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def at(month: int, day: int = 1, year: int = 2026) -> datetime:
    return datetime(year, month, day, 12, 0, tzinfo=UTC)


def buyer(name: str, *orders: datetime) -> Customer:
    person = factories.customer(name, first_seen_at=None)
    Customer.objects.filter(pk=person.pk).update(created_at=min(orders, default=at(7, 20)))
    for moment in orders:
        factories.order(person, placed_at=moment)
    return person


def world() -> dict[str, Customer]:
    """People whose stages at the ends of July to October, and in November, a hand can tell."""
    return {
        "fresh": buyer("fresh", at(10, 20)),
        "steady": buyer("steady", *(at(month) for month in range(1, 12))),
        "gone": buyer("gone", at(7, 10, year=2025)),
        "back": buyer("back", at(1, 5), at(9, 20)),
        "silent": buyer("silent"),
    }


def test_stages_of_the_past_are_what_a_hand_would_tell() -> None:
    people = world()
    features.build(as_of=NOW)
    found = stage_history.build(now=NOW)
    assert found is not None
    assert found.cuts[-5:] == [
        *(f"2026-{month:02}-01T00:00:00+00:00" for month in (8, 9, 10, 11)),
        NOW.isoformat(),
    ]
    paths = {row.customer_id: row.path[-5:] for row in StagePath.objects.all()}
    assert {name: paths[person.pk] for name, person in people.items()} == {
        "fresh": "---nn",
        "steady": "lllll",
        "gone": "xxxxx",
        "back": "rraaa",
        "silent": "zzzzz",
    }
    assert stage_history.flow(found=found, start=len(found.cuts) - 5, end=len(found.cuts) - 2) == [
        Move("loyal", "loyal", 1),
        Move("at_risk", "active", 1),
        Move("lapsed", "lapsed", 1),
        Move("never_ordered", "never_ordered", 1),
        Move("unknown", "new", 1),
    ]
    moved = stage_history.people(
        start=len(found.cuts) - 5, end=len(found.cuts) - 2, first="at_risk", last="active"
    )
    assert list(moved) == [people["back"]]


def test_the_newest_moment_says_what_the_stored_stage_says_of_everybody() -> None:
    world()
    for days in (0, 29, 30, 31, 90, 91, 365, 366):
        buyer(f"edge{days}", NOW - timedelta(days=days, seconds=1))
    features.build(as_of=NOW)
    stage_history.build(now=NOW)
    stored = dict(Traits.objects.values_list("customer_id", "stage"))
    paths = dict(StagePath.objects.values_list("customer_id", "path"))
    assert {pk: stage_history.STAGES[path[-1]] for pk, path in paths.items()} == stored
    assert len(stored) == Customer.objects.count()


def test_nothing_that_happens_later_changes_what_was_the_stage_then() -> None:
    people = world()
    features.build(as_of=NOW)
    stage_history.build(now=NOW)
    before = dict(StagePath.objects.values_list("customer_id", "path"))
    for person in people.values():
        factories.order(person, placed_at=NOW - timedelta(hours=1))
    factories.order(people["gone"], placed_at=at(11, 1).replace(hour=0))  # at an end: not before it
    newcomer = buyer("newcomer", at(11, 3))
    features.build(as_of=NOW)
    stage_history.build(now=NOW)
    after = dict(StagePath.objects.values_list("customer_id", "path"))
    assert after.pop(newcomer.pk) == "-" * 12 + "n"
    assert {pk: path[:-1] for pk, path in after.items()} == {
        pk: path[:-1] for pk, path in before.items()
    }


@given(
    st.lists(st.lists(st.integers(0, 500), max_size=5), min_size=1, max_size=4),
    st.lists(st.integers(0, 400), min_size=2, max_size=5, unique=True),
)
@settings(max_examples=12)
def test_one_pass_for_many_moments_finds_what_a_pass_for_each_would(
    orders: list[list[int]], ends: list[int]
) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for days in orders:
            buyer("", *(NOW - timedelta(days=day, seconds=day % 2) for day in days))
        cuts = sorted(NOW - timedelta(days=day) for day in ends)

        def paths(wanted: list[datetime]) -> dict[int, str]:
            stage_history.write(cursor, cuts=wanted, bounds=Bounds())
            cursor.execute("SELECT customer_id, path FROM stage_paths")
            found = dict(cursor.fetchall())
            cursor.execute("DROP TABLE stage_paths")
            return found

        together, apart = paths(cuts), [paths([cut]) for cut in cuts]
        for person, path in together.items():
            for letter, alone in zip(path, apart, strict=True):
                # Whoever came later is known at a last moment, and only there.
                assert letter == alone[person] or (letter, alone[person]) == ("-", "z")
        transaction.set_rollback(True)


def test_a_picture_of_a_flow_puts_every_ribbon_inside_its_stages() -> None:
    moves = [Move("new", "active", 30), Move("new", "at_risk", 1), Move("unknown", "new", 500)]
    picture = flows.draw(moves)
    assert picture is not None
    assert [(n.stage, n.people) for n in picture.left] == [("new", 31), ("unknown", 500)]
    assert [(n.stage, n.people) for n in picture.right] == [
        ("new", 500), ("active", 30), ("at_risk", 1),
    ]  # fmt: skip
    for side in (picture.left, picture.right):
        assert side[0].y >= 0
        assert side[-1].y + side[-1].height <= flows.HEIGHT + 0.01
        for above, below in pairwise(side):
            assert above.y + above.height + flows.GAP == pytest.approx(below.y, abs=0.02)
    assert [ribbon.move.people for ribbon in picture.ribbons] == [500, 30, 1]
    assert flows.draw([]) is None


def test_bounds_that_somebody_chose_reach_stages_segments_and_the_past() -> None:
    people = world()
    features.build(as_of=NOW)
    stage_history.build(now=NOW)
    assert not stage_history.due(now=NOW)
    lapsed = {"all": [{"lifecycle": ["lapsed"]}]}
    assert set(membership.people(lapsed)) == {people["gone"]}
    tight = Bounds(new_days=10, risk_days=20, lapsed_days=40, loyal_orders=2)
    assert lifecycle.save(bounds=tight, actor=None, now=NOW).version == 2
    assert lifecycle.bounds() == tight
    assert features.measure() == 2
    assert set(membership.people(lapsed)) == {people["gone"], people["back"]}
    assert Traits.objects.get(customer=people["fresh"]).stage == "at_risk"
    assert set(membership.people({"all": [{"lifecycle": ["never_ordered"]}]})) == {people["silent"]}
    found = stage_history.build(now=NOW)
    assert found is not None
    assert found.bounds["loyal_orders"] == 2
    assert StagePath.objects.get(customer=people["back"]).path[-4:] == "xlxx"
    assert StageFlow.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"new_days": 0}, "new_days", "“New for” must be a whole number from 1 to 3650."),
        ({"loyal_orders": 1}, "loyal_orders", "“Loyal from” must be a whole number from 2"),
        ({"lapsed_days": 9999}, "lapsed_days", "“Lapsed after” must be"),
        ({"new_days": 91}, "new_days", "“New for” must not be longer than “At risk after”"),
        ({"risk_days": 365}, "risk_days", "“At risk after” must be shorter than “Lapsed after”"),
    ],
)
def test_bounds_that_make_no_sense_are_refused_by_name(
    change: dict[str, int], field: str, words: str
) -> None:
    with translation.override("en"), pytest.raises(Invalid) as refused:
        lifecycle.save(bounds=replace(Bounds(), **change), actor=None, now=NOW)
    assert refused.value.field == field
    assert words in refused.value.message
    assert lifecycle.bounds() == Bounds()


def test_the_past_is_looked_at_again_when_numbers_or_bounds_are_others() -> None:
    assert stage_history.build(now=NOW) is None
    assert not stage_history.due(now=NOW)
    world()
    features.build(as_of=NOW)
    insight_jobs.start_if_due(now=NOW)
    job = stage_history.pending()
    assert job is not None
    assert job.kind == stage_history.KIND
    insight_jobs.start_if_due(now=NOW)
    assert stage_history.pending() == job
