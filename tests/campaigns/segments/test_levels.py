"""Segments that were brought equally far move on as one row, and part where they must."""

from datetime import datetime, timedelta

import pytest

from campaigns.models import SegmentLevel, SegmentUpkeep
from campaigns.segments import levels, upkeep
from ingestion import changes
from ingestion.models import ChangeReader
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(minutes=1)
BEFORE = ("7:7:", NOW, NOW)


def kept(count: int, *, together: bool) -> list[int]:
    """Segments that were brought up to 7, on one row or on one each."""
    shared = SegmentLevel.objects.create(position="7:7:", as_of=NOW, looked_at=NOW)
    found = []
    for number in range(count):
        own = SegmentLevel.objects.create(position="7:7:", as_of=NOW, looked_at=NOW)
        level = shared if together else own
        segment = factories.segment(f"{number}", {"all": []})
        SegmentUpkeep.objects.create(segment=segment, level=level, signature="", built_at=NOW)
        found.append(segment.pk)
    SegmentLevel.objects.filter(upkeeps=None).delete()
    return found


def far() -> dict[int, tuple[str, datetime, datetime]]:
    rows = SegmentUpkeep.objects.values_list(
        "segment_id", "level__position", "level__as_of", "level__looked_at"
    )
    return {number: (position, as_of, looked_at) for number, position, as_of, looked_at in rows}


def test_all_that_share_a_row_move_on_by_it_alone(django_assert_num_queries) -> None:
    numbers = kept(20, together=True)
    with django_assert_num_queries(2):
        assert levels.move_on(numbers, BEFORE, "9:9:", (LATER, LATER)) == set(numbers)
    assert far() == dict.fromkeys(numbers, ("9:9:", LATER, LATER))
    assert SegmentLevel.objects.count() == 1


def test_some_of_a_row_part_from_the_others_once() -> None:
    one, two, three = kept(3, together=True)
    assert levels.move_on([one, two], BEFORE, "9:9:") == {one, two}
    assert far() == {one: ("9:9:", NOW, NOW), two: ("9:9:", NOW, NOW), three: BEFORE}
    levels.move_on([one, two], ("9:9:", NOW, NOW), "11:11:")
    assert far() == {one: ("11:11:", NOW, NOW), two: ("11:11:", NOW, NOW), three: BEFORE}
    assert SegmentLevel.objects.count() == 2


def test_many_rows_that_say_the_same_become_few() -> None:
    numbers = kept(20, together=False)
    assert levels.move_on(numbers, BEFORE, "9:9:") == set(numbers)
    assert far() == dict.fromkeys(numbers, ("9:9:", NOW, NOW))
    assert SegmentLevel.objects.count() == levels.ALIKE


def test_what_was_brought_elsewhere_meanwhile_stays_there() -> None:
    one, two = kept(2, together=True)
    state = levels.of(two)
    assert state is not None
    levels.put(state, position="8:8:", as_of=LATER, looked_at=LATER)
    assert levels.move_on([one, two], BEFORE, "9:9:") == {one}
    assert far() == {one: ("9:9:", NOW, NOW), two: ("8:8:", LATER, LATER)}
    assert levels.of(0) is None


def test_a_level_that_everybody_left_goes_and_holds_no_changes_back() -> None:
    factories.customer("ada")
    first, second = factories.segment("a", {"all": []}), factories.segment("b", {"all": []})
    upkeep.refresh(now=NOW)
    SegmentLevel.objects.create(position="1:1:", as_of=NOW, looked_at=NOW)
    first.delete()
    factories.customer("ben")
    upkeep.refresh(now=LATER)
    reader = ChangeReader.objects.get(name=upkeep.READER)
    assert reader.position == SegmentUpkeep.objects.get(segment=second).level.position
    assert reader.position == changes.position()
    upkeep.tidy(now=LATER)
    assert SegmentLevel.objects.count() == 1
