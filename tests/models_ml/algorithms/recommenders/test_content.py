"""What is said of products, and products that nobody bought yet."""

import numpy as np
import pytest

from models_ml.algorithms import artifacts
from models_ml.algorithms.data import Interactions
from models_ml.algorithms.recommenders import content
from models_ml.algorithms.recommenders.content import Content, Goods, Params

DAY = np.datetime64("2026-01-01", "s")
TITLES = ["red wool scarf", "blue wool scarf", "green wool scarf", "steel kettle 1l",
          "steel kettle 2l", "steel kettle 3l", "garden hose", "garden rake"]  # fmt: skip
GOODS = Goods(
    np.arange(10, 18),
    TITLES,
    ["clothes"] * 3 + ["kitchen"] * 3 + ["garden"] * 2,
    np.array([9.0, 9.5, 9.0, 30.0, 32.0, 35.0, 12.0, np.nan]),
)
# Nobody bought the green scarf (12) or the largest kettle (15).
BOUGHT = Interactions.of(
    [1, 1, 2, 2, 3], [10, 16, 13, 14, 11], DAY + np.array([0, 86_400, 0, 86_400, 0])
)


@pytest.fixture(scope="module")
def model() -> Content:
    return Content().fit(BOUGHT, GOODS)


def test_what_nobody_bought_is_found_by_what_is_said_of_it(model):
    ids, scores = model.recommend(np.array([3, 2]), 2)
    assert ids[0].tolist() == [10, 12]
    assert ids[1, 0] == 15
    assert (np.diff(scores, axis=1) <= 0).all()


def test_the_reason_is_the_purchase_it_is_most_like(model):
    reasons = model.explain(np.array([1, 2]), np.array([[12, 17], [15, 12]]))
    assert reasons.anchor[0].tolist() == [10, 16]
    assert reasons.anchor[1, 0] in (13, 14)
    own, parts = model.contributions(1, 12)
    ids, scores = model.recommend(np.array([1]), 8)
    assert parts.sum() == pytest.approx(float(scores[0][ids[0] == 12][0]), abs=1e-6)
    assert own[parts.argmax()] == 10


def test_the_nearest_of_what_somebody_has_is_named(model):
    anchor, alike = model.near(np.array([10, 13]), np.array([12, 15, 999]))
    assert anchor[:2].tolist() == [10, 13]
    assert alike[:2].min() > 0.5
    assert alike[2] == 0


def test_a_stored_model_says_the_same(model, tmp_path):
    with artifacts.create(tmp_path / "m", {}) as folder:
        model.save(folder)
    back = Content.load(tmp_path / "m")
    assert back.recommend(np.array([1, 2, 3]), 4)[0].tolist() == (
        model.recommend(np.array([1, 2, 3]), 4)[0].tolist()
    )


def test_products_of_which_nothing_or_always_the_same_is_said_are_described_all_the_same():
    def described(titles):
        return content.describe(Goods(np.arange(3), titles, [""] * 3, np.full(3, np.nan)), Params())

    assert not described(["", "", ""]).any()
    same = described(["same", "same", "same"])
    assert same @ same.T == pytest.approx(np.ones((3, 3)), abs=1e-5)


def test_chinese_titles_are_told_apart():
    goods = Goods(
        np.arange(4), ["红色羊毛围巾", "蓝色羊毛围巾", "不锈钢水壶", "不锈钢大水壶"], [""] * 4,
        np.full(4, np.nan),
    )  # fmt: skip
    table = content.describe(goods, Params())
    alike = table @ table.T
    assert alike[0, 1] > alike[0, 2]
    assert alike[2, 3] > alike[2, 0]


def test_products_out_of_order_and_a_folder_without_a_model_are_refused(tmp_path):
    with pytest.raises(ValueError, match="sorted by id"):
        Goods(np.array([2, 1]), ["a", "b"], ["", ""], np.zeros(2))
    with pytest.raises(ValueError, match="no sentence model"):
        content.describe(GOODS, Params(sentences=str(tmp_path)))
