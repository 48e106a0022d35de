"""Kept rules: saved, archived only when nothing stands on them."""

import pytest

from campaigns.models import Segment, SegmentSize
from campaigns.segments import definitions, upkeep
from campaigns.segments.rules import RuleFault
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db
RECENT = {"all": [{"field": "traits.recency_days", "op": "<=", "value": 30}]}


def test_a_saved_segment_knows_who_saved_it_and_its_size_once_its_members_are_stored() -> None:
    factories.cast()
    maya = factories.user()
    segment = definitions.save(name=" Recent ", rule=RECENT, actor=maya, now=factories.NOW)
    assert (segment.name, segment.rule, segment.size) == ("Recent", RECENT, None)
    upkeep.refresh(now=factories.NOW)
    segment.refresh_from_db()
    assert segment.size == 1
    definitions.save(name="Fresh", rule=RECENT, actor=maya, segment=segment)
    assert segment.size == 1
    definitions.save(name="Fresh", rule={"any": []}, actor=maya, segment=segment)
    assert segment.size is None
    assert segment.created_by == maya
    assert list(SegmentSize.objects.values_list("segment", "size")) == [(segment.pk, 1)]
    entry = AuditEntry.objects.filter(action="segment.saved").earliest("id")
    assert (entry.actor, entry.detail) == (maya, {"rule": RECENT})


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\x00"])
def test_a_name_that_cannot_be_kept_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        definitions.save(name=name, rule=RECENT, actor=None)
    assert caught.value.field == "name"
    assert not Segment.objects.exists()


def test_a_faulty_rule_changes_nothing() -> None:
    segment = definitions.save(name="Recent", rule=RECENT, actor=None)
    for rule in ({"all": [{"field": "nope", "op": "=", "value": 1}]}, {"in_segment": segment.pk}):
        with pytest.raises(RuleFault):
            definitions.save(name="Other", rule=rule, segment=segment, actor=None)
    segment.refresh_from_db()
    assert (segment.name, segment.rule) == ("Recent", RECENT)


def test_a_segment_in_use_is_not_archived_and_says_by_whom() -> None:
    base = definitions.save(name="Base", rule=RECENT, actor=None)
    other = definitions.save(name="Upper", rule={"in_segment": base.pk}, actor=None)
    letter = factories.campaign("Letter", segment=other)
    with pytest.raises(Conflict, match="Upper"):
        definitions.archive(segment=base, actor=None)
    with pytest.raises(Conflict, match="Letter"):
        definitions.archive(segment=other, actor=None)
    letter.state = "finished"
    letter.save()
    definitions.archive(segment=other, actor=None)
    definitions.archive(segment=base, actor=None)
    assert set(Segment.objects.values_list("state", flat=True)) == {"archived"}
    with pytest.raises(Conflict):
        definitions.save(name="Again", rule=RECENT, segment=base, actor=None)


@pytest.mark.parametrize(
    ("value", "text"), [(3, "3"), (3.0, "3"), (1234.5, "1,234.5"), (0.167, "0.167"), (-2, "-2")]
)
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    assert definitions.written(value) == text


def test_the_meaning_names_fields_and_segments() -> None:
    base = definitions.save(name="Base", rule=RECENT, actor=None)
    node = definitions.read({"all": [{"in_segment": base.pk}, RECENT["all"][0]]})
    assert definitions.meaning(node) == (
        "People where they are in “Base” and days since last order is at most 30."
    )
