"""Lists of people on their way into the database."""

import numpy as np
import pytest

from recommendations import reasons, writing
from recommendations.models import PickList, Placement, RecommendationSet
from recommendations.rules import Shelf
from recommendations.writing import Picked, Tally
from tests import factories

PICKED = Picked(
    picks=np.array([[7, 8, 9], [8, -1, -1], [-1, -1, -1], [9, 7, 8]]),
    scores=np.array([[3.5, 2.25, 1], [0.1, -np.inf, -np.inf], [-np.inf] * 3, [3, 2, 1]], "f4"),
    why=np.array([[1, 3, 4], [2, 0, 0], [0, 0, 0], [2, 2, 2]]),
    anchor=np.array([[70, -1, 80], [-1, -1, -1], [-1, -1, -1], [-1, -1, -1]]),
)


@pytest.mark.parametrize("people", [[0, 1, 2, 3], [0, 3]], ids=["of any length", "all as long"])
def test_a_row_a_person_is_written_as_it_was_picked(db, people):
    made = RecommendationSet.objects.create(
        placement=Placement.objects.create(slug="email"), engine="als"
    )
    ids = np.array([factories.customer().pk for _ in people])
    part = Picked(*(column[people] for column in vars(PICKED).values()))
    writing.write(set_id=made.pk, people=ids, picked=part)
    long = {row.customer_id: row for row in PickList.objects.filter(set=made)}
    assert set(long) == {key for key, place in zip(ids, people, strict=True) if place != 2}
    first = long[ids[0]]
    assert (first.products, first.scores) == ([7, 8, 9], [3.5, 2.25, 1.0])
    assert (first.whys, first.anchors) == ([1, 3, 4], [70, -1, 80])
    if 1 in people:
        assert (long[ids[1]].products, long[ids[1]].scores) == ([8], [0.1])


def test_a_set_is_described_by_sums_over_its_parts():
    shelf = Shelf(ids=np.array([5, 7, 8, 9]), category=np.full(4, -1))
    tally = Tally(shelf)
    for rows in (slice(0, 2), slice(2, 4)):
        tally.add(Picked(*(column[rows] for column in vars(PICKED).values())))
    assert tally.facts() == {
        "people": 3, "picks": 7, "products": 3, "personal": 2, "new": 1, "new_products": 1,
    }  # fmt: skip
    assert writing.head(shelf, PICKED.picks) == [8, 7, 9]


def test_a_reason_tells_nothing_of_a_product_that_is_gone():
    assert reasons.told(reasons.BECAUSE, 7, "Cup") == {
        "code": "because", "product_id": 7, "name": "Cup",
    }  # fmt: skip
    assert reasons.told(reasons.BECAUSE, None, None) == {"code": "taste"}
    assert reasons.told(reasons.NEW, None, None) == {"code": "new"}
