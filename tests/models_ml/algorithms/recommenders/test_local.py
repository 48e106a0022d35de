"""Popularity of a segment and a country, drawn towards the wider group."""

import numpy as np
import pytest

from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders.content import Goods
from models_ml.algorithms.recommenders.local import Local, Params, People

DAY = np.datetime64("2026-01-01", "s")
PEOPLE = People(np.arange(200), ["DE"] * 60 + ["FR"] * 60 + ["IS"] * 5 + [""] * 75)


def shop() -> Interactions:
    """Germans buy 1, the French 2; everybody, in Iceland too, buys 3 now and then."""
    own = np.concatenate([np.full(60, 1), np.full(60, 2)])
    users = np.concatenate([np.arange(120), np.arange(0, 130, 2)])
    items = np.concatenate([own, np.full(65, 3)])
    return Interactions.of(users, items, np.repeat(DAY, len(users)))


def test_strangers_get_what_their_country_buys_and_then_what_everybody_buys():
    model = Local(Params(shrink=20, taste=0)).fit(shop(), people=PEOPLE)
    # 59 and 119 bought once; 150 is of no known country, 999 nobody has heard of.
    ids, _scores = model.recommend(np.array([59, 119, 150, 999]), 1, skip_seen=False)
    assert ids.ravel().tolist() == [1, 2, 3, 3]
    assert model.levels(np.array([59, 124, 150, 999])) == [
        "segment",
        "overall",
        "overall",
        "overall",
    ]


def test_the_share_of_a_group_is_drawn_towards_the_wider_one():
    data = shop()
    model = Local(Params(shrink=30, taste=0, half_life_days=0)).fit(data, people=PEOPLE)
    share = np.array([60, 60, 65]) / 185
    national = (np.array([60, 0, 30]) + 30 * share) / (90 + 30)
    germany = (np.array([60, 0, 30]) + 30 * national) / (90 + 30)
    assert model.tables[1, 0] == pytest.approx(germany, abs=1e-6)
    # Of Iceland, with five people, there is no table.
    assert model.tables.shape[0] == 3


def test_purchases_fade_and_what_a_person_has_is_left_out():
    data = Interactions.of(
        [1, 2, 3, 4], [7, 7, 8, 9], np.array(["2026-01-01", "2026-01-01", "2026-03-01",
                                               "2026-03-01"], dtype="datetime64[s]"),
    )  # fmt: skip
    ids, _scores = Local(Params(half_life_days=14)).fit(data).recommend(np.array([5, 3]), 3)
    assert ids.tolist() == [[8, 9, 7], [9, 7, -1]]


def test_categories_somebody_buys_from_count_more():
    users = np.concatenate([np.arange(40), np.arange(40), np.full(3, 99)])
    items = np.concatenate([np.full(40, 1), np.full(40, 2), [11, 12, 13]])
    data = Interactions.of(users, items, np.repeat(DAY, len(users)))
    goods = Goods(
        np.array([1, 2, 11, 12, 13, 14]),
        [""] * 6,
        ["tea", "tea", *["wool"] * 4],
        np.full(6, np.nan),
    )
    data = Interactions.of(
        np.append(data.user, [50, 51]), np.append(data.item, [14, 14]), np.repeat(DAY, 85)
    )
    without = Local(Params(taste=0)).fit(data, goods=goods).recommend(np.array([99]), 1)[0]
    with_taste = Local(Params(taste=2, shrink=1)).fit(data, goods=goods)
    assert without.tolist() != [[14]]
    assert with_taste.recommend(np.array([99]), 1)[0].tolist() == [[14]]


def test_what_does_not_line_up_is_refused():
    with pytest.raises(ValueError, match="same length"):
        People(np.array([1, 2]), ["DE"])
    with pytest.raises(ValueError, match="no interactions"):
        Local().fit(Interactions.of([], [], np.array([], dtype="datetime64[s]")))
