"""What people look at is read between what they buy, and what they buy is asked for."""

import numpy as np
import pytest

from models_ml.algorithms import artifacts, forgetting, metrics
from models_ml.algorithms.data import Interactions, truth_of
from models_ml.algorithms.recommenders.sequential import served
from models_ml.algorithms.recommenders.sequential.bert4rec import BERT4Rec
from models_ml.algorithms.recommenders.sequential.histories import GAPS, LOOKS, Looks, read
from models_ml.algorithms.recommenders.sequential.sasrec import Params, SASRec
from tests.models_ml.algorithms.shops import START

KINDS = {"sasrec": SASRec, "bert4rec": BERT4Rec}
SMALL = Params(
    threads=1, dimension=32, heads=2, layers=1, length=16, batch=32, epochs=6, dropout=0.1,
    learning_rate=1e-2, hidden=0.3, last_only=0.8, most_asked=256, half_life_days=0.0,
)  # fmt: skip
VIEW, CART = LOOKS.index("view"), LOOKS.index("cart")
HOUR, DAY = 3_600, 86_400


def told(people=150, items=60, bought=6, seed=5):
    """Nobody has a taste, but everybody looks at what they buy a day before, and at something
    else three days before. The last purchase is cut off: (before, looks, what came then)."""
    rng = np.random.default_rng(seed)
    item = np.stack([rng.permutation(items)[: 2 * bought] for _person in range(people)])
    buys, others = item[:, :bought], item[:, bought:]
    user = np.repeat(np.arange(people), bought)
    at = START + np.tile(np.arange(1, bought + 1) * 10, people) * np.timedelta64(DAY, "s")
    data = Interactions.of(user, buys.ravel(), at)
    looks = Looks.of(
        np.tile(user, 2),
        np.concatenate([others.ravel(), buys.ravel()]),
        np.concatenate([at - np.timedelta64(3 * DAY, "s"), at - np.timedelta64(DAY, "s")]),
        np.full(2 * len(user), VIEW),
    )
    last = np.tile(np.arange(bought) == bought - 1, people)
    return data.where(~last), looks, data.where(last)


@pytest.fixture(scope="module", params=KINDS)
def learned(request):
    before, looks, _then = told()
    kind = KINDS[request.param]
    return kind(SMALL).fit(before), kind(SMALL).fit(before, looks=looks)


def test_a_look_before_the_purchase_says_what_it_will_be(learned):
    before, _looks, then = told()
    truth = truth_of(then, before, skip_seen=True)
    blind, reads = (
        float(metrics.ranking(truth, model.recommend(truth.users, 10)[0], 10).ndcg.mean())
        for model in learned
    )
    assert blind < 0.15
    assert reads > 0.6


def test_what_was_looked_at_may_be_shown_and_what_was_bought_may_not(learned):
    before, looks, _then = told()
    shown = learned[1].recommend(before.users.ids, 10)[0]
    owned = set(zip(before.user.tolist(), before.item.tolist(), strict=True))
    seen = set(zip(looks.user.tolist(), looks.item.tolist(), strict=True)) - owned
    pairs = {(user, item) for user, row in enumerate(shown.tolist()) for item in row}
    assert not pairs & owned
    assert pairs & seen


def test_a_stored_model_reads_looks_as_before_and_forgets_those_of_the_erased(learned, tmp_path):
    model = learned[1]
    with artifacts.create(tmp_path / "m", {}) as folder:
        model.save(folder)
    users = model.users.ids[:30]
    asked = model.recommend(users, 5)[0]
    name = type(model).__name__.lower()
    assert (type(model).load(tmp_path / "m").recommend(users, 5)[0] == asked).all()
    answers = getattr(served, name)(tmp_path / "m").recommend(users, 5)[0]
    assert (answers == asked).mean() > 0.9
    made = forgetting.drop_people(folder=tmp_path / "m", numbers=[0])
    less = type(model).load(made)
    assert 0 not in less.users.ids
    assert (less.recommend(users[1:], 5)[0] == asked[1:]).all()


def test_looks_stand_in_the_order_of_time_and_the_next_purchase_is_asked_for():
    hours = np.array([0, 30, 60], dtype="timedelta64[h]")
    data = Interactions.of([1, 1, 2], [10, 11, 10], START + hours)
    looks = Looks.of(
        [1, 1, 1, 1, 2, 9], [11, 11, 12, 11, 12, 10],
        START + np.array([1, 2, 3, 30, 61, 0], dtype="timedelta64[h]"),
        [VIEW, VIEW, CART, VIEW, VIEW, VIEW],
    )  # fmt: skip
    found = read(data, data.users, data.items, once=True, looks=looks)
    # 12 was never bought and 9 is nobody: left out. The second look of a day counts once.
    assert found.item.tolist() == [0, 1, 1, 1, 0]
    assert found.kind.tolist() == [0, 1 + VIEW, 1 + VIEW, 0, 0]
    assert found.start.tolist() == [0, 4, 5]
    assert found.basket.tolist() == [0, 1, 2, 3, 4]
    assert found.follows.tolist() == [3, 3, 3, -1, -1]
    assert (found.gap // GAPS).tolist() == [0, 1 + VIEW, 1 + VIEW, 0, 0]
    assert found.teaches.tolist() == [True, False]
    assert found.purchases.item.tolist() == [0, 1, 0]
    assert found.purchases.start.tolist() == [0, 2, 3]
    plain = read(data, data.users, data.items, once=True)
    assert plain.kind is None
    assert plain.follows.tolist() == [1, -1, -1]


def test_looks_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="same length"):
        Looks.of([1], [1, 2], np.array([0]), [0])
    with pytest.raises(ValueError, match="kind must be"):
        Looks.of([1], [1], np.array([0]), [len(LOOKS)])


def test_further_learning_takes_looks_in_that_the_model_never_read(learned):
    before, looks, _then = told()
    model = type(learned[0])(SMALL).fit(before, epochs=1)
    assert model.net.kind is None
    model.learn_further(before, looks=looks)
    assert model.net.kind is not None
    assert model.recommend(before.users.ids[:3], 4)[0].shape == (3, 4)
