"""Whoever is erased goes from every stored model, whatever algorithm wrote it."""

from pathlib import Path

import numpy as np
import pytest

from ingestion import erasure
from ingestion.models import Customer, Erasure
from marketing.core import jobs
from marketing.core.models import Job
from models_ml import registry
from models_ml.algorithms import artifacts, forgetting
from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders import (
    als,
    blend,
    bpr,
    content,
    ease,
    itemitem,
    local,
    markov,
    popular,
)
from models_ml.algorithms.recommenders.sequential import bert4rec, histories, sasrec
from models_ml.models import ModelVersion
from tests import factories
from tests.models_ml.algorithms.shops import two_tastes

SMALL = bert4rec.Params(dimension=16, heads=1, layers=1, length=8, batch=16, epochs=1, threads=1)
MAKE = {
    "popular": popular.Popular,
    "als": lambda: als.ALS(als.Params(factors=4, half_life_days=0)),
    "bpr": lambda: bpr.BPR(bpr.Params(factors=4, iterations=3)),
    "local": local.Local,
    "content": content.Content,
    "markov": markov.Markov,
    "itemitem": itemitem.ItemItem,
    "ease": ease.EASE,
    "blend": blend.Blend,
    "sasrec": lambda: sasrec.SASRec(SMALL),
    "bert4rec": lambda: bert4rec.BERT4Rec(SMALL),
}


@pytest.fixture(scope="module")
def shop() -> Interactions:
    return two_tastes(people=20, items=12, orders=4)


@pytest.mark.parametrize("name", MAKE)
def test_a_model_lets_people_go_and_answers_the_others_as_before(
    name: str, shop: Interactions, tmp_path: Path
) -> None:
    model = MAKE[name]().fit(shop)
    folder = tmp_path / name
    with artifacts.create(folder, {"name": name}) as draft:
        model.save(draft)
    gone = [1000, 1007, 1019]
    assert forgetting.drop_people(folder=folder, numbers=[5]) is None
    assert forgetting.people_in(folder=folder).tolist() == shop.users.ids.tolist()
    made = forgetting.drop_people(folder=folder, numbers=gone)
    assert made is not None
    artifacts.check(made)
    kept = type(model).load(made)
    left = np.setdiff1d(shop.users.ids, gone)
    assert forgetting.people_in(folder=made).tolist() == left.tolist()
    assert kept.users.ids.tolist() == left.tolist()
    owned = model.seen[model.users.encode(left)]
    assert (kept.seen.toarray() > 0).tolist() == (owned.toarray() > 0).tolist()
    before, after = model.recommend(left, 3), kept.recommend(left, 3)
    assert after[0].tolist() == before[0].tolist()
    assert after[1] == pytest.approx(before[1], abs=1e-5)


def test_the_histories_of_those_who_stay_are_what_they_alone_would_make(
    shop: Interactions, tmp_path: Path
) -> None:
    model = sasrec.SASRec(SMALL).fit(shop)
    folder = tmp_path / "whole"
    with artifacts.create(folder, {}) as draft:
        model.save(draft)
    made = forgetting.drop_people(folder=folder, numbers=[1000, 1010])
    assert made is not None
    stored = artifacts.read_arrays(made / "histories.npz")
    stay = ~np.isin(shop.user, [1000, 1010])
    others = shop.where(stay)
    alone = histories.read(others, others.users, model.items, once=True)
    for field in ("item", "at", "start"):
        assert stored[field].tolist() == getattr(alone, field).tolist(), field


def test_sequences_of_an_earlier_release_let_people_go_too(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    with artifacts.create(folder, {}) as draft:
        artifacts.write_arrays(
            draft / "sequences.npz",
            users=np.array([7, 8, 9]),
            items=np.array([50, 51, 52]),
            seen_indptr=np.array([0, 2, 3, 5]),
            seen_indices=np.array([0, 1, 2, 0, 2]),
            item=np.array([0, 1, 2, 0, 2]),
            basket=np.array([0, 1, 2, 3, 4]),
            start=np.array([0, 2, 3, 5]),
            cut=np.array([1, 4]),
            stop=np.array([2, 5]),
            owner=np.array([0, 2]),
            age=np.array([4.0, 0.0]),
        )
    made = forgetting.drop_people(folder=folder, numbers=[7])
    assert made is not None
    stored = artifacts.read_arrays(made / "sequences.npz")
    assert {name: stored[name].tolist() for name in ("users", "item", "start", "cut", "owner")} == {
        "users": [8, 9], "item": [2, 0, 2], "start": [0, 1, 3], "cut": [2], "owner": [1],
    }  # fmt: skip


def test_everybody_may_go(shop: Interactions, tmp_path: Path) -> None:
    for name, make in MAKE.items():
        folder = tmp_path / name
        with artifacts.create(folder, {}) as draft:
            model = make().fit(shop)
            model.save(draft)
        made = forgetting.drop_people(folder=folder, numbers=shop.users.ids.tolist())
        assert made is not None
        assert len(type(model).load(made).users) == 0


def test_what_cannot_be_read_is_called_damaged(shop: Interactions, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    with artifacts.create(folder, {}) as draft:
        popular.Popular().fit(shop).save(draft)
    for held in (b"", b"PK\x03\x04 torn", b"no archive at all"):
        (folder / "popular.npz").write_bytes(held)
        with pytest.raises(artifacts.Damaged):
            forgetting.drop_people(folder=folder, numbers=[1000])


def bought_by(people: list[Customer]) -> Interactions:
    return Interactions.of(
        [person.pk for person in people for _item in range(2)],
        [5, 6] * len(people),
        np.repeat(np.datetime64("2026-01-01", "s"), 2 * len(people)),
    )


def stored(people: list[Customer], erased: list[Customer] | None = None) -> ModelVersion:
    """A version trained on these people; `erased` are erased while it is trained."""
    model = popular.Popular().fit(bought_by(people))
    for person in erased or []:
        erasure.forget(customer_id=person.pk, actor=None)
    return registry.save(
        name="popular", algorithm="popular", write=model.save, params={}, metrics={}, baseline={},
        data_from=None, data_until=None, rows=4, seed=1,
    )  # fmt: skip


@pytest.mark.django_db
def test_who_was_erased_during_a_training_is_not_in_the_new_version() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    version = stored([ada, ben], erased=[ada])
    assert forgetting.people_in(folder=registry.folder(version)).tolist() == [ben.pk]
    version.refresh_from_db()
    assert registry.load(version, popular.Popular.load).users.ids.tolist() == [ben.pk]


@pytest.mark.django_db
def test_a_damaged_model_keeps_an_erasure_open_until_it_is_gone() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    sound, torn = stored([ada, ben]), stored([ada, ben])
    (registry.folder(torn) / "popular.npz").write_bytes(b"torn")
    receipt: Erasure = erasure.forget(customer_id=ada.pk, actor=None).receipt
    job = Job.objects.get(kind="privacy.sweep")
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    receipt.refresh_from_db()
    assert (job.state, receipt.finished_at) == ("failed", None)
    assert torn.folder in job.error
    sound.refresh_from_db()
    assert forgetting.people_in(folder=registry.folder(sound)).tolist() == [ben.pk]
    (registry.folder(torn) / "popular.npz").unlink()
    jobs.start(
        kind="privacy.sweep", title="again", params={"erasure_id": receipt.pk}, user=None, steps=4
    )
    jobs.run(job_id=Job.objects.latest("pk").pk)
    receipt.refresh_from_db()
    assert receipt.finished_at is not None
