"""What engines that read sequences promise beside the promises of every engine."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models_ml.algorithms import artifacts
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Interactions, concat
from models_ml.algorithms.recommenders.sequential import batches, histories
from models_ml.algorithms.recommenders.sequential.bert4rec import BERT4Rec
from models_ml.algorithms.recommenders.sequential.sasrec import Params, SASRec
from tests.models_ml.algorithms.shops import START, two_tastes

KINDS = {"sasrec": SASRec, "bert4rec": BERT4Rec}
SMALL = Params(threads=1, dimension=32, heads=2, layers=1, length=24, batch=32, epochs=6)
TINY = Params(threads=1, dimension=8, heads=2, layers=1, length=8, batch=8, epochs=1)


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def shop():
    return two_tastes()


def own_side(ids, users):
    return (ids % 2 == np.asarray(users)[:, None] % 2).mean()


@pytest.mark.parametrize("loss", ["softmax", "sampled", "gbce"])
def test_taste_is_found_with_every_loss(kind, loss, shop):
    params = Params(
        dimension=32, layers=1, length=24, batch=32, epochs=9, loss=loss, negatives=64, threads=1
    )
    model = kind(params).fit(shop)
    ids, _scores = model.recommend(shop.users.ids, 10)
    assert own_side(ids, shop.users.ids) > 0.9


@pytest.mark.parametrize("loss", ["softmax", "sampled", "gbce"])
def test_no_step_adds_up_in_an_order_that_threads_decide(kind, loss, shop):
    model = kind(replace(TINY, loss=loss, negatives=64)).fit(shop)
    batch = next(iter(model.run(model.params, 1).batches(1, 0)))
    found, waiting = set(), [model.loss_of(batch).grad_fn]
    while waiting:
        step = waiting.pop()
        if step is not None and step not in found:
            found.add(step)
            waiting += [before for before, _place in step.next_functions]
    names = {type(step).__name__ for step in found}
    assert "EmbeddingBackward0" in names
    # What was drawn is indexed, where every product stands once.
    indexed = sum(type(step).__name__ == "IndexBackward0" for step in found)
    assert indexed == (loss != "softmax")


def test_large_catalogues_are_sampled_and_small_ones_compete_whole(kind):
    model = kind(TINY)
    many = Interactions.of(np.zeros(7000), np.arange(7000), START + np.arange(7000) * 60)
    model.users, model.items = many.users, many.items
    assert model.loss == "sampled"
    model.items = two_tastes().items
    assert model.loss == "softmax"


def test_an_epoch_reads_everybody_once_and_neighbours_are_alike(shop):
    read = histories.read(shop, shop.users, shop.items, once=False)
    reading = batches.Reading(len(shop.items), 200, 16, seed=1)
    made = list(batches.epoch(reading, read, batches.forward, number=3))
    assert sum(len(batch) for batch in made) == len(shop.users)
    asked = sum(len(batch.asked) for batch in made)
    assert asked == len(shop) - len(shop.users)
    assert asked / sum(batch.tokens.numel() for batch in made) > 0.8
    rest = list(batches.epoch(reading, read, batches.forward, number=3, skip=5))
    for one, other in zip(made[5:], rest, strict=True):
        assert torch.equal(one.tokens, other.tokens)


def test_the_future_is_not_looked_at(shop):
    model = SASRec(TINY).fit(shop)
    read = model.histories
    begin, end = read.start[:3], read.start[1:4]
    tokens, place, gap, _last = model.inputs(read, begin, end)
    with torch.inference_mode():
        before = model.net(tokens, place, gap)
        tokens[:, 5:] = 0
        assert torch.allclose(model.net(tokens, place, gap)[:, :5], before[:, :5], atol=1e-6)


def test_what_fills_a_row_changes_nothing(kind, shop):
    model = kind(TINY).fit(shop)
    person = shop.users.ids[:1]
    alone = model.recommend(person, 5)
    with_others = model.recommend(shop.users.ids, 5)
    assert alone[0][0].tolist() == with_others[0][0].tolist()
    assert alone[1][0] == pytest.approx(with_others[1][0], abs=1e-4)


def test_a_session_is_answered_without_being_known(kind, shop):
    model = kind(SMALL).fit(shop)
    even, odd = np.arange(5000, 5016, 2), np.arange(5001, 5017, 2)
    ids, _scores = model.continue_from([even, odd, np.array([1, 2])], 5)
    assert own_side(ids[:2], [0, 1]) > 0.8
    assert (ids[2] == NO_ITEM).all()
    assert not np.isin(ids[0], even).any()


def test_new_events_are_learned_without_starting_again(kind, shop):
    model = kind(SMALL).fit(shop)
    before = model.net.table.weight.detach().clone()
    rng = np.random.default_rng(5)
    # A new product that even people take to, and new people with it.
    people = np.arange(1000, 1300, 2)
    fresh = Interactions.of(
        np.concatenate([people, people]),
        np.concatenate([np.full(len(people), 9000), 5000 + 2 * rng.integers(0, 50, len(people))]),
        START + np.repeat([400, 401], len(people)) * 86_400,
    )
    everything = concat(shop, fresh)
    model.learn_further(everything)
    assert len(model.items) == len(shop.items) + 1
    kept = model.items.encode(shop.items.ids)
    moved = (model.net.table.weight.detach()[kept] - before[: len(kept)]).norm()
    assert moved < before[: len(kept)].norm()
    fans, others = np.arange(1300, 1306), np.arange(1001, 1200, 2)
    assert (model.recommend(fans, 3)[0] == NO_ITEM).all()
    ids, _scores = model.recommend(others, 10)
    assert own_side(np.where(ids == 9000, 5000, ids), others) > 0.8
    cold = model.continue_from([np.arange(5000, 5012, 2)], 20)[0]
    assert 9000 in cold


def odd_data():
    second = np.datetime64("2026-01-01", "s")
    day = np.timedelta64(86_400, "s")
    return {
        "one person": Interactions.of([1] * 6, range(6), second + np.arange(6) * day),
        "one product": Interactions.of(range(6), [1] * 6, second + np.arange(6) * day),
        "one line": Interactions.of([1], [1], [second]),
        "one second": Interactions.of([1, 1, 1, 2, 2, 2], [1, 2, 3, 2, 3, 4], [second] * 6),
        "nothing in common": Interactions.of(
            [1, 1, 2, 2], [1, 2, 3, 4], second + np.arange(4) * day
        ),
        "the same again": Interactions.of([1] * 5 + [2], [7] * 6, second + np.arange(6) * day),
    }


@pytest.mark.parametrize("name", odd_data())
def test_odd_shops_are_learned_from_and_answered(kind, name, tmp_path):
    data = odd_data()[name]
    model = kind(TINY).fit(data)
    with artifacts.create(tmp_path / "m", {}) as folder:
        model.save(folder)
    back = kind.load(tmp_path / "m")
    for skip in (True, False):
        ids, scores = back.recommend(data.users.ids, 3, skip_seen=skip)
        assert ids.shape == (len(data.users), 3)
        assert np.isin(ids[ids != NO_ITEM], data.items.ids).all()
        assert not np.isnan(scores).any()


def test_a_product_that_vanished_is_never_shown(kind, shop):
    model = kind(TINY).fit(shop)
    left = shop.items.ids[10:]
    ids, _scores = model.recommend(shop.users.ids, 10, allowed=left)
    assert np.isin(ids, left).all()


def test_a_spoilt_artefact_is_not_believed(kind, shop, tmp_path):
    model = kind(TINY).fit(shop)
    with artifacts.create(tmp_path / "m", {}) as folder:
        model.save(folder)
    path = tmp_path / "m" / "weights.safetensors"
    spoilt = bytearray(path.read_bytes())
    spoilt[-1] ^= 1
    path.write_bytes(spoilt)
    with pytest.raises(artifacts.Damaged):
        artifacts.check(tmp_path / "m")
