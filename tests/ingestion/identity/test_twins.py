"""People who look like one are suggested with the evidence, and what was decided is remembered."""

from typing import Any

import pytest

from ingestion.identity import likeness, merging, profile, suggestions, twins
from ingestion.identity.likeness import Row
from ingestion.models import Customer, Merge, Twins
from marketing.core import jobs
from marketing.core.errors import Conflict, NotFound
from tests import factories
from tests.ingestion.conftest import NOW


def look() -> dict[str, Any]:
    job = jobs.Running(factories.job("Look for duplicate people", kind="people.compare"))
    return twins.run(job=job, now=factories.now())


def person(**values: Any) -> Customer:
    return factories.customer(values.pop("name", ""), consent=None, **values)


def row(**values: Any) -> Row:
    blank = dict.fromkeys(Row._fields, "") | {"id": 1, "attributes": {}}
    return Row(**{**blank, **values})


@pytest.mark.parametrize(
    ("one", "other", "what", "points"),
    [
        (
            {"email": "ada.l+shop@gmail.com"},
            {"email": "adal@googlemail.com"},
            ["mailbox"],
            70,
        ),
        (
            {"phone": "+441134960000", "first_name": "Ada", "last_name": "Bell"},
            {"phone": "+441134960000", "first_name": "ADA", "last_name": "Béll"},
            ["phone", "name"],
            75,
        ),
        (
            {"first_name": "Ada", "last_name": "Bell", "country": "GB"},
            {"first_name": "Ada", "last_name": "Bell", "country": "FR"},
            ["name", "country"],
            10,
        ),
        (
            {"phone": "+441134960000", "first_name": "Ada", "last_name": "Bell"},
            {"phone": "+441134960000", "first_name": "Tom", "last_name": "Okafor"},
            ["phone", "name_differs"],
            15,
        ),
        ({}, {}, [], 0),
    ],
)
def test_evidence_is_weighed(
    one: dict[str, Any], other: dict[str, Any], what: list[str], points: int
) -> None:
    found, evidence = likeness.compare(row(**one), row(**other), [])
    assert [piece.what for piece in evidence] == what
    assert found == points


@pytest.mark.django_db
def test_pairs_are_found_scored_and_listed_surest_first() -> None:
    one = person(email="ada.bell@gmail.com", first_name="Ada", last_name="Bell")
    two = person(email="adabell+news@gmail.com", first_name="Ada", last_name="Bell")
    three = person(phone="+441134960000", first_name="Tom", last_name="Okafor")
    four = person(phone="+441134960000", first_name="Tomas", last_name="Okafor")
    person(first_name="Zoe", last_name="Marsh")
    assert look()["suggested"] == 2
    first, second = suggestions.waiting()
    assert (first.left_id, first.right_id, first.score) == (one.pk, two.pk, 99)
    assert (second.left_id, second.right_id, second.score) == (three.pk, four.pk, 70)
    assert [piece[0] for piece in second.evidence] == ["phone", "name_alike", "country"]


@pytest.mark.django_db
def test_a_pair_kept_apart_is_never_suggested_again() -> None:
    one, two = (
        person(email=address, last_name="Bell") for address in ("a.bell@x.io", "abell@x.io")
    )
    look()
    suggestions.keep_apart(left=two.pk, right=one.pk, actor=factories.user(), now=NOW)
    assert not suggestions.waiting().exists()
    look()
    assert Twins.objects.get().state == "apart"
    with pytest.raises(NotFound):
        suggestions.keep_apart(left=one.pk, right=one.pk, actor=None, now=NOW)


@pytest.mark.django_db
def test_a_key_that_a_whole_office_shares_is_no_evidence() -> None:
    for _n in range(twins.HOUSEHOLD + 1):
        person(phone="+441134960000", last_name="Bell")
    assert look() == {"compared": 0, "suggested": 0}


@pytest.mark.django_db
def test_a_suggestion_goes_when_nothing_speaks_for_it_any_more() -> None:
    _one, two = (
        person(email=address, last_name="Bell") for address in ("a.bell@x.io", "abell@x.io")
    )
    look()
    Customer.objects.filter(pk=two.pk).update(email="other@x.io")
    look()
    assert not Twins.objects.exists()


@pytest.mark.django_db
def test_certain_pairs_are_merged_in_bulk_and_each_can_be_undone() -> None:
    for n in range(3):
        for address in (f"a.bell{n}@x.io", f"abell{n}@x.io"):
            person(email=address, first_name="Ada", last_name=f"Bell{n}" * 3)
    look()
    job = jobs.Running(factories.job("Merge", kind="people.merge"))
    assert suggestions.merge_certain(job=job, now=NOW) == {"merged": 3}
    assert Customer.objects.count() == 3
    log = Merge.objects.latest("id")
    assert (log.kind, log.evidence["score"]) == ("suggested", 99)
    suggestions.undo(merge_id=log.pk, actor=None, now=NOW)
    look()
    assert not suggestions.waiting().exists()
    with pytest.raises(Conflict, match="no pair that is certain"):
        suggestions.start_certain(user=None)


@pytest.mark.django_db
def test_the_preview_says_what_will_stand() -> None:
    one = person(name="ada", last_name="Bell", country="", attributes={"city": "Leeds"})
    two = person(
        name="adah",
        last_name="Bell",
        country="GB",
    )
    said = {"city": "York", "size": 38}
    profile.apply(changes=[profile.Change(two.pk, NOW, "m1", said)], now=NOW)
    shown = suggestions.preview(kept=one.pk, gone=two.pk)
    expected = {
        line.name: line.after for line in shown.lines if line.name not in ("email", "external_id")
    }
    suggestions.merge(kept=one.pk, gone=two.pk, actor=None, now=NOW)
    after = Customer.objects.get()
    assert expected == {
        "first_name": "Ada", "last_name": "Bell", "country": "GB", "city": "York", "size": 38,
    }  # fmt: skip
    assert (after.first_name, after.country, after.attributes) == (
        "Ada",
        "GB",
        {"city": "York", "size": 38},
    )
    assert merging.current(two.pk) == one.pk
