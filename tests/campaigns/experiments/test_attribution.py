"""Credit along the way: it adds up, follows the textbook, and fools nobody about cause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments import attribution
from campaigns.experiments.attribution import Way

WAYS = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), st.integers(1, 500),
        st.floats(0, 1),
    ).map(lambda t: Way(tuple(t[0]), t[1], round(t[1] * t[2]))),
    min_size=1, max_size=12,
)  # fmt: skip
MODELS = [
    attribution.last_touch, attribution.first_touch, attribution.even, attribution.shapley,
]  # fmt: skip


@given(WAYS)
def test_credit_adds_up_to_the_orders(ways):
    orders = sum(way.orders for way in ways)
    for model in MODELS:
        assert sum(model(ways).values()) == pytest.approx(orders)
    shared = sum(attribution.markov(ways).values())
    assert shared == pytest.approx(orders) or shared == pytest.approx(0)
    assert all(credit >= -1e-9 for model in MODELS for credit in model(ways).values())


def test_touches_share_by_their_place():
    ways = [Way(("mail", "push", "mail"), 10, 6), Way(("push",), 10, 2), Way((), 100, 50)]
    assert attribution.last_touch(ways) == {"mail": 6, "push": 2}
    assert attribution.first_touch(ways) == {"mail": 6, "push": 2}
    assert attribution.even(ways) == {"mail": 4, "push": 4}


def test_shapley_shares_what_each_adds():
    # 1% after mail alone, 2% after push alone, 6% after both.
    ways = [Way(("mail",), 1_000, 10), Way(("push",), 1_000, 20), Way(("push", "mail"), 1_000, 60)]
    found = attribution.shapley(ways)
    # Of six: mail adds one alone and four after push (2.5), push two alone and five after (3.5).
    assert found == pytest.approx({"mail": 10 + 60 * 2.5 / 6, "push": 20 + 60 * 3.5 / 6})


def test_markov_counts_what_would_be_lost():
    # The textbook case: c1 → c2 → c3 orders, c1 and c2 → c3 do not.
    ways = [Way(("c1", "c2", "c3"), 1, 1), Way(("c1",), 1, 0), Way(("c2", "c3"), 1, 0)]
    found = attribution.markov(ways)
    # Whole: 1/3. Without c1 1/6, without c2 0, without c3 0.
    assert found == pytest.approx({"c1": 0.2, "c2": 0.4, "c3": 0.4})


def test_a_channel_that_only_comes_last_loses_the_credit_that_others_earned():
    """Everybody is shown an advertisement last; most orders come from mails with or without it."""
    ways = [Way(("ad",), 10_000, 100), Way(("mail",), 1_000, 100), Way(("mail", "ad"), 1_000, 100)]
    assert attribution.last_touch(ways) == {"ad": 200, "mail": 100}
    assert attribution.shapley(ways) == pytest.approx({"ad": 105, "mail": 195})


def test_nothing_gives_no_credit():
    assert attribution.markov([]) == {}
    assert attribution.shapley([Way(("a",), 10, 0)]) == {"a": 0}
    assert attribution.markov([Way(("a",), 10, 0)]) == {"a": 0}
