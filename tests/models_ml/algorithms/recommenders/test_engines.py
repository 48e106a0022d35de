"""What every engine promises, held by all of them; then what each alone promises."""

import numpy as np
import pytest
import torch

from models_ml.algorithms import artifacts, metrics, trainer
from models_ml.algorithms.data import Interactions, split_by_time, truth_of
from models_ml.algorithms.recommenders import (
    als,
    bpr,
    content,
    ease,
    itemitem,
    local,
    markov,
    popular,
)
from models_ml.algorithms.recommenders.sequential import bert4rec, sasrec
from tests.models_ml.algorithms.shops import two_tastes

SMALL = bert4rec.Params(
    dimension=32, heads=2, layers=1, length=24, batch=32, epochs=6, learning_rate=3e-3, threads=1
)
TRAITS = {
    "popular": lambda: popular.Popular(),
    "als": lambda: als.ALS(als.Params(factors=16, regularization=1.0, half_life_days=0)),
    "bpr": lambda: bpr.BPR(bpr.Params(factors=16, iterations=30)),
    "local": local.Local,
    "content": content.Content,
    "markov": markov.Markov,
    "itemitem": itemitem.ItemItem,
    "ease": ease.EASE,
    "sasrec": lambda: sasrec.SASRec(SMALL),
    "bert4rec": lambda: bert4rec.BERT4Rec(SMALL),
}


@pytest.fixture(scope="module")
def shop():
    return two_tastes()


@pytest.fixture(scope="module")
def fitted(shop):
    return {name: make().fit(shop) for name, make in TRAITS.items()}


@pytest.fixture(params=TRAITS)
def engine(request, fitted):
    return fitted[request.param]


def test_answers_have_a_row_per_person_and_are_ordered(engine, shop):
    ids, scores = engine.recommend(shop.users.ids[:7], 5)
    assert ids.shape == scores.shape == (7, 5)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert np.isin(ids, shop.items.ids).all()
    assert all(len(set(row)) == 5 for row in ids.tolist())


def test_nobody_is_shown_what_they_own(engine, shop):
    users = shop.users.ids
    ids, _scores = engine.recommend(users, 10)
    owned = set(zip(shop.user.tolist(), shop.item.tolist(), strict=True))
    assert not any(
        (int(user), int(item)) in owned
        for user, row in zip(users, ids, strict=True)
        for item in row
    )


def test_owned_products_may_be_asked_for(engine, shop):
    ids, _scores = engine.recommend(shop.users.ids, 10, skip_seen=False)
    owned = set(zip(shop.user.tolist(), shop.item.tolist(), strict=True))
    repeats = sum(
        (int(user), int(item)) in owned
        for user, row in zip(shop.users.ids, ids, strict=True)
        for item in row
    )
    assert repeats > 0


def test_only_allowed_products_are_shown_and_short_answers_say_so(engine, shop):
    allowed = shop.items.ids[:3]
    ids, scores = engine.recommend(shop.users.ids[:4], 8, allowed=allowed)
    assert np.isin(ids[ids >= 0], allowed).all()
    assert ((ids == -1) == np.isneginf(scores)).all()
    assert (ids[:, 3:] == -1).all()


def test_more_places_than_products_are_left_empty(engine, shop):
    ids, _scores = engine.recommend(shop.users.ids[:2], 120, skip_seen=False)
    assert (ids[:, len(shop.items) :] == -1).all()
    assert (ids[:, : len(shop.items)] >= 0).all()


def test_nobody_asked_means_nothing_answered(engine):
    ids, scores = engine.recommend(np.array([], dtype=np.int64), 3)
    assert ids.shape == scores.shape == (0, 3)


def test_the_same_seed_gives_the_same_answer(engine, shop):
    again = type(engine)(engine.params).fit(shop)
    users = shop.users.ids[:20]
    assert (again.recommend(users, 10)[0] == engine.recommend(users, 10)[0]).all()


def test_a_stored_engine_answers_as_before(engine, shop, tmp_path):
    with artifacts.create(tmp_path / "m", {}) as folder:
        engine.save(folder)
    artifacts.check(tmp_path / "m")
    back = type(engine).load(tmp_path / "m")
    users = np.append(shop.users.ids, 999_999)
    for skip_seen in (True, False):
        ids, scores = engine.recommend(users, 10, skip_seen=skip_seen)
        again, scores_again = back.recommend(users, 10, skip_seen=skip_seen)
        assert (ids == again).all()
        assert np.allclose(scores, scores_again, equal_nan=True, atol=1e-5)


def test_learning_from_nothing_is_refused(engine):
    empty = Interactions.of([], [], np.array([], dtype="datetime64[s]"))
    with pytest.raises(ValueError, match="no interactions"):
        type(engine)(engine.params).fit(empty)


@pytest.mark.parametrize("name", ["als", "bpr", "markov", "itemitem", "ease", "sasrec", "bert4rec"])
def test_planted_taste_is_found_and_beats_popularity(name, shop):
    split = split_by_time(shop, until="2026-07-01", test_days=40, validation_days=20)
    truth = truth_of(split.test, split.before_test, skip_seen=True)

    def judged(engine):
        ids, _scores = engine.fit(split.before_test).recommend(truth.users, 10)
        own = (ids % 2 == truth.users[:, None] % 2).mean()
        return metrics.ranking(truth, ids, 10), own

    base, _own = judged(popular.Popular())
    ours, own = judged(TRAITS[name]())
    assert own > 0.75
    assert metrics.paired_difference(ours.ndcg, base.ndcg, seed=1).mean > 0


@pytest.mark.parametrize("name", ["als", "bpr", "sasrec", "bert4rec"])
def test_likeness_follows_the_planted_taste(name, fitted):
    ids, table = fitted[name].vectors()
    assert np.allclose(np.linalg.norm(table, axis=1), 1, atol=1e-4)
    alike = table @ table.T
    same = ids[:, None] % 2 == ids[None, :] % 2
    other = ~np.eye(len(ids), dtype=bool)
    assert alike[same & other].mean() > alike[~same].mean()


@pytest.mark.parametrize("name", ["als", "bpr", "markov", "itemitem", "ease", "sasrec", "bert4rec"])
def test_somebody_never_met_gets_an_empty_row(name, fitted):
    ids, scores = fitted[name].recommend(np.array([999_999]), 4)
    assert ids.tolist() == [[-1] * 4]
    assert np.isneginf(scores).all()


def test_popularity_counts_people_and_only_lately():
    data = Interactions.of(
        [1, 1, 2, 3, 4, 5],
        [7, 7, 8, 8, 9, 9],
        np.repeat(np.array(["2026-03-01", "2026-03-02", "2026-01-01"], dtype="datetime64[s]"), 2),
    )
    recent = popular.Popular(popular.Params(days=30)).fit(data)
    assert recent.recommend(np.array([99]), 3)[0].tolist() == [[8, 7, 9]]
    ever = popular.Popular(popular.Params(days=0)).fit(data)
    assert ever.recommend(np.array([99]), 3)[0].tolist() == [[8, 9, 7]]


def test_old_purchases_fade_but_stay_owned():
    data = Interactions.of(
        [1, 1, 2], [7, 8, 8], np.array(["2020-01-01", "2026-01-01", "2026-01-01"], "datetime64[s]")
    )
    faded = als.confidence(data, data.users, data.items, half_life_days=20)
    assert faded[0, 0] == pytest.approx(1e-6)
    assert faded[0, 1] == pytest.approx(np.log(2))
    assert faded.nnz == 3


def test_training_stops_early_and_keeps_the_best_epoch(shop):
    told = []
    scores = iter([0.1, 0.3, 0.2, 0.2, 0.2, 0.2])
    params = bert4rec.Params(dimension=16, layers=1, heads=1, length=8, epochs=6, patience=2)
    model = sasrec.SASRec(params).fit(shop, judge=lambda _model: next(scores), on_epoch=told.append)
    assert model.history.best_epoch == 2
    assert model.history.best_score == 0.3
    assert [epoch.number for epoch in told] == [1, 2, 3, 4]
    assert model.history.device == trainer.pick_device().type
    assert not model.net.training


def test_a_stop_from_outside_ends_the_training(shop):
    def stop(_epoch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bert4rec.BERT4Rec(SMALL).fit(shop, on_epoch=stop)


def test_loss_falls_and_threads_and_seed_are_put_back(shop):
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    model = bert4rec.BERT4Rec(SMALL).fit(shop)
    losses = [epoch.loss for epoch in model.history.epochs]
    assert losses[-1] < losses[0]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_one_person_with_one_purchase_is_enough_to_run():
    data = Interactions.of([1, 2], [5, 6], np.array(["2026-01-01"] * 2, dtype="datetime64[s]"))
    for make in TRAITS.values():
        ids, _scores = make().fit(data).recommend(np.array([1]), 1)
        assert ids.tolist() == [[6]]
