import numpy as np

from models_ml.algorithms.data import IdMap, Interactions
from models_ml.algorithms.sequences import first_purchases, ragged, window


def sequences():
    rows = [
        (1, 10, "2026-01-01"), (1, 11, "2026-01-01"), (1, 10, "2026-01-05"), (1, 12, "2026-01-05"),
        (2, 12, "2026-01-03"), (1, 13, "2026-01-09"),
    ]  # fmt: skip
    user, item, at = zip(*rows, strict=True)
    data = Interactions.of(user, item, np.array(at, dtype="datetime64[s]"))
    return first_purchases(data, data.users, data.items)


def test_every_product_stands_once_at_its_first_purchase():
    made = sequences()
    assert made.item.tolist() == [0, 1, 2, 3, 2]
    assert made.start.tolist() == [0, 4, 5]


def test_an_example_is_a_prefix_and_the_next_new_basket():
    made = sequences()
    assert made.cut.tolist() == [2, 3]
    assert made.stop.tolist() == [3, 4]
    assert made.owner.tolist() == [0, 0]
    assert made.age.tolist() == [4.0, 0.0]


def test_only_products_of_one_basket_change_places():
    made = sequences()
    for seed in range(5):
        shuffled = made.shuffled(np.random.default_rng(seed))
        assert sorted(shuffled[:2].tolist()) == [0, 1]
        assert shuffled[2:].tolist() == [2, 3, 2]


def test_windows_are_padded_on_the_left_and_only_as_wide_as_needed():
    item = np.array([5, 6, 7, 8])
    got = window(item, np.array([0, 3]), np.array([3, 4]), 2, padding=9)
    assert got.tolist() == [[6, 7], [9, 8]]
    assert window(item, np.array([0]), np.array([1]), 50, padding=9).tolist() == [[5]]


def test_ragged_ranges_are_laid_out_row_by_row():
    row, place = ragged(np.array([2, 5]), np.array([4, 6]))
    assert row.tolist() == [0, 0, 1]
    assert place.tolist() == [2, 3, 5]


def test_no_history_means_no_sequences():
    empty = Interactions.of([], [], np.array([], dtype="datetime64[s]"))
    made = first_purchases(empty, IdMap.of(np.array([])), IdMap.of(np.array([])))
    assert len(made.item) == len(made.cut) == 0
