"""Who is ranked by short vectors gets what comparing with every item would give."""

import numpy as np
import pytest
from scipy.sparse import random as sparse

from models_ml.algorithms.data import IdMap
from models_ml.algorithms.recommenders import factors
from models_ml.algorithms.recommenders.als import ALS, Params

PEOPLE, ITEMS = 40, 900


@pytest.fixture
def model(monkeypatch):
    """Long and short items, looked at in many steps."""
    monkeypatch.setattr(factors, "FIRST", 50)
    monkeypatch.setattr(factors, "WIDTH", 300)
    monkeypatch.setattr(factors, "ROWS", 16)
    rng = np.random.default_rng(3)
    made = ALS(Params(factors=8))
    made.users, made.items = IdMap(np.arange(PEOPLE) * 3), IdMap(np.arange(ITEMS) + 500)
    made.user_factors = rng.standard_normal((PEOPLE, 8)).astype(np.float32)
    made.user_factors[5] = 0
    length = rng.pareto(1.0, (ITEMS, 1))
    made.item_factors = (rng.standard_normal((ITEMS, 8)) * length).astype(np.float32)
    made.seen = sparse(PEOPLE, ITEMS, 0.05, "csr", dtype=np.float32, random_state=1)
    return made


@pytest.mark.parametrize("skip_seen", [True, False])
@pytest.mark.parametrize("shown", [ITEMS, 400, 6])
def test_they_are_the_best_of_all(model, shown, skip_seen):
    allowed = model.items.ids[::-1][:shown]
    users = np.append(model.users.ids[::-1], 1)
    ids, scores = model.recommend(users, 10, allowed, skip_seen)
    every = model.user_factors @ model.item_factors.T
    every[:, ~np.isin(model.items.ids, allowed)] = -np.inf
    if skip_seen:
        every[model.seen.nonzero()] = -np.inf
    best = np.argsort(-every, axis=1, kind="stable")[::-1, :10]
    told = np.take_along_axis(every[::-1], best, axis=1)
    assert scores[:-1] == pytest.approx(told, rel=1e-4, abs=1e-6)
    sure = np.isfinite(told) & (np.arange(PEOPLE)[::-1] != 5)[:, None]
    assert (ids[:-1][sure] == model.items.ids[best][sure]).all()
    assert (ids[:-1][~np.isfinite(told)] == -1).all()
    assert (ids[-1] == -1).all()


def test_most_people_need_not_see_most_items(model, monkeypatch):
    asked = []
    found = factors.highest
    monkeypatch.setattr(
        factors, "highest", lambda scores, k: asked.append(scores.size) or found(scores, k)
    )
    model.recommend(model.users.ids, 10)
    assert sum(asked) < 0.5 * PEOPLE * ITEMS
