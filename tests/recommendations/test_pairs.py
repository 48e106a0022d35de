from collections import Counter
from itertools import permutations
from math import log

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommendations import pairs

BASKETS = st.lists(st.sets(st.integers(1, 6), max_size=4), max_size=40)


def ratio(both: int, one: int, other: int, total: int) -> float:
    """Dunning's ratio from the expected counts of the four cells."""
    table = [[both, one - both], [other - both, total - one - other + both]]
    found = 0.0
    for i, row in enumerate(table):
        for j, seen in enumerate(row):
            expected = sum(row) * (table[0][j] + table[1][j]) / total
            if seen:
                found += seen * log(seen / expected)
            assert i in (0, 1)
    return 2 * found


def flat(baskets: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    both = [(number, item) for number, basket in enumerate(baskets) for item in sorted(basket)]
    return tuple(np.array([pair[i] for pair in both], dtype=np.int64) for i in (0, 1))


@given(BASKETS)
def test_pairs_are_those_that_hardly_happen_by_chance(baskets):
    unit, item = flat(baskets)
    found = pairs.together(unit, item, k=10, at_least=2)
    real = [basket for basket in baskets if basket]
    seen = Counter(pair for basket in real for pair in permutations(basket, 2))
    have = Counter(key for basket in real for key in basket)
    wanted = {
        pair: n
        for pair, n in seen.items()
        if n >= 2
        and n > have[pair[0]] * have[pair[1]] / len(real)
        and ratio(n, have[pair[0]], have[pair[1]], len(real)) > pairs.SIGNIFICANT + 1e-6
    }
    told = dict(
        zip(zip(found.item.tolist(), found.other.tolist(), strict=True), found.count.tolist(),
            strict=True)
    )  # fmt: skip
    assert set(wanted) <= set(told)
    assert all(told[pair] == seen[pair] for pair in told)


def test_the_closest_come_first_and_only_so_many():
    baskets = [{1, 2}] * 20 + [{1, 3}] * 10 + [{4, 5}] * 40
    found = pairs.together(*flat(baskets), k=1, at_least=3)
    first = dict(zip(found.item.tolist(), found.other.tolist(), strict=True))
    assert first == {1: 2, 2: 1, 3: 1, 4: 5, 5: 4}
    assert set(found.rank.tolist()) == {1}


def test_what_follows_is_not_what_went_before():
    steps = 30
    before = np.arange(steps)
    found = pairs.after(
        np.r_[before, before + 100], np.r_[np.full(steps, 7), np.full(steps, 9)],
        np.r_[before, before + 100], np.r_[np.full(steps, 8), np.full(steps, 9)],
        k=5, at_least=3,
    )  # fmt: skip
    assert (found.item.tolist(), found.other.tolist(), found.count.tolist()) == ([7], [8], [30])


def test_nothing_was_bought_so_nothing_goes_together():
    empty = np.zeros(0, dtype=np.int64)
    assert len(pairs.together(empty, empty, k=5, at_least=1).item) == 0
