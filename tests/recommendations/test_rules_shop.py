"""The shop's rules over any candidates: nothing forbidden is shown, and nothing is made up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.rules import Allow, Limits, Rules, Shelf, apply, costs

M = 12
AGES = np.arange(M, dtype=float) * 5
SHELF = Shelf(
    ids=np.arange(1, M + 1),
    category=np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, -1, -1, -1]),
    brand=np.array([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, -1, -1]),
    price=np.array([1, 2, 4, 8, 16, 32, 64, 3, 5, 7, 9, np.nan]),
    margin=np.array([0.9, 0.1, 0.5, np.nan, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.0]),
    age=AGES,
    picture=np.arange(M) % 2 == 0,
    categories=("cups", "pots", "rugs"),
    brands=("acme", "bolt"),
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "per_category": st.integers(0, 3),
        "per_brand": st.integers(0, 3),
        "price_min": st.none() | st.floats(0, 10),
        "price_max": st.none() | st.floats(10, 60),
        "price_from": st.none() | st.floats(0, 1),
        "price_to": st.none() | st.floats(1, 4),
        "max_age_days": st.integers(0, 60),
        "with_picture": st.booleans(),
        "margin_boost": st.floats(0, 5),
        "fresh_boost": st.floats(0, 5),
        "diversity": st.floats(0, 1),
        "without_brands": st.lists(st.sampled_from(["acme", "bolt", "none"]), max_size=1),
        "without_categories": st.lists(st.sampled_from(["cups", "pots"]), max_size=2),
        "allow": st.just([{"group": "vip", "categories": ["cups", "rugs"]}]),
    },
)


@settings(max_examples=150)
@given(stored=RULES, data=st.data())
def test_whatever_the_rules_nothing_forbidden_is_shown(stored, data):
    rules = Rules.of(stored, data.draw(st.integers(1, 8)))
    people = data.draw(st.integers(1, 3))
    rows = np.array([data.draw(st.permutations(range(1, 15))) for _ in range(people)])
    usual = np.array([data.draw(st.sampled_from([np.nan, 4.0, 10.0])) for _ in range(people)])
    vip = np.array([data.draw(st.booleans()) for _ in range(people)])
    limits = Limits(usual, (vip,) if rules.allow else ())
    shelf = SHELF.under(rules)
    shown, _scores = apply(
        rows, np.zeros(rows.shape), shelf=shelf, owned=None, rules=rules, limits=limits
    )
    assert shown.shape == (people, rules.size)
    for row, member, held in zip(shown.tolist(), vip, usual, strict=True):
        real = [key for key in row if key >= 0]
        assert row == real + [-1] * (rules.size - len(real))
        assert len(set(real)) == len(real)
        for key in real:
            at = key - 1
            price, brand, kind = SHELF.price[at], SHELF.brand[at], SHELF.category[at]
            assert 1 <= key <= M
            assert rules.price_min is None or price >= rules.price_min
            assert rules.price_max is None or price <= rules.price_max
            if not np.isnan(held) and not np.isnan(price):
                assert rules.price_from is None or price >= rules.price_from * held
                assert rules.price_to is None or price <= rules.price_to * held
            assert not rules.max_age_days or AGES[at] <= rules.max_age_days
            assert not rules.with_picture or SHELF.picture[at]
            assert brand < 0 or SHELF.brands[brand] not in rules.without_brands
            assert kind < 0 or SHELF.categories[kind] not in rules.without_categories
            if rules.allow and member:
                assert kind in (0, 2)
        for cap, codes in ((rules.per_category, SHELF.category), (rules.per_brand, SHELF.brand)):
            counted = [codes[key - 1] for key in real if codes[key - 1] >= 0]
            assert not cap or all(counted.count(code) <= cap for code in counted)


@given(st.permutations(range(1, M + 1)))
def test_without_boosts_and_diversity_the_order_is_the_engines(row):
    picks, _scores = apply(
        np.array([row]), np.zeros((1, M)), shelf=SHELF, owned=None, rules=Rules(size=M)
    )
    assert picks[0].tolist() == list(row)


def test_a_margin_moves_a_product_up_and_a_zero_boost_moves_none():
    row = np.array([[2, 1, 3]])
    for boost, wanted in ((0.0, [2, 1, 3]), (2.0, [1, 2, 3])):
        shown, _scores = apply(
            row, np.zeros((1, 3)), shelf=SHELF, owned=None,
            rules=Rules(size=3, margin_boost=boost),
        )  # fmt: skip
        assert shown[0].tolist() == wanted


def test_new_products_move_up():
    shown, _scores = apply(
        np.array([[12, 1]]), np.zeros((1, 2)), shelf=SHELF, owned=None,
        rules=Rules(size=2, fresh_boost=3.0),
    )  # fmt: skip
    assert shown[0].tolist() == [1, 12]


def test_diversity_puts_unlike_products_before_like_ones():
    row = np.array([[1, 2, 3, 4, 7]])
    shown, _scores = apply(
        row, np.zeros((1, 5)), shelf=SHELF, owned=None, rules=Rules(size=3, diversity=0.7)
    )
    assert shown[0, 0] == 1
    assert len({int(SHELF.category[key - 1]) for key in shown[0]}) == 3


def test_the_cost_is_none_for_the_engines_order_and_all_for_other_products():
    engine = np.array([[1, 2, 3, 4, 5, 6]])
    assert costs.kept(engine, np.array([[1, 2, 3]])) == pytest.approx(1.0)
    assert costs.kept(engine, np.array([[9, 8, 7]])) == 0.0
    assert 0.8 < costs.kept(engine, np.array([[2, 1, 3]])) < 1.0
    assert costs.kept(engine[:, :0], np.array([[9]])) == 1.0
    assert costs.changed(np.array([[1, 2, 3]]), np.array([[3, 9, -1]])) == 1


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"per_category": -1}, "per_category"), ({"per_category": 1.5}, "whole"),
        ({"price_min": 9, "price_max": 3}, "below price_min"), ({"diversity": 2}, "between"),
        ({"drop_owned": 1}, "true or false"), ({"without_brands": "acme"}, "list"),
        ({"allow": [{"group": "vip"}]}, "allow"), ({"margin_boost": True}, "number"),
    ],
)  # fmt: skip
def test_rules_that_make_no_sense_are_refused(stored, said):
    with pytest.raises(ValueError, match=said):
        Rules.of(stored, 10)


def test_rules_are_stored_as_they_are_read():
    rules = Rules.of(
        {"price_max": 9, "allow": [{"group": "vip", "brands": ["acme"]}], "drop_owned": True}, 5
    )
    assert rules.allow == (Allow("vip", (), ("acme",)),)
    assert Rules.of(rules.stored(), 5) == rules
    assert rules.stored() == {
        "price_max": 9.0, "allow": [{"group": "vip", "categories": [], "brands": ["acme"]}],
    }  # fmt: skip
