import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models_ml.algorithms.data import (
    IdMap,
    Interactions,
    concat,
    matrix,
    split_by_time,
    truth_of,
)


def bought(*rows: tuple[int, int, str]) -> Interactions:
    user, item, at = zip(*rows, strict=True) if rows else ((), (), ())
    return Interactions.of(user, item, np.array(at, dtype="datetime64[s]"))


def test_arrays_that_do_not_line_up_are_refused():
    with pytest.raises(ValueError, match="same length"):
        Interactions.of([1, 2], [3], ["2026-01-01"])


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_that_mean_nothing_are_refused(weight):
    with pytest.raises(ValueError, match="weights"):
        Interactions.of([1], [2], ["2026-01-01"], [weight])


def test_an_unknown_id_has_no_position():
    assert IdMap.of(np.array([30, 10, 10, 20])).encode(np.array([10, 20, 30, 40, 5])).tolist() == [
        0, 1, 2, -1, -1,
    ]  # fmt: skip
    assert IdMap.of(np.array([], dtype=np.int64)).encode(np.array([1])).tolist() == [-1]


def test_the_split_puts_each_moment_in_one_part_and_the_future_in_none():
    data = bought(
        (1, 1, "2026-01-01"), (1, 2, "2026-01-30T23:59:59"), (1, 3, "2026-02-10"),
        (1, 4, "2026-03-02T00:00:00"), (1, 5, "2026-03-31T23:59:59"), (1, 6, "2026-04-01"),
    )  # fmt: skip
    split = split_by_time(data, until="2026-04-01", test_days=30, validation_days=30)
    assert split.train.item.tolist() == [1, 2]
    assert split.validation.item.tolist() == [3]
    assert split.test.item.tolist() == [4, 5]
    assert sorted(split.before_test.item.tolist()) == [1, 2, 3]


@given(st.lists(st.integers(-50, 50) | st.integers(-(10**12), 10**12)), st.lists(st.integers()))
def test_positions_are_right_however_the_ids_lie(values, others):
    small = [key % (2**62) for key in others]
    ids = IdMap.of(np.array(values, dtype=np.int64))
    assert ids.ids.tolist() == sorted(set(values))
    asked = values * 3 + small
    want = {key: place for place, key in enumerate(sorted(set(values)))}
    got = ids.encode(np.array(asked, dtype=np.int64))
    assert got.tolist() == [want.get(key, -1) for key in asked]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=60),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_nothing_learned_is_later_than_anything_judged(days, test_days, validation_days):
    at = np.datetime64("2026-01-01", "s") + np.array(days) * np.timedelta64(86_400, "s")
    data = Interactions.of(np.zeros(len(days)), np.zeros(len(days)), at)
    split = split_by_time(
        data, until="2026-12-01", test_days=test_days, validation_days=validation_days
    )
    assert (split.before_test.at < split.test_from).all()
    assert (split.train.at < split.validation_from).all()
    assert (split.test.at >= split.test_from).all()
    kept = len(split.train) + len(split.validation) + len(split.test)
    assert kept == int((data.at < split.until).sum())


def test_truth_is_new_products_of_people_with_a_history():
    history = bought((1, 10, "2026-01-01"), (2, 10, "2026-01-01"))
    window = bought(
        (1, 10, "2026-02-01"), (1, 11, "2026-02-01"), (1, 11, "2026-02-02"),
        (2, 10, "2026-02-01"), (3, 11, "2026-02-01"),
    )  # fmt: skip
    new = truth_of(window, history, skip_seen=True)
    assert new.users.tolist() == [1]
    assert new.item.tolist() == [11]
    everything = truth_of(window, history, skip_seen=False)
    assert everything.users.tolist() == [1, 2]
    assert list(zip(everything.row.tolist(), everything.item.tolist(), strict=True)) == [
        (0, 10), (0, 11), (1, 10),
    ]  # fmt: skip


def test_repeated_purchases_add_up_in_the_matrix():
    data = bought((1, 10, "2026-01-01"), (1, 10, "2026-01-02"), (2, 11, "2026-01-01"))
    built = matrix(data, data.users, IdMap.of(np.array([10])))
    assert built.toarray().tolist() == [[2.0], [0.0]]


def test_parts_join_to_the_whole():
    a, b = bought((1, 1, "2026-01-01")), bought((2, 2, "2026-01-02"))
    assert concat(a, b).user.tolist() == [1, 2]
