"""Two engines share the people of a mail's product block, and everybody keeps theirs."""

import pytest

from recommendations import serve
from recommendations.models import Placement, RecommendationSet
from tests import factories


@pytest.fixture
def people(db):
    place = Placement.objects.create(slug="email", name="Mail")
    cup, pot = factories.product("CUP"), factories.product("POT")
    people = [factories.customer().pk for _ in range(60)]
    for engine, product in (("als", cup), ("popular", pot)):
        made = RecommendationSet.objects.create(
            placement=place, engine=engine, state="complete", serving=engine == "als",
            metrics={"newcomers": [pot.pk]},
        )  # fmt: skip
        for key in people:
            factories.pick_list(made, key, [product])
    return people


def first(people):
    return [picks[0].sku if picks else "" for picks in serve.for_customers(people).values()]


def test_everybody_gets_the_best_judged_engine(people):
    assert set(first(people)) == {"CUP"}


def test_a_rival_engine_gets_its_share_and_keeps_it(people):
    Placement.objects.update(rival="popular", rival_percent=50)
    shown = first(people)
    assert shown == first(people)
    assert 15 < shown.count("POT") < 45
    assert [pick[0].sku for pick in serve.for_customers(people, engine="als").values()] == (
        ["CUP"] * 60
    )


def test_the_hold_out_gets_what_is_popular_or_nothing(people):
    Placement.objects.update(holdout_percent=50)
    shown = first(people)
    assert 15 < shown.count("POT") < 45
    Placement.objects.update(holdout_shows="nothing")
    assert [sku or "POT" for sku in first(people)] == shown


def test_an_engine_chosen_by_hand_answers(people):
    Placement.objects.update(engine="popular")
    assert set(first(people)) == {"POT"}
