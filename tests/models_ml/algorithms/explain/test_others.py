"""Shares of linear models and of any function."""

import numpy as np
import pandas as pd
import pytest

from models_ml.algorithms.explain import linear, sampling


def test_shares_of_a_linear_model_by_hand() -> None:
    base, shares = linear.contributions(
        x=np.array([[3.0, 1.0], [1.0, 2.0]]),
        weight=np.array([2.0, -1.0]),
        shift=0.5,
        usual=np.array([1.0, 1.0]),
    )
    assert base == 1.5
    assert shares.tolist() == [[4.0, 0.0], [0.0, -1.0]]


def test_several_numbers_of_one_column_are_one_share() -> None:
    base, shares = linear.contributions(
        x=np.array([[1.0, 2.0, 3.0]]),
        weight=np.array([1.0, 10.0, 100.0]),
        shift=0.0,
        usual=np.zeros(3),
        owner=[0, 1, 0],
    )
    assert (base, shares.tolist()) == (0.0, [[301.0, 20.0]])


def shop(rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "orders": rng.poisson(3, rows).astype(float),
            "days": rng.uniform(0, 100, rows),
            "country": pd.Categorical(rng.choice(["DE", "FR"], rows)),
        }
    )


def additive(x: pd.DataFrame) -> np.ndarray:
    return (2 * x["orders"] - x["days"] / 10 + 5 * (x["country"] == "DE")).to_numpy(dtype=float)


def test_sampled_shares_sum_to_the_answer_exactly() -> None:
    usual = shop()
    row = usual.iloc[[7]]

    def bent(x: pd.DataFrame) -> np.ndarray:
        return additive(x) + x["orders"].to_numpy() * x["days"].to_numpy() / 50

    found = sampling.contributions(predict=bent, row=row, usual=usual, orders=50, seed=2)
    assert found.base + found.share.sum() == pytest.approx(bent(row)[0])
    assert found.orders == 50
    assert (found.error > 0).all()


def test_the_stated_error_of_sampled_shares_holds() -> None:
    usual = shop()
    row = usual.iloc[[11]]
    truth = np.array(
        [
            2 * (row["orders"].iloc[0] - usual["orders"].mean()),
            -(row["days"].iloc[0] - usual["days"].mean()) / 10,
            5 * (float(row["country"].iloc[0] == "DE") - (usual["country"] == "DE").mean()),
        ]
    )
    off = []
    for seed in range(60):
        found = sampling.contributions(predict=additive, row=row, usual=usual, orders=32, seed=seed)
        off.append((found.share - truth) / found.error)
    inside = (np.abs(np.array(off)) < 1.96).mean()
    assert 0.9 <= inside <= 0.99


def test_sampling_needs_one_row() -> None:
    with pytest.raises(ValueError, match="one row"):
        sampling.contributions(predict=additive, row=shop(2), usual=shop())
