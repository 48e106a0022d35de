"""Bands of recency, frequency and money: one truth for numbers, rules and the grid."""

from datetime import timedelta

import pytest
from django.utils import translation

from campaigns.segments import compile as compiler
from campaigns.segments import membership, moves, upkeep
from ingestion.models import Change, Customer
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry, Job
from models_ml import features
from models_ml.insights import bands, lifecycle, rfm, yardsticks
from models_ml.insights.bands import Bands
from models_ml.models import Traits, Yardstick
from tests import factories

NOW = factories.NOW
pytestmark = pytest.mark.django_db
OWN = Bands(r=(10, 20, 30, 40), f=(2, 3, 4, 5), m=(5, 10, 15, 20))


def buyers(*orders: int, days_apart: int = 10) -> list[Customer]:
    """People with so many orders of 4.50 each, the last one 0, 10, 20 … days ago."""
    made = []
    for place, number in enumerate(orders):
        person = factories.customer()
        for n in range(number):
            factories.order(person, days_ago=place * days_apart + n * 0.1 + 0.01)
        made.append(person)
    return made


def scores(people: list[Customer], axis: str) -> list[int | None]:
    found = dict(Traits.objects.values_list("customer_id", f"{axis}_score"))
    return [found[person.pk] for person in people]


def test_equal_numbers_have_equal_scores_and_five_is_best() -> None:
    people = buyers(1, 1, 1, 1, 1, 1, 2, 2, 3, 9)
    features.build(as_of=NOW)
    assert scores(people, "r") == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert scores(people, "f") == [1, 1, 1, 1, 1, 1, 4, 4, 5, 5]
    assert scores(people, "m") == [1, 1, 1, 1, 1, 1, 4, 4, 5, 5]
    applied = yardsticks.in_use(kind=bands.KIND, start=bands.START).applied
    assert applied["limits"] == {
        "r": [10, 30, 50, 70],
        "f": [2, 2, 2, 3],
        "m": [4.51, 4.51, 4.51, 9.01],
    }
    assert (applied["people"], applied["buyers"]) == (10, 10)


@pytest.mark.parametrize(
    ("orders", "recency", "frequency"),
    [((), [], []), ((3,), [5], [1]), ((2, 2, 2), [5, 4, 2], [1, 1, 1])],
)
def test_nobody_one_person_and_people_all_alike_are_no_trouble(
    orders: tuple[int, ...], recency: list[int], frequency: list[int]
) -> None:
    silent = factories.customer("cleo")
    people = buyers(*orders)
    features.build(as_of=NOW)
    assert scores(people, "r") == recency
    assert scores(people, "f") == frequency
    assert scores([silent], "r") == [None]
    assert sum(cell.people for cell in rfm.cells().values()) == len(orders)


def test_bands_that_somebody_chose_are_the_one_truth_once_everybody_is_measured() -> None:
    people = buyers(1, 2, 3, 4, 5)
    features.build(as_of=NOW)
    best = {"all": [{"rfm": {"r": [3, 4], "f": [3, 4]}}]}
    live = factories.segment(rule=best)
    upkeep.refresh(now=NOW)
    assert set(moves.people(segment_id=live.pk)) == {people[2]}
    row = bands.save(bands=OWN, actor=factories.user(), now=NOW)
    assert (row.version, row.applied, bands.chosen()) == (2, {}, OWN)
    assert Job.objects.get(kind=yardsticks.KIND).state == Job.State.QUEUED
    before = Change.objects.count()

    assert features.measure() == 4  # the first one keeps 5, 1, 1
    assert scores(people, "r") == [5, 5, 4, 3, 2]
    assert scores(people, "f") == [1, 2, 3, 4, 5]
    assert scores(people, "m") == [1, 2, 3, 4, 5]
    assert Change.objects.count() == before + 1  # live segments are told
    upkeep.refresh(now=NOW)
    assert set(moves.people(segment_id=live.pk)) == {people[2], people[3]}
    row.refresh_from_db()
    assert row.applied["limits"]["f"] == [2, 3, 4, 5]
    meant = rfm.people(scores={"r": [5], "f": [1, 2]})
    assert {row.pk for row in meant} == {person.pk for person in people[:2]}
    rule = {"all": [{"rfm": {"r": [5], "f": [1, 2]}}]}
    assert set(membership.people(rule)) == set(people[:2])

    features.build(as_of=NOW + timedelta(days=5))  # the next night keeps to them
    assert scores(people, "r") == [5, 4, 3, 2, 1]
    assert features.measure() == 0


def test_a_preview_tells_who_would_move_and_stores_nothing() -> None:
    assert rfm.shift(to=OWN) is None
    people = buyers(1, 2, 3, 4, 5)
    features.build(as_of=NOW)
    assert scores(people, "r") == [5, 4, 3, 2, 1]
    found = rfm.shift(to=OWN)
    assert found is not None
    assert (found.people, found.moved) == (5, 4)
    assert (found.up, found.down) == ({"r": 4, "f": 0, "m": 0}, {"r": 0, "f": 0, "m": 0})
    assert found.limits == {"r": [10, 20, 30, 40], "f": [2, 3, 4, 5], "m": [5, 10, 15, 20]}
    assert sum(found.before.values()) == sum(found.after.values()) == 5
    same = rfm.shift(to=Bands())
    assert same is not None
    assert same.moved == 0
    assert Yardstick.objects.filter(version=2).count() == 0


def test_every_cell_has_one_name_and_each_group_is_a_rule_that_means_its_cells() -> None:
    assert set(rfm.OF_CELL) == {(r, f) for r in range(1, 6) for f in range(1, 6)}
    for recency in range(1, 6):
        for frequency in range(1, 6):
            person = factories.customer()
            factories.traits(person, r_score=recency, f_score=frequency, m_score=3, revenue=10)
    for group, cell in rfm.grouped(rfm.cells()):
        meant = membership.people(group.rule).values_list("traits__r_score", "traits__f_score")
        assert set(meant) == {(r, f) for r, of in group.cells.items() for f in of}
        assert (cell.people, cell.mean) == (len(meant), 10.0)
        compiler.read(group.rule)


def test_the_grid_adds_up_whichever_two_of_the_three_it_shows() -> None:
    for n, money in enumerate((1, 5, 5)):
        factories.traits(
            factories.customer(), r_score=5, f_score=1 + n, m_score=money, revenue=100.0 * n
        )
    found = rfm.cells()
    by_money = rfm.grid(found, axes="rm")
    assert {place: (c.people, c.mean) for place, c in by_money.items()} == {
        (5, 1): (1, 0.0),
        (5, 5): (2, 150.0),
    }
    assert rfm.grid(found, axes="fm")[(3, 5)].revenue == 200.0


@pytest.mark.parametrize(
    ("given", "field", "code", "words"),
    [
        ({"r": [1, 2, 3]}, "r", "four_limits", "Recency needs four limits"),
        ({"r": [1, 2, 2, 3]}, "r", "not_rising", "limits of Recency must rise"),
        ({"f": [1, 2, 3, 4]}, "f", "out_of_range", "outside of 2 to"),
        ({"f": [2, 3, 4.5, 6]}, "f", "not_whole", "Frequency are whole numbers"),
        ({"m": [-1, 2, 3, 4]}, "m", "out_of_range", "Money lies outside"),
        ({"m": [1, 2, 3, float("inf")]}, "m", "four_limits", "Money needs four limits"),
        ({"m": [1.001, 1.002, 3, 4]}, "m", "not_rising", "limits of Money must rise"),
    ],
)
def test_bands_that_make_no_sense_are_refused_by_name(
    given: dict[str, list[float]], field: str, code: str, words: str
) -> None:
    with translation.override("en"), pytest.raises(Invalid) as refused:
        bands.check(**{"r": None, "f": None, "m": None, **given})
    assert (refused.value.field, refused.value.code) == (field, code)
    assert words in refused.value.message


def test_versions_of_bands_are_kept_with_who_and_when_and_the_same_again_is_none() -> None:
    anna = factories.user()
    bands.save(bands=OWN, actor=anna, now=NOW)
    bands.save(bands=OWN, actor=anna, now=NOW)
    bands.save(bands=Bands(), actor=None, now=NOW)
    rows = yardsticks.versions(kind=bands.KIND)
    assert [(row.version, row.created_by, bands.read(row.body)) for row in rows] == [
        (3, None, Bands()),
        (2, anna, OWN),
        (1, None, Bands()),
    ]
    entry = AuditEntry.objects.filter(action="yardstick.changed").earliest("id")
    assert entry.detail == {"before": bands.START, "after": rows[1].body}
    assert Job.objects.filter(kind=yardsticks.KIND).count() == 1


def test_the_totals_of_grid_and_stages_are_counted_with_the_numbers_and_read_by_pages() -> None:
    people = buyers(1, 2, 3, 4, 5)
    factories.customer("cleo")
    features.build(as_of=NOW)
    expected = {(5, 1, 1): (1, 4.5), (4, 2, 2): (1, 9.0), (3, 3, 3): (1, 13.5)}
    expected |= {(2, 4, 4): (1, 18.0), (1, 5, 5): (1, 22.5)}
    assert {place: (cell.people, cell.revenue) for place, cell in rfm.cells().items()} == expected
    stages = {"new": 4, "loyal": 1, "never_ordered": 1}
    assert {stage: n for stage, n in lifecycle.sizes().items() if n} == stages
    Traits.objects.filter(customer=people[0]).delete()
    assert (5, 1, 1) in rfm.cells()  # as of the moment of the numbers
    bands.save(bands=OWN, actor=factories.user(), now=NOW)
    assert set(rfm.cells()) == set(expected)  # until everybody is measured by the new ones
    features.measure()
    assert {place: cell.people for place, cell in rfm.cells().items()} == {
        (5, 2, 2): 1, (4, 3, 3): 1, (3, 4, 4): 1, (2, 5, 5): 1,
    }  # fmt: skip
    assert sum(cell.revenue for cell in rfm.cells().values()) == 63.0
    Traits.objects.update(as_of=NOW + timedelta(days=1))  # other numbers than those counted
    Traits.objects.filter(customer=people[1]).delete()
    assert (5, 2, 2) not in rfm.cells()
