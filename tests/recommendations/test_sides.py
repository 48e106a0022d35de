"""Two engines share the people of a mail's product block, and everybody keeps theirs."""

import pytest

from recommendations import build, serve
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


@pytest.mark.parametrize("moment", ["before", "after"])
def test_sets_that_are_replaced_around_the_look_at_sides_are_read_as_one_refresh(
    people, monkeypatch, moment
):
    """A refresh ends between the look-up of the serving set and of the sides, or just after."""
    Placement.objects.update(rival="popular", rival_percent=50)
    look, place = serve._sides, Placement.objects.get()
    hat, rug = factories.product("HAT"), factories.product("RUG")
    refreshed = []

    def refresh():
        build.clear(placement=place)
        for engine, product in (("als", hat), ("popular", rug)):
            made = RecommendationSet.objects.create(
                placement=place, engine=engine, state="complete", serving=engine == "als",
                metrics={"newcomers": [rug.pk]},
            )  # fmt: skip
            for key in people:
                factories.pick_list(made, key, [product])
        refreshed.append(moment)

    def look_while_refreshing(row, ids):
        if moment == "before" and not refreshed:
            refresh()
        found = look(row, ids)
        if not refreshed:
            refresh()
        return found

    before = first(people)
    monkeypatch.setattr(serve, "_sides", look_while_refreshing)
    assert first(people) == [{"CUP": "HAT", "POT": "RUG"}[sku] for sku in before]
    assert refreshed == [moment]
